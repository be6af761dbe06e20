"""Whole numbers of any length as bytes that sort as the numbers do."""

from __future__ import annotations

_MOST_DIGITS = 250


def number(digits: str) -> bytes:
    """One byte with the count of digits, then the digits without leading zeros."""
    significant = digits.lstrip("0")
    if len(significant) > _MOST_DIGITS:  # no version has such a number; all of them count as the greatest
        return bytes((_MOST_DIGITS + 1,))
    return bytes((len(significant),)) + significant.encode()
