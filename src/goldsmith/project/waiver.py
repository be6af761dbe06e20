"""Waivers, signed with a key of security that the project file names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence import WAIVER, Statement, Subject, load_public_key, load_signer, open_bundle, sign
from goldsmith.project.approval import name_of_key
from goldsmith.project.project import Project
from goldsmith.project.records import actor

if TYPE_CHECKING:
    from goldsmith.registry import Registry, Waiver


def waive(project: Project, registry: Registry, waiver: Waiver, key: Path, passphrase: str = "") -> Waiver:
    """Sign a waiver and record it; without an owner it is who signs.

    Raises `UserError` for a key that belongs to nobody of security, and for a waiver that lacks something.
    """
    signer = load_signer(key, passphrase)
    name = name_of_key(project, project.security, signer, "security")
    meant = replace(waiver, owner=waiver.owner or name)
    signed = sign(_statement(meant), signer)
    # What is recorded was read back with the public key that the project names, as anybody would check it later.
    opened = open_bundle(signed.bundle, [load_public_key(project.root / project.security[name].key)])
    return registry.waive(
        replace(meant, key=opened.signer, statement_digest=opened.digest, bundle=opened.bundle.decode()), actor=actor()
    )


def _statement(waiver: Waiver) -> Statement:
    """About the version that it is for, or about itself when it is for more than one."""
    from goldsmith.registry import digest_of

    digest = waiver.scope.version or digest_of(waiver.document)
    subject = Subject(name=waiver.finding, sha256=digest.removeprefix("sha256:"))
    return Statement(subjects=[subject], predicate_type=WAIVER, predicate=waiver.document)
