"""Provisioner `shell-local` on the host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.local_scripts import LocalScriptConfig
from goldsmith.machines import Local
from goldsmith.provisioners.shell_local import ShellLocal
from tests.provisioners.provisioner_machine import Recorder


def run(context: Context, **settings: object) -> None:
    ShellLocal().run(LocalScriptConfig(**settings), Local(), context)  # type: ignore[arg-type] # given by each test


def test_it_acts_on_the_host_every_time() -> None:
    assert not ShellLocal.acts_on_machine
    assert not ShellLocal.cacheable


def test_commands_run_in_the_working_directory(context: Context, recorder: Recorder) -> None:
    run(context, inline=("echo here > made", "cat made"))

    assert (context.cwd / "made").read_text() == "here\n"
    assert recorder.lines("out") == ["here"]
    assert list(context.work.iterdir()) == []


def test_a_script_is_run_as_the_program_that_it_is(context: Context, recorder: Recorder) -> None:
    script = context.cwd / "say.sh"
    script.write_text("#!/bin/sh\necho $PACKER_BUILD_NAME $A\n")
    script.chmod(0o755)

    run(context, script="./say.sh", environment_vars=("A=it's",))

    assert recorder.lines() == ["Running local shell script: ./say.sh", "a it's"]


def test_a_script_is_never_mistaken_for_a_program_of_the_host(context: Context, recorder: Recorder) -> None:
    (context.cwd / "true").write_text("#!/bin/sh\necho ours\n")
    (context.cwd / "true").chmod(0o755)

    run(context, scripts=("true",))

    assert recorder.lines("out") == ["ours"]


def test_a_shebang_of_the_first_command_does_not_switch_off_that_failures_end_the_script(context: Context) -> None:
    with pytest.raises(MachineError, match="non-zero exit status: 1"):
        run(context, inline=("#!/bin/sh", "false", "true"))


def test_a_script_knows_the_run(context: Context, recorder: Recorder) -> None:
    run(context, inline=("echo $PACKER_RUN_UUID",))

    assert recorder.lines("out") == [context.run_uuid]


def test_a_single_command_is_the_older_form(context: Context, recorder: Recorder) -> None:
    run(context, command="echo one")

    assert recorder.lines("out") == ["one"]


def test_the_command_can_be_chosen(context: Context, recorder: Recorder) -> None:
    run(context, inline=("echo $A",), env={"A": "b"}, execute_command=("sh", "-c", "echo {{.ID}}; {{.Vars}} sh {{.Script}}"))

    assert recorder.lines("out") == ["here", "b"]


def test_variables_are_no_arguments_of_a_process(context: Context, recorder: Recorder) -> None:
    run(context, inline=("cat /proc/$PPID/cmdline /proc/$$/cmdline | tr '\\0' ' '",), env={"TOKEN": "hunter2"})

    assert recorder.lines("out")
    assert not any("hunter2" in line for line in recorder.lines())


def test_another_system_skips_the_scripts(context: Context, recorder: Recorder) -> None:
    run(context, inline=("touch made",), only_on=("windows",))

    assert not (context.cwd / "made").exists()
    assert "Skipping" in recorder.lines()[0]


def test_an_exit_code_that_is_not_valid_is_an_error(context: Context) -> None:
    run(context, inline=("exit 7",), valid_exit_codes=(7,))
    with pytest.raises(MachineError, match=r"non-zero exit status: 7\.Allowed exit codes are: \[0 2\]"):
        run(context, inline=("exit 7",), valid_exit_codes=(0, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Command, Inline, Script and Scripts options cannot all be empty."),
        ({"command": "a", "script": "b"}, "You may only specify one of the following options: Command, Inline, Script or"),
        ({"command": "a", "inline": ("b",)}, "You may only specify one of the following options: Command, Inline, Script or"),
        ({"inline": ("a",), "environment_vars": ("x",)}, "Environment variable not in format 'key=value': x"),
        ({"scripts": ("a",), "use_linux_pathing": True}, "use_linux_pathing works on Windows only"),
        ({"command": "a", "only_on": ("plan9",)}, "Invalid OS specified in only_on: 'plan9'"),
    ],
)
def test_wrong_settings_are_told_in_packers_words(settings: dict[str, object], message: str, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        ShellLocal().check(LocalScriptConfig(**settings), replace(context))  # type: ignore[arg-type] # given by each case

    assert message in str(caught.value)
