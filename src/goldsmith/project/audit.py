"""Signed checkpoints of the registry's log, kept as files outside of its database, and held against it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence import (
    CHECKPOINT,
    Statement,
    claimed,
    load_or_create_signer,
    load_public_key,
    open_bundle,
    public_path,
    sign,
)
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.project.project import Project

if TYPE_CHECKING:
    from goldsmith.registry import Registry

ENDING = ".checkpoint.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a checkpoint says of the log."""

    path: Path
    size: int
    root: str
    head: str
    """The hash of the newest event of that state."""


def make_checkpoint(project: Project, registry: Registry, directory: Path, *, actor: str) -> Path:
    """Sign the log as it is and keep it as a file in `directory`, which should lie where the database's owner cannot write.

    The file comes first: a checkpoint that is only in the database proves nothing. An existing one is never replaced.
    """
    made = registry.checkpoint()
    passphrase = os.environ.get(project.signing.passphrase_env, "")
    signed = sign(made.statement, load_or_create_signer(project.root / project.signing.key, passphrase))
    # Two copies of a registry that went on separately have states of the same size: each leaves a file of its own.
    path = directory / f"{made.size:012}-{made.root.removeprefix('sha256:')[:16]}{ENDING}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(signed.bundle)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return path
    except OSError as error:
        what = f'the checkpoint "{path}" could not be written'
        next = "Make the directory writable, or name another with -checkpoints or in the registry block."
        raise MachineError(
            Diagnostic(code="audit.checkpoint-write", what=what, why=error.strerror or str(error), next=next)
        ) from error
    registry.record_checkpoint(made, signed.bundle, str(path), actor=actor)
    return path


def checkpoint_if_due(project: Project, registry: Registry, *, actor: str) -> Path | None:
    """Sign the log when 1,000 events came since the newest checkpoint, or any and 10 minutes went by."""
    return make_checkpoint(project, registry, project.checkpoints, actor=actor) if registry.checkpoint_is_due() else None


def check_checkpoints(project: Project, registry: Registry, directory: Path) -> tuple[int, tuple[Diagnostic, ...]]:
    """Hold the log against every checkpoint in a directory, and those against the log: how many there are, what is wrong."""
    faults: list[Diagnostic] = []
    claims: list[Claim] = []
    for path in _files(directory):
        try:
            claims.append(_verified(project, path))
        except UserError as error:
            faults += error.diagnostics
    roots = registry.roots({claim.size for claim in claims})
    admitted = registry.admitted_roots()
    for claim in claims:
        if claim.root not in admitted:
            faults += _compared(claim, roots)
    faults += _missing(registry, directory, {claim.root for claim in claims})
    return len(claims), tuple(faults)


def suspend_if_behind(project: Project, registry: Registry) -> None:
    """Refuse changes to a registry that does not have what the newest checkpoint outside of it was signed over."""
    claim = _newest_unmet(project, registry)
    if claim is None:
        return
    events = registry.events(claim.size - 1, 1)
    why = (
        f"its event {claim.size} is another: two copies of it went on separately, or its history was rewritten"
        if events
        else f"it has fewer than {claim.size} events: an old backup was restored, or events were cut off"
    )
    registry.suspend(
        Diagnostic(
            code="registry.behind-checkpoint",
            what=f"the registry lacks what {claim.path.name} was signed over, so it can only be read",
            why=why,
            next="Find the database that has it (goldsmith audit verify tells more). To go on with this one all the same: "
            "goldsmith registry admit -reason=WHY",
        )
    )


def admit_restored(project: Project, registry: Registry, reason: str, *, actor: str) -> int:
    """Go on with a registry that lacks what was signed; gives how many checkpoints are left behind."""
    behind = {claim.root for claim in _unmet(project, registry)}
    if behind:
        registry.admit(behind, reason, actor=actor)
    return len(behind)


def _newest_unmet(project: Project, registry: Registry) -> Claim | None:
    """The newest checkpoint that counts, when the log lacks it."""
    admitted: frozenset[str] | None = None
    for path in reversed(_files(project.checkpoints)):
        claim = _claimed(path)
        if claim is None:
            continue
        if registry.hash_at(claim.size) == claim.head:
            return None
        admitted = registry.admitted_roots() if admitted is None else admitted
        # Only now is a signature looked at: this is asked at each start.
        if claim.root not in admitted and _is_signed(project, path):
            return claim
    return None


def _unmet(project: Project, registry: Registry) -> Iterator[Claim]:
    admitted = registry.admitted_roots()
    for path in _files(project.checkpoints):
        claim = _claimed(path)
        if claim is not None and registry.hash_at(claim.size) != claim.head and claim.root not in admitted:
            yield claim


def _files(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{ENDING}"))


def _compared(claim: Claim, roots: Mapping[int, str]) -> Iterator[Diagnostic]:
    if claim.size not in roots:
        what = f"the log has fewer events than the {claim.size} of the checkpoint {claim.path.name}"
        next = "An old backup was restored, or events were cut off. Find the database that has them."
        yield Diagnostic(code="audit.checkpoint-ahead", what=what, next=next)
    elif roots[claim.size] != claim.root:
        what = f"the first {claim.size} events are others than when the checkpoint {claim.path.name} was signed"
        why = "the history was rewritten, or two copies of this registry went on separately"
        next = "Keep a copy of the database, then find the one that has them."
        yield Diagnostic(code="audit.checkpoint-root", what=what, why=why, next=next)


def _missing(registry: Registry, directory: Path, there: set[str]) -> Iterator[Diagnostic]:
    """Checkpoints that the log says were put into this directory."""
    for item in registry.published_checkpoints():
        if Path(item.place).parent.absolute() == directory.absolute() and item.root not in there:
            what = f"the checkpoint over {item.size} events is not where the log says: {item.place}"
            why = "somebody removed or spoiled it"
            next = "Put it back from a copy; without it nothing outside tells of that state."
            yield Diagnostic(code="audit.checkpoint-missing", what=what, why=why, next=next)


def _is_signed(project: Project, path: Path) -> bool:
    try:
        _verified(project, path)
    except UserError:
        return False
    return True


def _claimed(path: Path) -> Claim | None:
    """What a file claims, its signature not looked at; None for what is no checkpoint."""
    try:
        return _claim(path, claimed(path.read_bytes()))
    except (OSError, ValueError, KeyError):
        return None


def _verified(project: Project, path: Path) -> Claim:
    """What a checkpoint says, its signature found good. Raises `UserError`."""
    key = load_public_key(public_path(project.root / project.signing.key))
    try:
        return _claim(path, open_bundle(path.read_bytes(), [key]).statement)
    except (OSError, ValueError, KeyError) as error:
        what = f'"{path}" is no checkpoint'
        raise UserError(Diagnostic(code="audit.checkpoint-bad", what=what, why=str(error), next="Remove it.")) from error


def _claim(path: Path, statement: Statement) -> Claim:
    if statement.predicate_type != CHECKPOINT:
        raise ValueError(f"it is a {statement.predicate_type}")
    said = statement.predicate
    return Claim(path=path, size=int(str(said["size"])), root=str(said["root"]), head=str(said["head"]))
