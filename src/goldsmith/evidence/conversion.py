"""Certificates of converted roles: the digest of a role, and the signed statement that is kept beside its playbook."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.evidence.bundle import claimed
from goldsmith.evidence.statement import CONVERSION, Statement, Subject, statement_digest

BESIDE_PLAYBOOK = Path("evidence/conversion.intoto.json")
"""Where the certificate of a role is, from the directory of its playbook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCertificate:
    """A certificate that speaks of the roles beside it as they are now. Its signature was NOT looked at."""

    digest: str
    """`sha256:<hex>` of the statement: its name, wherever the signed copy is."""
    verdict: str
    parent: str
    roles: tuple[Subject, ...]


def role_subjects(directory: Path) -> tuple[Subject, ...]:
    """What is proven of a directory: each role in its `roles`, and its playbook; or the directory itself as one role."""
    roles = sorted(path for path in (directory / "roles").glob("*") if path.is_dir())
    playbook = directory / "playbook.yml"
    if not roles:
        return (Subject(name=directory.resolve().name, sha256=role_digest(directory)),)
    found = tuple(Subject(name=f"roles/{path.name}", sha256=role_digest(path)) for path in roles)
    if not playbook.is_file():
        return found
    return (*found, Subject(name=playbook.name, sha256=hashlib.sha256(playbook.read_bytes()).hexdigest()))


def role_digest(role: Path) -> str:
    """SHA-256, in hex, over the sorted paths of a role's files, each with its mode and the SHA-256 of its content."""
    digest = hashlib.sha256()
    for path, place in sorted(_files(role, role)):
        status = place.lstat()
        content = os.fsencode(place.readlink()) if place.is_symlink() else place.read_bytes()
        digest.update(f"{path}\0{stat.S_IMODE(status.st_mode):o}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def certificate_beside(playbook: Path) -> RoleCertificate | None:
    """The certificate beside a playbook, if it is about exactly the roles and the playbook that are there now."""
    path = playbook.parent / BESIDE_PLAYBOOK
    try:
        statement = claimed(path.read_bytes())
    except (OSError, ValueError):
        return None
    if statement.predicate_type != CONVERSION or set(statement.subjects) != set(role_subjects(playbook.parent)):
        return None
    return RoleCertificate(
        digest=statement_digest(statement.payload()),
        verdict=str(statement.predicate.get("verdict", "")),
        parent=str(statement.predicate.get("parent", "")),
        roles=tuple(statement.subjects),
    )


def conversion_statement(directory: Path, predicate: Mapping[str, object]) -> Statement:
    """The statement about the roles of a directory."""
    return Statement(subjects=role_subjects(directory), predicate_type=CONVERSION, predicate=predicate)


def _files(directory: Path, root: Path) -> Iterator[tuple[str, Path]]:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _files(path, root)
        else:
            yield path.relative_to(root).as_posix(), path
