"""The types of values: primitives, collections, structures and the dynamic type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Type:
    """Base of all types. Types are compared by structure."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Primitive(Type):
    """string, number, bool, or dynamic (`any`: not known yet)."""

    name: str


@dataclass(frozen=True, slots=True)
class ListType(Type):
    """A list whose elements share one type."""

    element: Type


@dataclass(frozen=True, slots=True)
class SetType(Type):
    """A set whose elements share one type."""

    element: Type


@dataclass(frozen=True, slots=True)
class MapType(Type):
    """A map from strings to values of one type."""

    element: Type


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    """A sequence with a type for each place."""

    elements: tuple[Type, ...]


@dataclass(frozen=True)
class ObjectType(Type):
    """A structure with a type for each attribute; `optional` names those that may be absent in a conversion."""

    attributes: Mapping[str, Type]
    optional: frozenset[str] = frozenset()
    defaults: Mapping[str, object] = field(default_factory=dict, compare=False)
    """Default `Value` of each optional attribute that declares one."""

    def __hash__(self) -> int:
        return hash((tuple(sorted(self.attributes)), self.optional))


STRING = Primitive("string")
NUMBER = Primitive("number")
BOOL = Primitive("bool")
DYNAMIC = Primitive("dynamic")
