"""What gates are given: the sealed tree and disk of an image, with all that the build knows of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from goldsmith.build import LayeredResult
from goldsmith.gates.contract import Examination, KnownSecret, Subject
from goldsmith.images import SealedTree, seal_tree
from goldsmith.images.offline import extract_root
from goldsmith.project.fingerprints import salt_of
from goldsmith.project.project import ImageDeclaration
from goldsmith.project.session import Session
from goldsmith.template import Plan

NO_TREE = Path("/nonexistent")


def subject_of(image: ImageDeclaration, layered: LayeredResult, plan: Plan, session: Session, work: Path) -> Subject:
    """The subject of an image's gates, still without its tree unless the build has just made one."""
    sealed = layered.image
    format = "qcow2" if "qcow2" in sealed.files else "raw"
    lists = layered.base.lists_now() if layered.base.lists_now is not None else layered.base.lists_cache
    return Subject(
        image=image.name,
        disk_digest=sealed.disk_digest,
        tree=layered.tree.path if layered.tree is not None else NO_TREE,
        disk=sealed.files.get(format),
        disk_format="qcow2" if format == "qcow2" else "raw",
        boot=sealed.boot,
        parent=sealed.parent,
        layers=sealed.layers,
        parent_layers=sealed.parent_layers if sealed.parent else 0,
        known_secrets=tuple(
            KnownSecret(name=f"sensitive value {number}", value=value) for number, value in enumerate(plan.secrets, 1)
        ),
        sensitive=plan.sensitive,
        booted_build=layered.machine_booted,
        salt=salt_of(session.project),
        declared=image.declared,
        keyring=layered.base.keyring,
        lists=lists,
        offered=layered.base.offered,
        earlier_lists=tuple(layered.base.lists_before()) if layered.base.lists_before is not None else (),
        work=work,
        cache=session.cache,
        root=session.project.root if session.project is not None else Path.cwd(),
        settings={name: use.config for name, use in session.project.gates.items()} if session.project is not None else {},
        now_s=int(time.time()),
    )


@contextmanager
def examined(image: ImageDeclaration, layered: LayeredResult, subject: Subject, session: Session) -> Iterator[Subject]:
    """The subject with its sealed tree; a disk from the cache has its tree made again from the same layers.

    The tree of a disk that a machine wrote is read from the disk itself: nothing in it was sealed.
    """
    if layered.machine_booted:
        assert subject.disk is not None
        place = subject.work / "disk"
        place.mkdir()
        tree = extract_root(subject.disk, subject.disk_format, place, session.cancellation)
        yield replace(subject, tree=tree, layers=(), examination=Examination())
        return
    roots = tuple(session.workshop.cache.layers.path(layer) for layer in layered.image.layers)
    if subject.tree != NO_TREE:
        yield replace(subject, roots=roots)
        return
    sealed: SealedTree = seal_tree(
        roots,
        disk=layered.disk,
        name=image.name,
        epoch=layered.base.epoch,
        work=subject.work,
        build=image.name,
        emit=session.emit,
        cancellation=session.cancellation,
    )
    yield replace(subject, tree=sealed.path, roots=roots, examination=Examination())
