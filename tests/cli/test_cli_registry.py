"""The registry's commands at the command line, on a real registry."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pygohcl
import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import TEST_RESULT, Statement, Subject, load_or_create_signer, sign
from goldsmith.project import load_project, open_registry
from goldsmith.project.registration import vulnerabilities_of
from goldsmith.registry import JSON, ArtifactFile, Package, VerifiedStatement
from goldsmith.registry.entities import Verdict

GOLDSMITH = Path(__file__).parents[2] / ".venv/bin/goldsmith"
PROJECT = 'image "web" {\n  template = "."\n}\nchannel "dev" {}\n'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with web:1 and web:2, both promoted to dev in turn."""
    (tmp_path / "goldsmith.hcl").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    with open_registry(load_project(tmp_path / "goldsmith.hcl")) as registry:
        for number in (1, 2):
            disk = "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()
            document: dict[str, JSON] = {
                "image": "web",
                "parent": None,
                "inputs": "",
                "layers": [disk],
                "disks": {"amd64": disk},
            }
            path = tmp_path / f"{number}.raw"
            path.write_bytes(b"disk" * number)
            packages = {disk: [Package(purl_type="deb", name="openssl", version=f"3.{number}")]}
            files = [ArtifactFile("raw", path)]
            registry.register("web", document, artifacts=files, packages=packages, builder="user:ci", actor="user:ci")
    for number in (1, 2):
        assert run(["promote", "web", "dev", f"web:{number}"]) == 0
    return tmp_path


def test_a_backup_is_restored_by_commands(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["registry", "backup", "copy.db"]) == 0
    assert run(["registry", "check", "-deep"]) == 0
    assert run(["registry", "migrate"]) == 0
    assert run(["registry", "restore", "copy.db"]) == 1
    (place / ".goldsmith/registry.db").unlink()
    for left in (place / ".goldsmith").glob("registry.db-*"):
        left.unlink()

    assert run(["registry", "restore", "copy.db"]) == 0
    assert run(["show", "web@dev"]) == 0

    told = capsys.readouterr().out
    assert "registry.not-empty" in told
    assert "sound" in told
    assert "web:2" in told


def test_a_command_leaves_nothing_but_the_database_itself(place: Path) -> None:
    subprocess.run([GOLDSMITH, "promote", "web", "dev", "web:1"], cwd=place, check=True, capture_output=True)

    assert [path.name for path in (place / ".goldsmith").glob("registry*")] == ["registry.db"]


def test_revoking_moves_back_and_restoring_takes_it_back(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["revoke", "web:2"]) == 1
    assert run(["revoke", "-dry-run", "-reason=bad", "web:2"]) == 0
    assert run(["revoke", "-reason=bad", "-owner=team-web", "web:2"]) == 0
    told = capsys.readouterr().out
    assert "revoke.no-reason" in told
    assert "web@dev goes back to web:1" in told
    assert "owner team-web" in told

    assert run(["promote", "web", "dev", "web:2"]) == 2
    assert run(["restore", "-reason=it was another file", "web:2"]) == 0
    assert run(["promote", "web", "dev", "web:2"]) == 0
    assert run(["revoke", "-at=next week", "-reason=x", "web:2"]) == 1
    assert run(["revoke", "-at=2100-01-01T00:00Z", "-reason=old", "web:2"]) == 0
    assert run(["revoke", "-due"]) == 0


def test_blast_tells_people_and_programs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["blast", "openssl@3.2"]) == 2
    told = capsys.readouterr().out
    assert "web@dev points at web:2" in told
    assert "rebuild   web" in told

    assert run(["blast", "-json", "openssl@9"]) == 0
    assert json.loads(capsys.readouterr().out)["struck"] == []


def test_a_frozen_channel_is_told_and_opened_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rollback", "-freeze", "-reason=502s", "web", "dev"]) == 0
    assert run(["promote", "web", "dev", "web:2"]) == 2
    assert run(["show", "web@dev"]) == 0
    assert "frozen: 502s" in capsys.readouterr().out
    assert run(["freeze", "-lift", "web", "dev"]) == 0
    assert run(["freeze", "web", "dev"]) == 1


