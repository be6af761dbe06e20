"""The checksum that a template gives for an image: a value, a file of checksums here or on a server, or none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from goldsmith.hcl.diagnostics import Diagnostic, UserError

ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
"""By the number of hexadecimal digits."""

_CHUNK = 1 << 20
_BSD = re.compile(r"(?P<type>[A-Za-z0-9]+) \((?P<name>.+)\) = (?P<value>[0-9A-Fa-f]+)")
_GNU = re.compile(r"\\?(?P<value>[0-9A-Fa-f]{32,128})\s+[ *]?(?P<name>\S.*)")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file's digest must be."""

    algorithm: str
    value: str

    def matches(self, digest: str) -> bool:
        """Whether a digest of `digests_of` is the one that is wanted."""
        return self.value == digest

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


def parse(text: str) -> Checksum:
    """A checksum from `sha256:…` or from bare digits, whose number tells the algorithm. Raises `ValueError`."""
    kind, colon, value = text.strip().rpartition(":")
    value = value.lower()
    known = ALGORITHMS.get(len(value)) if re.fullmatch(r"[0-9a-f]+", value) else None
    if known is None:
        raise ValueError(f'"{text}" is no checksum: it has {len(value)} characters, and none of its kind are that long')
    if colon and kind.lower() != known:
        told = f"a value of {len(value)} digits is a {known}" if kind.lower() in ALGORITHMS.values() else "it is not known"
        raise ValueError(f'"{kind}" is not the kind of the checksum "{value}": {told}')
    return Checksum(known, value)


def names_file(text: str) -> bool:
    """Whether a checksum is to be looked up in a file."""
    return text.startswith("file:")


def look_up(text: str, source: str, read: Callable[[str], bytes]) -> Checksum:
    """The checksum of the image at `source` in the file that `file:…` names; `read` reads a path or a URL.

    Lines are those of sha256sum(1), of BSD's `SHA256 (name) = …`, or a lone value. Raises `UserError` with code
    `iso.checksum-file` when none is for this image.
    """
    place = text.removeprefix("file:")
    content = read(place).decode(errors="replace")
    wanted = PurePosixPath(source.partition("?")[0]).name
    lines = [line.strip() for line in content.splitlines() if line.strip() and not line.startswith("-----")]
    for line in lines:
        found = _BSD.fullmatch(line) or _GNU.fullmatch(line)
        if found and PurePosixPath(found["name"].strip()).name == wanted:
            kind = found.groupdict().get("type")
            return parse(f"{kind.lower()}:{found['value']}" if kind else found["value"])
    if len(lines) == 1 and len(lines[0].split()) == 1:
        return parse(lines[0])
    raise UserError(
        Diagnostic(
            code="iso.checksum-file",
            what=f'no checksum of "{wanted}" is in "{place}"',
            why=f"it has {len(lines)} lines, and none is for a file of this name",
            next="Name the file that belongs to the image, or write the value itself in iso_checksum.",
        )
    )


def digests_of(path: Path, algorithms: set[str], look: Callable[[int], None] = lambda done: None) -> dict[str, str]:
    """The digests of a file by several algorithms in one pass; `look` is told how many bytes are done."""
    # Packer's own choices: an old mirror may offer nothing better than MD5, and nothing rests on it but that template's wish.
    hashers = {name: hashlib.new(name, usedforsecurity=False) for name in sorted(algorithms)}
    done = 0
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            for hasher in hashers.values():
                hasher.update(data)
            done += len(data)
            look(done)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}
