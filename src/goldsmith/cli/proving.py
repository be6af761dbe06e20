"""What `convert -prove` says: the verdict, each difference with its line and task, and where the certificate is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.cli.saying import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securesystemslib.signer import CryptoSigner

    from goldsmith.assist.findings import Finding
    from goldsmith.assist.proof import Proof
    from goldsmith.project import Project

DIVERGENCES, PROPOSED = "divergences.yml", "divergences.proposed.yml"
"""What somebody answers for, and what somebody would have to answer for; beside the playbook."""
_MOST_FINDINGS = 30


def signer_for(key: Path | None, project: Project | None) -> CryptoSigner | None:
    """Who signs a certificate: the key that is named, else the project's; None where there is neither."""
    import os

    from goldsmith.evidence import load_or_create_signer

    if key is not None:
        return load_or_create_signer(key, os.environ.get("GOLDSMITH_PASSPHRASE", ""))
    if project is None:
        return None
    passphrase = os.environ.get(project.signing.passphrase_env, "")
    return load_or_create_signer(project.root / project.signing.key, passphrase)


def propose(proof: Proof, output: Path) -> Path | None:
    """Write the divergences that would explain what is not; None when there is nothing to explain."""
    from goldsmith.assist.divergences import proposed

    place = output / PROPOSED
    unexplained = [finding.judged.difference for finding in proof.findings]
    if not unexplained:
        place.unlink(missing_ok=True)
        return None
    place.write_text(proposed(unexplained), encoding="utf-8")
    return place


def say_proof(proof: Proof, on: str, certificate: Path | None, proposal: Path | None) -> None:
    """Tell a person what the runs showed."""
    classes = ", ".join(f"{count:,} {name}" for name, count in proof.classes.items() if count)
    say(f"\n{proof.verdict} on {on}: of {proof.examined:,} paths {classes or 'none'}")
    for line in proof.shortcomings:
        say(f"  {line}")
    if proof.fault is not None:
        say(f"  {proof.fault.why}")
    for finding in proof.findings[:_MOST_FINDINGS]:
        for line in _lines(finding):
            say(f"  {line}")
    if len(proof.findings) > _MOST_FINDINGS:
        say(f"  … and {len(proof.findings) - _MOST_FINDINGS} more differences")
    if proof.downloads.record:
        say(f"Downloads: {proof.downloads.urls} addresses, the same answers in every run")
    if certificate is not None:
        say(f"The certificate is in {certificate}")
    if proposal is not None:
        say(f"To answer for a difference, complete its entry in {proposal} and move it to {proposal.with_name(DIVERGENCES)}")


def proof_as_json(proof: Proof, certificate: Path | None) -> dict[str, object]:
    """The same for programs."""
    return {
        "verdict": proof.verdict,
        "shortcomings": list(proof.shortcomings),
        "examined": proof.examined,
        "classes": dict(proof.classes),
        "second_run": {
            "changed": [task.name for task in proof.second.changed],
            "paths": [item.shown for item in proof.second.paths],
        },
        "differences": [
            {"path": item.difference.shown, "field": item.difference.field, "class": item.verdict, "reason": item.reason}
            for item in proof.judged
        ],
        "findings": [
            {
                "path": finding.judged.difference.shown,
                "field": finding.judged.difference.field,
                "script": finding.judged.difference.one,
                "role": finding.judged.difference.other,
                "line": finding.line,
                "task": finding.task,
                "facts": list(finding.judged.facts),
                "diff": list(finding.diff),
            }
            for finding in proof.findings
        ],
        "certificate": str(certificate) if certificate is not None else None,
    }


def _lines(finding: Finding) -> Iterator[str]:
    difference = finding.judged.difference
    yield f"{difference.shown}  {difference.field}: {difference.one} → {difference.other} ({finding.judged.reason})"
    if finding.line:
        yield f"    line  {finding.line}"
    if finding.task:
        yield f"    task  {finding.task}"
    for line in (*finding.judged.facts, *finding.diff):
        yield f"    {line}"
