"""The host as a machine."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Local
from goldsmith.machines.cancellation import Cancellation, Cancelled
from tests.machines.machine_workbench import Said, names_below
from tests.machines.test_sandbox_killed import wait_until_gone


def test_exit_codes_are_those_of_a_shell(said: Said) -> None:
    local = Local()
    assert local.run(["sh", "-c", "exit 7"]) == 7
    assert local.run(["sh", "-c", "kill -9 $$"]) == 137
    assert local.run(["/nothing/here"], output=said) == 127
    assert local.run(["/etc/hostname"], output=said) == 126
    assert said.err[0] == "/nothing/here: No such file or directory"


def test_the_environment_is_inherited_and_added_to(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    Local().run(["sh", "-c", "echo $INHERITED $GIVEN; pwd"], env={"GIVEN": "too"}, cwd="/usr", output=said)
    assert said.out == ["yes too", "/usr"]


def test_standard_input_and_both_streams(said: Said) -> None:
    Local().run(["sh", "-c", "cat; echo no >&2"], stdin=b"given\n", output=said)
    assert sorted(said.lines) == [("err", "no"), ("out", "given")]


def test_a_slow_command_is_ended_with_its_children() -> None:
    with pytest.raises(MachineError) as caught:
        Local().run(["sh", "-c", "sleep 86201 & setsid sleep 86201 & sleep 86201"], timeout_s=0.3)
    assert caught.value.diagnostics[0].code == "machine.timeout"
    wait_until_gone("86201")


def test_a_cancelled_command_is_ended() -> None:
    cancellation = Cancellation()
    threading.Timer(0.2, cancellation.request).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        Local().run(["sleep", "86202"], cancellation=cancellation)
    assert time.monotonic() - began < 3
    wait_until_gone("86202")


def test_files_and_trees_are_copied(tmp_path: Path) -> None:
    local = Local()
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "below" / "file").write_text("x")
    (source / "link").symlink_to("below")

    local.put_tree(source, str(tmp_path / "made" / "there"))
    local.get_tree(str(tmp_path / "made" / "there"), tmp_path / "back")
    local.put(b"y", str(tmp_path / "one"), mode=0o600)
    local.get(str(tmp_path / "one"), tmp_path / "two")

    assert names_below(tmp_path / "back") == names_below(source)
    assert (tmp_path / "back" / "link").is_symlink()
    assert (tmp_path / "two").read_text() == "y"
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        Local().get(str(tmp_path / "no"), tmp_path / "x")
    assert caught.value.diagnostics[0].code == "machine.no-such-file"
