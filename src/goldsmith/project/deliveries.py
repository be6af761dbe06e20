"""Who is told of changes: the targets of the project file, declared to the registry and reached from here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from goldsmith.project.declarations import FollowerConfig, LaunchTemplateConfig, SsmParameterConfig, WebhookConfig
from goldsmith.project.project import Project, TargetConfig
from goldsmith.project.records import actor

if TYPE_CHECKING:
    from goldsmith.registry import Assignment, Delivered, Registry
    from goldsmith.registry.outbox import TargetDeclaration
    from goldsmith.registry.targets.contract import Destination, Follower

RETRIES = 2
"""How often a call to AWS is repeated at once; the outbox tries again later anyway."""


def declare_targets(project: Project, registry: Registry) -> None:
    """Bring the registry's targets to what the project file says; unchanged ones cost nothing."""
    registry.declare_targets(tuple(_declaration(name, config) for name, config in sorted(project.targets.items())), actor())


def deliver(project: Project, registry: Registry) -> Iterator[Delivered]:
    """Try everything that is due, in order for each target; what does not arrive is tried again later."""
    return registry.deliver({name: target_of(config) for name, config in project.targets.items()}, actor())


def check_targets(project: Project, registry: Registry) -> Iterator[Delivered]:
    """What holds something else than its channel; it is to be delivered again."""
    return registry.drifted({name: target_of(config) for name, config in project.targets.items()}, actor())


def what_moves(project: Project, registry: Registry, moves: Sequence[Assignment]) -> Iterator[str]:
    """What moves of channels make of targets, in sentences, without changing anything."""
    from goldsmith.hcl.diagnostics import GoldsmithError

    for move in moves:
        for name, config in sorted(project.targets.items()):
            if not isinstance(config, FollowerConfig) or (config.image, config.channel) != (move.image, move.channel):
                continue
            target = follower_of(config)
            try:
                after = target.would_hold(registry.resolve_move(move))
                before = target.held() or "nothing"
            except GoldsmithError as error:
                yield f"{name}: the {target.place()} cannot follow: {error}"
                continue
            stays = before == after
            yield f"{name}: the {target.place()} {f'stays at {after}' if stays else f'goes from {before} to {after}'}"
    if moves:
        yield from (f"{name} is told" for name, config in sorted(project.targets.items()) if isinstance(config, WebhookConfig))


def target_of(config: TargetConfig) -> Destination:
    """The target that a block declares."""
    from goldsmith.registry.targets.webhook import Webhook

    if isinstance(config, WebhookConfig):
        secret = os.environ.get(config.secret_env, "")
        return Webhook(url=config.url, secret=secret, allow_http=config.allow_http, allow_private=config.allow_private)
    return follower_of(config)


def follower_of(config: SsmParameterConfig | LaunchTemplateConfig) -> Follower:
    """The target that a block declares which follows a channel."""
    from goldsmith.registry.targets.launch_template import LaunchTemplate
    from goldsmith.registry.targets.ssm_parameter import SsmParameter

    access = replace(config, max_retries=config.max_retries or RETRIES)
    match config:
        case SsmParameterConfig():
            return SsmParameter(name=config.name, access=access, data_type=config.data_type, move_labels=config.move_labels)
        case LaunchTemplateConfig():
            return LaunchTemplate(template=config.template, access=access)
        case _:
            assert_never(config)


def _declaration(name: str, config: TargetConfig) -> TargetDeclaration:
    from goldsmith.registry.outbox import TargetDeclaration

    match config:
        case WebhookConfig():
            return TargetDeclaration(name=name, kind="webhook", types=config.types)
        case SsmParameterConfig():
            return TargetDeclaration(name=name, kind="ssm_parameter", image=config.image, channel=config.channel)
        case LaunchTemplateConfig():
            return TargetDeclaration(name=name, kind="launch_template", image=config.image, channel=config.channel)
        case _:
            assert_never(config)
