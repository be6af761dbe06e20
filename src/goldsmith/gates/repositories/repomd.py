"""`repomd.xml`: the signed table of contents of an rpm repository, as createrepo_c and its like write it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

LARGEST = 4 << 20
"""Bytes of a table of contents: real ones have some thousand."""
WANTED = ("primary", "updateinfo", "modules")
"""What is read of a repository: its packages, its security updates, which package belongs to which module."""
_REPO = "{http://linux.duke.edu/metadata/repo}"
_ALGORITHMS: Mapping[str, str] = {"sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
"""What is strong enough to stand for a file; `sha` and `md5` are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a repository's metadata."""

    kind: str
    href: str
    """Below the repository's address."""
    algorithm: str
    digest: str
    """In hexadecimal, over the file as it is served."""

    @property
    def name(self) -> str:
        """What it is called where states are kept: `primary.xml.gz`."""
        return self.kind + "".join(re.findall(r"\.[a-z0-9]+", Path(self.href).name)[-2:])

    def is_of(self, path: Path) -> bool:
        """Whether a file is the one that is meant."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a repository consists of."""

    parts: Mapping[str, Part]
    """Of the wanted kinds."""
    published_s: int
    """The newest time in it, seconds since 1970; 0 when it has none."""
    releases: tuple[str, ...]
    """The releases of distributions that it says it is for, as CPEs; most say nothing."""


def parse_repomd(data: bytes) -> Contents:
    """Read a table of contents. Raises `ValueError` for what is none, or has no list of packages under a strong digest."""
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from error
    if root.tag != f"{_REPO}repomd":
        raise ValueError("it is no repomd.xml")
    parts = [_part(item) for item in root.iterfind(f"{_REPO}data") if item.get("type") in WANTED]
    if not any(part.kind == "primary" for part in parts):
        raise ValueError("it names no list of packages")
    times = [item.text or "" for item in root.iter(f"{_REPO}timestamp")]
    times.append(root.findtext(f"{_REPO}revision", ""))
    return Contents(
        parts={part.kind: part for part in parts},
        published_s=max((int(float(text)) for text in times if re.fullmatch(r"\d{9,10}(\.\d+)?", text)), default=0),
        releases=tuple(item.get("cpeid", "") for item in root.iter(f"{_REPO}distro") if item.get("cpeid")),
    )


def _part(item: ElementTree.Element) -> Part:
    location, checksum = item.find(f"{_REPO}location"), item.find(f"{_REPO}checksum")
    href = location.get("href", "") if location is not None else ""
    kind, told = item.get("type", ""), checksum.get("type", "") if checksum is not None else ""
    if checksum is None or told not in _ALGORITHMS:
        raise ValueError(f"its {kind} has {f'only the digest {told}' if told else 'no digest'}, which proves nothing")
    if not href or href.startswith("/") or "://" in href or ".." in href.split("/"):
        raise ValueError(f'its {kind} is at "{href[:100]}", which is outside of the repository')
    return Part(kind=kind, href=href, algorithm=_ALGORITHMS[told], digest=(checksum.text or "").strip().lower())
