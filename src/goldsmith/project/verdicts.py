"""What signed statements say of gates, and the key that the project here signs with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence import TEST_RESULT, SignedStatement, claimed, public_path
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.project.project import load_project
from goldsmith.project.state import find_project

if TYPE_CHECKING:
    from goldsmith.registry import BlobStore, Evidence


def gate_verdicts(statements: Sequence[SignedStatement]) -> Mapping[str, str]:
    """The verdict of each gate among verified statements; the last of a gate counts."""
    verdicts: dict[str, str] = {}
    for item in statements:
        result = item.statement.predicate.get("goldsmith_result")
        if item.statement.predicate_type == TEST_RESULT and isinstance(result, Mapping):
            verdicts[str(result["gate"])] = str(result["verdict"])
    return verdicts


def reasons_of(evidence: Evidence, store: BlobStore) -> tuple[str, ...]:
    """Why the verdict of accepted evidence is not pass, in the sentences of its gate; those of others say none.

    The signature was checked when it was accepted, and its digest was recorded then.
    """
    from goldsmith.registry import digest_of_bytes

    try:
        with store.open(evidence.blob) as file:
            content = file.read()
    except MachineError as error:
        return tuple(fault.what for fault in error.diagnostics)
    if digest_of_bytes(content) != evidence.blob:
        return (f"the blob {evidence.blob} has other bytes than its name says: goldsmith registry scrub",)
    try:
        result = claimed(content).predicate.get("goldsmith_result")
    except ValueError as error:
        return (f"its statement cannot be read: {error}",)
    reasons = result.get("reasons") if isinstance(result, Mapping) else None
    return tuple(map(str, reasons)) if isinstance(reasons, Sequence) else ()


def public_key_here() -> Path:
    """The public key of the project of the working directory. Raises `UserError` when there is no project."""
    path = find_project(Path.cwd())
    if path is None:
        raise UserError(
            Diagnostic(
                code="verify.no-key",
                what="the public key is not known",
                why="there is no goldsmith.hcl here or in a directory above",
                next="Give the key with -key.",
            )
        )
    project = load_project(path)
    return public_path(project.root / project.signing.key)
