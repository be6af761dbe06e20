"""Signatures of people and of the registry: approvals with an approver's key, summaries of decisions with the project's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence import (
    APPROVAL,
    Statement,
    Subject,
    load_or_create_signer,
    load_public_key,
    load_signer,
    open_bundle,
    sign,
)
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.project.declarations import ApproverConfig, SecurityConfig
from goldsmith.project.project import Project
from goldsmith.project.records import actor

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from goldsmith.registry import Approval, Registry, Request


def approve(project: Project, registry: Registry, request: int, key: Path, passphrase: str = "") -> Request:
    """Sign a request as it stands with an approver's key and record the approval.

    Raises `UserError` for a key that belongs to no approver of the project, `Refused` when the approval does not count.
    """
    from goldsmith.registry import Approval, digest_of

    signer = load_signer(key, passphrase)
    approver = name_of_key(project, project.approvers, signer, "approver")
    binding = registry.request(request).binding
    signed = sign(_statement(registry.request(request), binding), signer)
    # What is recorded was read back with the public key that the project names, as anybody would check it later.
    opened = open_bundle(signed.bundle, [load_public_key(project.root / project.approvers[approver].key)])
    approval: Approval = Approval(
        approver=approver,
        key=opened.signer,
        binds_digest=digest_of(binding),
        statement_digest=opened.digest,
        bundle=opened.bundle.decode(),
    )
    return registry.approve(request, approval, actor=actor())


def sign_decisions(project: Project, registry: Registry) -> int:
    """Sign what moved channels and is not signed yet; gives how many summaries were made.

    Raises `UserError` when the key cannot be used; the moves stand, and the next call signs them.
    """
    pending = registry.unsigned()
    if not pending:
        return 0
    passphrase = os.environ.get(project.signing.passphrase_env, "")
    signer = load_or_create_signer(project.root / project.signing.key, passphrase)
    for decision in pending:
        registry.record_summary(decision, sign(registry.summary_of(decision), signer), actor=actor())
    return len(pending)


def name_of_key(
    project: Project, people: Mapping[str, ApproverConfig | SecurityConfig], signer: CryptoSigner, block: str
) -> str:
    """Whose key this is, of those whom the project names in blocks of a type. Raises `UserError` for nobody's."""
    key = str(signer.public_key.keyid)
    for name, config in people.items():
        if str(load_public_key(project.root / config.key).keyid) == key:
            return name
    raise UserError(
        Diagnostic(
            code="approve.unknown-key" if block == "approver" else "waive.unknown-key",
            what=f'this key belongs to nobody whom the project names in a block "{block}"',
            why=f"its id is {key}; the project knows {', '.join(people) or 'nobody'}",
            next=f'Have {block} "NAME" {{ key = "FILE.pub" }} added to goldsmith.hcl, or use another key.',
        )
    )


def _statement(request: Request, binding: object) -> Statement:
    subjects = {str(item["version"]): f"{item['image']}@{item['channel']}" for item in request.targets}
    return Statement(
        subjects=[Subject(name=name, sha256=digest.removeprefix("sha256:")) for digest, name in sorted(subjects.items())],
        predicate_type=APPROVAL,
        predicate={"approves": binding},
    )
