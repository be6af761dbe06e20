"""The parsed form of expressions."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value


class Expression:
    """Base of all expressions; each subclass has a `range`."""

    __slots__ = ()
    range: Range


@dataclass(frozen=True, slots=True)
class Reference:
    """A traversal that starts at a root name: `var.region`, `data.null.x.output`.

    `parts` holds the root and the leading attribute names that are literal, for example ("var", "region").
    """

    parts: tuple[str, ...]
    range: Range

    @property
    def root(self) -> str:
        """The root name."""
        return self.parts[0]


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A number, a bool, null, or a stretch of text in a template."""

    value: Value
    range: Range


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    """A root name: `var`, `local`, or a name that a for-expression binds."""

    name: str
    range: Range


@dataclass(frozen=True, slots=True)
class GetAttribute(Expression):
    """`target.name`."""

    target: Expression
    name: str
    step: Range
    """The dot and the name."""
    range: Range


@dataclass(frozen=True, slots=True)
class Index(Expression):
    """`target[key]`, or `target.0` in the legacy form."""

    target: Expression
    key: Expression
    step: Range
    """The brackets and what is between them."""
    range: Range


@dataclass(frozen=True, slots=True)
class SplatItem(Expression):
    """The item at hand inside the `each` of the nearest splat around it."""

    range: Range


@dataclass(frozen=True, slots=True)
class Splat(Expression):
    """`target[*]…` or `target.*…`: `each` is evaluated for every item."""

    target: Expression
    each: Expression
    step: Range
    """The star and its brackets or dot."""
    range: Range


@dataclass(frozen=True, slots=True)
class Template(Expression):
    """A quoted string, a heredoc or a branch of a directive: its parts, joined as text."""

    parts: tuple[Expression, ...]
    range: Range

    @property
    def literal(self) -> str | None:
        """The text when nothing is interpolated, otherwise None."""
        if not self.parts:
            return ""
        part = self.parts[0]
        if len(self.parts) == 1 and isinstance(part, Literal) and isinstance(part.value.raw, str):
            return part.value.raw
        return None


@dataclass(frozen=True, slots=True)
class TemplateWrap(Expression):
    """A template of exactly one interpolation: its value keeps its type."""

    expression: Expression
    range: Range


@dataclass(frozen=True, slots=True)
class TemplateJoin(Expression):
    """`%{ for … }…%{ endfor }`: the texts of all rounds, joined."""

    loop: For
    range: Range


@dataclass(frozen=True, slots=True)
class Parentheses(Expression):
    """`(expression)`."""

    expression: Expression
    range: Range


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """`-operand` or `!operand`."""

    operator: str
    operand: Expression
    range: Range


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """`left operator right`."""

    operator: str
    left: Expression
    right: Expression
    range: Range


@dataclass(frozen=True, slots=True)
class Conditional(Expression):
    """`condition ? if_true : if_false`."""

    condition: Expression
    if_true: Expression
    if_false: Expression
    range: Range


@dataclass(frozen=True, slots=True)
class TupleConstructor(Expression):
    """`[item, …]`."""

    items: tuple[Expression, ...]
    range: Range


@dataclass(frozen=True, slots=True)
class ObjectItem:
    """`key = value` in an object constructor. A bare name as key has been made a `Literal` already."""

    key: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class ObjectConstructor(Expression):
    """`{ key = value, … }`."""

    items: tuple[ObjectItem, ...]
    range: Range
    unique: bool = False
    """Whether the same key twice is a fault, as in JSON; otherwise the last one counts."""


@dataclass(frozen=True, slots=True)
class For(Expression):
    """`[for key_name, value_name in collection: value if condition]`; with `key` it makes an object."""

    key_name: str | None
    value_name: str
    collection: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    group: bool
    range: Range

    @property
    def names(self) -> frozenset[str]:
        """The names that it binds."""
        return frozenset((self.value_name,) if self.key_name is None else (self.key_name, self.value_name))


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """`name(argument, …)`; `expands` when the last argument is followed by `...`."""

    name: str
    arguments: tuple[Expression, ...]
    expands: bool
    name_range: Range
    range: Range


@dataclass(frozen=True, slots=True)
class Malformed(Expression):
    """An expression with syntax errors, in a text that may or may not be meant as an expression.

    What is wrong is told when its value is wanted.
    """

    diagnostics: tuple[Diagnostic, ...]
    range: Range
