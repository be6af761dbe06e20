"""Accepts evidence: a verified statement becomes a fact about exactly one registered version."""

from __future__ import annotations

from dataclasses import replace

from goldsmith.evidence.statement import CYCLONEDX, PROVENANCE, SPDX, TEST_RESULT, VERIFICATION_SUMMARY
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, Refused
from goldsmith.registry.accepted import VERDICTS, disks_of, known_statement
from goldsmith.registry.blobs import Blob, BlobStore
from goldsmith.registry.canonical import JSON, canonical, digest_of_bytes, is_digest
from goldsmith.registry.db import Database
from goldsmith.registry.entities import Evidence, VerifiedStatement, Version
from goldsmith.registry.living import hold_version
from goldsmith.registry.ownership import claim
from goldsmith.registry.sweeping import admit, finish, standings
from goldsmith.registry.transaction import Cells, Transaction

PREDICATE_TYPES = frozenset(
    {
        PROVENANCE,
        TEST_RESULT,
        CYCLONEDX,
        SPDX,
        VERIFICATION_SUMMARY,
        "https://in-toto.io/attestation/vulns/v0.2",
        "https://in-toto.io/attestation/svr/v0.2",
    }
)
"""The kinds of statements that are understood, matched by exact version; another one is refused."""

LARGEST_BUNDLE = 50_000_000
"""Bytes; a bill of materials of a large image has some ten million."""
MOST_SUBJECTS = 16
FUTURE_US = 30_000_000
"""How far the signer's clock may run ahead."""
MOST_FINDINGS = 1_000
"""Findings beyond this are counted in one entry that no waiver can name, so that an image with very many still fails."""

_NEW_FINDING = """INSERT INTO finding (evidence, vulnerability, package, layer, purl)
VALUES (:evidence, :vulnerability, :package, :layer, :purl)"""


def attest(
    database: Database, store: BlobStore, version: Version, statement: VerifiedStatement, bundle: bytes, actor: str
) -> Evidence:
    """Accept a statement whose signature the caller has verified; a known one changes nothing and is given back.

    Channels that hold the version are held against their policies anew in the same change: see `living.hold_version`.
    Raises `Refused`, after recording that, for an unknown predicate type, a subject that is not of this version, a time to
    come, or a bundle that is too large.
    """
    faults = _faults_of_form(statement, bundle)
    if not faults:
        claim(database, store)
    for _ in range(5):
        with database.read() as reader:
            before = standings(reader, [digest_of_bytes(bundle)])
        blob = Blob("", 0) if faults else store.put_bytes(bundle)
        with database.write(actor) as tx:
            faults = faults or _faults_of_content(tx, version, statement)
            if faults:
                data = {"version": version.digest, "statement": statement.statement_digest, "gate": statement.gate}
                tx.event("evidence.refused", {**data, "reason": "; ".join(fault.what for fault in faults)})
                raise Refused(*faults)
            if known := known_statement(tx, version.id, statement.statement_digest):
                return replace(known, existed=True)
            lost = admit(tx, [blob], before)
            if not lost:
                accepted = _accepted(tx, version, statement, blob)
                hold_version(tx, version.id)
                return accepted
        finish(database, store, lost, actor)
    raise MachineError(
        Diagnostic(
            code="registry.bytes-vanish",
            what=f'evidence vanishes from the store "{store.name}" while it is recorded',
            next="Another program deletes files there. Stop it, then run the command again.",
        )
    )


def _faults_of_form(statement: VerifiedStatement, bundle: bytes) -> tuple[Diagnostic, ...]:
    faults = []
    if statement.predicate_type not in PREDICATE_TYPES:
        what = f'evidence of the type "{statement.predicate_type}" is not understood'
        faults.append(
            Diagnostic(code="evidence.unknown-type", what=what, next=f"Known types: {', '.join(sorted(PREDICATE_TYPES))}.")
        )
    if len(bundle) > LARGEST_BUNDLE:
        what = f"the evidence has {len(bundle)} bytes, {LARGEST_BUNDLE} are allowed"
        faults.append(
            Diagnostic(code="evidence.too-large", what=what, next="Leave out what is not needed, then sign it again.")
        )
    if not is_digest(statement.statement_digest) or not statement.gate or statement.verdict not in VERDICTS:
        what = "the evidence lacks a digest, a gate or a verdict"
        faults.append(Diagnostic(code="evidence.incomplete", what=what, next="Make it again: goldsmith build."))
    return tuple(faults)