def test_what_a_signed_result_says_of_vulnerabilities_is_read_under_each_name() -> None:
    names = ["DSA-1-1", "CVE-2030-1", "CVE-2030-1"]
    finding = {"subject": "pkg:deb/debian/openssl@3.0?arch=amd64", "aliases": names, "layer": "l"}
    facts = {"findings": [finding, {"subject": "x", "aliases": []}]}
    predicate = {"goldsmith_result": {"gate": "vulnerabilities", "facts": facts}}
    statement = Statement(subjects=[], predicate_type=TEST_RESULT, predicate=predicate)

    found = [(item.id, item.package, item.layer) for item in vulnerabilities_of(statement)]

    assert found == [("DSA-1-1", "openssl", "l"), ("CVE-2030-1", "openssl", "l")]
    assert list(vulnerabilities_of(Statement(subjects=[], predicate_type=TEST_RESULT, predicate={}))) == []


def test_why_a_gate_did_not_pass_is_shown_while_that_counts(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attest(place, "web:2", "error", ["error 0"], 0)
    attest(place, "web:2", "fail", [f"fail {item}" for item in range(12)], 1)
    assert run(["show", "web:2"]) == 0

    told = capsys.readouterr().out
    assert [line.strip() for line in told.splitlines() if "fail " in line] == [f"fail {item}" for item in range(10)]
    assert "and 2 more" in told
    assert "error 0" not in told, "an older verdict counts no more"

    for blob in (place / ".goldsmith/store/blobs/sha256").iterdir():
        blob.chmod(0o644)
        blob.write_bytes(blob.read_bytes() + b" ")
    assert run(["show", "web:2"]) == 0
    assert "has other bytes than its name says" in capsys.readouterr().out


def attest(place: Path, reference: str, verdict: Verdict, reasons: list[str], issued_at: int) -> None:
    """Record what a gate said, signed by the project."""
    with open_registry(load_project(place / "goldsmith.hcl")) as registry:
        version = registry.resolve(reference)
        result = {"gate": "hardening", "verdict": verdict, "reasons": reasons}
        subjects = [Subject(name="version", sha256=version.digest.removeprefix("sha256:"))]
        made = Statement(subjects=subjects, predicate_type=TEST_RESULT, predicate={"goldsmith_result": result})
        signed = sign(made, load_or_create_signer(place / "goldsmith.key"))
        verified = VerifiedStatement(
            subjects=(version.digest,),
            predicate_type=TEST_RESULT,
            statement_digest=signed.digest,
            signer=signed.signer,
            gate="hardening",
            verdict=verdict,
            issued_at=issued_at,
        )
        registry.attest(version, verified, signed.bundle, "user:ci")


def test_the_log_is_read_exported_signed_and_verified(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "checkpoint"]) == 0
    assert run(["promote", "web", "dev", "web:1"]) == 0
    assert run(["audit", "checkpoint"]) == 0
    capsys.readouterr()

    assert run(["audit", "verify"]) == 0
    assert "3 checkpoints: whole" in capsys.readouterr().out
    assert run(["audit", "log", "-type=promotion"]) == 0
    assert capsys.readouterr().out.count("promotion.committed") == 3
    assert run(["audit", "export"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert {"hash", "at", "actor", "type", "data"} <= set(lines[0])


def test_a_log_that_was_rewritten_or_cut_is_convicted_by_a_checkpoint(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(place / ".goldsmith", place / "old")
    assert run(["promote", "web", "dev", "web:1"]) == 0
    assert run(["audit", "checkpoint", "-checkpoints", "outside"]) == 0
    present = place / ".goldsmith"
    shutil.move(present, place / "newer")
    shutil.move(place / "old", present)

    assert run(["audit", "verify", "-checkpoints", "outside"]) == 1
    assert "audit.checkpoint-ahead" in capsys.readouterr().out
    for reason in ("another", "history", "of", "the", "same", "length"):
        assert run(["freeze", "web", "dev", f"-reason={reason}"]) == 0
    assert run(["audit", "verify", "-checkpoints", "outside"]) == 1
    assert "audit.checkpoint-root" in capsys.readouterr().out

    checkpoint = next((place / "outside").iterdir())
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b'"payload":"e', b'"payload":"f'))
    assert run(["audit", "verify", "-checkpoints", "outside"]) == 1
    assert "evidence.bad-signature" in capsys.readouterr().out


def test_a_channel_is_resolved_for_each_consumer_now_and_then(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["resolve", "-format=json", "web", "dev"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["version"], answer["generation"], Path(answer["raw"]).read_bytes()) == (2, 2, b"diskdisk")

    assert run(["resolve", "-format=tfvars", "web", "dev"]) == 0
    terraform = capsys.readouterr().out
    parsed = pygohcl.loads(terraform)["web_dev"]
    assert parsed == answer
    assert run(["resolve", "-format=env", "web", "dev"]) == 0
    command = ["sh", "-c", 'eval "$1"; echo "$GOLDSMITH_DIGEST"', "sh", capsys.readouterr().out]
    shell = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == answer["digest"]

    with open_registry(load_project(place / "goldsmith.hcl")) as registry:
        first = registry.history("web", "dev")[1]
    assert run(["resolve", f"-at={first.seq}", "web", "dev"]) == 0
    assert capsys.readouterr().out.startswith("web:1 ")
    assert run(["resolve", "-at=2000-01-01T00:00Z", "web", "dev"]) == 2
    assert run(["resolve", "-at=2100-01-01", "web", "dev"]) == 0
    assert run(["resolve", "web", "nowhere"]) == 1


def test_one_artifact_is_chosen_by_its_place_and_leads_back(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["copies", "-add=aws:123456789012:eu-west-1:ami-1", "-add=aws:123456789012:us-east-1:ami-2", "web:2"]) == 0
    capsys.readouterr()

    assert run(["resolve", "-platform=aws", "-region=us-east-1", "-format=id", "web", "dev"]) == 0
    assert capsys.readouterr().out == "ami-2\n"
    assert run(["resolve", "-region=eu-west-1", "-format=tfvars", "web", "dev"]) == 0
    chosen = pygohcl.loads(capsys.readouterr().out)["web_dev"]
    assert (chosen["artifact"], chosen["platform"], chosen["bound_by"]) == ("ami-1", "aws", "declared")
    assert run(["resolve", "-format=json", "web", "dev"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ami_eu_west_1"], answer["ami_us_east_1"]) == ("ami-1", "ami-2")
    assert run(["resolve", "-platform=aws", "-format=id", "web", "dev"]) == 1
    assert run(["resolve", "-region=eu-north-1", "web", "dev"]) == 2
    assert run(["resolve", "-artifact=ami-2"]) == 0
    told = capsys.readouterr().out
    assert "resolve.several" in told
    assert "resolve.elsewhere" in told
    assert "ami in aws 123456789012 us-east-1, published\n  in web@dev" in told
    assert run(["resolve", "-artifact=ami-2", "-format=json"]) == 0
    assert [(item["image"], item["version"], item["channels"]) for item in json.loads(capsys.readouterr().out)] == [
        ("web", 2, ["web@dev"])
    ]
    assert run(["resolve", "-artifact=ami-9"]) == 1
    assert run(["show", "web:2"]) == 0
    assert "artifact  ami  ami-2 in aws 123456789012 us-east-1, published" in capsys.readouterr().out


def test_a_revoked_version_is_given_only_as_history(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["revoke", "-reason=bad", "-channels=leave", "web:2"]) == 0
    assert run(["resolve", "web", "dev"]) == 2
    capsys.readouterr()

    assert run(["resolve", "-at=2100-01-01", "web", "dev"]) == 0

    told = capsys.readouterr()
    assert told.out.startswith("web:2 ")
    assert "revoked by now: bad" in told.err


def test_a_version_is_held_and_released(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hold", "-until=2100-01-01T00:00Z", "-holder=audit", "web:1"]) == 0
    assert run(["show", "web:1"]) == 0
    assert "hold by audit" in capsys.readouterr().out
    assert run(["hold", "-release", "-holder=audit", "web:1"]) == 0
    assert run(["show", "web:1"]) == 0
    assert "hold by audit" not in capsys.readouterr().out
