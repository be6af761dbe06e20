"""Verification summaries: the decision that moved a channel, as a statement that others can check (SLSA VSA v1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import metadata

from goldsmith.evidence.bundle import SignedStatement
from goldsmith.evidence.moments import moment
from goldsmith.evidence.statement import VERIFICATION_SUMMARY, Statement, Subject
from goldsmith.hcl.diagnostics import Bug, Diagnostic
from goldsmith.registry import versions
from goldsmith.registry.accepted import disks_of
from goldsmith.registry.canonical import digest_of_bytes
from goldsmith.registry.transaction import Reader, Transaction

VERIFIER = "urn:goldsmith:registry"


def statement_of(reader: Reader, decision: str) -> Statement:
    """The summary of a decision: subject is the version and its disks, inputs are all statements that counted.

    https://slsa.dev/spec/v1.1/verification_summary; a channel that moved through broken glass has the result FAILED.
    """
    row = reader.first("SELECT doc FROM decision WHERE digest = :digest", digest=decision)
    if row is None:
        raise Bug(Diagnostic(code="registry.no-decision", what=f"the decision {decision} is not recorded"))
    document = json.loads(row.text("doc"))
    version = versions.by_digest(reader, document["version"])
    assert version is not None
    names = (("version", version.digest), *(("disk", disk) for disk in disks_of(reader, version.id)))
    place = f"{document['image']}@{document['channel']}"
    met = document["verdict"] == "met"
    predicate: Mapping[str, object] = {
        "verifier": {"id": VERIFIER, "version": {"goldsmith": metadata.version("goldsmith")}},
        "timeVerified": moment(document["at"] // 1_000_000),
        "resourceUri": f"urn:goldsmith:image:{version.image}:{version.number}",
        "policy": {"uri": f"urn:goldsmith:channel:{place}", "digest": _sha256(document["policy"])},
        "inputAttestations": [{"digest": _sha256(item)} for item in _inputs(document)],
        "verificationResult": "PASSED" if met else "FAILED",
        "verifiedLevels": [f"GOLDSMITH_{document['channel'].upper()}"] if met else [],
        "slsaVersion": "1.1",
        "goldsmith_decision": {"digest": decision, "event": document["event"], "generation": document["generation"] + 1},
    }
    subjects = [Subject(name=name, sha256=digest.removeprefix("sha256:")) for name, digest in names]
    return Statement(subjects=subjects, predicate_type=VERIFICATION_SUMMARY, predicate=predicate)


def _inputs(document: Mapping[str, Sequence[str]]) -> list[str]:
    """Evidence, waivers and approvals by the digests of their statements; older decisions name evidence alone."""
    return [item for kind in ("statements", "waivers", "approvals") for item in document.get(kind, ())]


def unsigned(reader: Reader) -> tuple[str, ...]:
    """The decisions that moved a channel and have no summary, the oldest first: signing failed, or was never tried."""
    rows = reader.rows(
        """SELECT a.decision_digest AS decision FROM assignment a LEFT JOIN summary s ON s.decision = a.decision_digest
        WHERE a.decision_digest IS NOT NULL AND s.decision IS NULL ORDER BY a.seq LIMIT 1000"""
    )
    return tuple(row.text("decision") for row in rows)


def bundle_of(reader: Reader, decision: str) -> str | None:
    """The signed summary of a decision, or None while it is pending."""
    row = reader.first("SELECT bundle FROM summary WHERE decision = :decision", decision=decision)
    return None if row is None else row.text("bundle")


def record(tx: Transaction, decision: str, signed: SignedStatement) -> None:
    """Keep a signed summary; a decision has one, and a second changes nothing."""
    if bundle_of(tx, decision) is not None:
        return
    bundle = signed.bundle.decode()
    row = {"decision": decision, "statement_digest": signed.digest, "signer": signed.signer, "bundle": bundle}
    tx.insert("summary", {**row, "bundle_digest": digest_of_bytes(signed.bundle), "seq": tx.seq})
    tx.event("summary.signed", {"decision": decision, "statement": signed.digest, "signer": signed.signer})


def _sha256(digest: str) -> Mapping[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
