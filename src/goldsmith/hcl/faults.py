"""How the rooms of the language word what is wrong with a text."""

from __future__ import annotations

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import Range


def fault(code: str, what: str, where: Range, why: str, next: str = "") -> UserError:
    """An error with one diagnostic, to be raised. `what` is HCL's own summary, since scripts and habits know it."""
    return UserError(Diagnostic(code=f"hcl.{code}", what=what, where=where, why=why, next=next))
