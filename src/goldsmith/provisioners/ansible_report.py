"""What is told of a play that failed: the first failed task, its host and its message."""

from __future__ import annotations

import json
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic


def failure(code: int, report: Path) -> Diagnostic:
    """The diagnostic of a play that ended with `code`; `report` holds one JSON line for each failed task, or is missing."""
    return Diagnostic(
        code="ansible.failed",
        what=f"Error executing Ansible: Non-zero exit status: exit status {code}",
        why=_first(report),
        next="Read the task's output above, and correct the playbook or the role.",
    )


def _first(report: Path) -> str:
    if not report.is_file():
        return "no task was reported as failed: the playbook itself may be at fault"
    first = json.loads(report.read_text(encoding="utf-8").splitlines()[0])
    reached = "failed on" if first["kind"] == "failed" else "did not reach"
    return f'the task "{first["task"]}" {reached} the host "{first["host"]}": {first["message"]}'
