"""Commands in a sandbox: exit codes, streams, limits, and what becomes of their processes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.machine import DISCONNECTED, Machine
from goldsmith.machines.sandbox import PROFILE_DIGEST
from tests.machines.machine_workbench import MakeSandbox, Said


def sh(machine: Machine, script: str, said: Said | None = None, **limits: float) -> int:
    return machine.run(["sh", "-c", script], output=said, timeout_s=limits.get("timeout_s", 30.0))


def test_the_exit_code_of_a_command_is_returned(sandbox: Sandbox) -> None:
    assert sandbox.run(["true"]) == 0
    assert sh(sandbox, "exit 42") == 42


def test_a_signal_gives_128_and_its_number(sandbox: Sandbox) -> None:
    assert sh(sandbox, "kill -9 $$") == 137
    assert sh(sandbox, "kill -TERM $$") == 143


def test_a_program_that_is_missing_gives_127_and_says_so(sandbox: Sandbox, said: Said) -> None:
    assert sandbox.run(["nothing-here"], output=said) == 127
    assert said.err == ["nothing-here: No such file or directory"]


def test_a_file_that_is_no_program_gives_126(sandbox: Sandbox) -> None:
    sandbox.put(b"not a program", "/etc/plain")
    assert sandbox.run(["/etc/plain"]) == 126


def test_a_missing_working_directory_is_told(sandbox: Sandbox, said: Said) -> None:
    assert sandbox.run(["pwd"], cwd="/no/such", output=said) == 127
    assert "/no/such" in said.err[0]


def test_no_shell_comes_between(sandbox: Sandbox, said: Said) -> None:
    sandbox.run(["echo", "$HOME", "a  b", "*"], output=said)
    assert said.out == ["$HOME a  b *"]


def test_both_streams_arrive_line_by_line_while_the_command_runs(sandbox: Sandbox) -> None:
    seen: list[tuple[str, str, float]] = []
    script = "echo one; sleep 0.3; echo two >&2; sleep 0.3; printf three"

    sandbox.run(["sh", "-c", script], output=lambda stream, line: seen.append((stream, line, time.monotonic())))

    assert [(stream, line) for stream, line, _ in seen] == [("out", "one"), ("err", "two"), ("out", "three")]
    assert seen[1][2] - seen[0][2] > 0.2


def test_bytes_that_are_not_utf8_are_replaced(sandbox: Sandbox, said: Said) -> None:
    sh(sandbox, r"printf 'gr\303\274n \377\n'", said)
    assert said.out == ["grün �"]


def test_much_output_is_complete_and_in_order(sandbox: Sandbox, said: Said) -> None:
    sh(sandbox, "seq 1 200000", said)
    assert said.out == [str(number) for number in range(1, 200_001)]


def test_a_line_without_end_comes_in_pieces(sandbox: Sandbox, said: Said) -> None:
    sh(sandbox, "head -c 200000 /dev/zero | tr '\\0' x", said)
    assert "".join(said.out) == "x" * 200_000
    assert len(said.out) == 4


def test_standard_input_is_empty_or_what_is_given(sandbox: Sandbox, said: Said) -> None:
    large = bytes(range(256)) * 4096
    assert sandbox.run(["cat"], output=said) == 0
    assert said.lines == []
    sandbox.run(["sh", "-c", "cat > /tmp/given"], stdin=large)
    sandbox.run(["md5sum", "/tmp/given"], output=said)
    import hashlib

    assert said.out == [f"{hashlib.md5(large, usedforsecurity=False).hexdigest()}  /tmp/given"]


def test_the_environment_is_the_sandbox_s_and_what_is_given(
    sandbox: Sandbox, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_SECRET", "no")
    sandbox.run(["env"], env={"GIVEN": "yes"}, output=said)

    names = {line.partition("=")[0] for line in said.out}
    assert {"DEBIAN_FRONTEND", "GIVEN", "SYSTEMD_OFFLINE", "TZ"} <= names
    assert "HOST_SECRET" not in names


def test_the_epoch_reaches_commands(tree: Path, journal: Journal, tmp_path: Path, said: Said) -> None:
    with Sandbox([tree], tmp_path / "u", tmp_path / "w", journal=journal, network="none", epoch=86400) as machine:
        sandbox_epoch = machine.run(["sh", "-c", "echo $SOURCE_DATE_EPOCH"], output=said)
    assert (sandbox_epoch, said.out) == (0, ["86400"])


def test_a_long_environment_and_command_arrive(sandbox: Sandbox, said: Said) -> None:
    sandbox.run(["sh", "-c", "echo ${#LONG} ${#1}", "sh", "y" * 100_000], env={"LONG": "x" * 100_000}, output=said)
    assert said.out == ["100000 100000"]


def test_a_command_that_is_too_slow_is_ended_with_all_that_it_started(sandbox: Sandbox, said: Said) -> None:
    began = time.monotonic()
    with pytest.raises(MachineError) as caught:
        sh(sandbox, "setsid sleep 91 & (trap '' TERM; sleep 92) & sleep 93", timeout_s=0.3)

    assert caught.value.diagnostics[0].code == "machine.timeout"
    assert time.monotonic() - began < 3
    sh(sandbox, "ps", said)
    assert not [line for line in said.out if "sleep" in line]


def test_the_sandbox_is_of_use_after_a_timeout(sandbox: Sandbox) -> None:
    for _ in range(3):
        with pytest.raises(MachineError):
            sh(sandbox, "sleep 90", timeout_s=0.1)
        assert sh(sandbox, "exit 5") == 5


def test_a_cancelled_command_ends_at_once(sandbox: Sandbox) -> None:
    cancellation = Cancellation()
    threading.Timer(0.2, cancellation.request).start()
    began = time.monotonic()

    with pytest.raises(Cancelled):
        sandbox.run(["sleep", "90"], cancellation=cancellation)

    assert time.monotonic() - began < 2


def test_nothing_is_started_after_a_cancellation(sandbox: Sandbox, tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(Cancelled):
        sandbox.run(["touch", "/started"], cancellation=cancellation)
    assert not (tmp_path / "upper" / "started").exists()


def test_an_error_of_the_listener_ends_the_command(sandbox: Sandbox, said: Said) -> None:
    def broken(stream: str, line: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sandbox.run(["sh", "-c", "echo x; sleep 90"], output=broken)
    sh(sandbox, "ps", said)
    assert not [line for line in said.out if "sleep" in line]


def test_a_daemon_does_not_hold_its_command_up_and_lives_on_in_the_sandbox(sandbox: Sandbox, said: Said) -> None:
    began = time.monotonic()
    assert sh(sandbox, "setsid sleep 77 & echo started", said) == 0
    assert time.monotonic() - began < 5
    sh(sandbox, "ps", said)
    assert any("sleep 77" in line for line in said.out)


def test_run_and_tmp_are_kept_between_commands_and_outside_the_layer(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sh(sandbox, "echo x > /tmp/a; echo y > /run/b") == 0
    assert sh(sandbox, "cat /tmp/a /run/b") == 0
    assert not list((tmp_path / "upper").iterdir())


def test_when_the_first_process_dies_the_machine_is_disconnected(sandbox: Sandbox) -> None:
    first = sandbox._first
    assert first is not None
    threading.Timer(0.2, os.kill, (first.pid, 9)).start()

    assert sandbox.run(["sleep", "90"]) == DISCONNECTED
    assert sandbox.run(["true"]) == DISCONNECTED


def test_nothing_of_goldsmith_is_open_in_a_command(sandbox: Sandbox, said: Said) -> None:
    sh(sandbox, "ls /proc/self/fd", said)
    assert set(said.out) <= {"0", "1", "2", "3"}  # 3 is the directory that ls reads


def test_no_descriptor_stays_open_in_this_process(sandbox: Sandbox) -> None:
    sandbox.run(["true"])
    before = set(Path("/proc/self/fd").iterdir())
    for _ in range(5):
        sandbox.run(["true"], stdin=b"x")
        sandbox.put(b"x", "/etc/x")
        with pytest.raises(MachineError):
            sandbox.run(["sleep", "9"], timeout_s=0.05)
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


def test_a_missing_layer_is_told_before_anything_starts(journal: Journal, tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError) as caught,
        Sandbox([tmp_path / "gone"], tmp_path / "u", tmp_path / "w", journal=journal, network="none"),
    ):
        pass
    assert caught.value.diagnostics[0].code == "sandbox.missing-path"


def test_two_sandboxes_do_not_see_each_other(tree: Path, journal: Journal, tmp_path: Path, said: Said) -> None:
    with (
        Sandbox([tree], tmp_path / "u1", tmp_path / "w1", journal=journal, network="none") as one,
        Sandbox([tree], tmp_path / "u2", tmp_path / "w2", journal=journal, network="none") as two,
    ):
        sh(one, "setsid sleep 66 & touch /one")
        sh(two, "ps; ls /", said)
    assert not [line for line in said.out if "66" in line or line == "one"]


def test_starting_is_quick(make_sandbox: MakeSandbox) -> None:
    began = time.monotonic()
    machine = make_sandbox()
    started = time.monotonic() - began
    machine.run(["true"])
    began = time.monotonic()
    for _ in range(20):
        machine.run(["true"])
    each = (time.monotonic() - began) / 20

    # Measured: 17 ms and 1.6 ms; the limits are for a busy host, and far below those of a container engine.
    assert started < 0.5
    assert each < 0.05


def test_the_profile_has_a_digest() -> None:
    assert len(PROFILE_DIGEST) == 64
