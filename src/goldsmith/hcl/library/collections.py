"""Functions that ask something of a collection: how long it is, what is in it, what stands where."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.hcl.convert import convert, unify
from goldsmith.hcl.equality import equal
from goldsmith.hcl.library.arguments import ANYTHING, STRUCTURE, entries, named, of, sequence, shallow, text, whole
from goldsmith.hcl.library.graphemes import graphemes
from goldsmith.hcl.limits import MOST_WORK
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType
from goldsmith.hcl.values import Value, boolean, number, string, tuple_of, unknown

_BOOLS = Parameter("list", ListType(BOOL), allow_unknown=True)
_MAYBE_NULL = Parameter("vals", DYNAMIC, allow_null=True, allow_unknown=True, keeps_marks=True)
_KEY = Parameter("key", STRING, allow_unknown=True, keeps_marks=True)


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    place = Parameter("index", NUMBER, allow_unknown=True, keeps_marks=True)
    any_value = Parameter("value", DYNAMIC, allow_unknown=True, keeps_marks=True)
    return (
        of("alltrue", _alltrue, _BOOLS, result=BOOL),
        of("anytrue", _anytrue, _BOOLS, result=BOOL),
        of("coalesce", _coalesce, rest=_MAYBE_NULL),
        of("coalescelist", _coalescelist, rest=named("lists", _MAYBE_NULL)),
        of("contains", _contains, named("list", STRUCTURE), any_value, result=BOOL),
        of("element", shallow(_element), named("list", STRUCTURE), place),
        of("index", _index, named("list", ANYTHING), named("value", ANYTHING)),
        of("keys", shallow(_keys), named("inputMap", STRUCTURE)),
        of("length", _length, named("value", STRUCTURE), result=NUMBER),
        of("lookup", _lookup, named("inputMap", STRUCTURE), _KEY, named("default", any_value)),
        of("values", shallow(_values), named("mapping", STRUCTURE)),
    )


def _alltrue(given: Sequence[Value]) -> Value:
    """Null counts as false."""
    if not given[0].is_known:
        return unknown(BOOL)
    items = given[0].items()
    if any(item.is_null or item.raw is False for item in items):
        return boolean(False)
    return boolean(True) if all(item.is_known for item in items) else unknown(BOOL)


def _anytrue(given: Sequence[Value]) -> Value:
    if not given[0].is_known:
        return unknown(BOOL)
    items = given[0].items()
    if any(item.raw is True for item in items):
        return boolean(True)
    return boolean(False) if all(item.is_known for item in items) else unknown(BOOL)


def _coalesce(given: Sequence[Value]) -> Value:
    """The first argument that is neither null nor an empty string, as the type common to all."""
    common = unify([value.type for value in given])
    if common is None:
        raise FunctionFault("all arguments must have the same type")
    for value in given:
        if not value.is_known:
            return unknown(common).marked(value.sensitive)
        if not value.is_null and value.raw != "":
            return convert(value, common)
    raise FunctionFault("no non-null, non-empty-string arguments")


def _coalescelist(given: Sequence[Value]) -> Value:
    if not given:
        raise FunctionFault("at least one argument is required")
    for value in given:
        if not value.is_known:
            return unknown().marked(value.sensitive)
        if not isinstance(value.type, ListType | TupleType) and value.type != DYNAMIC:
            raise FunctionFault("coalescelist arguments must be lists or tuples")
    for value in given:
        if value.items():
            return value
    raise FunctionFault("no non-null arguments")


def _contains(given: Sequence[Value]) -> Value:
    """By strict equality: no conversion takes place."""
    collection, wanted = given
    if not collection.is_known:
        return unknown(BOOL).marked(collection.sensitive or wanted.sensitive)
    items = sequence(collection, "argument must be list, tuple, or set", 0)
    _check_comparisons(items, wanted)
    verdicts = [equal(item, wanted) for item in items]
    found = any(verdict.raw is True for verdict in verdicts)
    open_question = not found and not all(verdict.is_known for verdict in verdicts)
    marked = collection.sensitive or wanted.is_sensitive_anywhere or any(verdict.sensitive for verdict in verdicts)
    return (unknown(BOOL) if open_question else boolean(found)).marked(marked)


def _check_comparisons(items: Sequence[Value], wanted: Value) -> None:
    """Raise FunctionFault when it would take too long to compare each item with a value."""
    if len(items) * wanted.extent.parts > MOST_WORK:
        raise FunctionFault("the value is too large to be looked for in so long a list", 1)


def _element(given: Sequence[Value]) -> Value:
    """The element at a place, counted round and round; a negative place counts from the end."""
    if not isinstance(given[0].type, ListType | TupleType):
        raise FunctionFault(f"cannot read elements from {friendly_name(given[0].type)}")
    items = given[0].items()
    if not items:
        raise FunctionFault("cannot use element function with an empty list")
    return items[whole(given[1], 1) % len(items)]


def _index(given: Sequence[Value]) -> Value:
    """The place of the first element that equals a value."""
    if not isinstance(given[0].type, ListType | TupleType):
        raise FunctionFault("argument must be a list or tuple", 0)
    if not given[0].items():
        raise FunctionFault("cannot search an empty list", 0)
    _check_comparisons(given[0].items(), given[1])
    for place, item in enumerate(given[0].items()):
        if equal(item, given[1]).raw is True:
            return number(place)
    raise FunctionFault("item not found")


def _keys(given: Sequence[Value]) -> Value:
    names = [string(name) for name in sorted(_mapping(given[0], "must have map or object type"))]
    if isinstance(given[0].type, MapType):
        return Value(ListType(STRING), tuple(names))
    return tuple_of(names)


def _values(given: Sequence[Value]) -> Value:
    found = _mapping(given[0], "values() requires a map as the first argument")
    items = [found[name] for name in sorted(found)]
    if isinstance(given[0].type, MapType):
        return Value(ListType(given[0].type.element), tuple(items))
    return tuple_of(items)


def _mapping(value: Value, why: str) -> dict[str, Value]:
    if isinstance(value.type, MapType | ObjectType):
        return dict(entries(value))
    raise FunctionFault(why, 0)


def _length(given: Sequence[Value]) -> Value:
    """The number of elements, or of characters as people see them."""
    value = given[0]
    return _size(value).marked(value.sensitive)


def _size(value: Value) -> Value:
    match value.type:
        case TupleType(elements):
            return number(len(elements))
        case ObjectType(attributes):
            return number(len(attributes))
    if not value.is_known:
        return unknown(NUMBER)
    if isinstance(value.type, SetType) and not value.is_wholly_known and len(value.items()) > 1:
        # Unknown elements may turn out to be equal to each other.
        return unknown(NUMBER)
    if isinstance(value.type, ListType | SetType | MapType):
        return number(len(value.items()))
    if value.type == STRING:
        return number(len(graphemes(text(value))))
    raise FunctionFault("argument must be a string, a collection type, or a structural type", 0)


def _lookup(given: Sequence[Value]) -> Value:
    container, key, default = given
    marked = container.sensitive or key.sensitive
    if not isinstance(container.type, MapType | ObjectType):
        raise FunctionFault("lookup() requires a map as the first argument", 0)
    if isinstance(container.type, MapType):
        default = _as_element(default, container.type)
    if not container.is_known or not key.is_known:
        return unknown(default.type if isinstance(container.type, MapType) else DYNAMIC).marked(marked)
    return entries(container).get(text(key), default).marked(marked)


def _as_element(default: Value, container: MapType) -> Value:
    try:
        return convert(default, container.element)
    except ValueError as fault:
        raise FunctionFault("the default value must have the same type as the map elements", 2) from fault
