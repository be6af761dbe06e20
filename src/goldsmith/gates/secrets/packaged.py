"""Which files are exactly what their package brought: what the distribution ships is no secret of the builder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

INFO = "var/lib/dpkg/info"
STATUS = "var/lib/dpkg/status"
MERGED = ("bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/")


class PackagedFiles:
    """The MD5 sums of a tree's package database, of configuration files too. The gate says that they are the tree's own."""

    def __init__(self, tree: Path) -> None:
        self._sums = dict(_sums(tree))

    def __len__(self) -> int:
        return len(self._sums)

    def is_unchanged(self, path: str, data: bytes) -> bool:
        """Whether a file has the content that its package gave it."""
        known = self._sums.get(path)
        return known is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() == known


_CONFIGURATION = re.compile(r"^ /(\S+) ([0-9a-f]{32})$", re.MULTILINE)


def _sums(tree: Path) -> Iterator[tuple[str, str]]:
    status = tree / STATUS
    if status.is_file() and not status.is_symlink():
        yield from _CONFIGURATION.findall(status.read_text(errors="surrogateescape"))
    for listing in sorted((tree / INFO).glob("*.md5sums")):
        for line in listing.read_text(errors="surrogateescape").splitlines():
            digest, _, name = line.partition("  ")
            # With a merged /usr the file is where the link leads.
            yield (f"usr/{name}" if name.startswith(MERGED) else name), digest
