"""What the project and its registry say to each other: channels, versions with their evidence, recorded parents."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.project.audit import suspend_if_behind
from goldsmith.project.policy import policy_document
from goldsmith.project.project import Project

if TYPE_CHECKING:
    from goldsmith.build import LayeredResult, StepCache
    from goldsmith.registry import Registry, VersionDetail
    from goldsmith.template import Plan

MICROSECONDS = 1_000_000


def open_registry(project: Project, *, migrate: bool = False) -> Registry:
    """The registry of a project; an empty one is made. `migrate` allows a server's schema to be changed.

    It can only be read when it lacks what the newest checkpoint outside of it was signed over.
    """
    from goldsmith.registry import open_registry as open_by_url

    registry = open_by_url(project.registry_url, project.store_url, migrate=migrate)
    suspend_if_behind(project, registry)
    return registry


def actor() -> str:
    """Who acts: without a server it is the user of the operating system."""
    return f"user:{getpass.getuser()}"


def declare_channels(project: Project, registry: Registry, image: str) -> None:
    """Bring the channels of an image to what the project file says; unchanged policies cost nothing."""
    for channel in project.channels:
        registry.declare_channel(image, channel, policy_document(project, channel), actor=actor())


def check_names(project: Project, image: str, channel: str) -> None:
    """Raises `UserError` with a suggestion when the project has no such image or channel."""
    for kind, name, known in (("image", image, project.images), ("channel", channel, project.channels)):
        if name not in known:
            raise UserError(
                Diagnostic(
                    code=f"project.unknown-{kind}",
                    what=f'there is no {kind} "{name}" in {project.path.name}',
                    next=did_you_mean(name, known) or f"It has: {', '.join(known) or 'none'}.",
                )
            )


def record_labels(project: Project, digest: str, labels: str) -> None:
    """Give a registered version the labels of `labels_text`; saying the same again changes nothing."""
    from goldsmith.registry import Labels

    registry = open_registry(project)
    registry.label(registry.show(digest).version, Labels(**json.loads(labels or "{}")), actor=actor())


def labels_text(plan: Plan) -> str:
    """What the template's `hcp_packer_registry` block says of the versions that are built from it; empty without one."""
    from goldsmith.registry import Labels

    told = plan.registry
    if told is None:
        return ""
    labels = Labels(
        bucket=told.bucket_name,
        description=told.description,
        image=dict(told.bucket_labels or told.labels or {}),
        version=dict(told.build_labels or {}),
    )
    return json.dumps(asdict(labels), sort_keys=True)


def packages_by_layer(layered: LayeredResult, cache: StepCache) -> Mapping[str, Sequence[tuple[str, str, str]]]:
    """Kind, name and version of what each own layer brought or changed, for questions of impact."""
    from goldsmith.gates.inventory import installed_by_layer

    layers = layered.image.layers
    own = frozenset(layers[layered.image.parent_layers :])
    known: frozenset[tuple[str, str, str]] = frozenset()
    found: dict[str, Sequence[tuple[str, str, str]]] = {}
    for layer, packages in installed_by_layer([cache.layers.path(item) for item in layers], layers):
        installed = frozenset((kind, name, version) for kind, name, version, _ in packages)
        if layer in own:
            found[layer] = sorted(installed - known)
        known = installed
    return found


def recorded_layers(detail: VersionDetail, cache: StepCache) -> tuple[str, ...]:
    """The layers of a registered version. Raises `UserError` when this host's cache no longer has one of them."""
    layers = detail.document["layers"]
    assert isinstance(layers, Sequence)
    names = tuple(str(layer) for layer in layers)
    missing = [layer for layer in names if not cache.layers.has(layer)]
    if missing:
        raise UserError(
            Diagnostic(
                code="image.layers-missing",
                what=f"{detail.version.ref} cannot be built on: its layers are not in the cache here",
                why=f"{len(missing)} of {len(names)} are missing; the first is {missing[0]}",
                next=f"Build {detail.version.image} here from the same template and lock file; the same layers come out.",
            )
        )
    return names
