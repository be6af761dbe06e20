"""Signed statements about digests: in-toto, DSSE, Sigstore bundles, provenance, bills of materials."""

from goldsmith.evidence.bundle import SignedStatement, open_bundle, sign
from goldsmith.evidence.keys import load_or_create_signer, load_public_key, load_signer, public_path
from goldsmith.evidence.provenance import BuildRecord, Material, provenance
from goldsmith.evidence.sbom import Component, Described, cyclonedx, spdx
from goldsmith.evidence.statement import (
    APPROVAL,
    CHECKPOINT,
    CYCLONEDX,
    PROVENANCE,
    SPDX,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    Statement,
    Subject,
)
from goldsmith.evidence.verify import Verified, read_bundles, verify_file

__all__ = [
    "APPROVAL",
    "CHECKPOINT",
    "CYCLONEDX",
    "PROVENANCE",
    "SPDX",
    "TEST_RESULT",
    "VERIFICATION_SUMMARY",
    "BuildRecord",
    "Component",
    "Described",
    "Material",
    "SignedStatement",
    "Statement",
    "Subject",
    "Verified",
    "cyclonedx",
    "load_or_create_signer",
    "load_public_key",
    "load_signer",
    "open_bundle",
    "provenance",
    "public_path",
    "read_bundles",
    "sign",
    "spdx",
    "verify_file",
]
