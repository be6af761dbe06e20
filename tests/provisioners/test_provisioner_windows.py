"""The provisioners of Windows over the real WinRM client, against a server of the tests; and a whole build with them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context, Duration
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.machines.winrm import WinRm, WinRmAccess
from goldsmith.provisioners.powershell import Powershell, PowershellConfig
from goldsmith.provisioners.windows_restart import WindowsRestart, WindowsRestartConfig
from goldsmith.provisioners.windows_shell import WindowsShell, WindowsShellConfig
from tests.machines.windows_server import PASSWORD, USER, Answer, Started, Windows, WindowsServer, decoded
from tests.provisioners.provisioner_machine import Recorder, TreeMachine

GOLDSMITH = Path(sys.executable).with_name("goldsmith")


@pytest.fixture
def windows() -> Windows:
    return Windows()


@pytest.fixture
def server(windows: Windows) -> Iterator[WindowsServer]:
    with WindowsServer(windows) as running:
        yield running


@pytest.fixture
def there(server: WindowsServer) -> Iterator[WinRm]:
    with WinRm(WinRmAccess(host="127.0.0.1", port=server.port, user=USER, password=PASSWORD), 10) as machine:
        machine.connect()
        yield machine


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldsmith.provisioners.windows_restart._LOOK_S", 0.01)


def test_a_script_of_powershell_runs_with_its_variables_and_nothing_stays(
    there: WinRm, windows: Windows, context: Context, recorder: Recorder
) -> None:
    seen: dict[str, bytes] = {}

    def answer(command: Started) -> Answer:
        seen.update(windows.files)
        return 0, b"done\r\n", b""

    windows.answer = answer
    config = PowershellConfig(inline=("Get-Date", "exit 0"), environment_vars=('A=$x "y"',), debug_mode=1)
    Powershell().run(config, there, context)

    line = windows.ran[0].line
    script, variables = sorted(seen, key=lambda name: "env-vars" in name)
    assert line.startswith('powershell -executionpolicy bypass "& { Set-PsDebug -Trace 1;if (Test-Path variable:global:Prog')
    assert line.endswith(f"}};. {variables}; &'{script}'; exit $LastExitCode }}\"")
    assert re.fullmatch(r"C:/Windows/Temp/script-[0-9a-f-]{36}\.ps1", script)
    assert seen[script] == b"Get-Date\r\nexit 0\r\n"
    assert seen[variables].decode() == ('$env:A="`$x `"y`""; $env:PACKER_BUILDER_TYPE="null"; $env:PACKER_BUILD_NAME="a"; ')
    assert windows.files == {}
    assert recorder.lines("out") == ["done"]


def test_an_elevated_script_is_a_task_whose_password_is_on_no_command_line(
    there: WinRm, windows: Windows, context: Context
) -> None:
    seen: dict[str, bytes] = {}
    windows.answer = lambda command: (seen.update(windows.files), (0, b"", b""))[1]
    config = PowershellConfig(inline=("whoami",), elevated_user="ann", elevated_password="it's mine", skip_clean=True)
    Powershell().run(config, there, context)

    wrapper = next(name for name in seen if "elevated" in name)
    assert "$password = 'it''s mine'" in seen[wrapper].decode()
    assert "Schedule.Service" in seen[wrapper].decode()
    assert not any("mine" in decoded(command.line) for command in windows.ran)


def test_exit_codes_are_judged(there: WinRm, windows: Windows, context: Context) -> None:
    windows.answer = lambda command: (3010, b"", b"")

    with pytest.raises(MachineError, match=r"non-zero exit status: 3010\.Allowed exit codes are: \[0\]"):
        Powershell().run(PowershellConfig(inline=("x",)), there, context)
    Powershell().run(PowershellConfig(inline=("x",), valid_exit_codes=(0, 3010)), there, context)


def test_a_batch_script_has_its_variables_before_it(there: WinRm, windows: Windows, context: Context) -> None:
    (context.cwd / "a.bat").write_bytes(b"@echo off\necho %A%\n")
    WindowsShell().run(WindowsShellConfig(script="a.bat", env={"A": "b c"}), there, context)

    assert windows.ran[0].line == (
        'set "A=b c" && set "PACKER_BUILDER_TYPE=null" && set "PACKER_BUILD_NAME=a" && "c:/Windows/Temp/script.bat"'
    )
    assert windows.files == {"c:/Windows/Temp/script.bat": b"@echo off\r\necho %A%\r\n"}


def restarts(server: WindowsServer, down_for: int) -> Callable[[Started], Answer]:
    """Goes down at `shutdown`, and answers the check only at the second time."""
    checks: list[str] = []

    def answer(command: Started) -> Answer:
        if command.line.startswith("shutdown"):
            server.windows.boots += 1
            return 0, b"", b""
        checks.append(command.line)
        return int(len(checks) <= down_for), b"pc restarted.\r\n", b""

    return answer


@pytest.mark.usefixtures("hurried")
def test_a_restart_is_over_when_the_machine_booted_anew_and_its_check_succeeds(
    there: WinRm, server: WindowsServer, windows: Windows, context: Context, recorder: Recorder
) -> None:
    windows.answer = restarts(server, down_for=1)
    WindowsRestart().run(WindowsRestartConfig(check_registry=True), there, context)

    assert windows.ran[0].line == 'shutdown /r /f /t 0 /c "packer restart"'
    assert "Test-Path -LiteralPath 'HKLM:SOFTWARE" in decoded(windows.ran[-1].line)
    assert recorder.lines("out")[-1] == "pc restarted."


@pytest.mark.usefixtures("hurried")
def test_a_machine_that_does_not_restart_is_told(there: WinRm, context: Context) -> None:
    with pytest.raises(MachineError, match="Timeout waiting for machine to restart"):
        WindowsRestart().run(WindowsRestartConfig(restart_timeout=Duration(0.05)), there, context)


def test_other_machines_are_refused(machine: TreeMachine, context: Context) -> None:
    with pytest.raises(MachineError, match="reached over WinRM"):
        Powershell().run(PowershellConfig(inline=("x",)), machine, context)


def test_settings_are_checked(context: Context) -> None:
    wrong = PowershellConfig(elevated_password="x", debug_mode=7, execution_policy="bypas")
    with pytest.raises(UserError) as caught:
        Powershell().check(wrong, context)

    said = " ".join(item.what for item in caught.value.diagnostics)
    assert len(caught.value.diagnostics) == 4
    assert "elevated_user" in said
    assert "execution_policy" in str(caught.value)
    with pytest.raises(UserError):
        WindowsShell().check(replace(WindowsShellConfig(), inline=("x",), script="y"), context)


TEMPLATE = """
source "null" "there" {
  communicator   = "winrm"
  winrm_host     = "127.0.0.1"
  winrm_port     = %d
  winrm_username = "%s"
  winrm_password = "%s"
  winrm_timeout  = "10s"
}
build {
  sources = ["null.there"]
  provisioner "file" {
    source      = "conf"
    destination = "C:/conf"
  }
  provisioner "windows-shell" {
    inline = ["echo ${build.User} by ${build.ConnType}"]
  }
}
"""


def test_a_template_builds_over_winrm(server: WindowsServer, windows: Windows, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a").write_text("1")
    (tmp_path / "w.pkr.hcl").write_text(TEMPLATE % (server.port, USER, PASSWORD))
    windows.answer = lambda command: (0, windows.files["c:/Windows/Temp/script.bat"], b"")

    command = [str(GOLDSMITH), "build", "-color=false", "w.pkr.hcl"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
    assert windows.files["C:/conf/conf/a"] == b"1"
    assert f"null.there: echo {USER} by winrm" in done.stdout
    assert PASSWORD not in done.stdout
