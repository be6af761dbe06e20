"""Functions that make a sequence of others: joined, cut, turned, sorted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goldsmith.hcl.arithmetic import add
from goldsmith.hcl.convert import convert, unify
from goldsmith.hcl.equality import sort_key
from goldsmith.hcl.library.arguments import AMOUNT, STRUCTURE, TEXTS, amount, named, of, sequence, shallow, text, whole
from goldsmith.hcl.limits import LONGEST_RANGE
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.numerals import Number
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import DYNAMIC, NUMBER, STRING, ListType, SetType, TupleType
from goldsmith.hcl.values import Value, number, tuple_of, unknown


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    items, any_list = named("list", STRUCTURE), Parameter("list", ListType(DYNAMIC))
    start, end = Parameter("start_index", NUMBER), Parameter("end_index", NUMBER)
    return (
        of("chunklist", _chunklist, any_list, named("size", AMOUNT)),
        of("compact", _compact, TEXTS, result=ListType(STRING)),
        of("concat", shallow(_concat), rest=named("seqs", STRUCTURE)),
        of("distinct", _distinct, any_list),
        of("flatten", shallow(_flatten), items),
        of("range", _range, rest=named("params", AMOUNT), result=ListType(NUMBER)),
        of("reverse", shallow(_reverse), items),
        of("slice", shallow(_slice), items, start, end),
        of("sort", _sort, named("list", TEXTS), result=ListType(STRING)),
    )


def _list_like(value: Value, items: Sequence[Value]) -> Value:
    """A list with the type of the list `value`, or a tuple when that is one."""
    if isinstance(value.type, ListType | SetType):
        return Value(ListType(value.type.element), tuple(items))
    return tuple_of(items)


def _chunklist(given: Sequence[Value]) -> Value:
    size = whole(given[1], 1)
    if size < 0 and given[0].items():
        raise FunctionFault("the size argument must be positive", 1)
    items = given[0].items()
    size = max(size, 0) or max(1, len(items))
    chunks = [Value(given[0].type, items[start : start + size]) for start in range(0, len(items), size)]
    return Value(ListType(given[0].type), tuple(chunks))


def _compact(given: Sequence[Value]) -> Value:
    kept = [item for item in given[0].items() if not item.is_null and text(item)]
    return Value(ListType(STRING), tuple(kept))


def _concat(given: Sequence[Value]) -> Value:
    """Lists make a list when their elements have a type in common, anything with a tuple makes a tuple."""
    if not given:
        raise FunctionFault("at least one argument is required")
    for place, value in enumerate(given):
        if not isinstance(value.type, ListType | TupleType):
            raise FunctionFault(f"all arguments must be lists or tuples; got {friendly_name(value.type)}", place)
    items = [item for value in given for item in value.items()]
    lists = [value.type for value in given if isinstance(value.type, ListType)]
    common = unify(lists) if len(lists) == len(given) else None
    if isinstance(common, ListType):
        return Value(common, tuple(convert(item, common.element) for item in items))
    return tuple_of(items)


def _distinct(given: Sequence[Value]) -> Value:
    kept: dict[tuple[int, object], Value] = {}
    for item in given[0].items():
        kept.setdefault(sort_key(item), item)
    return _list_like(given[0], list(kept.values()))


def _flatten(given: Sequence[Value]) -> Value:
    items = list(_leaves(sequence(given[0], "can only flatten lists, sets and tuples", 0)))
    if any(not item.is_known and item.type == DYNAMIC for item in items):
        # It may turn out to be a list of its own.
        return unknown().marked(any(item.sensitive for item in items))
    return tuple_of(items)


def _leaves(items: Sequence[Value], marked: bool = False) -> Iterator[Value]:
    for item in items:
        if isinstance(item.type, ListType | SetType | TupleType) and not item.is_null:
            if item.is_known:
                yield from _leaves(item.items(), marked or item.sensitive)
            else:
                yield unknown().marked(marked or item.sensitive)
        else:
            yield item.marked(marked)


def _range(given: Sequence[Value]) -> Value:
    start, end, step = _span([amount(value) for value in given])
    if step == 0:
        raise FunctionFault("step must not be zero", 2)
    if step < 0 and end > start:
        raise FunctionFault("end must be less than start when step is negative", 1)
    if step > 0 and end < start:
        raise FunctionFault("end must be greater than start when step is positive", 1)
    numbers: list[Value] = []
    while start < end if step > 0 else start > end:
        if len(numbers) == LONGEST_RANGE:
            raise FunctionFault(
                "more than 1024 values were generated; either decrease the difference between start and end or use a "
                "smaller step"
            )
        numbers.append(number(start))
        start = add(start, step)
    return Value(ListType(NUMBER), tuple(numbers))


def _span(given: Sequence[Number]) -> tuple[Number, Number, Number]:
    match given:
        case [end]:
            return 0, end, -1 if end < 0 else 1
        case [start, end]:
            return start, end, -1 if end < start else 1
        case [start, end, step]:
            return start, end, step
    raise FunctionFault("must have one, two, or three arguments")


def _reverse(given: Sequence[Value]) -> Value:
    why = f"can only reverse list or tuple values, not {friendly_name(given[0].type)}"
    return _list_like(given[0], sequence(given[0], why, 0)[::-1])


def _slice(given: Sequence[Value]) -> Value:
    if isinstance(given[0].type, SetType):
        raise FunctionFault(
            "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of "
            "the result is not important",
            0,
        )
    items = sequence(given[0], "must be a list or tuple value", 0)
    start, end = whole(given[1], 1), whole(given[2], 2)
    for place, name, index in ((1, "start", start), (2, "end", end)):
        if index < 0:
            raise FunctionFault(f"{name} index must not be less than zero", place)
        if index > len(items):
            raise FunctionFault(f"{name} index must not be greater than the length of the list", place)
    if start > end:
        raise FunctionFault("start index must not be greater than end index", 1)
    return _list_like(given[0], items[start:end])


def _sort(given: Sequence[Value]) -> Value:
    """In the order of code points."""
    for place, item in enumerate(given[0].items()):
        if item.is_null:
            raise FunctionFault(f"given list element {place} is null; a null string cannot be sorted", 0)
    return Value(ListType(STRING), tuple(sorted(given[0].items(), key=text)))
