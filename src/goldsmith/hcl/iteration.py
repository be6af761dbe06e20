"""For-expressions and splats: an expression evaluated for each item of a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from goldsmith.hcl.ast import Expression, For, Splat
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.faults import fault
from goldsmith.hcl.limits import FAILURE, MOST_FAULTS, LimitReached
from goldsmith.hcl.mismatch import friendly_name
from goldsmith.hcl.partial import PartlyKnown, known_of
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.types import BOOL, DYNAMIC, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type
from goldsmith.hcl.values import Value, number, object_of, string, tuple_of, unknown

Evaluate = Callable[[Expression, Scope], Value]

ITEM = "*"
"""The name under which the item of a splat is in scope; no configuration can spell it."""


def splat(expression: Splat, target: Value, scope: Scope, evaluate: Evaluate) -> Value:
    """`target[*]…`: the `each` of every item. Anything but a sequence counts as one item, null as none."""
    is_sequence = isinstance(target.type, ListType | SetType | TupleType)
    if target.is_null and is_sequence:
        why = "Splat expressions (with the * symbol) cannot be applied to null sequences."
        raise fault("null-splat", "Splat of null value", expression.range, why, "Give it a default, for example [].")
    if target.is_null:
        return tuple_of(()).marked(target.sensitive)
    if not target.is_known:
        return _unknown_splat(expression, target, scope, evaluate).marked(target.sensitive)
    items = target.items() if is_sequence else (target,)
    tries = _Tries(evaluate)
    found = [tries.value(expression.each, scope.child({ITEM: item})) for item in items]
    alike = isinstance(target.type, ListType | SetType) and found and all(item.type == found[0].type for item in found)
    made = Value(ListType(found[0].type), tuple(found)) if alike else tuple_of(found)
    return tries.whole(expression, made.marked(target.sensitive))


class _Tries:
    """Evaluations of one expression in several scopes, of which the first that fails stands for those that follow."""

    def __init__(self, evaluate: Evaluate) -> None:
        self.evaluate = evaluate
        self.failure: UserError | None = None
        self.failures = 0

    def value(self, expression: Expression, scope: Scope) -> Value:
        """The value in one scope; what is known of it where it fails. After many that fail, no more are tried."""
        if self.failures > MOST_FAULTS:
            return unknown()
        try:
            return self.evaluate(expression, scope)
        except LimitReached:
            raise
        except UserError as error:
            scope.allowance.spend(FAILURE, expression.range)
            self.failure = self.failure or error
            self.failures += 1
            return known_of(expression, error)

    def whole(self, expression: Expression, made: Value) -> Value:
        """What was `made` of the values for an expression. Raised with their faults if there are some."""
        if self.failure:
            raise PartlyKnown(expression, made, self.failure.diagnostics)
        return made


def _unknown_splat(expression: Splat, target: Value, scope: Scope, evaluate: Evaluate) -> Value:
    """What is known of the result: the place of each item of a tuple, the type of a list's items."""

    def each(type: Type) -> Value:
        return evaluate(expression.each, scope.child({ITEM: unknown(type)}))

    match target.type:
        case TupleType(elements):
            return tuple_of(each(type) for type in elements)
        case ListType(element) | SetType(element):
            return unknown(ListType(each(element).type))
    return unknown()


def loop(expression: For, collection: Value, scope: Scope, evaluate: Evaluate) -> Value:
    """`[for …]` gives a tuple, `{for …}` an object. Unknown while the collection, a condition or a key is."""
    _check_iterable(expression, collection)
    if not collection.is_known:
        return unknown().marked(collection.sensitive)
    return _Loop(expression, collection, scope, evaluate).run()


def _check_iterable(expression: For, collection: Value) -> None:
    where = expression.collection.range
    if collection.is_null:
        why = "A null value cannot be used as the collection in a 'for' expression."
        raise fault("null-collection", "Iteration over null value", where, why, "Give it a default, for example [].")
    if collection.type != DYNAMIC and not isinstance(collection.type, ListType | SetType | TupleType | MapType | ObjectType):
        name = friendly_name(collection.type)
        why = f"A value of type {name} cannot be used as the collection in a 'for' expression."
        raise fault("not-iterable", "Iteration over non-iterable value", where, why, "Use a list, a set or a map.")


