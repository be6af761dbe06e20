"""Documents whose layout does not count: JSON, YAML, TOML, and files of sections with settings."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from goldsmith.assist.decoders.contract import Undecodable

if TYPE_CHECKING:
    from yaml import SafeLoader
    from yaml.nodes import MappingNode

Sections: TypeAlias = "list[tuple[str, list[tuple[str, str]]]]"
_SECTION = re.compile(r"\[([^\]]+)\]")


def same_document(path: str, one: bytes, other: bytes) -> str:
    """The format in which both contents mean the same, or empty. Both must parse, and differ in layout or comments only."""
    for name, endings, read in _FORMATS:
        if path.endswith(endings):
            try:
                return name if read(one.decode()) == read(other.decode()) else ""
            except (ValueError, RecursionError):
                continue
    return ""


def ini(text: str) -> Sections:
    """Sections with their settings, in order: a name may come again. Raises `Undecodable`."""
    sections: Sections = []
    for line in text.splitlines():
        said = line.strip()
        if not said or said[0] in "#;":
            continue
        if match := _SECTION.fullmatch(said):
            sections.append((match[1], []))
            continue
        if not sections:
            raise Undecodable("a setting stands before the first section")
        settings = sections[-1][1]
        name, equals, value = said.partition("=")
        if said.endswith("\\"):
            raise Undecodable("a line goes on in the next one")
        if line[0] in " \t" and settings:
            settings[-1] = (settings[-1][0], f"{settings[-1][1]}\n{said}")
        elif equals:
            settings.append((name.strip(), value.strip()))
        else:
            raise Undecodable("a line is no setting")
    return sections


def _json(text: str) -> object:
    return _typed(json.loads(text, object_pairs_hook=_unique))


def _toml(text: str) -> object:
    return _typed(tomllib.loads(text))


def _yaml(text: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses names that come twice."""

    def mapping(loader: SafeLoader, node: MappingNode) -> object:
        loader.flatten_mapping(node)
        return _unique(
            [(loader.construct_object(key, True), loader.construct_object(value, True)) for key, value in node.value]
        )

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        # A subclass of the safe loader builds plain data only.
        return [_typed(document) for document in yaml.load_all(text, Loader)]
    except yaml.YAMLError as error:
        raise Undecodable(str(error)) from error


def _unique(pairs: list[tuple[object, object]]) -> Mapping[object, object]:
    found = {}
    for name, value in pairs:
        if name in found:
            raise Undecodable(f"{name} comes twice")
        found[name] = value
    return found


def _typed(value: object) -> object:
    """The value with its types: 1, 1.0 and true are equal in Python and in no document."""
    if isinstance(value, Mapping):
        return {(type(name).__name__, name): _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return (type(value).__name__, value)


_UNITS = (
    *(".service", ".socket", ".timer", ".mount", ".automount", ".path", ".target", ".slice", ".swap"),
    *(".network", ".netdev", ".link"),
)
_FORMATS: tuple[tuple[str, tuple[str, ...], Callable[[str], object]], ...] = (
    ("json", (".json",), _json),
    ("yaml", (".yaml", ".yml"), _yaml),
    ("toml", (".toml",), _toml),
    (
        "ini",
        (".ini", ".conf", ".cfg", ".repo", ".desktop", *_UNITS),
        ini,
    ),
)
