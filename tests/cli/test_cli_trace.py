"""`goldsmith trace` on a directory tree: what people and programs are shown, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from tests.assist.trace_workbench import make_bash_tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bash_tree(tmp_path_factory.mktemp("traced") / "tree")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_is_shown_with_its_changes(tree: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "s.sh").write_text('#!/bin/bash -e\nmkdir "/etc/$NAME"\nfor i in a; do true; done\necho x:x:1: >> /etc/group\n')

    assert run(["trace", f"-on={tree}", "-env=NAME=new", "-env=LC_ALL=C", "s.sh"]) == 0

    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["s.sh:2  mkdir /etc/new", "    + /etc/new"]
    assert shown[2:6] == [
        "s.sh:3  true",
        "s.sh:4  echo x:x:1:",
        "    groups: +x",
        "    ~ /etc/group (content, 0 lines less and 1 more)",
    ]
    assert "3 commands" in shown[-1]
    assert "1 had no effect on files" in shown[-1]


def test_programs_get_every_effect(tree: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "s.sh").write_text("#!/bin/bash\nrm -r /etc/cron.d\nfalse\nexit 7\n")

    assert run(["trace", f"-on={tree}", "-json", "s.sh"]) == 2

    told = json.loads(capsys.readouterr().out)
    assert (told["exit_code"], told["complete"], told["faults"][0]["code"]) == (7, False, "trace.script-failed")
    assert told["effects"][0]["removed"] == ["/etc/cron.d"]
    assert told["effects"][0]["site"] == {"file": "s.sh", "line": 2}
    assert [effect["rc"] for effect in told["effects"]] == [0, 1, 7]


def test_bad_input_is_named(tree: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "s.sh").write_text("#!/bin/bash\ntrue\n")
    (place / "p.py").write_text("#!/usr/bin/python3\n")
    (place / "empty").mkdir()
    (place / "bare").mkdir()
    for arguments, said in (
        ([f"-on={tree}", "p.py"], '"p.py" is no shell script'),
        ([f"-on={tree}", "empty"], 'no script right in "empty"'),
        ([f"-on={tree}", "s.sh", "s.sh"], 'two scripts are called "s.sh"'),
        (["-on=bokworm", "s.sh"], 'Did you mean "bookworm"?'),
        (["-on=bare", "s.sh"], "has no bash"),
        (["s.sh"], "'-on'"),
    ):
        assert run(["trace", *arguments]) == 1
        told = capsys.readouterr()
        assert said in told.out + told.err
