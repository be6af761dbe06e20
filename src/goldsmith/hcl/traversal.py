"""Looking into values: attributes, indexes and keys."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.faults import fault
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType
from goldsmith.hcl.values import Value, unknown


def attribute_of(target: Value, name: str, where: Range) -> Value:
    """`target.name`."""
    if target.is_null:
        raise fault(
            "null-target",
            "Attempt to get attribute from null value",
            where,
            "This value is null, so it does not have any attributes.",
            "Give it a value, or catch the case with try().",
        )
    if isinstance(target.type, ObjectType) and name not in target.type.attributes:
        raise _unsupported(name, target.type.attributes, where)
    if not target.is_known:
        return _part_unknown(target, name)
    if isinstance(target.raw, Mapping):
        if name not in target.raw:
            raise fault(
                "missing-key",
                "Missing map element",
                where,
                f'This map does not have an element with the key "{name}".',
                did_you_mean(name, target.raw) or "Use lookup() to give a default.",
            )
        return target.raw[name].marked(target.sensitive)
    hint = "An attribute of a list's items is read by a splat: LIST[*].name." if isinstance(target.raw, tuple) else ""
    raise fault("unsupported-attribute", "Unsupported attribute", where, "This value does not have any attributes.", hint)


def element_of(target: Value, key: Value, where: Range) -> Value:
    """`target[key]`."""
    sensitive = target.sensitive or key.sensitive
    if target.is_null:
        raise fault(
            "null-target",
            "Attempt to index null value",
            where,
            "This value is null, so it does not have any indices.",
            "Give it a value.",
        )
    if key.is_null:
        raise fault("null-key", "Invalid index", where, "Can't use a null value as an indexing key.", "Give it a value.")
    if isinstance(target.type, SetType):
        raise fault(
            "set-index",
            "Invalid index",
            where,
            "Elements of a set are identified only by their value and don't have any separate index or key to select with.",
            "Make a list of it with tolist's stand-in convert(x, list(string)).",
        )
    if isinstance(target.type, ListType | TupleType):
        return _item(target, key, where).marked(sensitive)
    if isinstance(target.type, MapType | ObjectType):
        return _member(target, key, where).marked(sensitive)
    if target.type == DYNAMIC and not target.is_known:
        return unknown().marked(sensitive)
    raise fault(
        "not-indexable",
        "Invalid index",
        where,
        "This value does not have any indices.",
        "Only lists, tuples, maps and objects have.",
    )


def _item(target: Value, key: Value, where: Range) -> Value:
    try:
        place = convert(key, NUMBER)
    except ValueError as error:
        raise fault(
            "index-type", "Invalid index", where, f"The given key does not identify an element: {error}.", "Use a number."
        ) from error
    if not (place.is_known and target.is_known):
        return unknown(target.type.element if isinstance(target.type, ListType) else DYNAMIC)
    items = target.items()
    if isinstance(place.raw, int) and 0 <= place.raw < len(items):
        return items[place.raw]
    why = (
        "a negative number is not a valid index"
        if isinstance(place.raw, int) and place.raw < 0
        else f"the collection has {len(items)} elements"
    )
    raise fault(
        "index-range",
        "Invalid index",
        where,
        f"The given key does not identify an element in this collection value: {why}.",
        "Check it with length().",
    )


def _member(target: Value, key: Value, where: Range) -> Value:
    try:
        name = convert(key, STRING)
    except ValueError as error:
        raise fault(
            "index-type", "Invalid index", where, f"The given key does not identify an element: {error}.", "Use a string."
        ) from error
    if not (name.is_known and target.is_known):
        return unknown(target.type.element if isinstance(target.type, MapType) else DYNAMIC)
    assert isinstance(target.raw, Mapping)
    assert isinstance(name.raw, str)
    if name.raw in target.raw:
        return target.raw[name.raw]
    raise fault(
        "missing-key",
        "Invalid index",
        where,
        f'The given key does not identify an element in this collection value: there is none named "{name.raw}".',
        did_you_mean(name.raw, target.raw) or "Use lookup() to give a default.",
    )


def _part_unknown(target: Value, name: str) -> Value:
    if isinstance(target.type, ObjectType):
        return unknown(target.type.attributes[name]).marked(target.sensitive)
    if isinstance(target.type, MapType):
        return unknown(target.type.element).marked(target.sensitive)
    return unknown().marked(target.sensitive)


def _unsupported(name: str, attributes: Mapping[str, object], where: Range) -> Exception:
    known = f"It has: {', '.join(attributes)}." if attributes else "It has none."
    return fault(
        "unsupported-attribute",
        "Unsupported attribute",
        where,
        f'This object does not have an attribute named "{name}".',
        did_you_mean(name, attributes) or known,
    )
