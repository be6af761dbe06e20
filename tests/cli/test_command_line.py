"""The command line as scripts use it: Packer's flags as they are, exit codes, errors with place and next step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from goldsmith.cli.app import program
from goldsmith.cli.packer_commands import packer_flags

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
NULL = 'source "null" "a" {\n  communicator = "none"\n}\nbuild {\n  sources = ["null.a"]\n%s\n}\n'
LOCAL = '  provisioner "shell-local" {\n    inline = ["echo hello"]\n  }'


def goldsmith(*arguments: str, cwd: Path, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a directory, with a cache of its own there."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "GOLDSMITH_CACHE": str(cwd / ".cache"), "PACKER_NO_COLOR": "1"}
    environment |= variables
    return subprocess.run(
        [GOLDSMITH, *arguments], cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, check=False
    )


def template(root: Path, body: str = LOCAL) -> Path:
    path = root / "a.pkr.hcl"
    path.write_text(NULL % body)
    return path


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["-force", "x"], ["-force=true", "x"]),
        (["--force=false", "x"], ["-force=false", "x"]),
        (["-force", "true"], ["-force=true", "true"]),
        (["-var", "a=b", "x"], ["-var=a=b", "x"]),
        (["--var=a=b", "x"], ["-var=a=b", "x"]),
        (["-var", "-force", "x"], ["-var=-force", "x"]),
        (["-var", "a=--b", "x"], ["-var=a=--b", "x"]),
        (["-only", "a,b", "--", "-x"], ["-only=a,b", "--", "-x"]),
        (["-"], ["-"]),
        (["-h"], ["-h"]),
        (["--help"], ["--help"]),
    ],
)
def test_flags_are_read_as_packer_reads_them(given: list[str], read: list[str]) -> None:
    assert packer_flags(given, named("build")) == read


def named(name: str) -> click.Command:
    with click.Context(program) as context:
        command = program.get_command(context, name) if isinstance(program, click.Group) else None
    assert command is not None
    return command


def parsed(name: str, *arguments: str) -> dict[str, object]:
    """The values that a command is called with."""
    command = named(name)
    return command.make_context(name, packer_flags(arguments, command)).params


def test_flags_of_build_become_options() -> None:
    plain = parsed("build", "a.pkr.hcl")
    chosen = parsed(
        "build",
        *("-parallel-builds=1", "--parallel-builds", "5", "-color=false", "-debug", "-force", "-on-error=abort", "-only=a,b"),
        *("-only", "c", "-except=d", "-var", "x=1", "-var=y==", "-var-file=f", "--timestamp-ui", "-warn-on-undeclared-var"),
        "b.pkr.hcl",
    )

    assert (plain["template"], plain["parallel"], plain["color"], plain["on_error"]) == (Path("a.pkr.hcl"), 0, True, "cleanup")
    assert not any(plain[name] for name in ("debug", "force", "timestamp_ui", "warn_on_undeclared_var", "only", "except_"))
    assert (chosen["template"], chosen["parallel"], chosen["color"], chosen["on_error"]) == (
        Path("b.pkr.hcl"),
        5,
        False,
        "abort",
    )
    assert all(chosen[name] for name in ("debug", "force", "timestamp_ui", "warn_on_undeclared_var"))
    assert (chosen["only"], chosen["except_"], chosen["variables"]) == (("a,b", "c"), ("d",), ("x=1", "y=="))
    assert chosen["variable_files"] == (Path("f"),)


@pytest.mark.parametrize(
    "wrong", [["-parallel-builds=x"], ["-on-error=never"], ["-debug=perhaps"], ["-config-type=yaml"], ["-var"], ["-nosuch=1"]]
)
def test_a_wrong_flag_of_build_ends_with_one(tmp_path: Path, wrong: list[str]) -> None:
    template(tmp_path)

    done = goldsmith("build", ".", *wrong, cwd=tmp_path)

    assert (done.returncode, "hello" in done.stdout) == (1, False)


@pytest.mark.parametrize("command", ["build", "validate", "inspect", "console", "fmt"])
def test_every_command_takes_the_flags_that_all_of_packers_take(command: str) -> None:
    flags = ["-only=a", "-except=b", "-var", "k=v", "-var-file=f.hcl", "-config-type=hcl2", "-use-sequential-evaluation"]
    read = packer_flags(flags, named(command))

    assert read[-1] == "-use-sequential-evaluation=true"


def test_an_unknown_flag_gets_a_suggestion(tmp_path: Path) -> None:
    done = goldsmith("build", "-forse", ".", cwd=tmp_path)

    assert done.returncode == 1
    assert 'There is no flag -forse. Did you mean "force"?' in done.stdout


def test_a_null_build_says_what_packer_says(tmp_path: Path) -> None:
    template(tmp_path)

    done = goldsmith("build", ".", cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert "==> null.a: hello" in done.stdout
    assert "Build 'null.a' finished after" in done.stdout
    assert "--> null.a: Did not export anything. This is the null builder" in done.stdout


def test_a_failing_provisioner_ends_with_one_and_names_its_log(tmp_path: Path) -> None:
    template(tmp_path, LOCAL.replace("echo hello", "echo before; exit 3"))

    done = goldsmith("build", ".", cwd=tmp_path)

    assert done.returncode == 1
    assert "Build 'null.a' errored after" in done.stdout
    assert "Some builds didn't complete successfully and had errors" in done.stdout
    assert "\n==> Wait completed after " in done.stdout
    assert done.stdout.endswith("\n==> Builds finished but no artifacts were created.\n")


def test_a_failing_build_is_told_to_programs_as_packer_does(tmp_path: Path) -> None:
    template(tmp_path, LOCAL.replace("echo hello", "exit 3"))

    lines = [line.split(",", 2)[1:] for line in goldsmith("build", "-machine-readable", ".", cwd=tmp_path).stdout.splitlines()]

    assert ["", "error-count,1"] in lines
    assert any(target == "null.a" and told.startswith("error,Script exited with non-zero") for target, told in lines)
    assert any(told.startswith("ui,error,--> null.a: Script exited") for _, told in lines)
    assert lines[-1] == ["", "ui,say,\\n==> Builds finished but no artifacts were created."]


def test_events_are_told_as_json_lines(tmp_path: Path) -> None:
    template(tmp_path)

    events = [json.loads(line) for line in goldsmith("build", "-json", ".", cwd=tmp_path).stdout.splitlines()]

    assert {"BuildStarted", "Output", "BuildFinished"} <= {event["event"] for event in events}


def test_machine_readable_lines_have_packers_shape(tmp_path: Path) -> None:
    template(tmp_path)

    lines = goldsmith("-machine-readable", "build", ".", cwd=tmp_path).stdout.splitlines()

    assert all(line.split(",")[0].isdigit() for line in lines)
    assert any(",null.a,artifact-count,1" in line for line in lines)


def test_a_log_is_written_when_packers_variable_asks_for_it(tmp_path: Path) -> None:
    template(tmp_path)

    plain = goldsmith("build", ".", cwd=tmp_path)
    logged = goldsmith("build", ".", cwd=tmp_path, PACKER_LOG="1")
    goldsmith("build", ".", cwd=tmp_path, PACKER_LOG="1", PACKER_LOG_PATH="log.txt")

    assert "BuildFinished" not in plain.stderr
    assert " [INFO] BuildFinished: {" in logged.stderr
    assert "==> null.a: hello" in logged.stdout
    assert " [INFO] BuildFinished: {" in (tmp_path / "log.txt").read_text()


def test_a_log_tells_no_secret(tmp_path: Path) -> None:
    template(tmp_path, LOCAL.replace("echo hello", "echo ${var.s}"))
    (tmp_path / "b.pkr.hcl").write_text('variable "s" {\n  default   = "hush-hush"\n  sensitive = true\n}\n')

    done = goldsmith("build", ".", cwd=tmp_path, PACKER_LOG="1")

    assert done.returncode == 0
    assert "hush" not in done.stdout + done.stderr


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    template(tmp_path)

    done = goldsmith("build", ".", cwd=tmp_path, PACKER_LOG="1", PACKER_LOG_PATH="no/such/log.txt")

    assert (done.returncode, 'Cannot write the log "no/such/log.txt"' in done.stdout) == (1, True)


def test_an_error_shows_file_line_excerpt_and_suggestion(tmp_path: Path) -> None:
    template(tmp_path, LOCAL.replace("inline", "inlin"))

    done = goldsmith("validate", ".", cwd=tmp_path)

    assert done.returncode == 1
    assert "a.pkr.hcl line 7" in done.stdout
    assert '7 │     inlin = ["echo hello"]' in done.stdout
    assert 'Did you mean "inline"?' in done.stdout


def test_validate_tells_faults_to_editors_too(tmp_path: Path) -> None:
    template(tmp_path, LOCAL.replace("inline", "inlin"))

    done = goldsmith("validate", "-json", ".", cwd=tmp_path)

    found = json.loads(done.stdout.splitlines()[0])
    assert (found["severity"], found["range"]["start"]) == (1, {"line": 6, "character": 4})


EDITOR_COMMANDS = [["validate", "-json"], ["inspect", "-json"], ["fmt", "-check", "-json"], ["init", "-json"]]


@pytest.mark.parametrize("command", EDITOR_COMMANDS)
def test_editors_get_faults_in_the_shape_of_the_language_server_protocol(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "a.pkr.hcl").write_text('locals {\n  a = "😀ä" é\n}\n')

    found = json.loads(goldsmith(*command, "a.pkr.hcl", cwd=tmp_path).stdout.splitlines()[0])

    assert {"severity", "code", "source", "message", "summary", "detail", "file", "uri", "range"} <= set(found)
    assert found["uri"] == (tmp_path / "a.pkr.hcl").as_uri()
    # The emoji is one character here and two code units there.
    assert found["range"]["start"] == {"line": 1, "character": 12}


def test_editors_are_led_to_where_a_value_comes_from(tmp_path: Path) -> None:
    template(tmp_path)
    (tmp_path / "b.pkr.hcl").write_text('variable "v" { default = "x" }\nlocals {\n  n = var.v + 1\n}\n')

    found = json.loads(goldsmith("validate", "-json", ".", cwd=tmp_path).stdout.splitlines()[0])

    (related,) = found["relatedInformation"]
    assert related["message"] == 'var.v = "x", from its default'
    assert related["location"]["range"]["start"]["line"] == 0


def test_editors_see_what_fmt_would_change(tmp_path: Path) -> None:
    (tmp_path / "a.pkr.hcl").write_text("locals {\n  a  = 1\n}\n")

    done = goldsmith("fmt", "-check", "-json", ".", cwd=tmp_path)

    found = json.loads(done.stdout)
    assert (done.returncode, found["severity"], found["code"], found["range"]["start"]["line"]) == (
        3,
        2,
        "fmt.not-canonical",
        1,
    )


def test_fmt_goes_on_after_a_faulty_file(tmp_path: Path) -> None:
    (tmp_path / "a.pkr.hcl").write_text("locals {")
    (tmp_path / "b.pkr.hcl").write_text("a=1\n")
    (tmp_path / "c.pkr.hcl").write_text('"')

    done = goldsmith("fmt", ".", cwd=tmp_path)

    assert done.returncode == 1
    assert "a.pkr.hcl line 1" in done.stdout and "c.pkr.hcl line 1" in done.stdout
    assert (tmp_path / "b.pkr.hcl").read_text() == "a = 1\n"


def test_console_ends_with_one_when_an_expression_is_wrong_and_prints_the_last_result(tmp_path: Path) -> None:
    done = goldsmith("console", "-config-type=hcl2", cwd=tmp_path, stdin="1 +\n1 + 1\n")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "2")
    assert (
        json.loads(goldsmith("console", "-config-type=hcl2", "-json", cwd=tmp_path, stdin="1 +\n").stdout.splitlines()[0])[
            "severity"
        ]
        == 1
    )


def test_a_template_cannot_send_control_characters_to_the_terminal(tmp_path: Path) -> None:
    rule = 'condition = var.v == 2\n    error_message = "Bad \\u001b[2J."'
    (tmp_path / "a.pkr.hcl").write_text(f'variable "v" {{\n  default = 1\n  validation {{\n    {rule}\n  }}\n}}\n')

    done = goldsmith("validate", ".", cwd=tmp_path)

    assert "Bad \ufffd[2J." in done.stdout
    assert "\x1b" not in done.stdout


def test_a_good_template_is_valid(tmp_path: Path) -> None:
    template(tmp_path)

    assert goldsmith("validate", ".", cwd=tmp_path).stdout.strip().endswith("The configuration is valid.")


GATES = """
gate "boot" { tests = "tests" }
gate "secrets" { rules = ["rules.toml"] }
gate "vulnerabilities" { vex = ["a.vex.json"] }
"""


def test_validate_reads_the_files_that_gates_name(tmp_path: Path) -> None:
    template(tmp_path)
    (tmp_path / "goldsmith.hcl").write_text(GATES)
    (tmp_path / "rules.toml").write_text("[[rules]]\nid = 'x'\n")
    (tmp_path / "a.vex.json").write_text("{}")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_web.py").write_text("this is no Python\n")
    (tmp_path / "tests/web.yaml").write_text("service:\n  ssh.service: {runing: true}\n")

    done = goldsmith("validate", ".", cwd=tmp_path)

    assert done.returncode == 1
    assert "on tests/web.yaml line 2:" in done.stdout
    assert 'a service has no "runing" (Did you mean "running"?)' in done.stdout
    assert "it has neither regex nor path" in done.stdout
    assert "a.vex.json" in done.stdout
    assert goldsmith("validate", "-syntax-only", ".", cwd=tmp_path).returncode == 0


def test_fmt_writes_checks_and_reads_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "a.pkr.hcl"
    path.write_text("locals {\na=1\n  bb = 2\n}\n")

    assert goldsmith("fmt", "-check", ".", cwd=tmp_path).returncode == 3
    assert goldsmith("fmt", ".", cwd=tmp_path).stdout == "a.pkr.hcl\n"
    assert path.read_text() == "locals {\n  a  = 1\n  bb = 2\n}\n"
    assert goldsmith("fmt", "-check", ".", cwd=tmp_path).returncode == 0
    assert goldsmith("fmt", "-", cwd=tmp_path, stdin="a=1\n").stdout == "a = 1\n"


def test_console_prints_the_last_result(tmp_path: Path) -> None:
    assert goldsmith("console", "-config-type=hcl2", cwd=tmp_path, stdin='1 + 2\nupper("a")\n').stdout == "A\n"


@pytest.mark.parametrize("arguments", [["build"], ["build", "nowhere"], ["promote", "a", "b"], ["show", "x"]])
def test_wrong_calls_end_with_one_and_never_with_a_traceback(tmp_path: Path, arguments: list[str]) -> None:
    done = goldsmith(*arguments, cwd=tmp_path)

    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["biuld", "."]])
def test_without_a_known_command_the_usage_is_shown_and_the_code_is_127(tmp_path: Path, arguments: list[str]) -> None:
    done = goldsmith(*arguments, cwd=tmp_path)

    assert done.returncode == 127
    assert done.stdout.startswith("Usage: goldsmith [--version] [--help] <command> [<args>]")
    assert "    validate  " in done.stdout
    assert ('Did you mean "build"?' in done.stdout) is bool(arguments)


def test_help_of_a_command_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom goldsmith.cli.app import run\nrun(['validate', '--help'])\n"
        "heavy = {'sqlalchemy', 'alembic', 'asyncssh', 'pydantic', 'rich', 'cryptography', 're2', 'securesystemslib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
