"""What names mean while an expression is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goldsmith.hcl.function import Function
from goldsmith.hcl.limits import Allowance
from goldsmith.hcl.values import Value


@dataclass(frozen=True)
class Scope:
    """Variables and functions by name; a child sees its own variables first, then its parent's."""

    variables: Mapping[str, Value] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    parent: Scope | None = None
    allowance: Allowance = field(default_factory=Allowance, compare=False)
    """What evaluating in this scope and all its children may still cost."""

    def child(self, variables: Mapping[str, Value]) -> Scope:
        """A scope with further variables and the same functions."""
        return Scope(variables, self.functions, self, self.allowance)

    def find(self, name: str) -> Value | None:
        """The variable of this name, or None."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.parent
        return None

    def names(self) -> frozenset[str]:
        """All variables that can be seen."""
        return frozenset(self.variables) | (self.parent.names() if self.parent else frozenset())
