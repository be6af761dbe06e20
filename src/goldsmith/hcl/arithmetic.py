"""Calculating with numbers as Packer does: with 512 binary digits, a sign for zero, and infinity."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from goldsmith.hcl.numerals import ARITHMETIC, EXACT, Number, is_exact, nearest, negated, normal

UNDEFINED = InvalidOperation
"""What is raised for a result that is not defined, such as 0 / 0."""


def add(a: Number, b: Number) -> Number:
    """`a + b`. Raises `UNDEFINED` for infinities with different signs."""
    if isinstance(a, int) and isinstance(b, int):
        return normal(a + b)
    context = EXACT if is_exact(a) and is_exact(b) else ARITHMETIC
    return normal(context.add(Decimal(a), Decimal(b)))


def subtract(a: Number, b: Number) -> Number:
    """`a - b`. Raises `UNDEFINED` for infinities with one sign."""
    return add(a, negated(b))


def multiply(a: Number, b: Number) -> Number:
    """`a * b`. Raises `UNDEFINED` for zero and infinity."""
    if isinstance(a, int) and isinstance(b, int) and a and b:
        return normal(a * b)
    context = EXACT if is_exact(a) and is_exact(b) else ARITHMETIC
    return normal(context.multiply(Decimal(a), Decimal(b)))


def divide(a: Number, b: Number) -> Number:
    """`a / b`; infinity for a division by zero. Raises `UNDEFINED` for two zeros or two infinities."""
    if a and b and is_exact(a) and is_exact(b):
        quotient = Fraction(a) / Fraction(b)
        return nearest(quotient.numerator, quotient.denominator)
    return normal(ARITHMETIC.divide(Decimal(a), Decimal(b)))


def remainder(a: Number, b: Number) -> Number:
    """`a % b`: what is left of `a` by a division that truncates, with the sign of `a`; of a division by zero all of it.

    Raises `UNDEFINED` for an infinite `b`.
    """
    if not b or Decimal(a).is_infinite():
        return a
    if isinstance(a, int) and isinstance(b, int):
        rest = abs(a) % abs(b)
        return rest if a >= 0 else -rest
    return subtract(a, multiply(b, _truncated(divide(a, b))))


def _truncated(amount: Number) -> Number:
    # Beyond the exact numbers there are only whole ones, and those next to zero.
    return int(amount) if is_exact(amount) else amount if Decimal(amount).adjusted() >= 0 else 0
