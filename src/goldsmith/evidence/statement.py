"""in-toto Statement v1: what is claimed about which digests, as canonical JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
CYCLONEDX = "https://cyclonedx.org/bom"
SPDX = "https://spdx.dev/Document"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
APPROVAL = "urn:goldsmith:approval:v1"
WAIVER = "urn:goldsmith:waiver:v1"
CHECKPOINT = "urn:goldsmith:checkpoint:v1"
POINTER = "urn:goldsmith:pointer:v1"
CONVERSION = "urn:goldsmith:conversion:v1"
CONTENTS = "urn:goldsmith:bundle:v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A named digest that a statement is about."""

    name: str
    sha256: str
    """Hex. A disk's or a version's digest stands here without its prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A claim. `predicate` is JSON-like data without floats."""

    subjects: Sequence[Subject]
    predicate_type: str
    predicate: Mapping[str, object]

    def payload(self) -> bytes:
        """The canonical bytes that are signed: sorted keys, no spaces."""
        document = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": item.name, "digest": {"sha256": item.sha256}} for item in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def parse_statement(payload: bytes) -> Statement:
    """The statement in signed bytes. Raises ValueError when it is none of version 1."""
    document = json.loads(payload)
    if not isinstance(document, dict) or document.get("_type") != STATEMENT_TYPE:
        raise ValueError("it is no in-toto statement of version 1")
    try:
        subjects = tuple(Subject(name=str(item["name"]), sha256=str(item["digest"]["sha256"])) for item in document["subject"])
        predicate = document["predicate"]
        kind = document["predicateType"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the statement lacks {error}") from error
    if not isinstance(predicate, dict) or not isinstance(kind, str):
        raise ValueError("the statement has no predicate")
    return Statement(subjects=subjects, predicate_type=kind, predicate=predicate)


def statement_digest(payload: bytes) -> str:
    """`sha256:<hex>` of the signed bytes: the name of a statement."""
    return "sha256:" + hashlib.sha256(payload).hexdigest()
