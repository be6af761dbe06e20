"""`goldsmith lock`: resolves what sources take from archives, without building."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.lock import Change, changes
from goldsmith.project.project import ImageDeclaration, templates_meant
from goldsmith.project.session import Session, layered_builds


def lock_images(template: Path, session: Session) -> Mapping[str, tuple[Change, ...]]:
    """Pin every image of a project, or one template; returns what moved, by image. Images on a parent have no pins."""
    moved: dict[str, tuple[Change, ...]] = {}
    with session.journal.work_directory(session.workshop.cache.root / "work") as work:
        for path, image in templates_meant(template, session.project):
            moved |= _lock(path, image, session, work)
    session.lock_file.save()
    return moved


def _lock(path: Path, image: ImageDeclaration | None, session: Session, work: Path) -> Mapping[str, tuple[Change, ...]]:
    plan = session.plan(path, image)
    for _, problem in plan.failed:
        raise problem
    moved: dict[str, tuple[Change, ...]] = {}
    for build, source in layered_builds(plan):
        context = session.context(build, plan, image.name if image else "", work)
        config = build.source.config(context)
        if source.parent_image(config) is not None:
            continue
        source.base(config, context, session.lookup)
        name = image.name if image else build.full_name
        now = session.lock_file.lock(name)
        if now is None:
            raise UserError(
                Diagnostic(code="lock.nothing", what=f'the source of "{name}" pinned nothing', where=build.source.where)
            )
        moved[name] = changes(session.lock_file.before.get(name), now)
    return moved
