"""Provisioner `shell` against a real tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.machines.machine import DISCONNECTED
from goldsmith.provisioners.shell import Shell, ShellConfig
from goldsmith.scripts import flattened
from tests.provisioners.provisioner_machine import Recorder, TreeMachine


def run(machine: TreeMachine, context: Context, **settings: object) -> None:
    Shell().run(ShellConfig(**settings), machine, context)  # type: ignore[arg-type] # the values are given by each test


def test_inline_commands_are_one_script_and_their_output_is_shown(
    machine: TreeMachine, context: Context, recorder: Recorder
) -> None:
    run(machine, context, inline=("cd /srv", "echo one > here", "cat here"))

    assert (machine.changed / "srv/here").read_text() == "one\n"
    assert recorder.lines("out") == ["one"]


def test_nothing_of_the_script_stays(machine: TreeMachine, context: Context) -> None:
    run(machine, context, inline=("true",), use_env_var_file=True)

    assert machine.names_in("/tmp") == []


def test_a_script_stays_when_it_is_not_to_be_cleaned(machine: TreeMachine, context: Context) -> None:
    run(machine, context, inline=("true",), skip_clean=True, remote_folder="/srv", remote_file="s.sh")

    assert (machine.changed / "srv/s.sh").read_text() == "#!/bin/sh -e\ntrue\n"


def test_the_first_failing_command_ends_the_script(machine: TreeMachine, context: Context) -> None:
    with pytest.raises(MachineError, match=r"non-zero exit status: 3\.Allowed exit codes are: \[0\]"):
        run(machine, context, inline=("(exit 3)", "touch /srv/after"))

    assert not (machine.changed / "srv/after").exists()


@pytest.mark.parametrize("scanner", ["trivy-is-not-here rootfs /", "trivy rootfs --exit-code 1 /"])
def test_a_scanner_that_is_not_installed_is_told_with_what_stands_in_its_place(
    machine: TreeMachine, context: Context, scanner: str
) -> None:
    with pytest.raises(MachineError) as failed:
        run(machine, context, inline=(scanner,))

    assert ('gate "vulnerabilities" {}' in failed.value.diagnostics[0].why) is scanner.startswith("trivy ")


def test_other_exit_codes_may_be_good(machine: TreeMachine, context: Context) -> None:
    run(machine, context, inline=("exit 3",), valid_exit_codes=(0, 3))


def test_an_interpreter_line_of_the_user_is_kept(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    run(machine, context, inline=("#!/bin/cat", "shown, not run"))

    assert recorder.lines("out") == ["#!/bin/cat", "shown, not run"]


def test_scripts_run_in_order_with_unix_line_ends(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    for name in ("one", "two"):
        (context.cwd / name).write_bytes(f"#!/bin/sh\r\necho {name}\r\n".encode())

    run(machine, context, scripts=("one", "two"))

    assert recorder.lines() == ["Provisioning with shell script: one", "one", "Provisioning with shell script: two", "two"]


def test_variables_reach_the_script_with_packers_own(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    context = replace(context, generated={"PackerHTTPAddr": "10.0.2.2:80", "PackerHTTPIP": "ERR_HTTP_IP_NOT_IMPLEMENTED"})

    run(
        machine,
        context,
        inline=('echo "$QUOTE $WHO $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE $PACKER_HTTP_ADDR ${PACKER_HTTP_IP-none}"',),
        environment_vars=("QUOTE=it's = $HOME", "WHO=list"),
        env={"WHO": "map"},
    )

    assert recorder.lines("out") == ["it's = $HOME map a null 10.0.2.2:80 none"]


def test_variables_may_travel_in_a_file(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    run(machine, context, inline=('echo "$A"',), env={"A": "x'y"}, use_env_var_file=True)

    assert recorder.lines("out") == ["x'y"]


def test_the_command_can_be_chosen(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    command = "echo {{.ID}} {{ .Path }}; env {{ .Vars }} sh -u '{{ .Path }}'"

    run(machine, context, inline=("echo $A",), env={"A": "b"}, execute_command=command, remote_path="/tmp/x y.sh")

    assert recorder.lines("out") == ["here /tmp/x y.sh", "b"]


def test_a_broken_command_is_the_users_error(machine: TreeMachine, context: Context) -> None:
    with pytest.raises(UserError, match="Error processing command"):
        run(machine, context, inline=("true",), execute_command="{{ nosuch }}")


def test_secrets_are_no_arguments_of_a_process(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    run(machine, context, inline=("cat /proc/*/cmdline | tr '\\0' ' '", "cat /proc/1/environ"), env={"TOKEN": "hunter2"})

    assert not any("hunter2" in line for line in recorder.lines() if "GOLDSMITH_COMMAND" not in line)


def test_a_lost_connection_is_good_only_when_expected(tree: Path, tmp_path: Path, context: Context) -> None:
    class Lost(TreeMachine):
        def run(self, *arguments: object, **options: object) -> int:
            return 0 if arguments[0] == ["rm", "-f", "/tmp/s"] else DISCONNECTED

    with Lost([tree], tmp_path / "sandbox") as lost:
        with pytest.raises(MachineError, match="Script disconnected unexpectedly"):
            run(lost, context, inline=("reboot",), remote_path="/tmp/s")
        run(lost, context, inline=("reboot",), remote_path="/tmp/s", expect_disconnect=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Either a script file or inline script must be specified."),
        ({"script": "a", "scripts": ("b",)}, "Only one of script or scripts can be specified."),
        ({"script": "a", "inline": ("b",)}, "Only a script file or an inline script can be specified, not both."),
        ({"inline": ("b",), "environment_vars": ("=x",)}, "Environment variable not in format 'key=value': =x"),
        ({"inline": ("b",), "env_var_format": "%s"}, "env_var_format must hold %s twice"),
    ],
)
def test_wrong_settings_are_told_in_packers_words(settings: dict[str, object], message: str, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        Shell().check(ShellConfig(**settings), context)  # type: ignore[arg-type] # the values are given by each case

    assert message in str(caught.value)
    assert all(item.next for item in caught.value.diagnostics)


@given(st.dictionaries(st.from_regex("[A-Z_]{1,8}", fullmatch=True), st.text(st.characters(exclude_characters="\0"))))
def test_no_value_leaves_its_quotes(variables: dict[str, str]) -> None:
    import shlex

    words = shlex.split(flattened(variables, "%s='%s' "))

    assert words == [f"{name}={value}" for name, value in variables.items()]
