"""ELF programs and libraries: their sections and memory by name and address, read from as few places as can be."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

MAGIC = b"\x7fELF"
_HEAD = 4096
"""Bytes that are read first: with them nearly always come the program headers."""
_LARGEST_TABLE = 8 << 20
_LARGEST_READ = 256 << 20
_EXECUTABLE, _SHARED = 2, 3
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NO_BITS = 8
_FLAGS_1, _IS_PIE = 0x6FFFFFFB, 0x08000000
_NEEDED, _STRINGS, _STRINGS_SIZE, _RPATH, _RUNPATH = 1, 5, 10, 15, 29
"""Tags of the dynamic section (System V ABI)."""
_LONGEST_NAME = 4096
_WRITABLE = 2


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that is loaded."""

    kind: int
    writable: bool
    offset: int
    address: int
    size: int
    """Bytes in the file."""


class Program:
    """An executable or a shared library. Everything is read when it is asked for; what the file lacks reads as empty."""

    def __init__(self, file: int, head: bytes) -> None:
        """`file` is a descriptor, `head` its beginning. Raises `ValueError` when it is no program."""
        if head[:4] != MAGIC or len(head) < 64 or head[4] not in (1, 2) or head[5] not in (1, 2):
            raise ValueError("not an ELF file, or cut off")
        self._file, self._head = file, head
        self._is_wide = head[4] == 2
        self._order = "<" if head[5] == 1 else ">"
        form = "HHIQQQIHHHHHH" if self._is_wide else "HHIIIIIHHHHHH"
        fields = struct.unpack_from(self._order + form, head, 16)
        self._type = fields[0]
        if self._type not in (_EXECUTABLE, _SHARED):
            raise ValueError("an object file")
        self._segment_table, self._section_table = fields[4], fields[5]
        self._segment_size, self._segment_count, self._section_size, self._section_count, self._names_index = fields[8:]

    @cached_property
    def segments(self) -> Sequence[Segment]:
        """What is loaded where."""
        form = self._order + ("IIQQQQQQ" if self._is_wide else "IIIIIIII")
        table = self.bytes_at(self._segment_table, self._segment_size * self._segment_count)
        found = []
        for item in _rows(table, form, self._segment_size):
            kind, flags, offset, address, size = (
                (item[0], item[1], item[2], item[3], item[5])
                if self._is_wide
                else (item[0], item[6], item[1], item[2], item[4])
            )
            found.append(Segment(kind, bool(flags & _WRITABLE), offset, address, size))
        return found

    @property
    def has_sections(self) -> bool:
        """Whether the sections have names; they may have been cut off, and the program still runs."""
        return bool(self._names)

    @property
    def is_static(self) -> bool:
        """Whether it runs by itself: without an interpreter that links it, and no library for others."""
        if any(segment.kind == _INTERPRETER for segment in self.segments):
            return False
        return self._type == _EXECUTABLE or self._is_pie

    @cached_property
    def interpreter(self) -> str:
        """The program that links it, `/lib64/ld-linux-x86-64.so.2`; empty for what runs by itself and for libraries."""
        for segment in self.segments:
            if segment.kind == _INTERPRETER:
                return self.bytes_at(segment.offset, min(segment.size, _LONGEST_NAME)).rstrip(b"\0").decode(errors="replace")
        return ""

    @property
    def needed(self) -> Sequence[str]:
        """The names of the libraries that are loaded with it."""
        return [self._name(value) for tag, value in self._dynamic if tag == _NEEDED]

    @property
    def run_paths(self) -> Sequence[str]:
        """Where it wants its libraries to be looked for first, with `$ORIGIN` as it stands."""
        paths = [self._name(value) for tag, value in self._dynamic if tag in (_RPATH, _RUNPATH)]
        return [part for path in paths for part in path.split(":") if part]

    @cached_property
    def dynamic_names(self) -> bytes:
        """The names that it asks of others and offers to others, each between two NULs."""
        told = dict(self._dynamic)
        return self.memory(told.get(_STRINGS, 0), min(told.get(_STRINGS_SIZE, 0), _LARGEST_TABLE))

    def section(self, name: bytes, at_most: int) -> bytes | None:
        """The content of a section, None when there is none. Raises `ValueError` when it is larger than `at_most`."""
        if b"\0" + name + b"\0" not in self._names:
            return None
        form = self._order + ("IIQQQQ" if self._is_wide else "IIIIII")
        for start, kind, _, _, offset, size in _rows(self._sections, form, self._section_size):
            if kind != _NO_BITS and self._names.startswith(name + b"\0", start):
                if size > at_most:
                    raise ValueError(f"its section {name.decode()} has more than {at_most:,} bytes")
                return self.bytes_at(offset, size)
        return None

    def memory(self, address: int, size: int) -> bytes:
        """What is at an address once the program is loaded, as far as the file holds it."""
        for segment in self.segments:
            if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
                there = address - segment.address
                return self.bytes_at(segment.offset + there, min(size, segment.size - there))
        return b""

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Bytes of the file; fewer when it ends before, none when far more are asked for than a program has."""
        if size > _LARGEST_READ or offset >= 1 << 62:
            return b""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        return os.pread(self._file, size, offset)

    @cached_property
    def _sections(self) -> bytes:
        size = self._section_size * self._section_count
        return self.bytes_at(self._section_table, size) if 0 < size <= _LARGEST_TABLE else b""

    @cached_property
    def _names(self) -> bytes:
        form = self._order + ("IIQQQQ" if self._is_wide else "IIIIII")
        start = self._section_size * self._names_index
        if len(self._sections) < start + struct.calcsize(form):
            return b""
        *_, offset, size = struct.unpack_from(form, self._sections, start)
        return self.bytes_at(offset, size) if size <= _LARGEST_TABLE else b""

    @cached_property
    def _is_pie(self) -> bool:
        return any(tag == _FLAGS_1 and value & _IS_PIE for tag, value in self._dynamic)

    @cached_property
    def _dynamic(self) -> Sequence[tuple[int, int]]:
        form = self._order + ("QQ" if self._is_wide else "II")
        for segment in self.segments:
            if segment.kind == _DYNAMIC:
                entries = self.bytes_at(segment.offset, min(segment.size, _LARGEST_TABLE))
                return [(tag, value) for tag, value in _rows(entries, form, struct.calcsize(form))]
        return ()

    def _name(self, place: int) -> str:
        return self.dynamic_names[place : place + _LONGEST_NAME].partition(b"\0")[0].decode(errors="surrogateescape")


def open_program(file: int) -> Program | None:
    """The program in a file by its descriptor; None when it holds none."""
    head = os.pread(file, _HEAD, 0)
    if not head.startswith(MAGIC):
        return None
    try:
        return Program(file, head)
    except ValueError:
        return None


def _rows(table: bytes, form: str, step: int) -> Iterator[tuple[int, ...]]:
    row = struct.Struct(form)
    if step >= row.size:
        for start in range(0, len(table) - row.size + 1, step):
            yield row.unpack_from(table, start)
