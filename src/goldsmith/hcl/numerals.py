"""Numbers as text: reading and writing them as the language does."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, InvalidOperation

from goldsmith.hcl.limits import LARGEST_EXPONENT, SIGNIFICANT_DIGITS
from goldsmith.hcl.values import Number

_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
ARITHMETIC = Context(prec=SIGNIFICANT_DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation])
"""As many decimal digits as Packer's 512 binary ones. Dividing by zero gives infinity, as in Packer.

All arithmetic goes through it: Python's own has 28 digits, and faults of its own.
"""


def parse_number(text: str) -> Number:
    """The number that `text` spells in decimal. Raises ValueError ("a number is required") for anything else."""
    if not _NUMERAL.fullmatch(text):
        raise ValueError("a number is required")
    amount = ARITHMETIC.create_decimal(text)
    if not amount.is_finite():
        raise ValueError("a number is required")
    return normal(amount)


_EXACT_BITS = 512


def normal(amount: Number) -> Number:
    """The same number, to the precision that Packer has: an int when it is whole and of sensible size, otherwise a Decimal."""
    if isinstance(amount, int):
        if amount.bit_length() <= _EXACT_BITS:
            return amount
        amount = ARITHMETIC.create_decimal(amount)
    if not amount.is_finite() or amount.adjusted() > LARGEST_EXPONENT:
        return amount
    return int(amount) if amount == amount.to_integral_value() else amount


def negated(amount: Number) -> Number:
    """The number with the other sign."""
    return -amount if isinstance(amount, int) else amount.copy_negate()


def number_text(amount: Number) -> str:
    """The number in plain decimal notation, without exponent and without trailing zeros.

    Raises ValueError when that would take more than 4,000 digits.
    """
    if isinstance(amount, int):
        return str(amount)
    if not amount.is_finite() or abs(amount.adjusted()) > LARGEST_EXPONENT:
        raise ValueError("the number is too large to be written in digits")
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
