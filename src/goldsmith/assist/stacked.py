"""What a stack of layers shows, by name: entries, contents, links followed inside of it, owners by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path

from goldsmith.images.rules import path_expression
from goldsmith.images.tree import Entry, merged

LARGEST = 256 << 20
"""Bytes of a file that are taken into memory."""
_MOST_LINKS = 40


class StackedTree:
    """The merged view of layers, lowest first. Paths are relative, without a leading slash, decoded as `os.fsdecode` does."""

    def __init__(self, layers: Sequence[Path]) -> None:
        self.layers = tuple(layers)
        # The upper of two equal layers is enough, as in a sandbox.
        shown = list(reversed(dict.fromkeys(reversed(self.layers))))
        self.entries: Mapping[str, Entry] = {os.fsdecode(entry.path): entry for entry in merged(shown)}

    def matching(self, *patterns: str) -> list[str]:
        """The paths that fit one of the patterns of `images.rules`, sorted."""
        expression = expression_of(patterns)
        return sorted(path for path in self.entries if expression.fullmatch(path))

    def read(self, path: str) -> bytes | None:
        """The content of a regular file; None where there is none. Raises `OSError` for one that is too large."""
        entry = self.entries.get(path)
        if entry is None or entry.kind != "file":
            return None
        if entry.status.st_size > LARGEST:
            raise OSError(f"/{path} is larger than {LARGEST:,} bytes")
        return Path(os.fsdecode(entry.place)).read_bytes()

    def text(self, path: str) -> str | None:
        """The content as text; bytes that are no UTF-8 are surrogate escapes."""
        data = self.read(path)
        return None if data is None else data.decode(errors="surrogateescape")

    def target(self, path: str) -> str:
        """What a symbolic link says; empty for anything else."""
        entry = self.entries.get(path)
        if entry is None or entry.kind != "link":
            return ""
        # A Path would tidy the text up, and every sign of it counts.
        return os.fsdecode(os.readlink(entry.place))  # noqa: PTH115

    def resolved(self, path: str) -> str:
        """The path with all its links followed inside of the tree, whether or not something is there."""
        waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        found: list[str] = []
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                found[-1:] = []
                continue
            target = self.target("/".join([*found, part]))
            links += 1 if target else 0
            if not target or links > _MOST_LINKS:
                found.append(part)
                continue
            if target.startswith("/"):
                found = []
            waiting += [item for item in reversed(target.split("/")) if item not in ("", ".")]
        return "/".join(found)

    def user(self, uid: int) -> str:
        """The name of a user id in this tree, or the number."""
        return self._users.get(uid, str(uid))

    def group(self, gid: int) -> str:
        """The name of a group id in this tree, or the number."""
        return self._groups.get(gid, str(gid))

    @cached_property
    def _users(self) -> Mapping[int, str]:
        return self._names("etc/passwd")

    @cached_property
    def _groups(self) -> Mapping[int, str]:
        return self._names("etc/group")

    def _names(self, path: str) -> Mapping[int, str]:
        lines = [line.split(":") for line in (self.text(path) or "").splitlines()]
        # The first line of an id counts, as for getpwuid.
        return {int(line[2]): line[0] for line in reversed(lines) if len(line) > 2 and line[2].isdigit()}


@cache
def expression_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for patterns of paths."""
    return re.compile("|".join(path_expression(pattern).decode() for pattern in patterns), re.DOTALL)
