"""How Go prints values: `%v`, and all of Printf, as templates call it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from goldsmith.hcl.gofmt import Verb, format_integer, format_real, pad, quote, shortest
from goldsmith.hcl.limits import WIDEST_PADDING

_DIRECTIVE = re.compile(
    r"""
    %(?P<flags>[ 0\#+-]*)
    (?:\[(?P<width_at>[^\]]*)\])?(?P<width>[0-9]+|\*)?
    (?:(?P<point>\.)(?:\[(?P<precision_at>[^\]]*)\])?(?P<precision>[0-9]+|\*)?)?
    (?:\[(?P<verb_at>[^\]]*)\])?
    (?P<letter>.)?
    """,
    re.DOTALL | re.VERBOSE,
)


def printed(value: object) -> str:
    """The value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return shortest(Decimal(repr(value)))
        case Mapping():
            return "map[" + " ".join(f"{printed(key)}:{printed(value[key])}" for key in sorted(value)) + "]"
        case list() | tuple():
            return "[" + " ".join(printed(item) for item in value) + "]"
    return str(value)


def go_type(value: object) -> str:
    """The name of the value's type in Go."""
    names: dict[type, str] = {bool: "bool", int: "int", float: "float64", str: "string", type(None): "<nil>"}
    return names.get(type(value), "map[string]interface {}" if isinstance(value, Mapping) else "[]interface {}")


def printf(form: object, *values: object) -> str:
    """Go's Sprintf. What does not fit is told in the text, as Go does; raises ValueError for an absurd width."""
    if not isinstance(form, str):
        raise ValueError(f"expected string; found {printed(form)}")
    return _Printf(form, values).text()


class _Printf:
    """One format and its values, of which the next one is known by its place."""

    def __init__(self, form: str, values: tuple[object, ...]) -> None:
        self._form = form
        self._values = values
        self._next = 0
        self._is_reordered = False
        self._is_good = True

    def text(self) -> str:
        parts: list[str] = []
        at = 0
        for found in _DIRECTIVE.finditer(self._form):
            parts += (self._form[at : found.start()], self._directive(found))
            at = found.end()
        parts.append(self._form[at:])
        left = self._values[self._next :]
        if left and not self._is_reordered:
            parts.append("%!(EXTRA " + ", ".join(f"{go_type(value)}={printed(value)}" for value in left) + ")")
        return "".join(parts)

    def _directive(self, found: re.Match[str]) -> str:
        self._is_good, flags, told = True, found["flags"], ""
        self._go_to(found["width_at"])
        width = self._amount(found["width"])
        if found["width"] == "*":
            told += "" if width is not None else "%!(BADWIDTH)"
            flags, width = (flags.replace("0", "") + "-", -width) if width is not None and width < 0 else (flags, width)
        # An index belongs to the star or the letter behind it; before plain digits it is none.
        self._is_good &= not (found["width_at"] is not None and (found["width"] or "*") != "*")
        precision = None
        if found["point"]:
            self._is_good &= not (found["width_at"] is not None and found["width"] is None)
            self._go_to(found["precision_at"])
            precision = self._amount(found["precision"] or "0")
            precision = precision if precision is None or precision >= 0 else None
            told += "%!(BADPREC)" if precision is None else ""
        self._go_to(found["verb_at"])
        if max(width or 0, precision or 0) > WIDEST_PADDING:
            raise ValueError(f"the width or precision of {found[0]} is beyond {WIDEST_PADDING}")
        return told + self._verb(found["letter"], flags, width, precision)

    def _verb(self, letter: str | None, flags: str, width: int | None, precision: int | None) -> str:
        if letter is None:
            return "%!(NOVERB)"
        if letter == "%":
            return "%"
        if not self._is_good:
            return f"%!{letter}(BADINDEX)"
        if self._next >= len(self._values):
            return f"%!{letter}(MISSING)"
        self._next += 1
        return _formatted(Verb(letter, flags, width, precision), self._values[self._next - 1])

    def _go_to(self, place: str | None) -> None:
        """Make the value of the 1-based place the next one."""
        if place is None:
            return
        self._is_reordered = True
        if place.isascii() and place.isdigit() and 1 <= int(place) <= len(self._values):
            self._next = int(place) - 1
        else:
            self._is_good = False

    def _amount(self, digits: str | None) -> int | None:
        """A width or precision; a star takes it from the values."""
        if digits != "*":
            return int(digits) if digits is not None else None
        value = self._values[self._next] if self._next < len(self._values) else None
        self._next = min(self._next + 1, len(self._values))
        return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= WIDEST_PADDING else None


