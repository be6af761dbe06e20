"""Checks an image file against its evidence, with nothing but the files and the public key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence.bundle import SignedStatement, open_bundle
from goldsmith.evidence.statement import PROVENANCE
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from securesystemslib.signer import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What is proven about a file."""

    file_sha256: str
    disk_digest: str
    """`sha256:<hex>`."""
    by_disk: bool
    """The file is another encoding of the disk: its own digest is in no statement, the disk's is."""
    statements: tuple[SignedStatement, ...]
    """All statements about this disk or file, in the order they were given."""


def read_bundles(path: Path) -> tuple[bytes, ...]:
    """The bundles of an evidence file: one JSON document a line. Raises `UserError` when it cannot be read."""
    try:
        return tuple(line for line in path.read_bytes().splitlines() if line.strip())
    except OSError as error:
        raise UserError(
            Diagnostic(
                code="evidence.missing",
                what=f'the evidence "{path}" cannot be read',
                why=error.strerror or str(error),
                next="Give the file with -evidence; a build writes it beside the image.",
            )
        ) from error


def verify_file(file_sha256: str, disk_digest: Callable[[], str], bundles: Sequence[bytes], keys: Sequence[Key]) -> Verified:
    """Hold a file against its evidence. `disk_digest` computes the identity of the disk; it is called only when needed.

    Every bundle must be signed by one of `keys`, and provenance must name the file or its disk.
    Raises `UserError` with code `verify.no-evidence`, `verify.altered` or one of `open_bundle`.
    """
    opened = [open_bundle(bundle, keys) for bundle in bundles]
    provenance = [item for item in opened if item.statement.predicate_type == PROVENANCE]
    if not provenance:
        raise _no_evidence()
    for item in provenance:
        named = {subject.sha256: subject.name for subject in item.statement.subjects}
        if file_sha256 in named:
            return _verified(file_sha256, _disk_of(item), False, opened)
    digest = disk_digest()
    for item in provenance:
        if _disk_of(item) == digest:
            return _verified(file_sha256, digest, True, opened)
    raise _altered(file_sha256, provenance)


def _verified(file_sha256: str, digest: str, by_disk: bool, opened: Sequence[SignedStatement]) -> Verified:
    wanted = {file_sha256, digest.removeprefix("sha256:")}
    about = tuple(item for item in opened if wanted & {subject.sha256 for subject in item.statement.subjects})
    return Verified(file_sha256=file_sha256, disk_digest=digest, by_disk=by_disk, statements=about)


def _disk_of(provenance: SignedStatement) -> str:
    """The subject named `disk`; the others are the version and the artifact files."""
    disks = [subject.sha256 for subject in provenance.statement.subjects if subject.name == "disk"]
    return f"sha256:{disks[0]}" if disks else ""


def _no_evidence() -> UserError:
    return UserError(
        Diagnostic(
            code="verify.no-evidence",
            what="there is no provenance in the evidence",
            next="Give the evidence file that was written beside the image.",
        )
    )


def _altered(file_sha256: str, provenance: Sequence[SignedStatement]) -> UserError:
    named = [f"{subject.name} {subject.sha256[:12]}" for item in provenance for subject in item.statement.subjects]
    return UserError(
        Diagnostic(
            code="verify.altered",
            what="the image is not the one that the evidence is about",
            why=f"its sha256 is {file_sha256[:12]}…, the evidence names {', '.join(named)}",
            next="The file was changed or belongs to other evidence. Do not use it; fetch it again.",
        )
    )
