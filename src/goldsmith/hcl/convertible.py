"""Which types convert to which, and the common type of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from goldsmith.hcl.types import DYNAMIC, STRING, ListType, MapType, ObjectType, Primitive, SetType, TupleType, Type


def convertible(got: Type, want: Type) -> bool:
    """Whether values of type `got` can become values of type `want`, at least some of them: `"5"` becomes a number.

    The rules are those of go-cty's `convert` package, with its unsafe conversions, as the language uses it.
    """
    if got == want or DYNAMIC in (got, want):
        return True
    match got, want:
        case Primitive(), Primitive():
            return STRING in (got, want)
        case ObjectType(), ObjectType():
            return _object_fits(got, want)
        case TupleType(), TupleType():
            return len(got.elements) == len(want.elements) and all(
                convertible(a, b) for a, b in zip(got.elements, want.elements, strict=True)
            )
        case MapType(), MapType():
            return convertible(got.element, want.element)
        case ListType() | SetType(), ListType() | SetType():
            return convertible(got.element, want.element)
        case TupleType(), ListType() | SetType():
            return _elements_fit(got.elements, want.element)
        case ObjectType(), MapType():
            return _elements_fit(tuple(got.attributes.values()), want.element, allow_dynamic=True)
        case MapType(), ObjectType():
            return all(name in want.optional or convertible(got.element, type) for name, type in want.attributes.items())
    return False


def unify(types: Sequence[Type]) -> Type | None:
    """The one type that values of all `types` convert to, the most general one of them, or None when there is none.

    `any` unifies with everything: it takes the type of its neighbours, or makes the whole unknown.
    """
    if not types:
        return None
    if all(type == types[0] for type in types):
        return types[0]
    kinds = {type.__class__ for type in types if type != DYNAMIC}
    dynamic = DYNAMIC in types
    if len(kinds) == 1 and not kinds & {Primitive}:
        return DYNAMIC if dynamic else _if_all_convert(types, _unify_alike(types))
    if {ObjectType, TupleType} <= kinds:
        return None
    if kinds == {MapType, ObjectType} and (mapped := _with_objects_as_maps(types)):
        return mapped
    if kinds == {ListType, TupleType} and (listed := _with_tuples_as_lists(types)):
        return listed
    return _most_general(types)


def without_optional(type: Type) -> Type:
    """The type as a value has it: no attribute in it is optional."""
    match type:
        case ListType() | SetType() | MapType():
            return type.__class__(without_optional(type.element))
        case TupleType():
            return TupleType(tuple(without_optional(element) for element in type.elements))
        case ObjectType():
            return ObjectType({name: without_optional(attribute) for name, attribute in type.attributes.items()})
    return type


def _object_fits(got: ObjectType, want: ObjectType) -> bool:
    return all(
        convertible(got.attributes[name], type) if name in got.attributes else name in want.optional
        for name, type in want.attributes.items()
    )


def _elements_fit(elements: Sequence[Type], want: Type, allow_dynamic: bool = False) -> bool:
    if not elements:
        return True
    if want == DYNAMIC:
        common = unify(elements)
        if common is None or (common == DYNAMIC and not allow_dynamic and any(type != DYNAMIC for type in elements)):
            return False
        want = common
    return all(convertible(type, want) for type in elements)


def _if_all_convert(types: Sequence[Type], common: Type | None) -> Type | None:
    """The common type, unless `any` in it promises more than its neighbours hold."""
    return common if common is not None and all(convertible(type, common) for type in types) else None


def _unify_alike(types: Sequence[Type]) -> Type | None:
    """Unify types of one kind, none of them primitive."""
    first = types[0]
    if isinstance(first, ObjectType):
        return _unify_objects([type for type in types if isinstance(type, ObjectType)])
    if isinstance(first, TupleType):
        return _unify_tuples([type for type in types if isinstance(type, TupleType)])
    common = unify([type.element for type in types if isinstance(type, ListType | SetType | MapType)])
    if common is None or not isinstance(first, ListType | SetType | MapType):
        return None
    return first.__class__(common)


def _unify_objects(types: Sequence[ObjectType]) -> Type | None:
    names = types[0].attributes.keys()
    if any(type.attributes.keys() != names for type in types):
        return _collection(MapType, (attribute for type in types for attribute in type.attributes.values()))
    attributes: dict[str, Type] = {}
    for name in names:
        common = unify([type.attributes[name] for type in types])
        if common is None:
            return None
        attributes[name] = common
    return ObjectType(attributes)


def _unify_tuples(types: Sequence[TupleType]) -> Type | None:
    length = len(types[0].elements)
    if any(len(type.elements) != length for type in types):
        return _collection(ListType, (element for type in types for element in type.elements))
    elements: list[Type] = []
    for place in range(length):
        common = unify([type.elements[place] for type in types])
        if common is None:
            return None
        elements.append(common)
    return TupleType(tuple(elements))


def _collection(kind: Callable[[Type], Type], elements: Iterable[Type]) -> Type | None:
    common = unify(list(elements))
    return None if common is None else kind(common)


def _with_objects_as_maps(types: Sequence[Type]) -> Type | None:
    attributes = [a for type in types if isinstance(type, ObjectType) for a in type.attributes.values()]
    mapped = _collection(MapType, attributes)
    if mapped is None:
        return None
    return _if_all_convert(types, unify([mapped if isinstance(type, ObjectType) else type for type in types]))


def _with_tuples_as_lists(types: Sequence[Type]) -> Type | None:
    listed = _collection(ListType, (e for type in types if isinstance(type, TupleType) for e in type.elements))
    if listed is None:
        return None
    return _if_all_convert(types, unify([listed if isinstance(type, TupleType) else type for type in types]))


def _most_general(types: Sequence[Type]) -> Type | None:
    """The first of the types, the more general ones first, that all others convert to."""
    for want in sorted(types, key=_preference):
        if all(convertible(type, want) for type in types):
            return want
    return None


def _preference(type: Type) -> int:
    """Lower is more general: string before other primitives, sets before lists before tuples, maps before objects."""
    if type == DYNAMIC:
        return 9
    if type == STRING or isinstance(type, SetType | MapType):
        return 0
    if isinstance(type, ListType):
        return 1
    return 2
