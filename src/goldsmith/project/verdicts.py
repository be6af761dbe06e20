"""What signed statements say of gates, and the key that the project here signs with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.evidence import TEST_RESULT, SignedStatement, public_path
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.project.project import load_project
from goldsmith.project.state import find_project


def gate_verdicts(statements: Sequence[SignedStatement]) -> Mapping[str, str]:
    """The verdict of each gate among verified statements; the last of a gate counts."""
    verdicts: dict[str, str] = {}
    for item in statements:
        result = item.statement.predicate.get("goldsmith_result")
        if item.statement.predicate_type == TEST_RESULT and isinstance(result, Mapping):
            verdicts[str(result["gate"])] = str(result["verdict"])
    return verdicts


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
