"""Go modules in a program, by the build information that Go's linker leaves in it (Go's package debug/buildinfo)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.gates.inventory.elf import Program

_MAGIC = b"\xff Go buildinf:"
_ALIGNED = 16
_INLINE, _BIG_ENDIAN = 2, 1
_HEADER = 32
_SECTION = b".go.buildinfo"
_TRACES = (b".gopclntab", b".note.go.buildid")
_LARGEST = 64 << 20
_LARGEST_TEXT = 16 << 20
_SENTINEL = 16
"""Bytes that the linker puts before and after the text of the modules, so that it is found in memory."""
_Order: TypeAlias = Literal["big", "little"]
_RELEASE = re.compile(r"go(\d+(?:\.\d+)*)(?:(alpha|beta|rc)(\d+))?(?:[ +-].*)?")


@dataclass(frozen=True, slots=True)
class GoModule:
    """A module that is linked into a program; without a version when none was recorded."""

    path: str
    version: str


def go_modules(program: Program) -> tuple[GoModule, ...] | None:
    """The standard library, the main module and all others of a program; None when it was not built by Go 1.13 or newer.

    Raises `ValueError` when the build information is malformed.
    """
    try:
        found = _build_information(program)
    except (IndexError, OverflowError) as error:
        raise ValueError("its Go build information breaks off") from error
    if found is None:
        return None
    version, modules = found
    return (GoModule("stdlib", _release(version)), *_modules(modules))


def is_go_without_information(program: Program) -> bool:
    """Whether Go built it, but the build information is not there."""
    return any(program.section(name, _LARGEST) is not None for name in _TRACES)


def _build_information(program: Program) -> tuple[str, str] | None:
    """Go's version and the text of the modules."""
    data = program.section(_SECTION, _LARGEST)
    if data is None and program.has_sections:
        return None
    for part in (data,) if data is not None else _writable(program):
        start = _start(part)
        if start >= 0:
            return _decoded(part[start:], program)
    if data is not None:
        raise ValueError("its section .go.buildinfo holds no Go build information")
    return None


def _writable(program: Program) -> Iterator[bytes]:
    """Where the information is when nothing has a name."""
    for segment in program.segments:
        if segment.writable and 0 < segment.size <= _LARGEST:
            yield program.bytes_at(segment.offset, segment.size)


def _start(data: bytes) -> int:
    start = data.find(_MAGIC)
    while start >= 0 and start % _ALIGNED:
        start = data.find(_MAGIC, start + 1)
    return start


def _decoded(data: bytes, program: Program) -> tuple[str, str]:
    width, flags = data[14], data[15]
    if flags & _INLINE:
        version, rest = _counted(data[_HEADER:])
        modules, _ = _counted(rest)
    else:
        if width not in (4, 8):
            raise ValueError(f"its Go build information has pointers of {width} bytes")
        order: _Order = "big" if flags & _BIG_ENDIAN else "little"
        pointers = [int.from_bytes(data[at : at + width], order) for at in (_ALIGNED, _ALIGNED + width)]
        version, modules = (_pointed(program, pointer, width, order) for pointer in pointers)
    if not version:
        raise ValueError("its Go build information names no version of Go")
    if modules and modules[-_SENTINEL - 1 : -_SENTINEL] != b"\n":
        raise ValueError("its Go build information lists modules without a beginning or an end")
    return version.decode(errors="replace"), modules[_SENTINEL:-_SENTINEL].decode(errors="replace")


def _counted(data: bytes) -> tuple[bytes, bytes]:
    """A text after its length (a varint), and what follows."""
    size = shift = place = 0
    while True:
        byte = data[place]
        size |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            break
    if place + size > len(data):
        raise IndexError
    return data[place : place + size], data[place + size :]


def _pointed(program: Program, address: int, width: int, order: _Order) -> bytes:
    """A Go string in memory: where it is, and how long."""
    header = program.memory(address, 2 * width)
    size = int.from_bytes(header[width:], order)
    text = program.memory(int.from_bytes(header[:width], order), size) if size <= _LARGEST_TEXT else b""
    if len(text) != size:
        raise IndexError
    return text


def _modules(text: str) -> Iterator[GoModule]:
    """Lines `mod`, `dep` and `=>` (instead of the one before): path, version and hash, parted by tabs."""
    held: GoModule | None = None
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind not in ("mod", "dep", "=>") or not fields:
            continue
        version = fields[1] if len(fields) > 1 else ""
        if held is not None and kind != "=>":
            yield held
        held = GoModule(fields[0], "" if version == "(devel)" else version)
    if held is not None:
        yield held


def _release(told: str) -> str:
    """As Go's advisories write it: `go1.22.3 X:boringcrypto` is 1.22.3, `go1.22rc1` is 1.22.0-rc.1; others are none."""
    found = _RELEASE.fullmatch(told)
    if found is None:
        return ""
    numbers, stage, count = found.groups()
    return f"{numbers}.0-{stage}.{count}" if stage else numbers
