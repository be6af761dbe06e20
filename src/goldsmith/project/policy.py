"""Compiles the channels of a project file into the policy documents that the registry decides by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from goldsmith.project.project import Project

if TYPE_CHECKING:
    from goldsmith.registry import JSON


def policy_document(project: Project, channel: str) -> Mapping[str, JSON]:
    """The policy of a channel as canonical-JSON data; times in whole seconds, 0 for no limit."""
    config = project.channels[channel]
    return {
        "after": config.after,
        "soak_s": int(config.soak),
        "requires": [{"gate": gate, "max_age_s": int(config.max_age), "strict": config.strict} for gate in config.requires],
        "approvals": {"count": config.approvals},
        "rollback": {"keep": config.keep},
    }
