"""What a program brings into memory before it starts: its interpreter, and the libraries that ELF names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.gates.exposure.services import text_of
from goldsmith.gates.inventory.elf import Program, open_program
from goldsmith.gates.tree import Tree

_DEFAULT = ("lib", "usr/lib", "lib64", "usr/lib64", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/local/lib")
_MOST_FILES = 20_000
_LISTENS = (b"\0listen\0", b"\0recvfrom\0", b"\0recvmsg\0")
"""Functions of the C library by which a program takes what comes from a network."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that is loaded, and on whose account."""

    path: str
    by: str
    """The path that named it; the program's own for itself."""


class Linker:
    """Finds what programs of a tree load. Keeps what it has read."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._needs: dict[str, tuple[str, ...]] = {}
        self._directories = tuple(self._configured())
        self._libraries: dict[str, str] = {}

    def loaded(self, program: str) -> tuple[Loaded, ...]:
        """The program, its interpreters and all libraries, each by its real path. Empty when there is no such file."""
        first = self._real(program)
        if first is None:
            return ()
        found = {first: Loaded(first, first)}
        waiting = [first]
        while waiting and len(found) < _MOST_FILES:
            path = waiting.pop()
            for needed in self._needed(path):
                if needed not in found:
                    found[needed] = Loaded(needed, path)
                    waiting.append(needed)
        return tuple(found.values())

    def listens(self, path: str) -> bool:
        """Whether a program itself asks the C library for connections or packets."""
        with _opened(self._tree, path) as file:
            program = open_program(file) if file >= 0 else None
            return program is not None and any(name in program.dynamic_names for name in _LISTENS)

    def is_program(self, path: str) -> bool:
        """Whether a file is an ELF program, and no script."""
        with _opened(self._tree, path) as file:
            return file >= 0 and open_program(file) is not None

    def _real(self, path: str) -> str | None:
        """Where a path leads; None as well when its links go in circles: nobody can run that."""
        try:
            return self._tree.real(path)
        except OSError:
            return None

    def _needed(self, path: str) -> tuple[str, ...]:
        if path not in self._needs:
            self._needs[path] = tuple(dict.fromkeys(self._read(path)))
        return self._needs[path]

    def _read(self, path: str) -> Iterator[str]:
        with _opened(self._tree, path) as file:
            if file < 0:
                return
            head = os.pread(file, 256, 0)
            if head.startswith(b"#!"):
                yield from self._interpreter(head)
                return
            program = open_program(file)
            if program is not None:
                yield from self._of_program(program, path)

    def _interpreter(self, head: bytes) -> Iterator[str]:
        """`#!/usr/bin/env python3` names two programs."""
        words = os.fsdecode(head[2:].partition(b"\n")[0]).split()
        names = [words[0], *(f"/usr/bin/{word}" for word in words[1:2])] if words and words[0].endswith("/env") else words[:1]
        yield from (real for name in names if (real := self._real(name)) is not None)

    def _of_program(self, program: Program, path: str) -> Iterator[str]:
        if program.interpreter and (real := self._real(program.interpreter)) is not None:
            yield real
        origin = path.rpartition("/")[0]
        own = [item.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for item in program.run_paths]
        for name in program.needed:
            if (real := self._library(name, own)) is not None:
                yield real

    def _library(self, name: str, own: list[str]) -> str | None:
        if "/" in name:
            return self._real(name)
        for directory in own:
            if (real := self._real(f"{directory}/{name}")) is not None:
                return real
        if name not in self._libraries:
            found = (self._real(f"{directory}/{name}") for directory in self._directories)
            self._libraries[name] = next(filter(None, found), "")
        return self._libraries[name] or None

    def _configured(self) -> Iterator[str]:
        for path in ("etc/ld.so.conf", *self._tree.glob("etc/ld.so.conf.d/*.conf")):
            for line in text_of(self._tree, path).splitlines():
                if line.startswith("/"):
                    yield line.strip().lstrip("/")
        for pattern in _DEFAULT:
            yield from self._tree.glob(pattern)


class _opened:
    """A file of the tree as a descriptor, -1 when it is no regular file; no link is followed, nothing is waited for."""

    def __init__(self, tree: Tree, path: str) -> None:
        self._place = f"{tree.root}/{path}"
        self._file = -1

    def __enter__(self) -> int:
        try:
            self._file = os.open(self._place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return -1
        return self._file if stat.S_ISREG(os.fstat(self._file).st_mode) else -1

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)
