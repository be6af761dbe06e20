"""The signed indexes of a Debian archive, as apt keeps them: which packages each suite offers now."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

from goldsmith.hcl.diagnostics import Diagnostic, MachineError

_HASH_LINE = re.compile(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$", re.MULTILINE)
_NAME = re.compile(rb"^Package:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_PACKAGE = re.compile(r"^(Package|Version|Architecture|SHA256|Source|Size):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_AT_ONCE = 1 << 18
"""Bytes of a package list in memory: the list of a whole distribution has 50 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A package as an archive offers it."""

    name: str
    version: str
    architecture: str
    sha256: str
    source: str = ""
    """The source package, when it has another name."""
    size: int = 0
    streams: frozenset[str] = frozenset()
    """Of rpm: the streams of modules (`name:stream`) that it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteIndex:
    """One suite whose signature was checked."""

    name: str
    """`bookworm-security`, as the archive calls it."""
    codename: str
    source: str
    """What hosts call this index of this archive: its recorded place and the architecture."""
    is_security: bool
    digest: str
    """`sha256:<hex>` of its InRelease file."""
    date: int
    valid_until: int
    """Seconds since 1970; 0 when the suite says nothing."""
    listed: int
    """How many packages its lists have."""
    offers: tuple[Offer, ...]
    """Those of the names that were asked for."""


def index_digests(lists: Path) -> tuple[str, ...]:
    """`sha256:<hex>` of each signed index file, sorted by name."""
    return tuple(_digest(path.read_bytes()) for path in sorted(lists.glob("*_InRelease")))


def read_suites(
    lists: Path, keyring: Path, architecture: str, names: Collection[str], *, security_only: bool = False
) -> tuple[SuiteIndex, ...]:
    """All suites of a directory of lists, with what they offer of `names`.

    Raises `MachineError` for a bad signature or a list that is not the signed one.
    """
    releases = (_release(path, _signed_text(path, keyring)) for path in sorted(lists.glob("*_InRelease")))
    return tuple(release.suite(architecture, names) for release in releases if release.is_security or not security_only)


def kept_releases(lists: Path) -> Iterator[Release]:
    """The suites of a directory of lists that was verified when this host took it over; no signature is checked again."""
    for path in sorted(lists.glob("*_InRelease")):
        yield _release(path, path.read_text(errors="replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A suite as its InRelease file tells of it, with the lists beside that."""

    path: Path
    digest: str
    fields: Mapping[str, str]
    hashes: Mapping[str, str]
    """SHA-256 by the names of lists."""

    @property
    def is_security(self) -> bool:
        """Whether it is of an archive of security updates."""
        return "security" in " ".join(self.fields.get(name, "") for name in ("Suite", "Codename", "Label")).lower()

    @property
    def date(self) -> int:
        """When it was made, seconds since 1970."""
        return _seconds(self.fields.get("Date", ""))

    @property
    def architectures(self) -> tuple[str, ...]:
        """Those of which lists are here."""
        prefix = self.path.name.removesuffix("InRelease")
        names = (re.search(r"_binary-([^_]+)_Packages", path.name) for path in self.path.parent.glob(f"{prefix}*"))
        return tuple(sorted({match[1] for match in names if match is not None} - {"all"}))

    def source(self, architecture: str) -> str:
        """What hosts call this index of this archive."""
        return f"{self.path.name.removesuffix('_InRelease')} {architecture}"

    def suite(self, architecture: str, names: Collection[str] | None) -> SuiteIndex:
        """What it offers of these names, or in all. Raises `MachineError` for a list that is not the signed one."""
        read = [_listing(listing, wanted, names) for listing, wanted in _listings(self.path, self.hashes, architecture)]
        return SuiteIndex(
            name=self.fields.get("Codename") or self.fields.get("Suite", self.path.name),
            codename=self.fields.get("Codename", "").split("-")[0],
            source=self.source(architecture),
            is_security=self.is_security,
            digest=self.digest,
            date=self.date,
            valid_until=_seconds(self.fields.get("Valid-Until", "")),
            listed=sum(listed for listed, _ in read),
            offers=tuple(offer for _, offers in read for offer in offers),
        )


def _release(path: Path, text: str) -> Release:
    return Release(
        path=path,
        digest=_digest(path.read_bytes()),
        fields=dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", text, re.MULTILINE)),
        hashes={name: digest for digest, _, name in _HASH_LINE.findall(text)},
    )


def _signed_text(path: Path, keyring: Path) -> str:
    """What the signature covers, as gpgv gives it: text around the signed part never counts."""
    command = ["gpgv", "--quiet", "--keyring", str(keyring.resolve()), "--output", "-", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise MachineError(
            Diagnostic(
                code="patches.unsigned-index",
                what=f"the archive's index {path.name} has no good signature",
                why=done.stderr.decode(errors="replace").strip().splitlines()[-1] if done.stderr else "",
                next="Fetch the lists again, or name the keyring of this archive in the source.",
            )
        )
    return done.stdout.decode(errors="replace")


def _listings(path: Path, hashes: Mapping[str, str], architecture: str) -> Iterator[tuple[Path, str | None]]:
    """The package lists of a suite, each with the SHA-256 that the suite's index signs."""
    prefix = path.name.removesuffix("InRelease")
    for kind in (architecture, "all"):
        for listing in sorted(path.parent.glob(f"{prefix}*_binary-{kind}_Packages*")):
            name = listing.name.removeprefix(prefix).partition("_Packages")[0].replace("_", "/") + "/Packages"
            yield listing, hashes.get(name)


def _listing(path: Path, wanted: str | None, names: Collection[str] | None) -> tuple[int, list[Offer]]:
    """How many packages a list has, and what it offers of `names`; nothing counts before its digest is the signed one."""
    listed, digest = 0, hashlib.sha256()
    offers: list[Offer] = []
    with _opened(path) as file:
        for paragraph in _paragraphs(file, digest.update):
            found = _NAME.search(paragraph)
            if found is None:
                continue
            listed += 1
            if names is None or found[1].decode(errors="replace") in names:
                offers += _parse(paragraph.decode(errors="replace"))
    if wanted != digest.hexdigest():
        raise _not_the_signed_one(path)
    return listed, offers


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A list without its compression: apt keeps it plain, or as lz4, xz or gz. One that breaks off has another digest."""
    if path.name.endswith("_Packages"):
        with path.open("rb") as file:
            yield file
        return
    with subprocess.Popen(["/usr/lib/apt/apt-helper", "cat-file", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout


def _paragraphs(file: IO[bytes], seen: Callable[[bytes], None]) -> Iterator[bytes]:
    """The paragraphs of a stream, of which every byte is shown to `seen` once."""
    begun = b""
    while data := file.read(_AT_ONCE):
        seen(data)
        *whole, begun = (begun + data).split(b"\n\n")
        yield from whole
    yield begun


def _parse(paragraph: str) -> Iterator[Offer]:
    fields = dict(_PACKAGE.findall(paragraph))
    if "Package" in fields and "Version" in fields:
        yield Offer(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields.get("Architecture", ""),
            sha256=fields.get("SHA256", ""),
            source=fields.get("Source", "").partition(" ")[0],
            size=int(fields["Size"]) if fields.get("Size", "").isdigit() else 0,
        )


def _seconds(text: str) -> int:
    return int(parsedate_to_datetime(text).timestamp()) if text else 0


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _not_the_signed_one(path: Path) -> MachineError:
    return MachineError(
        Diagnostic(
            code="patches.altered-index",
            what=f"the package list {path.name} is not the one that the archive signed",
            next="Fetch the lists again.",
        )
    )
