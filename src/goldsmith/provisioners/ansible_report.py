"""What is told of a play that failed: the task that ended it, its host and its message."""

from __future__ import annotations

import json
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic


def failure(code: int, report: Path) -> Diagnostic:
    """The diagnostic of a play that ended with `code`; `report` holds one JSON line for each failed task, or is missing."""
    return Diagnostic(
        code="ansible.failed",
        what=f"Error executing Ansible: Non-zero exit status: exit status {code}",
        why=_last(report),
        next="Read the task's output above, and correct the playbook or the role.",
    )


def _last(report: Path) -> str:
    if not report.is_file():
        return "no task was reported as failed: the playbook itself may be at fault"
    # Earlier ones were rescued, or the play would have ended with them.
    last = json.loads(report.read_text(encoding="utf-8").splitlines()[-1])
    reached = "failed on" if last["kind"] == "failed" else "did not reach"
    return f'the task "{last["task"]}" {reached} the host "{last["host"]}": {last["message"]}'
