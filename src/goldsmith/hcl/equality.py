"""When values are equal, and how the elements of a set are told apart and ordered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from goldsmith.hcl.gofmt import quote
from goldsmith.hcl.numerals import EXACT
from goldsmith.hcl.types import BOOL, DYNAMIC, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Unknown, Value, boolean, unknown


def equal(left: Value, right: Value) -> Value:
    """Whether two values are equal: a bool, unknown while it depends on something unknown.

    Nothing is converted: values of different types differ. Two nulls are equal whatever their types.
    The result is sensitive when anything in either value is.
    """
    sensitive = left.is_sensitive_anywhere or right.is_sensitive_anywhere
    verdict = _equal(left, right)
    return (unknown(BOOL) if verdict is None else boolean(verdict)).marked(sensitive)


def set_of(items: Iterable[Value], element: Type = DYNAMIC) -> Value:
    """A set of the given items, which are of one type; `element` is the type of an empty set.

    Duplicates are dropped and the elements ordered: strings and numbers by value, null last. A set cannot hold a
    sensitive element without telling which one it is, so any mark inside marks the whole set.
    """
    given = list(items)
    distinct: dict[tuple[object, ...], Value] = {}
    for place, item in enumerate(unmarked(item) for item in given):
        # Unknown elements may turn out to be anything: each is kept.
        distinct.setdefault(member_key(item) if item.is_wholly_known else (1, place), item)
    ordered = sorted(distinct.values(), key=sort_key)
    marked = any(item.is_sensitive_anywhere for item in given)
    return Value(SetType(ordered[0].type if ordered else element), tuple(ordered)).marked(marked)


def sort_key(value: Value) -> tuple[int, object]:
    """A key that orders values of one type as a set does, and that is the same exactly for equal values."""
    if value.is_null:
        return (2, "")
    if not value.is_known:
        return (1, "")
    if isinstance(value.raw, str | bool | int | Decimal):
        return (0, value.raw)
    return (0, _spelled(value))


def member_key(value: Value) -> tuple[object, ...]:
    """A key that is the same for what a set holds as one: it tells zero from the zero with a sign, although they are equal."""
    return (*sort_key(value), isinstance(value.raw, Decimal) and not value.raw)


def unmarked(value: Value) -> Value:
    """The value without any mark of sensitivity in it. The caller marks what it makes of it."""
    if not value.is_sensitive_anywhere:
        return value
    raw = value.raw
    if isinstance(raw, tuple):
        return Value(value.type, tuple(unmarked(item) for item in raw))
    if isinstance(raw, Mapping):
        return Value(value.type, {name: unmarked(item) for name, item in raw.items()})
    return replace(value, sensitive=False)


def _equal(left: Value, right: Value) -> bool | None:
    """True, False, or None for "not known yet"."""
    if not left.is_known or not right.is_known:
        # Something unknown may turn out to be null, which is equal to any null.
        open_question = left.is_known == right.is_known or left.is_null or right.is_null
        return None if open_question or _may_agree(left.type, right.type) else False
    if left.is_null or right.is_null:
        return left.is_null and right.is_null
    if left.type != right.type:
        waits = _has_open_type(left) or _has_open_type(right)
        return None if waits and _may_agree(left.type, right.type) else False
    if isinstance(left.type, SetType):
        return _equal_sets(left, right)
    if isinstance(left.raw, Mapping) and isinstance(right.raw, Mapping) and left.raw.keys() != right.raw.keys():
        return False
    if isinstance(left.raw, tuple | Mapping):
        return _all_equal(left.items(), _in_order_of(left, right))
    return left.raw == right.raw


def _has_open_type(value: Value) -> bool:
    """Whether the type of something in the value is not known yet."""
    return (not value.is_known and value.type == DYNAMIC) or any(_has_open_type(item) for item in value.items())


def _may_agree(left: Type, right: Type) -> bool:
    """Whether two types can turn out to be the same, once each `any` in them is known."""
    if left == right or DYNAMIC in (left, right):
        return True
    match left, right:
        case (ListType(a), ListType(b)) | (SetType(a), SetType(b)) | (MapType(a), MapType(b)):
            return _may_agree(a, b)
        case TupleType(these), TupleType(those):
            return len(these) == len(those) and all(map(_may_agree, these, those))
        case ObjectType(ours), ObjectType(theirs):
            return ours.keys() == theirs.keys() and all(_may_agree(ours[name], theirs[name]) for name in ours)
    return False


def _in_order_of(left: Value, right: Value) -> tuple[Value, ...]:
    if isinstance(left.raw, Mapping) and isinstance(right.raw, Mapping):
        return tuple(right.raw[name] for name in left.raw)
    return right.items()


def _all_equal(left: tuple[Value, ...], right: tuple[Value, ...]) -> bool | None:
    if len(left) != len(right):
        return False
    verdicts = [_equal(a, b) for a, b in zip(left, right, strict=True)]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _equal_sets(left: Value, right: Value) -> bool | None:
    if not (left.is_wholly_known and right.is_wholly_known):
        return None
    return {member_key(item) for item in left.items()} == {member_key(item) for item in right.items()}


def _spelled(value: Value) -> str:
    """The content of a value as text, equal exactly for equal values of one type."""
    match value.raw:
        case Unknown():
            return "?"
        case None:
            return "~"
        case bool(truth):
            return "T" if truth else "F"
        case str(text):
            return quote(text)
        case Mapping() as entries:
            return "{" + "".join(f"{quote(name)}:{_spelled(entries[name])};" for name in sorted(entries)) + "}"
        case tuple(items):
            return "[" + "".join(f"{_spelled(item)};" for item in items) + "]"
        case int() | Decimal() as amount:
            return str(Decimal(amount).normalize(EXACT))
