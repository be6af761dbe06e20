"""Compiles the retention block of a project file into the policy that the registry decides by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.project.project import Project, seconds

if TYPE_CHECKING:
    from goldsmith.registry import RetentionPolicy


def expiry_policy(project: Project) -> RetentionPolicy:
    """The retention policy of a project. Raises `UserError` for a malformed duration."""
    from goldsmith.registry import RetentionPolicy

    retention = project.retention
    return RetentionPolicy(
        enabled=retention.enabled,
        keep_last=retention.keep_last,
        keep_for_s=seconds(retention.keep_for),
        grace_s=seconds(retention.grace),
    )
