"""What scripts are tried on: the layers of an image, of a release that is made for it, of a directory or a disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.build import starting_layers
from goldsmith.build.layered import ARCHIVES, LISTS
from goldsmith.components import Base
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.project import Session
from goldsmith.project.session import layered_builds
from goldsmith.project.targets import target_of
from goldsmith.sources.archive import RELEASES

RELEASE_PACKAGES = (
    "ca-certificates",
    "cron",
    "curl",
    "gnupg",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd-sysv",
    "wget",
)
"""What a release has besides its smallest system: what the cloud images of all distributions have, and scripts count on."""

_REFERENCE = re.compile(r"(?P<image>[^@:]+)(?:@(?P<channel>.+)|:(?P<version>.+))?")


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A tree that scripts run on without changing it."""

    name: str
    """As it was asked for."""
    lowers: tuple[Path, ...]
    """Lowest first."""
    digest: str = ""
    """The version digest of an image, the lock of a release; empty for what has no name but its place."""
    epoch: int = 0
    caches: Mapping[str, Path] = field(default_factory=dict)
    """Package archives and lists of this host, by where a sandbox shows them."""


def parent_of(name: str, session: Session) -> Parent:
    """The parent that is named: a directory, a disk, an image of the project (`web`, `web@prod`, `web:41`) or a release.

    A release is made once, of its archive, and is a cached layer after that. Raises `UserError` for what is none of them.
    """
    path = Path(name)
    if path.exists():
        return _of_path(path, session)
    found = _REFERENCE.fullmatch(name)
    images = session.project.images if session.project is not None else {}
    if found is not None and found["image"] in images:
        base = session.lookup.find(found["image"], channel=found["channel"] or "", version=found["version"] or "", digest="")
        return _of_base(name, base, base.layers, session)
    for distribution, releases in RELEASES.items():
        if name in releases:
            return _of_release(distribution, name, session)
    known = [*images, *(release for releases in RELEASES.values() for release in releases)]
    raise UserError(
        Diagnostic(
            code="parent.unknown",
            what=f'there is nothing named "{name}" to run a script on',
            why="it is no directory or disk, no image of a project here, and no release of Debian or Ubuntu",
            next=did_you_mean(name, known) or f"Name one of: {', '.join(known)}.",
        )
    )


def _of_path(path: Path, session: Session) -> Parent:
    work = session.work / "parent"
    work.mkdir(exist_ok=True)
    target = target_of(str(path), None, work, session.cancellation)
    if not target.roots:
        raise UserError(
            Diagnostic(
                code="parent.no-tree",
                what=f'nothing can run on "{path}"',
                why="it is a bill of materials",
                next="Name the directory or the disk of an image.",
            )
        )
    return Parent(name=str(path), lowers=tuple(root.resolve() for root in target.roots))


def _of_release(distribution: str, release: str, session: Session) -> Parent:
    packages = ", ".join(f'"{name}"' for name in RELEASE_PACKAGES)
    template = session.work / "release.pkr.hcl"
    template.write_text(
        f'source "bootstrap" "{release}" {{\n  distribution = "{distribution}"\n  release = "{release}"\n  boot = "none"\n'
        f"  packages = [{packages}]\n}}\n"
        f'build {{ sources = ["source.bootstrap.{release}"] }}\n'
    )
    plan = session.plan(template, None, as_asked=False)
    build, source = next(layered_builds(plan))
    context = session.context(build, plan, "", session.work / "release")
    base = source.base(build.source.config(context), context, session.lookup)
    return _of_base(release, base, starting_layers(base, context, session.workshop), session)


def _of_base(name: str, base: Base, layers: tuple[str, ...], session: Session) -> Parent:
    caches = {ARCHIVES: base.packages_cache, LISTS: base.lists_cache}
    return Parent(
        name=name,
        lowers=tuple(session.workshop.cache.layers.path(layer) for layer in layers),
        digest=base.parent or base.lock_digest,
        epoch=base.epoch,
        caches={place: path for place, path in caches.items() if path is not None},
    )
