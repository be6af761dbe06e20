"""Waivers, conditions and what becomes of channels, from the project file and the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import TEST_RESULT, load_or_create_signer, load_public_key, open_bundle
from goldsmith.hcl.diagnostics import UserError
from goldsmith.project import load_project
from goldsmith.project.policy import policy_document
from goldsmith.registry import VerifiedStatement, Version
from tests.project.test_project_approvals import add_version, registry_of

PROJECT = """
image "web" {
  template = "."
}
gate "boot" {}
security "sam" {
  key = "sam.pub"
}
channel "dev" {}
channel "prod" {
  requires   = ["boot"]
  signers    = ["ci.pub"]
  conditions = [version.number < 3]
  on_unfit   = "rollback"
}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("sam", "ci", "mallory"):
        load_or_create_signer(tmp_path / f"{name}.key")
    (tmp_path / "goldsmith.hcl").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    with registry_of(tmp_path) as registry:
        for number in (1, 2, 3):
            add_version(registry, tmp_path, number)
            prove(tmp_path, registry.resolve(f"web:{number}"), "fail" if number == 2 else "pass")
    return tmp_path


def prove(place: Path, version: Version, verdict: str) -> None:
    key = str(load_public_key(place / "ci.pub").keyid)
    failing = ("ssh root (served)",) if verdict == "fail" else ()
    statement = VerifiedStatement(
        subjects=(version.digest,),
        predicate_type=TEST_RESULT,
        statement_digest=f"sha256:{version.number:064}",
        signer=key,
        gate="boot",
        verdict="fail" if failing else "pass",
        failing=failing,
        issued_at=1,
    )
    with registry_of(place) as registry:
        registry.attest(version, statement, b"signed", "user:ci")


def test_a_finding_is_waived_listed_and_withdrawn_by_commands(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    waiver = ["waive", "-reason=not reachable", f"-until={day}T12:00Z", "ssh root (served)", "web@prod"]
    assert run(["promote", "web", "prod", "web:1"]) == 0
    assert run(["promote", "web", "prod", "web:2"]) == 2
    assert 'sam may waive it: goldsmith waive "ssh root (served)" web:2' in capsys.readouterr().out
    assert run(waiver) == 1
    assert "waive.no-key" in capsys.readouterr().out
    assert run([*waiver, "-key=mallory.key"]) == 1
    assert "waive.unknown-key" in capsys.readouterr().out
    assert run(["waive", "-reason=x", "-key=sam.key", "ssh root (served)", "web@prod"]) == 1
    assert "waive.until" in capsys.readouterr().out

    assert run([*waiver, "-key=sam.key"]) == 0
    assert run(["promote", "web", "prod", "web:2"]) == 0
    assert run(["waive"]) == 0

    told = capsys.readouterr().out
    assert f"waiver 1: ssh root (served) in web@prod until {day} 12:00:00Z\n  owner sam: not reachable" in told
    assert "1 waivers stand." in told
    with registry_of(place) as registry:
        (given,) = registry.waivers()
    opened = open_bundle(given.bundle.encode(), [load_public_key(place / "sam.pub")])
    assert opened.statement.predicate == given.document
    assert opened.digest == given.statement_digest

    # The channel rests on it, and its policy says what follows.
    assert run(["waive", "-withdraw=1", "-reason=it is reachable"]) == 0
    assert run(["resolve", "web", "prod"]) == 0
    assert "web:1 sha256:" in capsys.readouterr().out
    assert run(["registry", "due"]) == 0


def test_a_condition_is_compiled_as_written_and_keeps_a_version_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = policy_document(load_project(place / "goldsmith.hcl"), "prod")
    assert document["conditions"] == ["version.number < 3"]
    assert document["on_unfit"] == "rollback"
    assert set(policy_document(load_project(place / "goldsmith.hcl"), "dev")) == {
        "after",
        "soak_s",
        "requires",
        "approvals",
        "rollback",
        "security",
    }

    assert run(["promote", "web", "prod", "web:3"]) == 2

    told = capsys.readouterr().out
    assert "condition 1 of web@prod: false" in told
    assert "1 │ version.number < 3" in told


@pytest.mark.parametrize(
    "line", ['conditions = "version.number < 3"', "conditions = [versoin.number < 3]", "conditions = [7]", 'on_unfit = "panic"']
)
def test_a_channel_that_says_nonsense_is_refused_with_its_place(place: Path, line: str) -> None:
    (place / "goldsmith.hcl").write_text(PROJECT.replace("conditions = [version.number < 3]", line))

    with pytest.raises(UserError) as caught:
        load_project(place / "goldsmith.hcl")

    assert caught.value.diagnostics[0].where is not None


def test_a_promotion_of_several_channels_is_taken_back_as_a_whole(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moves = '[{"image": "web", "channel": "dev", "version": "web:3"}, {"image": "web", "channel": "prod", "version": "web:1"}]'
    (place / "set.json").write_text(moves)
    assert run(["promote", "web", "dev", "web:1"]) == 0
    assert run(["promote", "-set=set.json"]) == 0
    assert "To take it back as a whole: goldsmith rollback -request=2" in capsys.readouterr().out

    assert run(["rollback", "-request=2"]) == 2
    assert "goldsmith rollback -empty web prod" in capsys.readouterr().out
    assert run(["rollback", "-empty", "-reason=nothing is fit", "web", "prod"]) == 0
    assert "web@prod is empty (generation 2)" in capsys.readouterr().out
    assert run(["rollback", "-request=2"]) == 4
    assert "rollback.moved-on" in capsys.readouterr().out
    assert run(["resolve", "web", "prod"]) == 2
    assert run(["rollback"]) == 1
    assert run(["rollback", "-request=99"]) == 1
