"""Windows machines by the real WinRM client, against a server of the tests: commands, files, directories, what breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.machine import DISCONNECTED
from goldsmith.machines.winrm import WinRm, WinRmAccess
from tests.machines.machine_workbench import Said
from tests.machines.windows_server import PASSWORD, USER, Answer, Started, Windows, WindowsServer


@pytest.fixture
def windows() -> Windows:
    return Windows()


@pytest.fixture
def server(windows: Windows) -> Iterator[WindowsServer]:
    with WindowsServer(windows) as running:
        yield running


@pytest.fixture
def access(server: WindowsServer) -> WinRmAccess:
    return WinRmAccess(host="127.0.0.1", port=server.port, user=USER, password=PASSWORD)


@pytest.fixture
def machine(access: WinRmAccess) -> Iterator[WinRm]:
    with WinRm(access, 10) as reached:
        reached.connect()
        yield reached


def test_a_command_has_its_words_environment_directory_and_input(machine: WinRm, windows: Windows, said: Said) -> None:
    windows.answer = lambda command: (3, "grün\r\nb".encode(), b"bad\r\n")

    code = machine.run(["a b.exe", 'say "x"'], env={"NAME": "v%1"}, stdin=b"given", output=said, cwd="C:/work")

    command = windows.ran[-1]
    assert command.line == r'"a b.exe" "say \"x\""'
    assert (command.environment, command.directory, command.stdin) == ({"NAME": "v%1"}, "C:/work", b"given")
    assert (code, said.out, said.err) == (3, ["grün", "b"], ["bad"])


def test_a_single_word_is_a_command_line(machine: WinRm, windows: Windows) -> None:
    machine.run(['set "A=b" && "c:/x y.bat"'])

    assert windows.ran[-1].line == 'set "A=b" && "c:/x y.bat"'


def test_every_shell_is_closed_again(machine: WinRm, server: WindowsServer) -> None:
    machine.run(["dir"])
    machine.put(b"x", "C:/x")

    assert server.shells == {}
    assert all(command.ended for command in server.commands.values())


@pytest.mark.parametrize("size", [0, 5, 49152, 200_001])
def test_files_keep_their_bytes(machine: WinRm, windows: Windows, tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "here").write_bytes(data[:size])

    machine.put(tmp_path / "here", "C:/it's there")
    machine.get("C:/it's there", tmp_path / "back")

    assert windows.files == {"C:/it's there": data[:size]}
    assert (tmp_path / "back").read_bytes() == data[:size]


def test_directories_are_copied_there_and_back(machine: WinRm, windows: Windows, tmp_path: Path) -> None:
    (tmp_path / "from/sub").mkdir(parents=True)
    (tmp_path / "from/a").write_text("1")
    (tmp_path / "from/sub/b").write_text("2")
    (tmp_path / "from/c.log").write_text("3")

    machine.put_tree(tmp_path / "from", "C:/to", exclude=["*.log"])
    machine.get_tree("C:/to", tmp_path / "back")

    assert windows.files == {"C:/to/a": b"1", "C:/to/sub/b": b"2"}
    assert (tmp_path / "back/sub/b").read_text() == "2"


def test_an_archive_cannot_lead_out_of_the_directory(machine: WinRm, windows: Windows, tmp_path: Path) -> None:
    windows.files["C:/to/../../out"] = b"x"

    machine.get_tree("C:/to", tmp_path / "back")

    assert not (tmp_path / "out").exists()
    assert not (tmp_path.parent / "out").exists()


def test_what_is_not_there_is_told(machine: WinRm, tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        machine.get("C:/nothing", tmp_path / "back")
    assert caught.value.diagnostics[0].code == "machine.no-such-file"


def test_a_machine_that_goes_away_is_disconnected(machine: WinRm, server: WindowsServer, windows: Windows) -> None:
    def answer(command: Started) -> Answer:
        server.is_down = True
        return 0, b"", b""

    windows.answer = answer
    assert machine.run(["shutdown /r"]) == 0
    assert machine.run(["dir"]) == DISCONNECTED


def test_a_command_that_does_not_end_is_ended(machine: WinRm, server: WindowsServer, windows: Windows) -> None:
    windows.answer = lambda command: None

    with pytest.raises(MachineError) as caught:
        machine.run(["pause"], timeout_s=0.1)
    assert caught.value.diagnostics[0].code == "machine.timeout"
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.request).start()
    with pytest.raises(Cancelled):
        machine.run(["pause"], cancellation=cancellation)
    assert server.shells == {}


def test_a_wrong_password_is_told(access: WinRmAccess) -> None:
    with WinRm(replace(access, password="wrong"), 0) as machine, pytest.raises(MachineError) as caught:
        machine.connect()
    assert caught.value.diagnostics[0].code == "winrm.no-answer"
    assert "wrong" not in str(caught.value)


def test_a_port_where_nobody_listens_is_told() -> None:
    with WinRm(WinRmAccess(host="127.0.0.1", port=1, user=USER), 0) as machine, pytest.raises(MachineError) as caught:
        machine.connect()
    assert "refused" in str(caught.value)
