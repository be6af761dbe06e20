"""The early tier of the boot gate: a failed unit ends it in seconds, before any disk is booted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.events import Event, Output, ignore
from goldsmith.gates.boot import Boot, BootConfig
from goldsmith.gates.boot.checks import read_checks
from goldsmith.gates.boot.early import examine_early
from goldsmith.gates.contract import Declared, Subject
from goldsmith.gates.judge import run_gate
from goldsmith.machines import Journal
from goldsmith.machines.booted import unavailable
from goldsmith.machines.cancellation import Cancellation
from tests.machines.machine_workbench import add_failing_unit, can_make_sandboxes, make_debian, names_below

needs_containers = pytest.mark.skipif(bool(unavailable() or can_make_sandboxes()), reason=str(unavailable() or "no sandboxes"))


def subject_of(tree: Path, place: Path, *ports: str) -> Subject:
    disk = place / "disk.qcow2"
    disk.write_bytes(b"no disk: booting it would fail the test")
    (place / "work").mkdir()
    return Subject(
        image="web",
        disk_digest="sha256:aa",
        tree=tree,
        disk=disk,
        boot={"kernel": "boot/vmlinuz"},
        declared=Declared(ports=ports),
        work=place / "work",
        cache=place / "cache",
    )


def test_a_tree_that_cannot_be_booted_here_is_told_and_decides_nothing(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()

    early = examine_early(subject_of(tmp_path / "tree", tmp_path), Journal(tmp_path / "journal"))

    assert early.told.startswith("booted tier not available: ")
    assert early.told != "booted tier not available: "
    assert early.findings == ()


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("early") / "tree"
    make_debian(root)
    return root


@pytest.mark.slow
@needs_containers
def test_a_sound_tree_has_no_fault_and_does_not_change(debian: Path, tmp_path: Path) -> None:
    before = names_below(debian / "etc")
    early = examine_early(subject_of(debian, tmp_path, "tcp/22"), Journal(tmp_path / "journal"))

    assert early.findings == (), early.findings
    assert 0 < early.boot_ms < 20_000
    assert "no fault" in early.told
    assert names_below(debian / "etc") == before


@pytest.mark.slow
@needs_containers
def test_an_undeclared_socket_is_a_fault(debian: Path, tmp_path: Path) -> None:
    early = examine_early(subject_of(debian, tmp_path), Journal(tmp_path / "journal"))

    assert [finding.rule for finding in early.findings] == ["undeclared-socket"]
    assert "tcp/22" in early.findings[0].detail


CHECKS = """
package:
  systemd: {installed: true}
  telnet: {installed: false}
  nginx: {}
service:
  ssh.service: {enabled: true, running: true}
  nginx.service: {enabled: true}
file:
  /etc/passwd: {mode: "0644", owner: root, contains: [root]}
  /usr/bin/nginx: {}
  /srv/later: {}
user:
  root: {uid: 0, home: /root}
  web: {}
sysctl:
  kernel.dmesg_restrict: 7
"""


@pytest.mark.slow
@needs_containers
def test_tests_in_yaml_that_need_no_disk_fail_the_image_early(debian: Path, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(CHECKS)
    checks = read_checks([tmp_path / "web.yaml"], tmp_path)

    early = examine_early(subject_of(debian, tmp_path, "tcp/22"), Journal(tmp_path / "journal"), checks)

    assert {finding.subject for finding in early.findings} == {
        "package nginx",
        "service nginx.service",
        "file /usr/bin/nginx",
        "user web",
    }
    assert {(finding.rule, finding.path) for finding in early.findings} == {("user-test", "web.yaml")}
    assert all(finding.line for finding in early.findings)


@pytest.mark.slow
@needs_containers
def test_a_failed_unit_fails_the_gate_without_a_virtual_machine(debian: Path, tmp_path: Path) -> None:
    add_failing_unit(debian)
    subject = subject_of(debian, tmp_path, "tcp/22")
    told: list[Event] = []
    try:
        result = run_gate(Boot(), BootConfig(), subject, told.append, Cancellation())
    finally:
        (debian / "etc/systemd/system/multi-user.target.wants/broken.service").unlink()

    assert result.verdict == "fail", result.reasons
    assert result.failing == ("failed-unit broken.service (container)",)
    assert "the-reason" in result.facts.artefacts["early-console.log"].read_text()
    assert any("not run" in message for message in result.facts.messages)
    assert any("faults: 1" in event.text for event in told if isinstance(event, Output))
    assert sorted(path.name for path in subject.work.iterdir()) == ["early"]  # clones have directories of their own


def test_a_disk_that_does_not_boot_needs_no_early_tier(tmp_path: Path) -> None:
    subject = replace(subject_of(tmp_path, tmp_path), boot={})

    result = run_gate(Boot(), BootConfig(), subject, ignore, Cancellation())

    assert result.verdict == "error"
    assert list(subject.work.iterdir()) == []
