"""Values as YAML text, and YAML text as values, by the rules of the YAML library that Packer uses."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from goldsmith.hcl.gotime import parse_rfc3339, rfc3339
from goldsmith.hcl.library.json_text import to_json
from goldsmith.hcl.limits import LARGEST_EXPONENT, LARGEST_VALUE, LARGEST_YAML_CHARACTERS
from goldsmith.hcl.numerals import Number, normal, parse_number
from goldsmith.hcl.values import Value, boolean, null, number, object_of, string, tuple_of

if TYPE_CHECKING:
    import yaml

_PLAIN = "plain"
"""Stands in for the tag of a scalar that has neither quotes nor a tag."""


def to_yaml(value: Value) -> str:
    """Block-style YAML of a wholly known value: keys sorted, strings in double quotes, or literal when of several lines."""
    import yaml

    events = [
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_events(value),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ]
    emitted: str = yaml.emit(events, allow_unicode=True)
    # PyYAML announces a document that is nothing but an empty string, Go's emitter does not.
    return emitted.removeprefix("--- ")


def _events(value: Value) -> Iterator[yaml.Event]:
    import yaml

    match value.raw:
        case tuple(items):
            yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=False)
            for item in items:
                yield from _events(item)
            yield yaml.SequenceEndEvent()
        case Mapping() as entries:
            yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=False)
            for name in sorted(entries):
                yield from _events(string(name))
                yield from _events(entries[name])
            yield yaml.MappingEndEvent()
        case str(content):
            style = "|" if "\n" in content else '"'
            yield yaml.ScalarEvent(None, None, (True, True), content, style=style)
        case _:
            yield yaml.ScalarEvent(None, None, (True, True), to_json(value), style="")


def from_yaml(document: str) -> Value:
    """The value of a YAML text of one document. Raises ValueError with place and reason when it is not YAML."""
    import yaml

    if len(document) > LARGEST_YAML_CHARACTERS:
        raise ValueError(f"the document has more than {LARGEST_YAML_CHARACTERS:,} characters")
    try:
        root = yaml.compose(unicodedata.normalize("NFC", document), Loader=_loader())
        return null() if root is None else _Reader().value(root)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        place = f"on line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}{fault.problem}") from fault
    except yaml.YAMLError as fault:
        raise ValueError(str(fault)) from fault
    except RecursionError as fault:
        raise ValueError("the document is nested too deeply") from fault


@functools.cache
def _loader() -> type[yaml.BaseLoader]:
    import yaml

    class Loader(yaml.BaseLoader):
        """Tells a plain scalar, whose text says what it is, from one with a tag of its own."""

        def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
            if kind is yaml.ScalarNode and isinstance(implicit, tuple) and implicit[0]:
                return _PLAIN
            return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]  # PyYAML's stubs omit it

    return Loader


class _Reader:
    """Makes a value of a YAML node; counts what it makes."""

    def __init__(self) -> None:
        self._made = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node) -> Value:
        """The value of a node. An alias inside of what it names has none."""
        import yaml

        self._made += 1
        if self._made > LARGEST_VALUE:
            raise ValueError(f"the document describes more than {LARGEST_VALUE} values")
        if id(node) in self._open:
            raise ValueError(f"{_place(node)}cannot refer to an anchor from inside its own value")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return object_of(self._mapping(node))
            if isinstance(node, yaml.SequenceNode):
                return tuple_of(self.value(item) for item in node.value)
            return _scalar(node)
        finally:
            self._open.remove(id(node))

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Value]:
        import yaml

        merged: dict[str, Value] = {}
        own: dict[str, Value] = {}
        for key, content in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"{_place(key)}a mapping key must be a scalar")
            if key.value == "<<" and key.style is None:
                merged = self._merged(content) | merged
            else:
                own[_key(key)] = self.value(content)
        return merged | own

    def _merged(self, node: yaml.Node) -> dict[str, Value]:
        """What `<<` brings in: a mapping, or a list of mappings of which the first has the last word."""
        import yaml

        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if not isinstance(node, yaml.SequenceNode):
            raise ValueError(f"{_place(node)}map merge requires map or sequence of maps as the value")
        merged: dict[str, Value] = {}
        for item in node.value:
            merged = self._merged(item) | merged
        return merged


def _key(node: yaml.ScalarNode) -> str:
    content = _scalar(node)
    if content.is_null:
        raise ValueError(f"{_place(node)}mapping key cannot be null")
    return str(content.raw) if isinstance(content.raw, str) else to_json(content)


def _place(node: yaml.Node) -> str:
    return f"on line {node.start_mark.line + 1}, column {node.start_mark.column + 1}: "


_BOOLS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NULLS = ("", "~", "null", "Null", "NULL")
_INTEGER = re.compile(r"[-+]?(?:0o[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:([Tt ])(\d\d?):(\d\d?):(\d\d?(?:\.\d+)?)(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def _scalar(node: yaml.Node) -> Value:
    text, tag = str(node.value), str(node.tag)
    if tag == _PLAIN:
        return _plain(text, node)
    try:
        return _tagged(text, tag)
    except ValueError as fault:
        raise ValueError(f"{_place(node)}{fault}") from fault


def _tagged(text: str, tag: str) -> Value:
    name = tag.removeprefix("tag:yaml.org,2002:")
    if name in ("str", "binary"):
        return string(text)
    if name == "null":
        return null()
    if name == "timestamp" and (stamp := _timestamp(text)):
        return string(stamp)
    if name == "bool" and text in _BOOLS:
        return boolean(_BOOLS[text])
    if name in ("int", "float"):
        return number(_integer(text) if _INTEGER.fullmatch(text) else parse_number(text.replace("_", "")))
    if name in ("bool", "timestamp"):
        raise ValueError(f'cannot parse "{text}" as !!{name}')
    raise ValueError(f'unsupported tag "{tag}"')


def _plain(text: str, node: yaml.Node) -> Value:
    if text in _BOOLS:
        return boolean(_BOOLS[text])
    if text in _NULLS:
        return null()
    if _INFINITE.fullmatch(text):
        raise ValueError(f"{_place(node)}{text} is not supported: numbers are finite")
    if stamp := _timestamp(text):
        return string(stamp)
    if _INTEGER.fullmatch(text) and text.strip("+-_"):
        return number(_integer(text))
    try:
        return number(parse_number(text))
    except ValueError:
        return string(text)


def _integer(digits: str) -> Number:
    digits = digits.replace("_", "")
    bare = digits.lstrip("+-")
    base = 16 if bare.startswith("0x") else 8 if bare.startswith("0o") else 10
    if base == 10:
        return parse_number(digits)
    if len(bare) > LARGEST_EXPONENT:
        raise ValueError(f"the number has more than {LARGEST_EXPONENT:,} digits")
    return normal(int(digits, base))


def _timestamp(text: str) -> str | None:
    found = _DATE.fullmatch(text)
    # A zone goes with "T", and only with it.
    if found is None or bool(found[8]) != (found[4] in ("T", "t")):
        return None
    try:
        if found[4] is None:
            return rfc3339(datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC))
        clock = f"{int(found[5]):02}:{int(found[6]):02}:{found[7].zfill(2)}"
        return rfc3339(parse_rfc3339(f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}T{clock}{found[8] or 'Z'}"))
    except ValueError:
        return None
