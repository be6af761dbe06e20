"""What names mean while an expression is evaluated: variables, and the functions of `library/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from goldsmith.hcl.limits import Allowance
from goldsmith.hcl.types import DYNAMIC, Type
from goldsmith.hcl.values import Value

if TYPE_CHECKING:
    from goldsmith.hcl.ast import Expression


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


class FunctionFault(ValueError):
    """A call that cannot be answered. `argument` is the 0-based place of the argument at fault, when it is one."""

    def __init__(self, why: str, argument: int | None = None) -> None:
        super().__init__(why)
        self.argument = argument


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. Arguments are converted to `type` before the call."""

    name: str
    type: Type = DYNAMIC
    allow_null: bool = False
    allow_unknown: bool = False
    """False: the call's result is unknown when the argument is not wholly known."""
    keeps_marks: bool = False
    """True: the function handles sensitivity itself (element-wise); False: any mark inside marks the whole result."""


Call: TypeAlias = Callable[[Sequence[Value]], Value]
LazyCall: TypeAlias = "Callable[[Sequence[Expression], Scope], Value]"


@dataclass(frozen=True, slots=True)
class Function:
    """A function by name. Exactly one of `call` and `lazy` is set; `lazy` gets unevaluated arguments (try, can, convert)."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    variadic: Parameter | None = None
    call: Call | None = None
    """Raises `FunctionFault`."""
    lazy: LazyCall | None = None
    result: Type = DYNAMIC
    """The type of the result when it is unknown."""
    cost: int = 1
    """Work for each part of the arguments, as `Allowance` counts it: more than 1 where a part takes far over a microsecond."""
