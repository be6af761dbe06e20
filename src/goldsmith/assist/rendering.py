"""A specification as files: template, role, tests and the blocks of the project file. The same object gives the same bytes."""

from __future__ import annotations

from goldsmith.assist.image_spec import ImageSpec
from goldsmith.assist.spec_project import FILE, project_text
from goldsmith.assist.spec_role import role_files
from goldsmith.assist.spec_template import template_files


def render(spec: ImageSpec, project: str = "") -> dict[str, str]:
    """All files by their path in the project; `project` is what `goldsmith.hcl` has already."""
    return {**template_files(spec), **role_files(spec), FILE: project_text(spec, project)}
