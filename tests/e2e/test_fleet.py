"""The main job on real input: the example fleet is built, booted, proven, promoted, verified and expired."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workspace import Workspace

pytestmark = pytest.mark.slow


def test_every_gate_passed_and_the_boot_was_timed(fleet: Workspace) -> None:
    shown = fleet.goldsmith("show", "web")

    for gate in ("patches", "secrets", "hardening", "boot"):
        assert re.search(rf"evidence +{gate} +(PASS|WARN)", shown), shown
    results = [item for item in statements(fleet.root / "web/output/web.evidence.jsonl") if gate_of(item) == "boot"]
    assert len(results) == 1
    measures = results[0]["predicate"]["goldsmith_result"]["facts"]["measures"]
    assert measures["boot_uefi_ms"] > 1000
    assert measures["boot_bios_ms"] > 1000
    assert measures["reboot_uefi_ms"] > 1000
    assert measures["down_uefi_ms"] > 0


def test_a_booted_machine_asks_the_resolver_that_its_network_names(fleet: Workspace) -> None:
    """QEMU's network offers 10.0.2.3 (its documentation, "Network emulation"); nothing that listens was declared for it."""
    (boot,) = (item for item in statements(fleet.root / "web/output/web.evidence.jsonl") if gate_of(item) == "boot")
    facts = boot["predicate"]["goldsmith_result"]["facts"]

    for firmware in ("uefi", "bios"):
        assert any(told.startswith(f"{firmware}: asks 10.0.2.3") for told in facts["messages"]), facts["messages"]
        assert f"{firmware}: way in: credentials" in facts["messages"]
    assert facts["findings"] == []


def test_the_boot_is_told_in_pictures_and_reports(fleet: Workspace) -> None:
    (boot,) = (item for item in statements(fleet.root / "web/output/web.evidence.jsonl") if gate_of(item) == "boot")
    digests = boot["predicate"]["goldsmith_result"]["facts"]["artefacts"]
    (place,) = {path.parent for path in (fleet.root / ".goldsmith/evidence").glob("*/boot/uefi-waterfall.svg")} & {
        path.parent
        for path in (fleet.root / ".goldsmith/evidence").glob("*/boot/uefi-serial.log")
        if "web login" in path.read_text()
    }

    assert set(digests) >= {"uefi-serial.log", "uefi-screen.png", "uefi-probes.json", "uefi-timings.json", "tests-checks.xml"}
    assert (place / "uefi-screen.png").read_bytes().startswith(b"\x89PNG")
    assert "ssh.service (" in (place / "uefi-waterfall.svg").read_text()
    assert 'name="service fleet-agent.timer"' in (place / "tests-checks.xml").read_text()
    assert json.loads((place / "uefi-probes.json").read_text())["again"]["failed"]["output"] == ""


def statements(path: Path) -> list[dict[str, Any]]:
    """The statements of an evidence file; verifying them is another test's part."""
    import base64

    lines = path.read_text().splitlines()
    return [json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"])) for line in lines]


def gate_of(statement: dict[str, Any]) -> str:
    predicate = statement["predicate"]
    assert isinstance(predicate, dict)
    result = predicate.get("goldsmith_result")
    return str(result["gate"]) if isinstance(result, dict) else ""


def test_a_second_build_runs_nothing(fleet: Workspace) -> None:
    told = fleet.goldsmith("build", "-no-gates", ".")

    steps = re.findall(r"Step (.*?)(: cached.*)?$", told, re.MULTILINE)
    assert steps
    assert all(cached for _, cached in steps), told


def test_the_build_secret_is_in_no_evidence_log_or_registry(fleet: Workspace) -> None:
    secret = fleet.environment["FLEET_SESSION_SECRET"].encode()
    files = [path for path in (fleet.root / ".goldsmith").rglob("*") if path.is_file()]
    files += list((fleet.root / "web/output").glob("*.json*"))

    assert files
    assert [path for path in files if secret in path.read_bytes()] == []


def test_channels_move_only_when_their_policy_is_met(fleet: Workspace) -> None:
    refused = fleet.goldsmith("promote", "web", "prod", code=2)
    assert "staging" in refused

    fleet.goldsmith("promote", "web", "staging")
    assert "moved to web:1" in fleet.goldsmith("promote", "web", "prod")
    assert "already at" in fleet.goldsmith("promote", "web", "prod")
    assert "prod=1" in fleet.goldsmith("images")


def test_the_disk_is_verified_offline_and_a_changed_byte_is_not(fleet: Workspace, tmp_path: Path) -> None:
    disk = tmp_path / "copy.qcow2"
    shutil.copyfile(fleet.root / "web/output/web.qcow2", disk)
    shutil.copyfile(fleet.root / "web/output/web.evidence.jsonl", tmp_path / "copy.evidence.jsonl")
    assert "is the proven file" in fleet.goldsmith("verify", str(disk))

    with disk.open("r+b") as file:
        file.seek(disk.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))

    assert "verify.altered" in fleet.goldsmith("verify", str(disk), code=1)


