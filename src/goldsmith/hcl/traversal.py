"""Looking into values: attributes, indexes and keys."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import UserError, did_you_mean, listed
from goldsmith.hcl.display import display
from goldsmith.hcl.faults import fault
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, unknown


def attribute_of(target: Value, name: str, where: Range) -> Value:
    """`target.name`. What is inside a sensitive value is sensitive. Raises `UserError`."""
    if target.is_null:
        why = "This value is null, so it does not have any attributes."
        raise fault("null-target", "Attempt to get attribute from null value", where, why, "Give it a value, or use try().")
    if isinstance(target.type, ObjectType) and name not in target.type.attributes:
        raise _no_attribute(name, target.type, where)
    if not target.is_known and (target.type == DYNAMIC or isinstance(target.type, ObjectType | MapType)):
        return unknown(_type_at(target.type, name)).marked(target.sensitive)
    if not isinstance(target.raw, Mapping):
        sequence = isinstance(target.type, ListType | SetType | TupleType)
        hint = f"To read it from every item, write [*].{name}." if sequence else "Only objects and maps have attributes."
        why = "This value does not have any attributes."
        raise fault("unsupported-attribute", "Unsupported attribute", where, why, hint)
    if name not in target.raw:
        why = f'This map does not have an element with the key "{name}".'
        raise fault("missing-key", "Missing map element", where, why, _keys(name, target))
    return target.raw[name].marked(target.sensitive)


def element_of(target: Value, key: Value, where: Range) -> Value:
    """`target[key]`: an item by its place, or by its name in maps and objects. Raises `UserError`."""
    if target.is_null:
        why = "This value is null, so it does not have any indices."
        raise fault("null-target", "Attempt to index null value", where, why, "Give it a value, or use try().")
    if key.is_null:
        raise _invalid("null-key", where, "Can't use a null value as an indexing key.", "Give it a value.")
    return _element(target, key, where).marked(target.sensitive or key.sensitive)


def _element(target: Value, key: Value, where: Range) -> Value:
    if DYNAMIC in (target.type, key.type):
        return unknown()  # null was refused already
    match target.type:
        case ListType() | TupleType():
            return _item(target, _as_key(key, NUMBER, where), where)
        case MapType() | ObjectType():
            return _member(target, _as_key(key, STRING, where), where)
        case SetType():
            why = "Elements of a set are identified only by their value and don't have any separate index or key."
            raise _invalid("set-index", where, why, "Make a list of it first, convert(SET, list(any)).")
    raise _invalid("not-indexable", where, "This value does not have any indices.", "Only lists, tuples, maps and objects do.")


_UNFIT = "The given key does not identify an element in this collection value"


def _as_key(key: Value, type: Type, where: Range) -> Value:
    try:
        return convert(key, type)
    except ValueError as error:
        raise _invalid("index-type", where, f"{_UNFIT}: {error}.", "Check what the key is.") from error


def _item(target: Value, place: Value, where: Range) -> Value:
    if not place.is_known:
        return unknown(target.type.element if isinstance(target.type, ListType) else DYNAMIC)
    if isinstance(target.type, ListType) and not target.is_known:
        return unknown(target.type.element)
    length = len(target.type.elements) if isinstance(target.type, TupleType) else len(target.items())
    index = place.raw or 0  # the zero with a sign counts as zero
    if not isinstance(index, int):
        given = "" if place.sensitive else f" ({display(place)})"
        why = f"{_UNFIT}: indexing a sequence requires a whole number, but the given index{given} has a fractional part."
        raise _invalid("index-fraction", where, why, "Round it with floor().")
    if 0 <= index < length:
        return target.items()[index] if target.is_known else unknown(_type_at(target.type, index))
    raise _out_of_range(index, length, where)


def _out_of_range(place: int, length: int, where: Range) -> UserError:
    if place < 0:
        why, hint = "a negative number is not a valid index for a sequence", "Count from the end with length()."
    elif length == 0:
        why, hint = "the collection has no elements", "Check it with length() before."
    else:
        why = "the given index is greater than or equal to the length of the collection"
        hint = f"The last one is [{length - 1}]."
    return _invalid("index-range", where, f"{_UNFIT}: {why}.", hint)


def _member(target: Value, name: Value, where: Range) -> Value:
    if not isinstance(name.raw, str):
        return unknown(target.type.element if isinstance(target.type, MapType) else DYNAMIC)
    if isinstance(target.type, ObjectType) and name.raw not in target.type.attributes:
        raise _invalid("missing-key", where, f"{_UNFIT}.", _keys(name.raw, target) if not name.sensitive else "Use lookup().")
    if not isinstance(target.raw, Mapping):
        return unknown(_type_at(target.type, name.raw))
    if name.raw in target.raw:
        return target.raw[name.raw]
    raise _invalid("missing-key", where, f"{_UNFIT}.", _keys(name.raw, target) if not name.sensitive else "Use lookup().")


def _type_at(type: Type, key: str | int) -> Type:
    match type:
        case ObjectType(attributes) if isinstance(key, str):
            return attributes[key]
        case TupleType(elements) if isinstance(key, int):
            return elements[key]
        case MapType(element):
            return element
    return DYNAMIC


def _no_attribute(name: str, type: ObjectType, where: Range) -> UserError:
    why = f'This object does not have an attribute named "{name}".'
    hint = did_you_mean(name, type.attributes) or f"It has: {listed(type.attributes) or 'nothing'}."
    return fault("unsupported-attribute", "Unsupported attribute", where, why, hint)


def _keys(name: str, target: Value) -> str:
    """A hint at the key that was meant. The keys of a sensitive map are not told."""
    if target.sensitive or not isinstance(target.raw, Mapping):
        return "Use lookup() to give a default."
    return did_you_mean(name, target.raw) or "Use lookup() to give a default."


def _invalid(code: str, where: Range, why: str, next: str) -> UserError:
    return fault(code, "Invalid index", where, why, next)
