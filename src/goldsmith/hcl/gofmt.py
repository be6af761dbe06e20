"""Numbers and text in the notations of Go's `fmt`: `%g`, `%e`, `%q`, padding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal

from goldsmith.hcl.numerals import Number

_SHORTEST = 6
"""The precision that decides between plain and exponent notation when none is given."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One directive of a format: `%-08.3f` has the flags "-0", the width 8, the precision 3 and the letter f."""

    letter: str
    flags: str = ""
    width: int | None = None
    precision: int | None = None


def format_integer(verb: Verb, amount: int) -> str:
    """A whole number by `%d %b %o %O %x %X`, with sign, prefix and padding. As in Go, zeros fill up before a prefix comes."""
    if verb.precision == 0 and amount == 0:
        return " " * (verb.width or 0)
    digits = format(abs(amount), "o" if verb.letter == "O" else verb.letter)
    if verb.precision is not None:
        digits = digits.rjust(verb.precision, "0")
    elif "0" in verb.flags and "-" not in verb.flags:
        sign = amount < 0 or "+" in verb.flags or " " in verb.flags
        digits = digits.rjust((verb.width or 0) - sign, "0")
    if "#" in verb.flags or verb.letter == "O":
        octal = "" if digits.startswith("0") else "0"
        digits = {"x": "0x", "X": "0X", "o": octal, "O": "0o", "b": "0b"}.get(verb.letter, "") + digits
    return _signed(verb, amount < 0, digits, False)


def format_real(verb: Verb, amount: Number) -> str:
    """A number by `%e %E %f %F %g %G`, with sign and padding."""
    value = Decimal(amount).copy_abs()
    letter, precision = verb.letter.lower(), verb.precision
    plain = f".{6 if precision is None else precision}{letter}"
    # Decimal gives a zero an exponent of its own, a float does not.
    digits = _general(value, precision) if letter == "g" else format(value or 0.0, plain)
    digits = _two_digit_exponent(digits)
    return _signed(verb, Decimal(amount).is_signed(), digits.upper() if verb.letter.isupper() else digits, "0" in verb.flags)


def shortest(amount: Number) -> str:
    """The number by `%g`, with as few digits as tell it from every other number."""
    return format_real(Verb("g"), amount)


def pad(verb: Verb, text: str, length: int) -> str:
    """The text, which counts as `length` characters wide, padded to the width of the verb."""
    missing = " " * max(0, (verb.width or 0) - length)
    if "-" in verb.flags:
        return text + missing
    return (missing.replace(" ", "0") if "0" in verb.flags else missing) + text


def quote(text: str) -> str:
    """The text in double quotes as Go's `%q` has it: what cannot be printed is escaped."""
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _signed(verb: Verb, negative: bool, digits: str, zeros: bool) -> str:
    sign = "-" if negative else "+" if "+" in verb.flags else " " if " " in verb.flags else ""
    if "-" in verb.flags:
        return (sign + digits).ljust(verb.width or 0)
    if zeros:
        return sign + digits.rjust((verb.width or 0) - len(sign), "0")
    return (sign + digits).rjust(verb.width or 0)


def _general(value: Decimal, precision: int | None) -> str:
    significant = len(value.as_tuple().digits) if precision is None else max(1, precision)
    context = Context(prec=significant)
    rounded = context.plus(value).normalize(context)
    exponent = rounded.adjusted() if rounded else 0
    digits = len(rounded.as_tuple().digits)
    limit = _SHORTEST if precision is None else significant
    if exponent < -4 or exponent >= limit:
        return format(rounded, f".{digits - 1}e")
    return format(rounded, "f")


def _two_digit_exponent(digits: str) -> str:
    mantissa, mark, exponent = digits.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(2, '0')}" if mark else digits
