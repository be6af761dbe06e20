"""Values of legacy JSON made to fit the type that a setting has, as weakly as Packer does it.

Packer's rules (github.com/mitchellh/mapstructure with WeaklyTypedInput, and the hooks of packer-plugin-sdk): a number or bool
serves as a string and the other way round, a string holds a list with commas, a single value is a list of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.numerals import normal, parse_number
from goldsmith.hcl.types import BOOL, NUMBER, STRING, ListType, MapType, Type
from goldsmith.hcl.values import Value, boolean, null, number, object_of, string, tuple_of
from goldsmith.template.legacy.fields import float_text, type_name

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def fitted(node: JsonNode, wanted: Type, *, is_duration: bool = False) -> Value:
    """The value of a setting of the type `wanted`. Raises ValueError with the reason when it cannot be made to fit.

    A bare number counts nanoseconds where a duration is wanted.
    """
    if isinstance(node, JsonScalar) and node.value is None:
        return null(wanted)
    if is_duration and isinstance(node, JsonScalar) and _is_number(node.value):
        return string(f"{node.value}ns")
    if wanted == STRING:
        return _text(node)
    if wanted == NUMBER:
        return _number(node)
    if wanted == BOOL:
        return _truth(node)
    if isinstance(wanted, ListType):
        return tuple_of(fitted(item, wanted.element) for item in _items(node))
    if isinstance(wanted, MapType):
        return object_of({item.name: fitted(item.value, wanted.element) for item in _properties(node)})
    return plain(node)


def plain(node: JsonNode) -> Value:
    """The value as it is written."""
    match node:
        case JsonScalar(value=bool(truth)):
            return boolean(truth)
        case JsonScalar(value=int() | Decimal() as amount):
            return number(normal(amount))
        case JsonScalar(value=str(text)):
            return string(text)
        case JsonArray(items=items):
            return tuple_of(plain(item) for item in items)
        case JsonObject(properties=properties):
            return object_of({item.name: plain(item.value) for item in properties})
    return null()


def _text(node: JsonNode) -> Value:
    match node:
        case JsonScalar(value=str(text)):
            return string(text)
        case JsonScalar(value=bool(truth)):
            return string("1" if truth else "0")
        case JsonScalar(value=int() | Decimal() as amount):
            return string(float_text(amount))
    raise _unfit("a string", node)


def _number(node: JsonNode) -> Value:
    match node:
        case JsonScalar(value=bool(truth)):
            return number(int(truth))
        case JsonScalar(value=int() | Decimal() as amount):
            return number(normal(amount))
        case JsonScalar(value=""):
            return null(NUMBER)
        case JsonScalar(value=str(text)):
            return number(int(text, 0) if text[:2].lower() in ("0x", "0b", "0o") else parse_number(text))
    raise _unfit("a number", node)


def _truth(node: JsonNode) -> Value:
    match node:
        case JsonScalar(value=bool(truth)):
            return boolean(truth)
        case JsonScalar(value=int() | Decimal() as amount):
            return boolean(amount != 0)
        # Left empty, a setting that a variable fills in is as good as not there.
        case JsonScalar(value=""):
            return null(BOOL)
        case JsonScalar(value=str(text)) if text in _TRUE or text in _FALSE:
            return boolean(text in _TRUE)
        case JsonScalar(value=str()):
            raise ValueError("true or false is required")
    raise _unfit("true or false", node)


def _items(node: JsonNode) -> Iterable[JsonNode]:
    match node:
        case JsonArray(items=items):
            return items
        case JsonScalar(value=str(text)):
            return [JsonScalar(part, node.range) for part in text.split(",")] if text else ()
        case JsonObject(properties=()):
            return ()
    return (node,)


def _properties(node: JsonNode) -> Iterable[JsonProperty]:
    match node:
        case JsonObject(properties=properties):
            return properties
        case JsonArray(items=items) if all(isinstance(item, JsonObject) for item in items):
            return [item for entry in items if isinstance(entry, JsonObject) for item in entry.properties]
    raise _unfit("an object", node)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _unfit(wanted: str, node: JsonNode) -> ValueError:
    return ValueError(f"{wanted} is required, not {type_name(node)}")
