"""Conditions: expressions of the template language over what is known of a version; whatever is not true is unmet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from goldsmith.hcl import Expression, Function, Scope, SourceFile, evaluate, functions, parse_expression
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL
from goldsmith.hcl.values import Value, from_plain, unknown

NAMES = ("version", "evidence", "channel")
"""What a condition may ask about."""

_PURE = """
abs alltrue anytrue base64decode base64encode can ceil chomp chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce
coalescelist compact concat contains convert distinct element endswith flatten floor format formatdate formatlist indent
index join jsondecode jsonencode keys length log lookup lower max md5 merge min parseint pow range regex regex_replace
regexall replace reverse rfc3339_parse setintersection setproduct setunion sha1 sha256 sha512 signum slice sort split
startswith strcontains strlen strrev substr sum timeadd title trim trimprefix trimspace trimsuffix try unix_timestamp_parse
upper values zipmap
"""
PURE = frozenset(_PURE.split())
"""Functions that always give the same for the same: no clock, no chance, no file, no environment, so that a decision can be
checked again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrue:
    """A condition that is not met."""

    found: str
    why: str
    where: Range


def untrue(text: str, place: str, facts: Mapping[str, object]) -> Untrue | None:
    """Why a condition is not met by plain facts under `NAMES`, or None. Unknown, null, no bool and a fault are not met.

    `place` names the condition for people.
    """
    source = SourceFile(place, text)
    try:
        expression = parse_expression(source)
        answer = evaluate(expression, Scope({name: from_plain(facts[name]) for name in NAMES}, _functions()))
    except UserError as error:
        first = error.diagnostics[0]
        return Untrue(found="cannot be told", why=_told(first), where=first.where or source.range(0, len(text)))
    if answer.raw is True:
        return None
    if answer.raw is False:
        return Untrue(found="false", why=f"it does not hold: {text}", where=expression.range)
    return Untrue(found="cannot be told", why=f"it is {_kind(answer)}, no bool: {text}", where=expression.range)


def check(expression: Expression) -> None:
    """Raises `UserError`, with its place, for a condition that could never be true: an unknown name, a function that is not
    to be had here, or a value that is no bool."""
    answer = evaluate(expression, Scope(dict.fromkeys(NAMES, unknown()), _functions()))
    if answer.is_known and answer.type != BOOL:
        what, why = "a condition is no bool", f"it is {_kind(answer)}"
        next = 'Write a comparison, such as evidence.boot.verdict == "pass".'
        raise UserError(Diagnostic(code="project.condition", what=what, where=expression.range, why=why, next=next))


@cache
def _functions() -> Mapping[str, Function]:
    return {name: function for name, function in functions(Path("/nonexistent"), 0).items() if name in PURE}


def _kind(value: Value) -> str:
    if not value.is_known:
        return "unknown"
    return "null" if value.is_null else f"a {value.type}"


def _told(fault: Diagnostic) -> str:
    return f"{fault.what.rstrip('.')}: {fault.why}" if fault.why else fault.what
