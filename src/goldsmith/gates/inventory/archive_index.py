"""The signed indexes of a Debian archive, as apt keeps them: which packages each suite offers now."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError

_HASH_LINE = re.compile(r"^ ([0-9a-f]{64}) +(\d+) (\S+)$", re.MULTILINE)
_PACKAGE = re.compile(r"^(Package|Version|Architecture|SHA256):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A package as an archive offers it."""

    name: str
    version: str
    architecture: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteIndex:
    """One suite whose signature was checked."""

    name: str
    """`bookworm-security`, as the archive calls it."""
    codename: str
    is_security: bool
    digest: str
    """`sha256:<hex>` of its InRelease file."""
    date: int
    valid_until: int
    """Seconds since 1970; 0 when the suite says nothing."""
    offers: tuple[Offer, ...]


def index_digests(lists: Path) -> tuple[str, ...]:
    """`sha256:<hex>` of each signed index file, sorted by name."""
    return tuple(_digest(path.read_bytes()) for path in sorted(lists.glob("*_InRelease")))


def read_suites(lists: Path, keyring: Path, architecture: str, *, security_only: bool = False) -> tuple[SuiteIndex, ...]:
    """All suites of a directory of lists. Raises `MachineError` for a bad signature or an index that is not the signed one."""
    found = (_suite(path, keyring, architecture, security_only) for path in sorted(lists.glob("*_InRelease")))
    return tuple(suite for suite in found if suite is not None)


def _suite(path: Path, keyring: Path, architecture: str, security_only: bool) -> SuiteIndex | None:
    text = _signed_text(path, keyring)
    fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", text, re.MULTILINE))
    hashes = {name: digest for digest, _, name in _HASH_LINE.findall(text)}
    label = " ".join(fields.get(name, "") for name in ("Suite", "Codename", "Label")).lower()
    if security_only and "security" not in label:
        return None
    return SuiteIndex(
        name=fields.get("Codename") or fields.get("Suite", path.name),
        codename=fields.get("Codename", "").split("-")[0],
        is_security="security" in label,
        digest=_digest(path.read_bytes()),
        date=_seconds(fields.get("Date", "")),
        valid_until=_seconds(fields.get("Valid-Until", "")),
        offers=tuple(_offers(path, hashes, architecture)),
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


def _offers(path: Path, hashes: Mapping[str, str], architecture: str) -> Iterator[Offer]:
    prefix = path.name.removesuffix("InRelease")
    for wanted in (architecture, "all"):
        for listing in sorted(path.parent.glob(f"{prefix}*_binary-{wanted}_Packages*")):
            data = _content(listing)
            name = listing.name.removeprefix(prefix).partition("_Packages")[0].replace("_", "/") + "/Packages"
            if hashes.get(name) != hashlib.sha256(data).hexdigest():
                raise _not_the_signed_one(listing)
            yield from _parse(data.decode(errors="replace"))


def _content(path: Path) -> bytes:
    """A listing without its compression: apt keeps it plain, or as lz4, xz or gz."""
    if path.name.endswith("_Packages"):
        return path.read_bytes()
    command = ["/usr/lib/apt/apt-helper", "cat-file", str(path)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _parse(text: str) -> Iterator[Offer]:
    for paragraph in text.split("\n\n"):
        fields = dict(_PACKAGE.findall(paragraph))
        if "Package" in fields and "Version" in fields:
            yield Offer(
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields.get("Architecture", ""),
                sha256=fields.get("SHA256", ""),
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
