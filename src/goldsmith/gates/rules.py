"""`rule` blocks: a project's own policy over findings, as conditions of the template language, strictly evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from goldsmith.components import REQUIRED, Unevaluated, attribute
from goldsmith.hcl import Scope, evaluate, references
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.scope import Function
from goldsmith.hcl.types import BOOL
from goldsmith.hcl.values import Value, string

SURROUNDINGS = ("findings", "counts", "data", "image")
"""The names that a rule sees beside `finding`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A `rule "NAME"` block of a gate."""

    name: str = attribute(REQUIRED, "What the rule is called in results.", label=True)
    when: Unevaluated = attribute(REQUIRED, "The condition, a bool; when it names `finding`, it is asked of each finding.")
    effect: Literal["fail", "warn"] = attribute("fail", "What it means when the condition is true: fail or warn.")
    message: Unevaluated | None = attribute(None, "What is said then.")

    @property
    def is_per_finding(self) -> bool:
        """Whether the rule is asked of each finding, and not once."""
        asked = (self.when, self.message) if self.message is not None else (self.when,)
        return any(item.root == "finding" for part in asked for item in references(part.expression))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What a rule said: about one finding (by its place in the list), or about all (None)."""

    rule: Rule
    finding: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDoubt:
    """A rule that could not be decided, in a sentence."""

    rule: Rule
    why: str


def apply_rules(
    rules: Sequence[Rule], findings: Sequence[Value], surroundings: Mapping[str, Value], functions: Mapping[str, Function]
) -> Iterator[RuleOutcome | RuleDoubt]:
    """Ask every rule. A condition that is unknown, no bool, or fails is a doubt: it decides nothing and must not pass."""
    scope = Scope(surroundings, functions)
    for rule in rules:
        places = range(len(findings)) if rule.is_per_finding else (None,)
        for place in places:
            inner = scope if place is None else scope.child({"finding": findings[place]})
            outcome = _asked(rule, place, inner)
            if outcome is not None:
                yield outcome
            if isinstance(outcome, RuleDoubt):
                break  # the other findings would only say the same


def _asked(rule: Rule, place: int | None, scope: Scope) -> RuleOutcome | RuleDoubt | None:
    try:
        answer = evaluate(rule.when.expression, scope)
    except UserError as error:
        return _failed(rule, rule.when, error)
    if not answer.is_known or answer.is_null or answer.type != BOOL:
        kind = "unknown" if not answer.is_known else "null" if answer.is_null else f"a {answer.type}, no bool"
        return _doubt(rule, rule.when, f"its condition is {kind}")
    if answer.raw is not True:
        return None
    if rule.message is None:
        return RuleOutcome(rule=rule, finding=place, message=f'rule "{rule.name}"')
    try:
        told = evaluate(rule.message.expression, scope)
    except UserError as error:
        return _failed(rule, rule.message, error)
    if not isinstance(told.raw, str) or told.type != string("").type:
        return _doubt(rule, rule.message, "its message is no text")
    return RuleOutcome(rule=rule, finding=place, message=told.raw)


def _failed(rule: Rule, part: Unevaluated, error: UserError) -> RuleDoubt:
    first = error.diagnostics[0]
    return _doubt(rule, part, f"{first.what}: {first.why}" if first.why else first.what)


def _doubt(rule: Rule, part: Unevaluated, why: str) -> RuleDoubt:
    where = part.expression.range
    place = f"{where.file} line {where.start.line}: {part}"
    return RuleDoubt(rule=rule, why=f'rule "{rule.name}" cannot be decided: {why.rstrip(".")} ({place})')
