"""The certificate of a conversion: what was run and compared, as a signed statement about the role as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.assist.coverage import coverage_of
from goldsmith.assist.proof import Claim, Proof
from goldsmith.assist.runs import Ground
from goldsmith.build.keys import implementation
from goldsmith.evidence import Statement, sign
from goldsmith.evidence.conversion import BESIDE_PLAYBOOK, conversion_statement
from goldsmith.images.whole import write_whole
from goldsmith.provisioners.ansible import find_ansible
from goldsmith.provisioners.ansible_program import version

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

_PARTS = ("compare", "decoders", "findings", "judging", "noise", "proof", "runs", "stacked")
"""What decides what a proof finds."""


def statement_of(proof: Proof, claim: Claim, ground: Ground) -> Statement:
    """What a proof showed, about the role as it is now. A refused role gets none: see `certify`."""
    return conversion_statement(
        claim.role,
        {
            "verdict": proof.verdict,
            "shortcomings": list(proof.shortcomings),
            "original": [{"path": script.path, "sha256": hashlib.sha256(script.text).hexdigest()} for script in claim.scripts],
            "parent": ground.parent.digest or ground.parent.name,
            "environment": _digest({"scripts": claim.environment, "role": claim.variables}),
            "engine": _engine(),
            "examined": proof.examined,
            "classes": dict(proof.classes),
            "mask": {"paths": len(proof.mask.fields), "digest": _digest(sorted(proof.mask.fields))},
            "second_run": {"changed": len(proof.second.changed), "paths": len(proof.second.paths)},
            "downloads": {
                "record": proof.downloads.record or "none: the runs had no way to servers",
                "urls": proof.downloads.urls,
                "replayed": proof.downloads.are_replayed,
                "new": len(proof.downloads.missed_by_role),
            },
            "branches": _branches(claim),
            "tasks": {"run": sum(task.kind != "skipped" for task in proof.tasks), "not_run": _skipped(proof)},
            "divergences": [
                {"path": item.path, "reason": item.reason, "owner": item.owner, "expires": str(item.expires)}
                for item in claim.divergences
            ],
            "runtime_effects": "not examined",
        },
    )


def certify(proof: Proof, claim: Claim, ground: Ground, signer: CryptoSigner | None) -> Path | None:
    """Sign what a proof showed and keep it beside the playbook; a refused role loses the certificate that it had."""
    place = claim.role / BESIDE_PLAYBOOK
    if proof.verdict == "refused" or signer is None:
        place.unlink(missing_ok=True)
        return None
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, sign(statement_of(proof, claim, ground), signer).bundle.decode() + "\n")
    return place


def _branches(claim: Claim) -> Mapping[str, object] | str:
    if claim.ledger is None:
        return "not examined"
    covered = coverage_of(claim.scripts, claim.ledger)
    return {"all": len(covered.arms), "run": covered.run, "not_proven": list(map(str, covered.missed))}


def _skipped(proof: Proof) -> int:
    return sum(task.kind == "skipped" for task in proof.tasks)


def _engine() -> Mapping[str, str]:
    playbook = find_ansible()
    return {
        "goldsmith": installed_version("goldsmith"),
        "proof": implementation(*(f"goldsmith.assist.{name}" for name in _PARTS)),
        "ansible_core": version(playbook) if playbook is not None else "none",
    }


def _digest(data: object) -> str:
    """Values may be secrets: only their digest is told."""
    return "sha256:" + hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
