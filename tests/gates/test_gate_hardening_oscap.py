"""oscap as a second opinion: the real program on a tree of ours, what it cannot tell, and where the two differ."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.gates.contract import Declared, Result, Subject
from goldsmith.gates.hardening import Hardening, HardeningConfig
from goldsmith.gates.hardening.controls import all_controls
from goldsmith.gates.hardening.opinion import compare
from goldsmith.gates.hardening.outcomes import Outcome
from goldsmith.gates.judge import run_gate
from goldsmith.machines.cancellation import Cancellation
from tests.gates.hardened_tree import make_hardened
from tests.gates.scap_content import write_content

needs_oscap = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("oscap") is None, reason="oscap in a sandbox needs root and openscap-scanner"
)


def judged(tmp_path: Path, name: str = "content.xml") -> Result:
    for directory in ("work", "cache"):
        (tmp_path / directory).mkdir()
    subject = Subject(
        image="t",
        disk_digest="sha256:00",
        tree=make_hardened(tmp_path / "tree"),
        disk=None,
        now_s=1_790_000_000,
        declared=Declared(services=("own.service",)),
        root=tmp_path,
        work=tmp_path / "work",
        cache=tmp_path / "cache",
    )
    return run_gate(Hardening(), HardeningConfig(profile="strict", oscap=name), subject, ignore, Cancellation())


@needs_oscap
def test_oscap_examines_the_tree_and_both_ways_of_differing_are_told(tmp_path: Path) -> None:
    write_content(tmp_path / "content.xml")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    result = judged(tmp_path)

    assert (result.verdict, result.reasons) == ("pass", ())
    assert "oscap: 3 of 3 rules evaluated; 3 are ours too, 2 of them agree" in result.facts.messages
    assert "we pass what oscap fails: GS-026 sudo_add_use_pty" in result.facts.messages
    assert result.facts.artefacts["oscap-arf.xml"].is_file()
    assert any(data.name.startswith("content.xml for oscap 1.") for data in result.facts.data)
    assert before
    assert not (tmp_path / "tree/opt").exists()


@needs_oscap
def test_an_oscap_that_evaluated_nothing_is_an_error(tmp_path: Path) -> None:
    write_content(tmp_path / "content.xml", selected=False)
    result = judged(tmp_path)

    assert result.verdict == "error"
    assert "oscap evaluated none of 0 rules" in result.reasons[0]


@needs_oscap
def test_content_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "content.xml").write_text("<nothing/>")
    result = judged(tmp_path)

    assert result.verdict == "error"
    assert 'oscap could not evaluate "content.xml"' in result.reasons[0]


def test_content_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/oscap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    result = judged(tmp_path)

    assert result.verdict == "error"
    assert "content.xml" in result.reasons[0]


def test_a_host_without_oscap_says_so_and_never_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_content(tmp_path / "content.xml")
    monkeypatch.setenv("PATH", "/nonexistent")
    result = judged(tmp_path)

    assert result.verdict == "error"
    assert "this host has no oscap" in result.reasons[0]


def test_rules_about_the_running_kernel_are_not_compared() -> None:
    controls = all_controls()
    outcomes = [
        Outcome(controls["GS-056"], "pass"),
        Outcome(controls["GS-013"], "fail"),
        Outcome(controls["GS-032"], "pass"),
        Outcome(controls["GS-033"], "not evaluated"),
        Outcome(controls["GS-090"], "pass"),
    ]
    results = {
        "sysctl_kernel_randomize_va_space": "fail",
        "accounts_no_uid_except_zero": "pass",
        "sshd_disable_empty_passwords": "fail",
        "sshd_set_max_auth_tries": "pass",
        "package_aide_installed": "notapplicable",
    }
    told = compare(outcomes, results)

    assert (told.compared, told.evaluated, told.told) == (2, 4, 5)
    assert told.stricter == ("GS-013 accounts_no_uid_except_zero",)
    assert told.laxer == ("GS-032 sshd_disable_empty_passwords",)
