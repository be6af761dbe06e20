"""The project and registry that a command of the registry works on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldsmith.project import Project
    from goldsmith.registry import Registry


def open_here() -> tuple[Project, Registry]:
    """The project of the working directory and its registry. Raises `UserError` when there is none."""
    from goldsmith.project import open_registry

    project = project_here()
    return project, open_registry(project)


def project_here() -> Project:
    """The project of the working directory. Raises `UserError` when there is none."""
    from goldsmith.hcl.diagnostics import Diagnostic, UserError
    from goldsmith.project import project_for

    project = project_for(Path.cwd())
    if project is None:
        raise UserError(
            Diagnostic(
                code="project.none",
                what="there is no goldsmith.hcl here or in a directory above",
                next="Change into the project, or write a goldsmith.hcl.",
            )
        )
    return project
