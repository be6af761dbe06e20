"""Clones of git: HEAD, references, settings and objects, however they are packed; files are compared by bytes as all else."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of
from goldsmith.assist.decoders.documents import ini
from goldsmith.assist.stacked import StackedTree

_MADE_ANEW = ("ORIG_HEAD", "FETCH_HEAD", "index", "logs", "logs/**/*", "objects/info/*", "info/refs", "branches")
"""What git notes of its own work: times, files as they lay on the disk, the last answer of a server."""
_TOLD = ("HEAD", "config", "packed-refs", "shallow", "refs", "refs/**/*", "objects/*", "objects/*/*")
_SHA1 = 20
_INDEX = b"\xfftOc\x00\x00\x00\x02"
_FANOUT = 8 + 256 * 4


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching("**/.git/HEAD"):
        place = path.removesuffix("/HEAD")
        for name, value in _facts(tree, place):
            facts[f"/{place.removesuffix('/.git')} {name}"] = value
    return facts


def _facts(tree: StackedTree, place: str) -> Iterator[tuple[str, str]]:
    yield "HEAD", (tree.text(f"{place}/HEAD") or "").strip()
    yield "history ends at", " ".join(sorted((tree.text(f"{place}/shallow") or "").split()))
    references = {}
    for line in lines_of(tree.text(f"{place}/packed-refs") or "", "#^"):
        digest, _, name = line.partition(" ")
        references[name] = digest
    for path in tree.matching(f"{place}/refs/**/*"):
        if tree.entries[path].kind == "file":
            references[path.removeprefix(f"{place}/")] = (tree.text(path) or "").strip()
    yield from references.items()
    for section, settings in ini((tree.text(f"{place}/config") or "").replace('"', "")):
        for name, value in settings:
            yield f"{section}.{name}", value.removeprefix("file://")
    objects = sorted({*_loose(tree, place), *_packed(tree, place)})
    yield "objects", f"{len(objects)}, {hashlib.sha256(b''.join(objects)).hexdigest()[:16]}"


def _loose(tree: StackedTree, place: str) -> Iterator[bytes]:
    for path in tree.matching(f"{place}/objects/[0-9a-f][0-9a-f]/*"):
        name = "".join(path.rsplit("/", 2)[1:])
        try:
            content = zlib.decompress(tree.read(path) or b"")
        except zlib.error as error:
            raise Undecodable(f"/{path} is no object") from error
        if hashlib.sha1(content, usedforsecurity=False).hexdigest() != name:
            raise Undecodable(f"/{path} holds another object than its name says")
        yield bytes.fromhex(name)


def _packed(tree: StackedTree, place: str) -> Iterator[bytes]:
    for path in tree.matching(f"{place}/objects/pack/*.idx"):
        index, pack = tree.read(path) or b"", tree.read(f"{path.removesuffix('idx')}pack") or b""
        whole = hashlib.sha1(pack[:-_SHA1], usedforsecurity=False).digest() == pack[-_SHA1:] == index[-2 * _SHA1 : -_SHA1]
        if not index.startswith(_INDEX) or not whole:
            raise Undecodable(f"/{path} does not belong to a whole pack")
        (count,) = struct.unpack_from(">I", index, _FANOUT - 4)
        names = index[_FANOUT : _FANOUT + count * _SHA1]
        yield from (names[start : start + _SHA1] for start in range(0, len(names), _SHA1))


DECODER = Decoder("clones", tuple(f"**/.git/{name}" for name in (*_TOLD, *_MADE_ANEW)), _read)
