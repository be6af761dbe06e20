"""Converting values to a wanted type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from goldsmith.hcl.convertible import convertible, unify, without_optional
from goldsmith.hcl.equality import set_of
from goldsmith.hcl.mismatch import mismatch
from goldsmith.hcl.numerals import number_text, parse_number
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, boolean, null, number, object_of, string

__all__ = ["convert", "convertible", "unify"]


def convert(value: Value, to: Type) -> Value:
    """The value as one of type `to`, by the rules of go-cty's `convert` package.

    Primitives convert where nothing is lost; tuples become lists and sets, objects become maps, objects lose surplus
    attributes, absent or null optional attributes get their default or null. Null and unknown take the wanted type;
    `any` accepts everything, and `list(any)` finds one type for all elements. Sensitivity is kept.
    Raises ValueError with the reason, worded to follow a colon: `a number is required`.
    """
    if value.sensitive:
        return convert(replace(value, sensitive=False), to).marked()
    if value.type == to or to == DYNAMIC:
        return value
    if not convertible(value.type, to):
        raise ValueError(mismatch(value.type, to))
    if value.is_null or not value.is_known:
        return Value(_filled(value.type, without_optional(to)), value.raw)
    match to:
        case ListType():
            return _to_list(value, to)
        case SetType():
            return _to_set(value, to)
        case MapType():
            return _to_map(value, to)
        case ObjectType():
            return _to_object(value, to)
        case TupleType():
            return _to_tuple(value, to)
    return _to_primitive(value, to)


def _to_primitive(value: Value, to: Type) -> Value:
    match value.raw:
        case bool(truth) if to == STRING:
            return string("true" if truth else "false")
        case int() | Decimal() as amount if to == STRING:
            return string(number_text(amount))
        case str(text) if to == NUMBER:
            return number(parse_number(text))
        case str(text) if to == BOOL:
            return boolean(_truth(text))
    raise ValueError(mismatch(value.type, to))


def _truth(text: str) -> bool:
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    if text.lower() in ("true", "false"):
        raise ValueError(f'a bool is required; to convert from string, use lowercase "{text.lower()}"')
    raise ValueError("a bool is required")


def _to_list(value: Value, to: ListType) -> Value:
    items = _alike(_converted(value.items(), _element(value, to.element)))
    return Value(ListType(items[0].type if items else _element_of_empty(value, to.element)), tuple(items))


def _to_set(value: Value, to: SetType) -> Value:
    items = _alike(_converted(value.items(), _element(value, to.element)))
    return set_of(items, _element_of_empty(value, to.element))


def _to_map(value: Value, to: MapType) -> Value:
    entries = _entries(value)
    want = _element(value, to.element)
    items = _alike([_at(f'element "{name}"', convert, item, want) for name, item in entries.items()])
    element = items[0].type if items else _element_of_empty(value, to.element)
    return Value(MapType(element), dict(sorted(zip(entries, items, strict=True))))


def _to_tuple(value: Value, to: TupleType) -> Value:
    items = tuple(
        _at(f"element {place}", convert, item, want)
        for place, (item, want) in enumerate(zip(value.items(), to.elements, strict=True))
    )
    return Value(TupleType(tuple(item.type for item in items)), items)


def _to_object(value: Value, to: ObjectType) -> Value:
    entries = _entries(value)
    attributes: dict[str, Value] = {}
    for name, want in to.attributes.items():
        given = entries.get(name)
        if given is None and name not in to.optional:
            raise ValueError(f'map has no element for required attribute "{name}"')
        default = to.defaults.get(name)
        if (given is None or given.is_null) and isinstance(default, Value):
            given = default
        attributes[name] = _at(f'attribute "{name}"', convert, given or null(), want)
    return object_of(attributes)


def _entries(value: Value) -> Mapping[str, Value]:
    return value.raw if isinstance(value.raw, Mapping) else {}


def _converted(items: Sequence[Value], want: Type) -> list[Value]:
    return [_at(f"element {place}", convert, item, want) for place, item in enumerate(items)]


def _at(place: str, act: Callable[[Value, Type], Value], value: Value, want: Type) -> Value:
    """Convert a part of a value; the reason of a failure names the part."""
    try:
        return act(value, want)
    except ValueError as fault:
        raise ValueError(f"{place}: {fault}") from fault


def _element(value: Value, want: Type) -> Type:
    """The element type to convert to: for `any`, the common type of a tuple's or object's parts."""
    if want != DYNAMIC:
        return want
    return unify(_parts(value.type)) or DYNAMIC


def _element_of_empty(value: Value, want: Type) -> Type:
    if want == DYNAMIC and isinstance(value.type, ListType | SetType | MapType):
        return value.type.element
    return without_optional(want)


def _alike(items: list[Value]) -> list[Value]:
    """The items with one type in common: a wanted type with `any` inside lets them differ after conversion."""
    if all(item.type == items[0].type for item in items):
        return items
    common = unify([item.type for item in items])
    if common is None:
        raise ValueError("cannot find a common base type for all elements")
    return [convert(item, common) for item in items]


def _parts(type: Type) -> tuple[Type, ...]:
    match type:
        case TupleType():
            return type.elements
        case ObjectType():
            return tuple(type.attributes.values())
        case ListType() | SetType() | MapType():
            return (type.element,)
    return ()


def _filled(got: Type, want: Type) -> Type:
    """The wanted type, with each `any` in it replaced by what stands in its place in `got`."""
    if want == DYNAMIC or got == DYNAMIC:
        return got if want == DYNAMIC else want
    match want:
        case ListType() | SetType() | MapType():
            return want.__class__(_filled(unify(_parts(got)) or DYNAMIC, want.element))
        case ObjectType():
            return ObjectType({name: _filled(_part(got, name), type) for name, type in want.attributes.items()})
        case TupleType():
            return TupleType(tuple(_filled(a, b) for a, b in zip(_parts(got), want.elements, strict=True)))
    return want


def _part(type: Type, name: str) -> Type:
    if isinstance(type, MapType):
        return type.element
    return type.attributes.get(name, DYNAMIC) if isinstance(type, ObjectType) else DYNAMIC
