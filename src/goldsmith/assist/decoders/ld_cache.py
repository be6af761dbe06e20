"""ld.so.cache: which file the dynamic loader takes for each library."""

from __future__ import annotations

import struct

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable
from goldsmith.assist.stacked import StackedTree

_PATH = "etc/ld.so.cache"
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<II")
_ENTRY = struct.Struct("<iIIIQ")
_AFTER_HEADER = len(_MAGIC) + 28
"""Magic, count, size of the texts, flags, place of extensions, and twelve unused bytes (glibc, dl-cache.h)."""


def _read(tree: StackedTree) -> Facts:
    data = tree.read(_PATH)
    if data is None:
        return {}
    start = data.find(_MAGIC)
    if start < 0:
        raise Undecodable(f"/{_PATH} is none of glibc's")
    data = data[start:]
    facts: dict[str, str] = {}
    try:
        count, _ = _HEADER.unpack_from(data, len(_MAGIC))
        for number in range(count):
            flags, key, value, _, capabilities = _ENTRY.unpack_from(data, _AFTER_HEADER + number * _ENTRY.size)
            name = f"library {_text(data, key)} ({flags:#x}, {capabilities:#x}) {_text(data, value)}"
            facts[name] = str(number)
    except (struct.error, ValueError) as error:
        raise Undecodable(f"/{_PATH} is cut off") from error
    return facts


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode(errors="surrogateescape")


DECODER = Decoder("loader cache", (_PATH,), _read)
