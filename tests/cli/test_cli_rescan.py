"""`rescan` and `explain`: yesterday's versions with today's advisories, by nothing but their signed bills of materials."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import CYCLONEDX, Described, Statement, Subject, cyclonedx, load_or_create_signer
from goldsmith.gates.inventory import components, read_inventory
from goldsmith.project import declare_channels, load_project, open_registry
from goldsmith.project.registration import attest_all
from goldsmith.project.statements import Claim, sign_claims
from tests.gates.advisory_workbench import DAY_S, FEED, NOW, Host, advisory, exploited, likely, told, tree
from tests.registry.registry_workbench import document

PROJECT = """
image "web" { template = "web" }
gate "vulnerabilities" {}
channel "dev" {}
channel "prod" { requires = ["vulnerabilities"] }
"""
CRITICAL = (advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A project whose version web:1 is registered with its bill of materials; channel dev holds it."""
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "fleet"
    (place / "web").mkdir(parents=True)
    (place / "goldsmith.hcl").write_text(PROJECT)
    monkeypatch.chdir(place)
    project = load_project(place / "goldsmith.hcl")
    registry = open_registry(project)
    content = document("web", 1)
    disk = str(next(iter(content["disks"].values())))  # type: ignore[union-attr]  # the workbench makes an object
    version = registry.register("web", content, artifacts=[], packages={}, builder="test", actor="user:test")
    declare_channels(project, registry, "web")
    about = Described(image="web", disk_digest=disk, epoch=0, tool_version="1")
    statement = Statement(
        subjects=[
            Subject(name="version", sha256=version.digest.removeprefix("sha256:")),
            Subject(name="disk", sha256=disk.removeprefix("sha256:")),
        ],
        predicate_type=CYCLONEDX,
        predicate=cyclonedx(about, components(read_inventory([tree(tmp_path / "root")]))),
    )
    signer = load_or_create_signer(project.root / project.signing.key)
    attest_all(registry, version, sign_claims([Claim(statement=statement, gate="sbom-cyclonedx")], signer))
    registry.promote("web", "dev", "web:1", actor="user:test")
    return Host(tmp_path / "cache")


def verdicts() -> list[str]:
    project = load_project(Path("goldsmith.hcl"))
    evidence = open_registry(project).show("web:1").evidence
    return [item.verdict for item in evidence if item.gate == "vulnerabilities"]


def test_a_rescan_is_new_evidence_and_tells_which_channels_no_longer_hold(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    host.advise()
    assert run(["rescan", "web:1"]) == 0
    assert run(["promote", "web", "prod", "web:1"]) == 0
    host.advise(*CRITICAL)
    capsys.readouterr()

    code = run(["rescan"])

    out = capsys.readouterr().out
    assert code == 2
    assert "web:1  vulnerabilities  FAIL" in out
    assert "web@prod no longer meets its policy" in out
    assert "web@dev" not in out
    assert verdicts() == ["pass", "fail"]


def test_a_rescan_that_cannot_tell_leaves_no_old_pass_standing(host: Host) -> None:
    host.advise()
    assert run(["rescan"]) == 0
    assert run(["promote", "web", "prod", "web:1"]) == 0
    host.advise(feed=replace(FEED, fetched_s=NOW - 9 * DAY_S))

    assert run(["rescan"]) == 3
    assert verdicts() == ["pass", "error"]


def test_a_rescan_without_the_gate_in_the_project_is_refused(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    Path("goldsmith.hcl").write_text('image "web" { template = "web" }\nchannel "dev" {}\n')

    assert run(["rescan"]) == 1
    assert "rescan.no-gate" in capsys.readouterr().out


def test_a_version_is_scanned_by_its_signed_bill_of_materials(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    host.advise(*CRITICAL)

    assert run(["scan", "web@dev"]) == 2
    assert "CVE-2024-1" in capsys.readouterr().out
    assert verdicts() == []


def test_explain_orders_fixes_and_shows_why(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host.advise(
        *CRITICAL,
        advisory("CVE-2024-2", "7.88.1-13"),
        told("CVE-2024-2", "low"),
        advisory("CVE-2024-3", "", source="bash"),
        told("CVE-2024-3", "medium"),
        exploited("CVE-2024-2"),
        likely("CVE-2024-2", 0.9, 0.99),
    )

    assert run(["explain", "-format=json", "web:1"]) == 0
    fixes = json.loads(capsys.readouterr().out)["fixes"]

    assert [(item["tier"], item["package"], item["to"]) for item in fixes] == [
        ("ACT", "curl", "7.88.1-13"),
        ("WATCH", "bash", ""),
    ]
    assert fixes[0]["vulnerabilities"] == ["CVE-2024-2", "CVE-2024-1"]
    assert (fixes[0]["exploited"], fixes[0]["leverage"], fixes[0]["images"]) == (["CVE-2024-2"], 2, ["web:1"])
    assert fixes[1]["epss_is_estimated"] is True
    assert run(["explain", "-output=fixes.html", "-format=html"]) == 0
    assert "upgrade curl 7.88.1-11 → 7.88.1-13" in Path("fixes.html").read_text()


def test_explain_says_nothing_of_what_it_could_not_examine(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "web:1"]) == 3
    assert "Nothing to fix" not in capsys.readouterr().out


def test_the_time_of_a_rescan_is_now(host: Host) -> None:
    host.advise()
    before = int(time.time())
    run(["rescan"])

    evidence = open_registry(load_project(Path("goldsmith.hcl"))).show("web:1").evidence

    assert evidence[-1].issued_at >= before * 1_000_000
