"""The fields of a component's `Config`: which are attributes, which are blocks, and of what type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from goldsmith.components import Unevaluated, declarations
from goldsmith.hcl.body import Schema
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, Type
from goldsmith.hcl.values import Value

INJECTED = frozenset(
    {
        "packer_build_name",
        "packer_builder_type",
        "packer_core_version",
        "packer_debug",
        "packer_force",
        "packer_on_error",
        "packer_sensitive_variables",
        "packer_user_variables",
    }
)
"""Keys that Packer passes to every component; a template may name them, and they mean nothing."""


def schema_of(config: type[Any]) -> Schema:
    """What may stand in the block of a `Config`."""
    nested = nested_configs(config)
    label = label_of(config)
    plain = tuple(name for name in field_types(config) if name not in nested and name != label)
    blocks = {name: tuple(filter(None, (label_of(block),))) for name, block in nested.items()}
    return Schema(attributes=(*plain, *sorted(INJECTED)), blocks=blocks)


def label_of(config: type[Any]) -> str:
    """The setting that is the label of the block of a `Config`, or an empty text: the block has no label."""
    return next((setting_name(name) for name, declared in declarations(config) if declared.label), "")


def nested_configs(config: type[Any]) -> Mapping[str, type[Any]]:
    """The `Config` of each type of block that may stand in the block of `config`."""
    types = field_types(config)
    return {name: block for name in types if (block := _block_type(types[name])) is not None}


def field_types(config: type[Any]) -> Mapping[str, Any]:
    """The annotation of each declared setting, by its name in a template."""
    types = get_type_hints(config)
    return {setting_name(name): types[name] for name, _ in declarations(config)}


def setting_name(field: str) -> str:
    """The name in a template of a field; one that Python reserves is written with an underscore behind: `except_`."""
    return field.removesuffix("_")


def without_none(annotation: Any) -> Any:
    """The annotation less `| None`."""
    if get_origin(annotation) in (Union, UnionType):
        return next(item for item in get_args(annotation) if item is not NoneType)
    return annotation


def is_repeated(annotation: Any) -> bool:
    """Whether a field takes several values, or several blocks."""
    return get_origin(annotation) is tuple


def hcl_type(annotation: Any) -> Type:
    """The type that values for a field are converted to."""
    inner = without_none(annotation)
    origin = get_origin(inner)
    if inner in (Value, Unevaluated):
        return DYNAMIC
    if origin is tuple:
        return ListType(hcl_type(get_args(inner)[0]))
    if origin is not None and origin is not Literal:
        return MapType(hcl_type(get_args(inner)[1]))
    if inner is bool:
        return BOOL
    return NUMBER if inner in (int, float) else STRING


def _block_type(annotation: Any) -> type[Any] | None:
    inner = without_none(annotation)
    if is_repeated(inner):
        inner = get_args(inner)[0]
    return inner if isinstance(inner, type) and is_dataclass(inner) and inner is not Value else None
