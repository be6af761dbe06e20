"""Assignments and declarations: what they set in a scope."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.assist.commands import Word
from goldsmith.assist.expressions import unknown
from goldsmith.assist.pieces import merged
from goldsmith.assist.scope import Array, Value, elements_of, is_counted
from goldsmith.assist.syntax import Assignment, Declaration, Element
from goldsmith.assist.values import Values


def assign(values: Values, item: Assignment) -> None:
    """`name=value`, `name+=value`, `name[index]=value`, `name=(…)`."""
    variables = values.scope.variables
    old = variables.get(item.name)
    if item.array is not None:
        variables[item.name] = _array(values, item.array, old if item.is_append else None, is_named=_is_named(old))
    elif item.index is not None:
        variables[item.name] = _element(values, item, old)
    else:
        new = values.join(item.value)
        if item.is_append and isinstance(old, Array):
            variables[item.name] = Array({**old.items, _next_key(old): new}, old.is_named)
        elif item.is_append:
            variables[item.name] = merged([*values.read(item.name).pieces, *new.pieces])
        else:
            variables[item.name] = new
    if "a" in values.scope.options:
        values.scope.exported.add(item.name)


def declare(values: Values, item: Declaration) -> None:
    """`local`, `export`, `readonly`, `declare`, `typeset` with their options."""
    options = "".join(_option(values, argument) for argument in item.arguments)
    is_local = item.variant == "local" or (item.variant in ("declare", "typeset") and "g" not in options)
    for argument in item.arguments:
        if not argument.name:
            _assign_word(values, argument, item.variant, options, is_local=is_local)
            continue
        _declare_one(values, argument, item.variant, options, is_local=is_local)


def _declare_one(values: Values, item: Assignment, variant: str, options: str, *, is_local: bool) -> None:
    scope = values.scope
    known = scope.variables.get(item.name)
    if is_local and scope.calls and item.name not in scope.local:
        scope.local[item.name] = scope.variables.get(item.name, ABSENT)
    if "A" in options and (not isinstance(known, Array) or not known.is_named):
        scope.variables[item.name] = Array({}, is_named=True)
    elif "a" in options and not isinstance(known, Array):
        scope.variables[item.name] = Array({})
    elif is_local and scope.calls and item.is_bare:
        scope.variables[item.name] = Word(())
    if not item.is_bare:
        assign(values, item)
    if variant == "export" or "x" in options:
        (scope.exported.discard if "n" in options and variant == "export" else scope.exported.add)(item.name)


def _assign_word(values: Values, item: Assignment, variant: str, options: str, *, is_local: bool) -> None:
    """An argument such as `"$name=value"`, which is read when it is run."""
    if item.value is None or _option(values, item):
        return
    for word in values.expand(item.value):
        name, equals, value = (word.text or "").partition("=")
        if not name.isidentifier():
            continue
        _declare_one(values, Assignment(name, None, None, None, False, True), variant, options, is_local=is_local)
        if equals:
            values.scope.variables[name] = Word.of(value)


ABSENT: Value = Array({}, is_named=True)
"""A name that was not set before a function made it local."""


def restore(variables: dict[str, Value | None], local: dict[str, Value | None]) -> None:
    """After a function: its local names are what they were outside."""
    for name, old in local.items():
        if old is ABSENT:
            variables.pop(name, None)
        else:
            variables[name] = old


def _option(values: Values, item: Assignment) -> str:
    """The letters of an argument that is an option."""
    if item.name or item.value is None:
        return ""
    text = values.join(item.value).text or ""
    return text[1:] if text.startswith("-") else ""


def _is_named(value: Value | None) -> bool:
    return isinstance(value, Array) and value.is_named


def _array(values: Values, elements: Sequence[Element], old: Value | None, *, is_named: bool) -> Value:
    items: dict[str, Word] = {}
    if isinstance(old, Array):
        items.update(old.items)
    elif isinstance(old, Word) and old.pieces:
        items["0"] = elements_of(old)
    position = int(_next_key(Array(items))) if items and not is_named else 0
    for element in elements:
        if element.index is not None:
            key = values.index(element.index, is_named=is_named)
            if key is None:
                return unknown("an array with a key that is not known")
            items[key] = values.join(element.value)
            position = int(key) + 1 if not is_named and key.lstrip("-").isdigit() else position
        elif element.value is not None:
            for word in values.expand(element.value):
                items[str(position)] = word
                position += 1
    return Array(items, is_named)


def _element(values: Values, item: Assignment, old: Value | None) -> Value:
    array = old if isinstance(old, Array) else Array({"0": elements_of(old)} if isinstance(old, Word) and old.pieces else {})
    assert item.index is not None
    key = values.index(item.index, is_named=array.is_named)
    if key is None:
        return unknown("an array with a key that is not known")
    new = values.join(item.value)
    before = array.items.get(key, Word(()))
    items = {**array.items, key: merged([*before.pieces, *new.pieces]) if item.is_append else new}
    if not is_counted(array.items.values()):
        return unknown("an array of which nobody knows how many elements it has")
    return Array(items if array.is_named else dict(sorted(items.items(), key=lambda pair: int(pair[0]))), array.is_named)


def _next_key(array: Array) -> str:
    return str(max((int(key) for key in array.items if key.isdigit()), default=-1) + 1)
