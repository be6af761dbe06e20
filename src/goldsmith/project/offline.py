"""Makes the offline bundle of a channel: what the registry knows, signed with the project's key, with the keys to check it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from goldsmith.evidence import (
    Part,
    Subject,
    check_offline,
    load_or_create_signer,
    load_public_key,
    public_pem,
    sign,
    write_parts,
)
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.project.approval import sign_decisions
from goldsmith.project.project import Project

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

    from goldsmith.registry import Registry
    from goldsmith.registry.release import Release


def offline_bundle(project: Project, registry: Registry, reference: str) -> tuple[Release, bytes]:
    """The bundle of `web@prod`, or of a version that exactly one channel holds, made and signed now.

    Moves that are not signed yet are signed first. Raises `UserError` when the key cannot be used or the reference names no
    channel, `Refused` when nothing fit is there, and as `check_offline` when what is recorded does not prove it.
    """
    sign_decisions(project, registry)
    release = registry.released(reference)
    passphrase = os.environ.get(project.signing.passphrase_env, "")
    signer = load_or_create_signer(project.root / project.signing.key, passphrase)
    own = signer.public_key
    parts = [
        Part("pointer", sign(release.pointer, signer).bundle),
        Part("version", release.document.encode()),
        *(Part("ancestor", document.encode()) for document in release.ancestors),
        Part("manifest", release.manifest),
        Part("policy", release.policy.encode()),
        Part("decision", release.decision.encode()),
        Part("summary", _summary(release).encode()),
        *(Part("evidence", _line(registry, blob)) for blob in release.counted),
        *(Part("provenance", _line(registry, blob)) for blob in release.provenance),
        *(Part("waiver", bundle.encode()) for bundle in release.waivers),
        *(Part("approval", bundle.encode()) for bundle in release.approvals),
        Part("revocations", _json({"revocations": [dict(item) for item in release.revocations]})),
        Part("checkpoint", sign(release.checkpoint, signer).bundle),
        Part("event", _json(dict(release.event))),
        Part("trust", _json({"keys": [{"id": str(key.keyid), "pem": public_pem(key)} for key in _keys(project, own)]})),
    ]
    subject = Subject(name=f"{release.image}@{release.channel}", sha256=release.version.digest.removeprefix("sha256:"))
    content = write_parts(subject, parts, signer)
    # Nobody far away shall find out first that a key or a statement is missing.
    check_offline(content, [own], int(str(release.pointer.predicate["issued_at"])))
    return release, content


def _keys(project: Project, own: SSlibKey) -> Iterator[SSlibKey]:
    """The registry's key first, then those of who may approve, waive or sign evidence."""
    yield own
    people = {*(item.key for item in project.approvers.values()), *(item.key for item in project.security.values())}
    for path in sorted(people.union(*(channel.signers for channel in project.channels.values()))):
        yield load_public_key(project.root / path)


def _summary(release: Release) -> str:
    if release.summary is None:
        what = f"the verification summary of {release.image}@{release.channel} is not signed yet"
        raise UserError(Diagnostic(code="bundle.pending", what=what, next="Run the command again: it signs it first."))
    return release.summary


def _line(registry: Registry, blob: str) -> bytes:
    """Evidence as one line; its signature covers what is in it, not how it is laid out."""
    with registry.blobs.open(blob) as file:
        try:
            return _json(json.loads(file.read()))
        except ValueError as error:
            what = f"the evidence {blob} is no signed statement"
            next = "Run goldsmith build: it examines the image again."
            raise UserError(Diagnostic(code="bundle.evidence", what=what, why=str(error), next=next)) from error


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
