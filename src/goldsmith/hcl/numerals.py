"""Numbers as text: reading and writing them as the language does."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from goldsmith.hcl.values import Number

_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LARGEST_EXPONENT = 20_000
"""Numbers beyond are refused rather than written out: a short text must not become gigabytes of digits."""


def parse_number(text: str) -> Number:
    """The number that `text` spells in decimal. Raises ValueError ("a number is required") for anything else."""
    if not _NUMERAL.fullmatch(text):
        raise ValueError("a number is required")
    try:
        return normal(Decimal(text))
    except InvalidOperation:
        raise ValueError("a number is required") from None


def normal(amount: Number) -> Number:
    """The same number as an int when it is whole and of sensible size, otherwise as Decimal."""
    if isinstance(amount, int) or not amount.is_finite() or amount.adjusted() > _LARGEST_EXPONENT:
        return amount
    return int(amount) if amount == amount.to_integral_value() else amount


def number_text(amount: Number) -> str:
    """The number in plain decimal notation, without exponent and without trailing zeros.

    Raises ValueError when that would take more than 20,000 digits.
    """
    if isinstance(amount, int):
        # str() of an int refuses more than 4,300 digits, Decimal does not.
        return format(Decimal(amount), "f")
    if abs(amount.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError("the number is too large to be written in digits")
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
