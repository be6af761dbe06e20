"""Compiles the channels of a project file into the policy documents that the registry decides by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldsmith.project.project import Project

if TYPE_CHECKING:
    from goldsmith.registry import JSON


def policy_document(project: Project, channel: str) -> Mapping[str, JSON]:
    """The policy of a channel as canonical-JSON data; times in whole seconds, 0 for no limit."""
    config = project.channels[channel]
    approvers = config.approvers or tuple(project.approvers)
    return {
        "after": config.after,
        "soak_s": int(config.soak),
        "requires": [{"gate": gate, "max_age_s": int(config.max_age), "strict": config.strict} for gate in config.requires],
        "approvals": {"count": config.approvals, "approvers": _approvers(project, approvers) if config.approvals else []},
        "rollback": {"keep": config.keep},
    }


def _approvers(project: Project, names: Sequence[str]) -> Sequence[JSON]:
    """Name, account and key of each. Raises `UserError` for a public key that cannot be read."""
    from goldsmith.evidence import load_public_key

    found = []
    for name in sorted(names):
        config = project.approvers[name]
        key = load_public_key(project.root / config.key)
        found.append({"name": name, "user": f"user:{config.user or name}", "key": str(key.keyid)})
    return found
