"""The suites of a Debian family image: `sources.list` and `*.sources` as apt reads them (sources.list(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from goldsmith.gates.contract import Skipped
from goldsmith.gates.repositories.repository import ON_THE_MACHINE, shown_url
from goldsmith.gates.tree import Tree

KEYS = ("etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d/*.gpg", "etc/apt/trusted.gpg.d/*.asc")
"""The keys of suites that name none."""
_LINE = re.compile(r"^[ \t]*deb[ \t]+(?:\[([^]\n]*)\][ \t]*)?(\S+)[ \t]+(\S+)((?:[ \t]+[^#\s]+)*)", re.MULTILINE)
_FIELD = re.compile(r"(?m)^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSuite:
    """One suite that an image takes packages from."""

    url: str
    suite: str
    components: tuple[str, ...]
    keys: tuple[str, ...]
    """Files of the image with the keys that vouch for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSources:
    """All suites of an image."""

    suites: tuple[AptSuite, ...]
    faults: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def read_apt_sources(tree: Tree) -> AptSources:
    """The suites that are switched on. What only the machine itself has is skipped; what cannot be asked is a fault."""
    components: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    faults: list[str] = []
    local: list[str] = []
    for path, source in _sources(tree):
        parts = urlsplit(source.url)
        told = f"the suite {source.suite} of {shown_url(source.url)} in /{path} cannot be asked"
        if parts.scheme in ("cdrom", "file", "copy"):
            local.append(source.suite)
        elif parts.scheme not in ("http", "https"):
            faults.append(f"{told}: it is reached by {parts.scheme}")
        elif "@" in parts.netloc:
            faults.append(f"{told}: its address holds a login")
        elif source.suite.endswith("/"):
            faults.append(f"{told}: it is a directory without suites")
        else:
            components.setdefault((source.url, source.suite, source.keys), []).extend(source.components)
    suites = tuple(
        AptSuite(url=url, suite=suite, components=tuple(dict.fromkeys(names)), keys=keys)
        for (url, suite, keys), names in components.items()
    )
    skipped = (Skipped(reason=ON_THE_MACHINE, count=len(local), sample=tuple(local)),) if local else ()
    return AptSources(suites=suites, faults=tuple(faults), skipped=skipped)


def _sources(tree: Tree) -> Iterator[tuple[str, AptSuite]]:
    for path in (*tree.glob("etc/apt/sources.list"), *tree.glob("etc/apt/sources.list.d/*.list")):
        for options, url, suite, components in _LINE.findall(tree.text(path) or ""):
            signed_by = re.search(r"signed-by=(\S+)", options, re.IGNORECASE)
            keys = _keys(tree, signed_by[1].replace(",", " ") if signed_by else "")
            yield path, AptSuite(url=url.rstrip("/"), suite=suite, components=tuple(components.split()), keys=keys)
    for path in tree.glob("etc/apt/sources.list.d/*.sources"):
        for stanza in re.split(r"\n[ \t]*\n", tree.text(path) or ""):
            yield from ((path, item) for item in _deb822(tree, _fields(stanza)))


def _deb822(tree: Tree, fields: Mapping[str, str]) -> Iterator[AptSuite]:
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip().lower() in ("no", "false", "0"):
        return
    keys, components = _keys(tree, fields.get("signed-by", "")), tuple(fields.get("components", "").split())
    for url in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield AptSuite(url=url.rstrip("/"), suite=suite, components=components, keys=keys)


def _fields(stanza: str) -> Mapping[str, str]:
    lines = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
    return {name.lower(): value for name, value in _FIELD.findall(lines)}


def _keys(tree: Tree, signed_by: str) -> tuple[str, ...]:
    """The files that `Signed-By` names, else those of all suites. A key that stands there itself is none of the files."""
    if signed_by.strip():
        return tuple(name.lstrip("/") for name in signed_by.split() if name.startswith("/"))
    return tuple(path for pattern in KEYS for path in tree.glob(pattern))
