"""Numbers as text, and the precision that they have: reading and writing them as the language does."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import TypeAlias

from goldsmith.hcl.limits import LARGEST_EXACT_EXPONENT, LARGEST_EXPONENT, SIGNIFICANT_BITS, SIGNIFICANT_DIGITS

Number: TypeAlias = int | Decimal
"""A number: an int when it is whole and of sensible size, otherwise a Decimal."""

_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
ARITHMETIC = Context(prec=SIGNIFICANT_DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation])
"""For numbers so large or small that only their order of magnitude is kept. Dividing by zero gives infinity, as in Packer."""
EXACT = Context(prec=8 * LARGEST_EXACT_EXPONENT, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation])
"""Has room for every digit of a sum or product of two numbers that `is_exact` tells to be so."""


def parse_number(text: str) -> Number:
    """The number that `text` spells in decimal. Raises ValueError ("a number is required") for anything else."""
    return normal(written_number(text))


def written_number(text: str) -> Number:
    """The number that `text` spells in decimal, with the digits that it is written with. Raises as `parse_number`."""
    amount = EXACT.create_decimal(text) if _NUMERAL.fullmatch(text) else _NONE
    if not amount.is_finite():
        raise ValueError("a number is required")
    whole = amount == amount.to_integral_value() if abs(amount.adjusted()) <= LARGEST_EXPONENT else False
    return int(amount) if whole and (amount or not amount.is_signed()) else amount


_NONE = Decimal("NaN")


def is_exact(amount: Number) -> bool:
    """Whether a number is of a size that is kept exactly as Packer has it; zero is, infinity is not."""
    if isinstance(amount, int):
        return amount.bit_length() <= SIGNIFICANT_BITS or is_exact(Decimal(amount))
    return amount.is_finite() and (not amount or abs(amount.adjusted()) <= LARGEST_EXACT_EXPONENT)


def normal(amount: Number) -> Number:
    """The nearest number that Packer can have: one with 512 binary digits.

    An int when it is whole and of sensible size, otherwise a Decimal with all of its digits; so is the zero with a sign.
    """
    if isinstance(amount, int):
        if amount.bit_length() <= SIGNIFICANT_BITS:
            return amount
        amount = Decimal(amount)
    if not amount:
        return _MINUS_ZERO if amount.is_signed() else 0
    if is_exact(amount):
        return nearest(*amount.as_integer_ratio())
    amount = ARITHMETIC.plus(amount)
    whole = amount.is_finite() and 0 < amount.adjusted() <= LARGEST_EXPONENT
    return int(amount) if whole else amount


_MINUS_ZERO = Decimal("-0")


def nearest(numerator: int, denominator: int) -> Number:
    """The number of 512 binary digits nearest to a fraction that is not zero; of two as near, the one that ends in 0."""
    size = abs(numerator)
    shift = SIGNIFICANT_BITS + 2 + denominator.bit_length() - size.bit_length()
    digits, rest = divmod(size << max(0, shift), denominator << max(0, -shift))
    # One digit more stands for all that follow: they only decide which of two neighbours is nearer.
    digits = digits << 1 | bool(rest)
    surplus = digits.bit_length() - SIGNIFICANT_BITS
    half, cut = 1 << (surplus - 1), digits & ((1 << surplus) - 1)
    digits >>= surplus
    digits += cut > half or (cut == half and digits & 1)
    return _scaled(digits if numerator > 0 else -digits, surplus - shift - 1)


def _scaled(digits: int, exponent: int) -> Number:
    """The product of `digits` and a power of two."""
    if exponent >= 0:
        return digits << exponent
    zeros = (digits & -digits).bit_length() - 1
    if zeros >= -exponent:
        return digits >> -exponent
    exponent += zeros
    return Decimal((digits >> zeros) * 5**-exponent).scaleb(exponent, EXACT)


def negated(amount: Number) -> Number:
    """The number with the other sign. Zero has one too, as in Packer: 1 / -0 is -Inf."""
    return -amount if isinstance(amount, int) and amount else normal(Decimal(amount).copy_negate())


def number_text(amount: Number) -> str:
    """The number in plain decimal notation: with the fewest digits that tell it from every other number, without exponent.

    Raises ValueError when that would take more than 4,000 digits.
    """
    if isinstance(amount, int) and amount.bit_length() <= SIGNIFICANT_BITS:
        return str(amount)
    if not written_out(amount):
        raise ValueError("the number is too large to be written in digits")
    text = format(fewest_digits(amount), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def written_out(amount: Number) -> bool:
    """Whether the number has so few digits that it may be written in them."""
    real = Decimal(amount)
    return real.is_finite() and abs(real.adjusted()) <= LARGEST_EXPONENT


_MOST_DIGITS = SIGNIFICANT_DIGITS + 2
"""Decimal digits that are enough for any 512 binary ones."""


def fewest_digits(amount: Number) -> Decimal:
    """The decimal with the fewest digits that is nearer to a number than to any other."""
    real = Decimal(amount)
    few, many = 1, _MOST_DIGITS
    while few < many and is_exact(amount):
        digits = (few + many) // 2
        if normal(Context(prec=digits).create_decimal(real)) == amount:
            many = digits
        else:
            few = digits + 1
    return Context(prec=many).create_decimal(real)