def _faults_of_content(tx: Transaction, version: Version, statement: VerifiedStatement) -> tuple[Diagnostic, ...]:
    disks = disks_of(tx, version.id)
    artifacts = {
        row.text("digest") for row in tx.rows("SELECT digest FROM artifact WHERE version = :version", version=version.id)
    }
    foreign = set(statement.subjects) - {version.digest, *disks} - artifacts
    faults = []
    if foreign or len(statement.subjects) > MOST_SUBJECTS:
        what = f"the evidence is about {', '.join(sorted(foreign)[:3]) or 'too many things'}, which is not {version.ref}"
        why = f"{version.ref} is {version.digest}"
        next = "Give the evidence that was made for this version."
        faults.append(Diagnostic(code="evidence.foreign-subject", what=what, why=why, next=next))
    elif not _covered(statement, version, disks):
        what = f"the evidence names neither {version.ref} nor one of its disks"
        faults.append(Diagnostic(code="evidence.no-subject", what=what, next="Make it again: goldsmith build."))
    if statement.issued_at > tx.at + FUTURE_US:
        what = f"the evidence was issued {(statement.issued_at - tx.at) // 1_000_000} s in the future"
        faults.append(
            Diagnostic(code="evidence.future", what=what, next="Set the clocks of both machines, then make it again.")
        )
    return tuple(faults)


def _covered(statement: VerifiedStatement, version: Version, disks: tuple[str, ...]) -> tuple[str, ...]:
    """The disks that the statement speaks about; an empty name stands for the whole version."""
    if version.digest in statement.subjects:
        return ("",)
    return tuple(disk for disk in disks if disk in statement.subjects)


def _accepted(tx: Transaction, version: Version, statement: VerifiedStatement, blob: Blob) -> Evidence:
    covered = _covered(statement, version, disks_of(tx, version.id))
    found: list[Cells] = []
    for disk in covered:
        number = tx.insert(
            "evidence",
            {
                "version": version.id,
                "disk": disk,
                "gate": statement.gate,
                "predicate_type": statement.predicate_type,
                "statement_digest": statement.statement_digest,
                "blob": blob.digest,
                "signer": statement.signer,
                "verdict": statement.verdict,
                "failing": canonical(_bounded(statement.failing)).decode(),
                "config_digest": statement.config_digest,
                "issued_at": statement.issued_at,
                "expires_at": statement.expires_at,
                "seq": tx.seq,
            },
        )
        found += _findings(number, statement)
    # They follow from the signed statement, which the event names.
    tx.unlogged(_NEW_FINDING, found)
    data: dict[str, JSON] = {"version": version.digest, "statement": statement.statement_digest, "gate": statement.gate}
    data |= {"disks": covered, "verdict": statement.verdict, "signer": statement.signer, "config": statement.config_digest}
    tx.event("evidence.accepted", {**data, "issued_at": statement.issued_at, "expires_at": statement.expires_at})
    accepted = known_statement(tx, version.id, statement.statement_digest)
    assert accepted is not None
    return accepted


def _findings(evidence: int, statement: VerifiedStatement) -> list[Cells]:
    rows: dict[tuple[str, str, str], Cells] = {}
    for item in statement.vulnerabilities:
        key = (item.id, item.package, item.layer)
        rows[key] = {
            "evidence": evidence,
            "vulnerability": item.id,
            "package": item.package,
            "layer": item.layer,
            "purl": item.purl,
        }
    return list(rows.values())


def _bounded(findings: tuple[str, ...]) -> tuple[str, ...]:
    if len(findings) <= MOST_FINDINGS:
        return findings
    return (*findings[:MOST_FINDINGS], f"and {len(findings) - MOST_FINDINGS} more")
