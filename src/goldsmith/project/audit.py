"""Signed checkpoints of the registry's log, kept as files outside of its database, and held against it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence import CHECKPOINT, load_or_create_signer, load_public_key, open_bundle, public_path, sign
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.project.project import Project
from goldsmith.project.records import actor

if TYPE_CHECKING:
    from goldsmith.registry import Registry

ENDING = ".checkpoint.json"


def make_checkpoint(project: Project, registry: Registry, directory: Path) -> Path:
    """Sign the log as it is and keep it as a file in `directory`, which should lie where the database's owner cannot write.

    The file comes first: a checkpoint that is only in the database proves nothing. An existing one is never replaced.
    """
    made = registry.checkpoint()
    passphrase = os.environ.get(project.signing.passphrase_env, "")
    signed = sign(made.statement, load_or_create_signer(project.root / project.signing.key, passphrase))
    path = directory / f"{made.size:012}{ENDING}"
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
        next = "Make the directory writable, or name another with -checkpoints."
        raise MachineError(
            Diagnostic(code="audit.checkpoint-write", what=what, why=error.strerror or str(error), next=next)
        ) from error
    registry.record_checkpoint(made, signed.bundle, str(path), actor=actor())
    return path


def check_checkpoints(project: Project, registry: Registry, directory: Path) -> tuple[int, tuple[Diagnostic, ...]]:
    """Hold the log against every checkpoint in a directory: how many there are, and what is wrong."""
    faults: list[Diagnostic] = []
    claims: dict[Path, tuple[int, str]] = {}
    for path in sorted(directory.glob(f"*{ENDING}")):
        try:
            claims[path] = _claim(project, path)
        except UserError as error:
            faults += error.diagnostics
    roots = registry.roots({size for size, _ in claims.values()})
    for path, (size, root) in claims.items():
        faults += _compared(path, size, root, roots.get(size))
    return len(claims), tuple(faults)


def _compared(path: Path, size: int, root: str, found: str | None) -> Iterator[Diagnostic]:
    if found is None:
        what = f"the log has fewer events than the {size} of the checkpoint {path.name}"
        next = "An old backup was restored, or events were cut off. Find the database that has them."
        yield Diagnostic(code="audit.checkpoint-ahead", what=what, next=next)
    elif found != root:
        what = f"the first {size} events are others than when the checkpoint {path.name} was signed"
        next = "The history was rewritten. Keep a copy of the database, then restore a backup."
        yield Diagnostic(code="audit.checkpoint-root", what=what, next=next)


def _claim(project: Project, path: Path) -> tuple[int, str]:
    """Size and root of a checkpoint, its signature found good. Raises `UserError`."""
    key = load_public_key(public_path(project.root / project.signing.key))
    try:
        predicate = open_bundle(path.read_bytes(), [key]).statement
        if predicate.predicate_type != CHECKPOINT:
            raise ValueError(f"it is a {predicate.predicate_type}")
        return int(str(predicate.predicate["size"])), str(predicate.predicate["root"])
    except (OSError, ValueError, KeyError) as error:
        what = f'"{path}" is no checkpoint'
        raise UserError(Diagnostic(code="audit.checkpoint-bad", what=what, why=str(error), next="Remove it.")) from error
