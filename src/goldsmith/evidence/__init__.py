"""Signed statements about digests: in-toto, DSSE, Sigstore bundles, provenance, bills of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.rooms import opened_when_asked

if TYPE_CHECKING:
    from goldsmith.evidence.built import BuildRecord, Material, provenance
    from goldsmith.evidence.bundle import SignedStatement, claimed, open_bundle, sign
    from goldsmith.evidence.keys import load_or_create_signer, load_public_key, load_signer, public_path, public_pem
    from goldsmith.evidence.offline import Part, write_parts
    from goldsmith.evidence.offline_check import Proven, check_disk, check_offline
    from goldsmith.evidence.sbom import Component, Described, cyclonedx, spdx
    from goldsmith.evidence.seen import verify_offline
    from goldsmith.evidence.statement import (
        APPROVAL,
        CHECKPOINT,
        CYCLONEDX,
        POINTER,
        PROVENANCE,
        SPDX,
        TEST_RESULT,
        VERIFICATION_SUMMARY,
        WAIVER,
        Statement,
        Subject,
    )
    from goldsmith.evidence.verify import Verified, read_bundles, verify_file

__all__ = [
    "APPROVAL",
    "CHECKPOINT",
    "CYCLONEDX",
    "POINTER",
    "PROVENANCE",
    "SPDX",
    "TEST_RESULT",
    "VERIFICATION_SUMMARY",
    "WAIVER",
    "BuildRecord",
    "Component",
    "Described",
    "Material",
    "Part",
    "Proven",
    "SignedStatement",
    "Statement",
    "Subject",
    "Verified",
    "check_disk",
    "check_offline",
    "claimed",
    "cyclonedx",
    "load_or_create_signer",
    "load_public_key",
    "load_signer",
    "open_bundle",
    "provenance",
    "public_path",
    "public_pem",
    "read_bundles",
    "sign",
    "spdx",
    "verify_file",
    "verify_offline",
    "write_parts",
]

__getattr__ = opened_when_asked(
    __name__,
    {
        "built": "BuildRecord Material provenance",
        "bundle": "SignedStatement claimed open_bundle sign",
        "keys": "load_or_create_signer load_public_key load_signer public_path public_pem",
        "offline": "Part write_parts",
        "offline_check": "Proven check_disk check_offline",
        "sbom": "Component Described cyclonedx spdx",
        "seen": "verify_offline",
        "statement": (
            "APPROVAL CHECKPOINT CYCLONEDX POINTER PROVENANCE SPDX TEST_RESULT VERIFICATION_SUMMARY WAIVER Statement Subject"
        ),
        "verify": "Verified read_bundles verify_file",
    },
)
