"""Licences of Debian packages, from the copyright files that machines can read (Debian policy, copyright-format 1.0)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from goldsmith.gates.inventory.package import Package
from goldsmith.gates.inventory.stack import Stack

_LARGEST = 1 << 20
_MOST = 30
"""Licences of one package that are told."""
_LICENCE = re.compile(rb"^License:[ \t]*(\S[^\n]{0,120})$", re.MULTILINE)


def with_licences(packages: Iterable[Package], stack: Stack) -> Iterator[Package]:
    """The packages, those of Debian with what their copyright file names. One that is a link or free text says nothing."""
    for package in packages:
        found = _licences(package.name, stack) if package.kind == "deb" else ()
        yield replace(package, licences=found) if found else package


def _licences(name: str, stack: Stack) -> tuple[str, ...]:
    try:
        text = stack.read(f"usr/share/doc/{name}/copyright", _LARGEST) or b""
    except OSError:
        return ()
    if not text.lstrip().startswith(b"Format:"):
        return ()
    found = {licence.decode(errors="replace").strip() for licence in _LICENCE.findall(text)}
    return tuple(sorted(filter(str.isprintable, found))[:_MOST])
