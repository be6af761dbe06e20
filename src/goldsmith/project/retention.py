"""Compiles the retention block of a project file into the policy that the registry decides by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.project.project import Project, seconds

if TYPE_CHECKING:
    from goldsmith.registry import RetentionPolicy


def expiry_policy(project: Project) -> RetentionPolicy:
    """The retention policy of a project. Raises `UserError` for a malformed duration."""
    from goldsmith.registry import KeepRule, RetentionPolicy

    retention = project.retention
    own = {name: image.config for name, image in project.images.items() if image.config.keep_last or image.config.keep_for}
    return RetentionPolicy(
        images={
            name: KeepRule(
                keep_last=config.keep_last or retention.keep_last,
                keep_for_s=seconds(config.keep_for or retention.keep_for),
            )
            for name, config in own.items()
        },
        enabled=retention.enabled,
        keep_last=retention.keep_last,
        keep_for_s=seconds(retention.keep_for),
        grace_s=seconds(retention.grace),
    )
