"""Finds names of images in whatever a tool tells: answers of a cloud, states, definitions of machines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

_NAMES = re.compile(
    r"(?<![\w-])(?:ami-[0-9a-f]{8}(?:[0-9a-f]{9})?|sha256:[0-9a-f]{64})(?![\w-])"  # an AMI; a version, disk or file
    r"|^(?:/[^\0\n]+|projects/[^\s]+/images/[^\s]+)$"  # a path or an id of Azure; an image of Google's
)
_BLOB = re.compile(r"/blobs/sha256/([0-9a-f]{64})$")
_LONGEST = 4096
"""A longer text is a script or a document: only what cannot be anything else is looked for in it."""


def texts(value: object) -> Iterator[str]:
    """Every text in nested lists and mappings, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        for item in value:
            yield from texts(item)


def names_in(value: object) -> frozenset[str]:
    """The names of images in nested lists and mappings; a file of a blob store also by its digest."""
    found: set[str] = set()
    for text in texts(value):
        names = {match[0] for match in _NAMES.finditer(text)}
        found |= {name for name in names if len(text) <= _LONGEST or not name.startswith(("/", "projects/"))}
    return frozenset(found | {f"sha256:{match[1]}" for name in found if (match := _BLOB.search(name))})