def test_another_encoding_of_the_disk_is_verified_by_its_content(fleet: Workspace, tmp_path: Path) -> None:
    import subprocess

    raw = tmp_path / "web.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", fleet.root / "web/output/web.qcow2", raw], check=True)

    told = fleet.goldsmith("verify", "-evidence", "web/output/web.evidence.jsonl", str(raw))

    assert "another encoding of the proven disk" in told


def test_a_change_in_the_last_provisioner_runs_only_that_one(fleet: Workspace) -> None:
    motd = fleet.root / "web/etc/motd"
    before = motd.read_text()
    motd.write_text("Changed.\n")
    try:
        plan = fleet.goldsmith("plan", "web")
    finally:
        motd.write_text(before)

    running = [line.split()[1:3] for line in plan.splitlines() if line.strip().startswith("run")]
    assert running == [["3", "file"], ["seal", "follows"]], plan
    assert "inputs: motd" in plan


def test_a_change_in_the_base_rebuilds_the_base_and_its_children(fleet: Workspace) -> None:
    agent = fleet.root / "base/agent/fleet-agent"
    before = agent.read_text()
    agent.write_text(before.replace(" free=", " memory="))
    try:
        plan = fleet.goldsmith("plan", ".")
    finally:
        agent.write_text(before)

    base, web = plan.split("image.web")
    assert "cached  archive packages" in base
    assert re.search(r"run +2 file +changed: inputs: fleet-agent", base), plan
    assert "the parent is built anew" in web


def test_an_image_with_a_forgotten_key_fails_and_stays_out(fleet: Workspace, tmp_path: Path) -> None:
    """In a copy of the project, so that the other tests keep their newest version."""
    shutil.copytree(fleet.root, tmp_path / "copy", symlinks=True)
    copy = Workspace(tmp_path / "copy", fleet.cache, fleet.environment)

    told = copy.goldsmith("build", "-var", "forget_key=true", "web", code=2)

    assert "secrets: a private key (/srv/deploy/id_ed25519)" in told
    refused = copy.goldsmith("promote", "web", "staging", code=2)
    assert "secrets" in refused


def test_the_same_lock_file_gives_the_same_disk_elsewhere(fleet: Workspace, tmp_path: Path) -> None:
    """Another directory, another cache of layers, another time; only downloaded packages are shared."""
    other = Workspace(tmp_path / "elsewhere", tmp_path / "cache", {**fleet.environment, "TZ": "Asia/Tokyo", "LANG": "C"})
    shutil.copytree(fleet.root, other.root, ignore=shutil.ignore_patterns(".goldsmith", "output", "keys"))
    shutil.copytree(fleet.cache / "packages", other.cache / "packages", symlinks=True)

    other.goldsmith("build", "-no-gates", "-locked", "base")

    first, second = (disk_of(space.root / "base/output/base.evidence.jsonl") for space in (fleet, other))
    assert first == second


def disk_of(path: Path) -> str:
    subjects = statements(path)[0]["subject"]
    assert isinstance(subjects, list)
    return next(str(item["digest"]["sha256"]) for item in subjects if item["name"] == "disk")
