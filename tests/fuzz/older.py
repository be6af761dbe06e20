"""What Packer 1.6.6, the witness for values, is known to do otherwise than later releases: our language made to do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from unittest.mock import patch

from goldsmith.hcl import Expression, Scope, Value
from goldsmith.hcl.arithmetic import divide, multiply, remainder, subtract
from goldsmith.hcl.ast import Splat
from goldsmith.hcl.iteration import splat
from goldsmith.hcl.library import combining, encoding
from goldsmith.hcl.library.json_text import to_json
from goldsmith.hcl.numerals import Number, is_exact, nearest
from goldsmith.hcl.scope import FunctionFault
from goldsmith.hcl.types import DYNAMIC
from goldsmith.hcl.values import null, unknown


def _short_remainder(a: Number, b: Number) -> Number:
    """The remainder, but what is taken from `a` has no more than 64 binary digits, or as many as the quotient."""
    if not b or not is_exact(a) or not is_exact(b):
        return remainder(a, b)
    quotient = int(divide(a, b))
    return subtract(a, _shortened(multiply(b, quotient), max(64, quotient.bit_length())))


def _shortened(amount: Number, bits: int) -> Number:
    exact = Fraction(amount)
    if not exact:
        return amount
    magnitude = exact.numerator.bit_length() - exact.denominator.bit_length()
    magnitude -= abs(exact) < Fraction(2) ** magnitude
    last = Fraction(2) ** (magnitude - bits + 1)
    rounded = round(exact / last) * last
    return nearest(rounded.numerator, rounded.denominator)


def _deferring_splat(expression: Splat, target: Value, scope: Scope, evaluate: Callable[[Expression, Scope], Value]) -> Value:
    """The splat, but a null without a type may still become a list."""
    return unknown() if target.is_null and target.type == DYNAMIC else splat(expression, target, scope, evaluate)


_merge, _encoded = combining._merge, encoding._encoded


def _encoded_unless_null(act: Callable[[Value], str], given: Sequence[Value]) -> Value:
    if act is to_json and given[0].is_null:
        raise FunctionFault("argument must not be null", 0)
    return _encoded(act, given)


DIFFERENCES: Mapping[str, Callable[[], AbstractContextManager[object]]] = {
    "1.6.6 takes remainders with 64 binary digits, so that 0.1 % 0.1 is not 0": lambda: patch.dict(
        "goldsmith.hcl.operators._CALCULATIONS", {"%": _short_remainder}
    ),
    "1.6.6 gives the splat of null no type, so that it stays unknown": lambda: patch(
        "goldsmith.hcl.evaluate.splat", _deferring_splat
    ),
    "merge() without arguments is null in 1.6.6, an empty object since": lambda: patch.object(
        combining, "_merge", lambda given: _merge(given) if given else null()
    ),
    "jsonencode(null) is a fault in 1.6.6": lambda: patch.object(encoding, "_encoded", _encoded_unless_null),
}
"""Each difference, and the context in which our language has it too."""
