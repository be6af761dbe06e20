"""Compiles the channels of a project file into the policy documents that the registry decides by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from goldsmith.project.conditions import conditions_of
from goldsmith.project.declarations import ChannelConfig
from goldsmith.project.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from goldsmith.registry import JSON


def policy_document(project: Project, channel: str) -> Mapping[str, JSON]:
    """The policy of a channel as canonical-JSON data; times in whole seconds, 0 for no limit.

    Raises `UserError` for a public key that cannot be read. What the project does not say is left out, so that policies from
    before stay what they were.
    """
    config = project.channels[channel]
    approvers = config.approvers or tuple(project.approvers)
    document: dict[str, JSON] = {
        "after": config.after,
        "soak_s": int(config.soak),
        "requires": [_requirement(project.root, config, gate) for gate in config.requires],
        "approvals": {"count": config.approvals, "approvers": _approvers(project, approvers) if config.approvals else []},
        "rollback": {"keep": config.keep},
    }
    if project.security:
        document["security"] = [
            {"name": name, "key": _key(project.root, config.key)} for name, config in sorted(project.security.items())
        ]
    if conditions := [item.range.text for item in conditions_of(config)]:
        document["conditions"] = conditions
    if config.on_unfit != "warn":
        document["on_unfit"] = config.on_unfit
    return document


def _requirement(root: Path, config: ChannelConfig, gate: str) -> JSON:
    demanded: dict[str, JSON] = {"gate": gate, "max_age_s": int(config.max_age), "strict": config.strict}
    if config.signers:
        demanded["signers"] = sorted(_key(root, file) for file in config.signers)
    return demanded


def _approvers(project: Project, names: Sequence[str]) -> Sequence[JSON]:
    """Name, account and key of each."""
    chosen = {name: project.approvers[name] for name in sorted(names)}
    return [
        {"name": name, "user": f"user:{config.user or name}", "key": _key(project.root, config.key)}
        for name, config in chosen.items()
    ]


def _key(root: Path, file: str) -> str:
    """The id of a public key."""
    from goldsmith.evidence import load_public_key

    return str(load_public_key(root / file).keyid)
