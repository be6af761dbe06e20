"""The conditions of a channel block: expressions that are kept as they are written, and checked before anything is known."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.hcl import Expression
from goldsmith.hcl.ast import TupleConstructor
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.project.declarations import ChannelConfig


def conditions_of(config: ChannelConfig) -> Sequence[Expression]:
    """Each condition. Raises `UserError` when they are no list."""
    if config.conditions is None:
        return ()
    expression = config.conditions.expression
    if isinstance(expression, TupleConstructor):
        return expression.items
    next = 'Write conditions = [evidence.boot.verdict == "pass"].'
    what = "conditions is no list of expressions"
    raise UserError(Diagnostic(code="project.condition", what=what, where=expression.range, next=next))


def check_conditions(config: ChannelConfig) -> None:
    """Raises `UserError` for conditions that are no list of expressions, or could never be true."""
    from goldsmith.registry.conditions import check

    faults: list[Diagnostic] = []
    for expression in conditions_of(config):
        try:
            check(expression)
        except UserError as error:
            faults += error.diagnostics
    if faults:
        raise UserError(*faults)
