"""Approvals and summaries of decisions with real keys, from the project file to the signed bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import VERIFICATION_SUMMARY, load_or_create_signer, load_public_key, open_bundle, public_path
from goldsmith.hcl.diagnostics import UserError
from goldsmith.project import load_project, open_registry, sign_decisions
from goldsmith.registry import JSON, ArtifactFile, Registry

PROJECT = """
image "web" {
  template = "."
}
approver "alice" {
  key = "alice.pub"
}
approver "bob" {
  key = "bob.pub"
}
channel "dev" {}
channel "prod" {
  after     = "dev"
  approvals = 2
}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("alice", "bob", "mallory"):
        load_or_create_signer(tmp_path / f"{name}.key")
    (tmp_path / "goldsmith.hcl").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    with registry_of(tmp_path) as registry:
        add_version(registry, tmp_path, 1)
    return tmp_path


def registry_of(place: Path) -> Registry:
    return open_registry(load_project(place / "goldsmith.hcl"))


def add_version(registry: Registry, place: Path, number: int) -> None:
    disk = "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()
    document: dict[str, JSON] = {
        "image": "web",
        "parent": None,
        "inputs": "",
        "layers": [],
        "boot": {},
        "disks": {"amd64": disk},
    }
    path = place / f"{number}.raw"
    path.write_bytes(str(number).encode() * 1000)
    files = [ArtifactFile("raw", path)]
    registry.register("web", document, artifacts=files, packages={}, builder="user:ci", actor="user:ci")


def test_two_people_approve_with_their_keys_and_the_move_is_signed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["promote", "web", "prod"]) == 2
    assert "1 unmet" not in capsys.readouterr().out
    assert run(["promote", "web", "dev"]) == 0
    assert run(["promote", "web", "prod"]) == 5
    assert "goldsmith approve 2" in capsys.readouterr().out
    assert run(["approve", "2", "-key", "alice.key"]) == 0
    assert run(["promote", "web", "prod"]) == 5
    assert run(["approve"]) == 0
    assert "approved by alice" in capsys.readouterr().out
    assert run(["approve", "2", "-key", "bob.key"]) == 0
    assert run(["promote", "web", "prod"]) == 0

    with registry_of(place) as registry:
        assert registry.unsigned() == ()
        request = registry.request(2)
        bundle = registry.bundle_of_decision(str(registry.history("web", "prod")[0].decision_digest))
    for item, name in zip(request.approvals, ("alice", "bob"), strict=True):
        opened = open_bundle(item.bundle.encode(), [load_public_key(place / f"{name}.pub")])
        assert opened.statement.predicate["approves"] == json.loads(json.dumps(request.binding))
    signed = open_bundle(str(bundle).encode(), [load_public_key(public_path(place / "keys/goldsmith.key"))])
    assert signed.statement.predicate_type == VERIFICATION_SUMMARY
    assert signed.statement.predicate["verificationResult"] == "PASSED"
    assert [subject.name for subject in signed.statement.subjects] == ["version", "disk"]


def test_a_summary_is_checked_by_openssl(place: Path) -> None:
    assert run(["promote", "web", "dev"]) == 0
    with registry_of(place) as registry:
        bundle = registry.bundle_of_decision(str(registry.history("web", "dev")[0].decision_digest))
    envelope = json.loads(str(bundle))["dsseEnvelope"]
    payload = b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    # DSSE v1.0.2, "pre-authentication encoding".
    (place / "signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (place / "signature").write_bytes(b64decode(envelope["signatures"][0]["sig"]))

    command = ["openssl", "dgst", "-sha256", "-verify", "keys/goldsmith.pub", "-signature", "signature", "signed"]

    assert subprocess.run(command, cwd=place, capture_output=True, text=True, check=False).stdout == "Verified OK\n"


def test_a_key_of_nobody_approves_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["promote", "web", "dev"])
    run(["promote", "web", "prod"])

    assert run(["approve", "1", "-key", "mallory.key"]) == 1
    assert run(["approve", "1", "-key", "absent.key"]) == 1
    assert run(["approve", "7", "-key", "alice.key"]) == 1

    told = capsys.readouterr().out
    assert all(code in told for code in ("approve.unknown-key", "approve.no-key", "approve.unknown-request"))


def test_a_move_stands_when_it_cannot_be_signed_and_the_next_one_signs_both(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "keys").mkdir()
    (place / "keys/goldsmith.key").write_text("no key")

    assert run(["promote", "web", "dev"]) == 0
    assert "pending" in capsys.readouterr().err

    (place / "keys/goldsmith.key").unlink()
    with registry_of(place) as registry:
        assert len(registry.unsigned()) == 1
        assert sign_decisions(load_project(place / "goldsmith.hcl"), registry) == 1


def test_a_set_from_a_file_moves_as_a_whole(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "set.json").write_text('[{"image": "web", "channel": "dev", "version": "web:1", "if_generation": 0}]')
    assert run(["promote", "-set", "set.json"]) == 0

    for wrong in ("[]", "{", '[{"image": "web"}]', '[{"image": "web", "channel": "dev", "colour": 1}]'):
        (place / "set.json").write_text(wrong)
        assert run(["promote", "-set", "set.json"]) == 1
    assert capsys.readouterr().out.count("[promote.set]") == 4


def test_glass_is_broken_loudly(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["promote", "-break-glass", "web", "prod"]) == 1
    assert run(["promote", "-break-glass", "-reason=fire", "-for=0s", "web", "prod"]) == 1
    assert run(["promote", "-break-glass", "-reason=fire", "-for=8d", "web", "prod"]) == 1
    assert run(["promote", "-break-glass", "-reason=fire", "-for=1h", "web", "prod"]) == 0

    assert "GLASS BROKEN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ('channel "x" {\n approvals = 3\n}', "project.too-few-approvers"),
        ('channel "x" {\n approvals = 1\n approvers = ["alise"]\n}', "project.unknown-approver"),
    ],
)
def test_approvals_that_nobody_could_give_are_a_fault_of_the_project(place: Path, wrong: str, code: str) -> None:
    (place / "goldsmith.hcl").write_text(PROJECT + wrong)

    with pytest.raises(UserError) as caught:
        load_project(place / "goldsmith.hcl")

    assert [item.code for item in caught.value.diagnostics] == [code]
