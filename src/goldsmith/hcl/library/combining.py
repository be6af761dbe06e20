"""Functions that combine maps, and those that combine sets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from goldsmith.hcl.convert import convert, unify
from goldsmith.hcl.equality import member_key, set_of
from goldsmith.hcl.library.arguments import STRUCTURE, TEXTS, check_count, entries, named, of, sequence, shallow, text
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import DYNAMIC, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, object_of, tuple_of

_SET = Parameter("sets", SetType(DYNAMIC))


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    maps = Parameter("maps", DYNAMIC, allow_null=True, allow_unknown=True, keeps_marks=True)
    return (
        of("merge", shallow(_merge), rest=maps),
        of("setintersection", _setintersection, _SET, rest=_SET),
        of("setproduct", _setproduct, rest=Parameter("sets", DYNAMIC)),
        of("setunion", _setunion, _SET, rest=_SET),
        of("zipmap", shallow(_zipmap), named("keys", TEXTS), named("values", STRUCTURE)),
    )


def _merge(given: Sequence[Value]) -> Value:
    """Later arguments win. Maps of one type make a map, anything else an object; nulls are passed over."""
    merged: dict[str, Value] = {}
    for value in given:
        if not isinstance(value.type, MapType | ObjectType) and value.type != DYNAMIC:
            raise FunctionFault(f'arguments must be maps or objects, got "{friendly_name(value.type)}"')
        if not value.is_null:
            merged |= entries(value)
    types = {value.type for value in given}
    only = types.pop() if len(types) == 1 else None
    if isinstance(only, MapType):
        return Value(only, dict(sorted(merged.items())))
    return object_of(merged)


def _zipmap(given: Sequence[Value]) -> Value:
    keys = [text(key) if not key.is_null else None for key in given[0].items()]
    values = given[1].items()
    if not isinstance(given[1].type, ListType | TupleType):
        raise FunctionFault("values argument must be a list or tuple value", 1)
    if len(keys) != len(values):
        raise FunctionFault(f"number of keys ({len(keys)}) does not match number of values ({len(values)})")
    zipped: dict[str, Value] = {}
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        if key is None:
            raise FunctionFault(f"keys list has null value at index {place}")
        zipped[key] = value
    if isinstance(given[1].type, ListType):
        return Value(MapType(given[1].type.element), dict(sorted(zipped.items())))
    return object_of(zipped)


def _setunion(given: Sequence[Value]) -> Value:
    sets = _alike(given)
    return set_of((item for one in sets for item in one.items()), _element(sets[0]))


def _setintersection(given: Sequence[Value]) -> Value:
    sets = _alike(given)
    shared = set.intersection(*({member_key(item) for item in one.items()} for one in sets))
    return set_of((item for item in sets[0].items() if member_key(item) in shared), _element(sets[0]))


def _alike(given: Sequence[Value]) -> list[Value]:
    """The sets, converted to one element type; an empty set does not have a say in it."""
    common = unify([value.type for value in given if value.items()] or [given[0].type])
    if common is None:
        raise FunctionFault("given sets must all have compatible element types")
    try:
        return [convert(value, common) for value in given]
    except ValueError as fault:
        raise FunctionFault(str(fault)) from fault


def _element(value: Value) -> Type:
    return value.type.element if isinstance(value.type, SetType) else DYNAMIC


def _setproduct(given: Sequence[Value]) -> Value:
    """All combinations: a set of tuples when any argument is a set, otherwise a list that keeps the order."""
    if len(given) < 2:
        raise FunctionFault("at least two arguments are required")
    columns = [_column(value, place) for place, value in enumerate(given)]
    check_count(math.prod(map(len, columns)) * (1 + len(columns)))
    rows = [tuple_of(row) for row in itertools.product(*columns)]
    element = rows[0].type if rows else TupleType(tuple(DYNAMIC for _ in given))
    if any(isinstance(value.type, SetType) for value in given):
        return set_of(rows, element)
    return Value(ListType(element), tuple(rows))


def _column(value: Value, place: int) -> tuple[Value, ...]:
    items = sequence(value, "a set or a list is required", place)
    common = unify([item.type for item in items]) if items else DYNAMIC
    if common is None:
        raise FunctionFault("all elements must be of the same type", place)
    return tuple(convert(item, common) for item in items)