class _Loop:
    """One run of a for-expression. Collection, conditions and keys decide what is in the result and so mark all of it."""

    def __init__(self, expression: For, collection: Value, scope: Scope, evaluate: Evaluate) -> None:
        self.expression = expression
        self.collection = collection
        self.scope = scope
        self.evaluate = evaluate
        self.values = _Tries(evaluate)
        self.sensitive = collection.sensitive
        self.known = True

    def run(self) -> Value:
        result = self._tuple() if self.expression.key is None else self._object(self.expression.key)
        return self.values.whole(self.expression, (result if self.known else unknown()).marked(self.sensitive))

    def _tuple(self) -> Value:
        return tuple_of([self.values.value(self.expression.value, inner) for inner in self._rounds()])

    def _object(self, key_expression: Expression) -> Value:
        found: dict[str, list[Value]] = {}
        for inner in self._rounds():
            key = self._decisive(_key(key_expression, self.evaluate(key_expression, inner)))
            name = str(key.raw)
            if key.is_known and name in found and not self.expression.group:
                raise _duplicate(key_expression, key)
            found.setdefault(name, []).append(self.values.value(self.expression.value, inner))
        return object_of({name: tuple_of(items) if self.expression.group else items[0] for name, items in found.items()})

    def _rounds(self) -> Iterator[Scope]:
        """The scope of each round that the condition lets through."""
        names, condition = self.expression, self.expression.condition
        for key, item in _pairs(self.collection):
            self.scope.allowance.spend(1, self.expression.range)
            bound = {names.value_name: item} if names.key_name is None else {names.key_name: key, names.value_name: item}
            inner = self.scope.child(bound)
            if condition is None or self._decisive(_condition(condition, self.evaluate(condition, inner))).raw is True:
                yield inner

    def _decisive(self, value: Value) -> Value:
        """Note what a value that decides about the result does to the whole of it."""
        self.sensitive = self.sensitive or value.sensitive
        self.known = self.known and value.is_known
        return value


def _pairs(collection: Value) -> Iterator[tuple[Value, Value]]:
    """Key and value of each item: numbers for lists and tuples, the item itself for sets, names for maps and objects."""
    raw = collection.raw
    if isinstance(raw, Mapping):
        yield from ((string(name), raw[name]) for name in sorted(raw))
    elif isinstance(collection.type, SetType):
        yield from ((item, item) for item in collection.items())
    else:
        yield from ((number(place), item) for place, item in enumerate(collection.items()))


def _condition(expression: Expression, value: Value) -> Value:
    if value.is_null:
        why = "The value of the 'if' clause must not be null."
        raise fault("null-condition", "Condition is null", expression.range, why, "Compare it with something.")
    try:
        return convert(value, BOOL)
    except ValueError as error:
        why = f"The 'if' clause value is invalid: {error}."
        raise fault("condition-type", "Invalid 'for' condition", expression.range, why, "Compare it with something.") from error


def _key(expression: Expression, value: Value) -> Value:
    if value.is_null:
        why = "Key expression in 'for' expression must not produce a null value."
        raise fault("null-key", "Invalid object key", expression.range, why, "Leave such items out with an if clause.")
    try:
        return convert(value, STRING)
    except ValueError as error:
        why = f"The key expression produced an invalid result: {error}."
        raise fault("key-type", "Invalid object key", expression.range, why, "Use a string.") from error


def _duplicate(expression: Expression, key: Value) -> UserError:
    shown = "(sensitive)" if key.sensitive else f'"{key.raw}"'
    why = f"Two different items produced the key {shown} in this 'for' expression."
    hint = "If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key."
    return fault("duplicate-key", "Duplicate object key", expression.range, why, hint)