def _formatted(verb: Verb, value: object) -> str:
    match verb.letter, value:
        case "v", None:
            return _padded(verb, printed(value))
        case "v", _:
            quotes = "#" in verb.flags and isinstance(value, str)
            plain = Verb("v", verb.flags.replace("#", "").replace("+", ""), verb.width, verb.precision)
            return _padded(plain, quote(str(value)[: verb.precision])) if quotes else _value(plain, value)
        case "T", _:
            return _padded(verb, go_type(value)[: verb.precision])
        case "t", bool():
            return _padded(verb, printed(value))
        case (("b" | "d" | "o" | "O" | "x" | "X" | "c" | "q" | "U"), int()) if not isinstance(value, bool):
            return _integer(verb, value)
        case (("e" | "E" | "f" | "F" | "g" | "G"), float()):
            return format_real(verb, Decimal(repr(value)))
        case (("s" | "q" | "x" | "X"), str()):
            return _padded(verb, _text(verb, value))
        case _, list() | tuple():
            return "[" + " ".join(_formatted(verb, item) for item in value) + "]"
    return f"%!{verb.letter}({go_type(value)}={_value(verb, value)})" if value is not None else f"%!{verb.letter}(<nil>)"


def _value(verb: Verb, value: object) -> str:
    """The value by `%v` with the flags, width and precision of a verb, which may be one that the value does not know."""
    match value:
        case int() if not isinstance(value, bool):
            return format_integer(Verb("d", verb.flags, verb.width, verb.precision), value)
        case float():
            return format_real(Verb("g", verb.flags, verb.width, verb.precision), Decimal(repr(value)))
        case str():
            return _padded(verb, value[: verb.precision])
        case list() | tuple():
            return "[" + " ".join(_value(verb, item) for item in value) + "]"
    return _padded(verb, printed(value))


def _integer(verb: Verb, value: int) -> str:
    is_rune = 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF
    rune = chr(value) if is_rune else "\ufffd"
    match verb.letter:
        case "c":
            return _padded(verb, rune)
        case "q":
            return _padded(verb, _quoted_rune(verb, rune))
        case "U":
            return _padded(verb, f"U+{value:04X}" + (f" '{rune}'" if "#" in verb.flags and rune.isprintable() else ""))
    return format_integer(verb, value)


def _quoted_rune(verb: Verb, rune: str) -> str:
    quoted = "\\'" if rune == "'" else quote(rune)[1:-1].replace('\\"', '"')
    return f"'{_in_ascii(quoted) if '+' in verb.flags else quoted}'"


def _text(verb: Verb, value: str) -> str:
    if verb.letter == "s":
        return value[: verb.precision]
    if verb.letter == "q":
        return _quoted(verb, value[: verb.precision])
    octets = value.encode()[: verb.precision]
    digits = octets.hex(" ") if " " in verb.flags else octets.hex()
    return digits.upper() if verb.letter == "X" else digits


def _quoted(verb: Verb, text: str) -> str:
    if "#" in verb.flags and "`" not in text and all(c == "\t" or (c.isprintable() and c != "\ufeff") for c in text):
        return f"`{text}`"
    return _in_ascii(quote(text)) if "+" in verb.flags else quote(text)


def _in_ascii(text: str) -> str:
    return "".join(c if c.isascii() else (f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}") for c in text)


def _padded(verb: Verb, text: str) -> str:
    return pad(verb, text, len(text))
