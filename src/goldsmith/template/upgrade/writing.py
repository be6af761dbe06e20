"""Writes HCL from JSON values, before formatting: what becomes a block, what an attribute, and how values are spelled."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from goldsmith.hcl.escapes import normalized
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonScalar
from goldsmith.hcl.lexer import is_identifier
from goldsmith.template.legacy.fields import float_text

Plain: TypeAlias = "str | bool | int | Decimal | Sequence[Plain] | Mapping[str, Plain] | None"
"""A JSON value without its place."""


def block(type: str, labels: Sequence[str], body: str) -> str:
    """A block; `body` is what stands between the lines of its braces."""
    return f"{type}{''.join(' ' + quoted(label) for label in labels)} {{\n{body}}}\n"


def attribute(name: str, value: Plain) -> str:
    """An attribute with a literal value."""
    return f"{name}={literal(value)}\n"


def body(settings: Mapping[str, Plain]) -> str:
    """The settings as Packer writes them, sorted by name.

    An object is a block when it holds a list or an object, or nothing; a list is blocks, one for each item, when its last
    item that is no scalar is an object; everything else is an attribute. An empty list is left out. Where Packer would write
    what is no HCL, an object is an attribute, and a setting whose name is no identifier a comment.
    """
    return "".join(_setting(name, settings[name]) for name in sorted(settings))


def literal(value: Plain) -> str:
    """A value as an expression without references."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case int() | Decimal():
            return float_text(value)
        case Mapping():
            items = "".join(f"{_key(name)} = {literal(value[name])}\n" for name in sorted(value))
            return f"{{\n{items}}}" if items else "{}"
    return "[" + ", ".join(literal(item) for item in value) + "]"


def quoted(text: str) -> str:
    """A quoted string that stands for exactly this text."""
    escaped = "".join(
        _ESCAPES.get(letter) or (letter if letter.isprintable() else _code(letter)) for letter in normalized(text)
    )
    return '"' + _MARKER.sub(r"\1\1{", escaped) + '"'


def plain(node: JsonNode) -> Plain:
    """A JSON value without its place; of a name that comes again, the last one counts."""
    match node:
        case JsonScalar(value):
            return value
        case JsonArray(items):
            return tuple(plain(item) for item in items)
        case JsonObject(properties):
            return {item.name: plain(item.value) for item in properties}
    raise TypeError(f"no JSON value: {node!r}")


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_MARKER = re.compile(r"([$%])\{")
_ALWAYS_BLOCKS = frozenset({"linux_options", "network_interface", "shared_image_gallery"})
"""Objects of scalars that are blocks nevertheless: settings of vsphere and azure-arm."""


def _setting(name: str, value: Plain) -> str:
    if not is_identifier(name):
        return f"# left out, for HCL has no such name: {quoted(name)}\n"
    if isinstance(value, Mapping):
        return block(name, (), body(value)) if _is_block(name, value) else attribute(name, value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        objects = [item for item in value if isinstance(item, Mapping)]
        if _is_blocks(value) and len(objects) == len(value) and all(_has_names(item) for item in objects):
            return "".join(block(name, (), body(item)) for item in objects)
        return attribute(name, value) if value else ""
    return attribute(name, value)


def _is_block(name: str, value: Mapping[str, Plain]) -> bool:
    scalars = [item for item in value.values() if item is not None]
    return _has_names(value) and (name in _ALWAYS_BLOCKS or not scalars or not all(_is_scalar(item) for item in scalars))


def _has_names(value: Plain) -> bool:
    """Whether all names in a value can be names of attributes and blocks, as far down as it is made of objects."""
    if isinstance(value, Mapping):
        return all(is_identifier(name) for name in value)
    return True


def _is_blocks(value: Sequence[Plain]) -> bool:
    """Whether the last item that is no scalar is an object."""
    return isinstance(next((item for item in reversed(value) if not _is_scalar(item)), None), Mapping)


def _is_scalar(value: Plain) -> bool:
    return isinstance(value, str | bool | int | Decimal)


def _key(name: str) -> str:
    return name if is_identifier(name) else quoted(name)


def _code(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
