"""A legacy template as plain JSON that fixers change in place, and its text as Packer writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonScalar
from goldsmith.hcl.json_reader import read_json
from goldsmith.hcl.library.json_text import quoted
from goldsmith.hcl.source import SourceFile
from goldsmith.template.legacy.fields import as_float, is_too_large

Settings: TypeAlias = dict[str, object]
"""An object: scalars, lists and objects by name."""


class Document:
    """A template, open for changes."""

    def __init__(self, root: Settings) -> None:
        self.root = root

    def builders(self, *types: str, prefix: str = "") -> Iterator[Settings]:
        """The builders of these types, or whose type begins with `prefix`; all when neither is given."""
        for builder in _objects(self.root.get("builders")):
            type = builder.get("type")
            named = isinstance(type, str)
            if (not types and not prefix) or (named and (type in types or (prefix and str(type).startswith(prefix)))):
                yield builder

    def provisioners(self, type: str = "") -> Iterator[Settings]:
        """The provisioners of a type; all when it is not given."""
        return (item for item in _objects(self.root.get("provisioners")) if not type or item.get("type") == type)

    def post_processors(self, type: str = "") -> Iterator[Settings]:
        """The post-processors of a type that have settings, also those in chains; all when it is not given."""
        for item in _items(self.root.get("post-processors")):
            for link in _objects(item if isinstance(item, list) else [item]):
                if not type or link.get("type") == type:
                    yield link


def read_document(source: SourceFile) -> Document:
    """The template in a text. Raises `UserError` when it is no JSON, or its parts are no lists of objects."""
    node, faults = read_json(source)
    if faults or node is None:
        raise UserError(*faults)
    root = _plain(node)
    if not isinstance(root, dict):
        raise _fault("Error parsing template: it is no object", node)
    # Packer's fixers write the builders back even where there are none, and a single provisioner as a list.
    root.setdefault("builders", None)
    lone = root.get("provisioners")
    if lone is not None and not isinstance(lone, list) and lone != {}:
        root["provisioners"] = [lone]
    for name in ("builders", "post-processors"):
        if root.get(name) is not None and not isinstance(root[name], list):
            raise _fault(f'Error fixing: "{name}" must be a list', node)
    if any(item is not None and not isinstance(item, dict) for item in _items(root["builders"])):
        raise _fault('Error fixing: "builders" must hold objects', node)
    return Document(root)


def text_of(value: object, indent: str = "") -> str:
    """A value as Packer writes it: names sorted, two blanks a level, `&` escaped, numbers as floats."""
    inner = indent + "  "
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value).replace("\\u003c", "<").replace("\\u003e", ">")
        case int() | float() | Decimal():
            return _number(as_float(value) if not isinstance(value, float) else value)
        case Mapping():
            items = [f"{text_of(name)}: {text_of(value[name], inner)}" for name in sorted(value)]
            return _bracketed("{", items, "}", indent)
        case Sequence():
            return _bracketed("[", [text_of(item, inner) for item in value], "]", indent)
    raise TypeError(f"no JSON value: {value!r}")


def _bracketed(opening: str, items: list[str], closing: str, indent: str) -> str:
    if not items:
        return opening + closing
    return f"{opening}\n" + ",\n".join(f"{indent}  {item}" for item in items) + f"\n{indent}{closing}"


def _number(real: float) -> str:
    size = abs(real)
    if size and not 1e-6 <= size < 1e21:
        mantissa, _, exponent = repr(real).partition("e") if "e" in repr(real) else f"{real:e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{exponent[0] if exponent[0] in '+-' else '+'}{exponent.lstrip('+-').lstrip('0')}"
    return format(Decimal(repr(real)).normalize(), "f")


def _plain(node: JsonNode) -> object:
    match node:
        case JsonScalar(value):
            if is_too_large(node):
                raise _fault("Error parsing template: the number is too large", node)
            return value
        case JsonArray(items):
            return [_plain(item) for item in items]
        case JsonObject(properties):
            return {item.name: _plain(item.value) for item in properties}
    raise TypeError(f"no JSON value: {node!r}")


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _objects(value: object) -> Iterator[Settings]:
    return (item for item in _items(value) if isinstance(item, dict))


def _fault(what: str, node: JsonNode) -> UserError:
    return UserError(Diagnostic(code="fix.template", what=what, where=node.start))
