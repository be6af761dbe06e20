"""What a function of the language is; `functions/` holds them, the evaluator calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from goldsmith.hcl.types import DYNAMIC, Type
from goldsmith.hcl.values import Value

if TYPE_CHECKING:
    from goldsmith.hcl.ast import Expression
    from goldsmith.hcl.scope import Scope


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
