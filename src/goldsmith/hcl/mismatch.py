"""Why a type does not convert to another, in words; and types by their friendly names."""

from __future__ import annotations

from goldsmith.hcl.convertible import convertible
from goldsmith.hcl.types import DYNAMIC, ListType, MapType, ObjectType, Primitive, SetType, TupleType, Type


def mismatch(got: Type, want: Type) -> str:
    """The reason why `got` does not convert to `want`, in go-cty's words: `attribute "x" is required`."""
    match got, want:
        case ObjectType(), ObjectType():
            return _object_mismatch(got, want)
        case (TupleType(), ListType(element=element)) | (TupleType(), SetType(element=element)) if element == DYNAMIC:
            return f"all {'set' if isinstance(want, SetType) else 'list'} elements must have the same type"
        case ObjectType(), MapType(element=element) if element == DYNAMIC:
            return "all map elements must have the same type"
        case TupleType(), ListType() | SetType():
            named = [(str(place), type) for place, type in enumerate(got.elements)]
            return _element_mismatch(named, want.element)
        case ObjectType(), MapType():
            return _element_mismatch([(f'"{name}"', type) for name, type in got.attributes.items()], want.element)
        case ListType() | SetType(), ListType() | SetType():
            noun = "set" if isinstance(want, SetType) else "list"
            return f"incorrect {noun} element type: {mismatch(got.element, want.element)}"
        case MapType(), MapType():
            return f"incorrect map element type: {mismatch(got.element, want.element)}"
    return f"{friendly_name(want, constraint=True)} required"


def friendly_name(type: Type, *, constraint: bool = False) -> str:
    """The type in words, as go-cty has them: `list of string`. As a constraint, `dynamic` reads `any type`."""
    match type:
        case Primitive(name):
            return ("any type" if constraint else "dynamic") if type == DYNAMIC else name
        case ListType(element):
            return _collection_name("list", element, constraint)
        case SetType(element):
            return _collection_name("set", element, constraint)
        case MapType(element):
            return _collection_name("map", element, constraint)
        case TupleType():
            return "tuple"
    return "object"


def _collection_name(kind: str, element: Type, constraint: bool) -> str:
    if constraint and element == DYNAMIC:
        return f"{kind} of any single type"
    return f"{kind} of {friendly_name(element, constraint=constraint)}"


def _object_mismatch(got: ObjectType, want: ObjectType) -> str:
    missing = sorted(name for name in want.attributes if name not in got.attributes and name not in want.optional)
    if missing:
        return _required(missing)
    for name, type in want.attributes.items():
        if name in got.attributes and not convertible(got.attributes[name], type):
            return f'attribute "{name}": {mismatch(got.attributes[name], type)}'
    return "incorrect object attributes"


def _required(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    if len(quoted) == 1:
        return f"attribute {quoted[0]} is required"
    if len(quoted) == 2:
        return f"attributes {quoted[0]} and {quoted[1]} are required"
    return f"attributes {', '.join(quoted[:-1])}, and {quoted[-1]} are required"


def _element_mismatch(elements: list[tuple[str, Type]], want: Type) -> str:
    for name, type in elements:
        if not convertible(type, want):
            return f"element {name}: {mismatch(type, want)}"
    return f"all elements must be {friendly_name(want, constraint=True)}"
