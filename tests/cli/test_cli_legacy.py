"""Legacy JSON templates at the command line; Debian's packer 1.6.6 is the witness where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

GOLDSMITH = str(Path(sys.executable).with_name("goldsmith"))
Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
NULL: dict[str, Json] = {"type": "null", "communicator": "none"}


def run(program: str, *arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(cwd / "home"),
        "GOLDSMITH_CACHE": str(cwd / "cache"),
        "CHECKPOINT_DISABLE": "1",
        "PACKER_NO_COLOR": "1",
        "FRUIT": "plum",
    }
    (cwd / "home").mkdir(exist_ok=True)
    return subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, check=False
    )


def write(root: Path, template: Json) -> None:
    (root / "t.json").write_text(json.dumps(template))


def say(text: str, **more: Json) -> dict[str, Json]:
    return {"type": "shell-local", "inline": [f"echo {text} >> out.txt"], **more}


BUILT: list[tuple[str, Json, Sequence[str]]] = [
    (
        "a variable from the environment",
        {"variables": {"f": "{{env `FRUIT`}}"}, "builders": [NULL], "provisioners": [say("{{user `f`}}")]},
        (),
    ),
    (
        "a variable that must be given",
        {"variables": {"f": None}, "builders": [NULL], "provisioners": [say("{{user `f`}}")]},
        ("-var", "f=fig"),
    ),
    ("a variable that is not given", {"variables": {"f": None}, "builders": [NULL], "provisioners": [say("x")]}, ()),
    (
        "a variable in a variable in a file",
        {"variables": {"f": None, "g": "<{{user `f`}}>"}, "builders": [NULL], "provisioners": [say("'{{user `g`}}'")]},
        ("-var-file", "vars.json"),
    ),
    ("an undefined variable", {"builders": [NULL], "provisioners": [say("[{{user `f`}}]")]}, ()),
    (
        "an undefined variable in a variable",
        {"variables": {"g": "{{user `f`}}"}, "builders": [NULL], "provisioners": [say("x")]},
        (),
    ),
    (
        "names",
        {
            "builders": [{**NULL, "name": "b{{user `n`}}"}],
            "variables": {"n": "1"},
            "provisioners": [say("{{build_name}} {{build_type}} $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE")],
        },
        (),
    ),
    (
        "overrides and selection",
        {
            "builders": [{**NULL, "name": "a"}, {**NULL, "name": "b"}],
            "provisioners": [
                say("all", override={"b": {"inline": ["echo own >> out.txt"]}}),
                say("a", only=["a"]),
                {**say("not-a"), "except": ["a"]},
            ],
        },
        ("-parallel-builds=1",),
    ),
    (
        "only",
        {"builders": [{**NULL, "name": "a"}, {**NULL, "name": "b"}], "provisioners": [say("{{build_name}}")]},
        ("-only=b",),
    ),
    (
        "except a build and a post-processor",
        {
            "builders": [{**NULL, "name": "a"}, {**NULL, "name": "b"}],
            "post-processors": [say("{{build_name}}"), [say("p"), say("q", name="q"), say("r")]],
        },
        ("-except=a,q",),
    ),
    ("an unknown name in only of a part", {"builders": [NULL], "provisioners": [say("x", only=["nope"])]}, ()),
    ("an unknown component", {"builders": [NULL], "provisioners": [{"type": "nope"}]}, ()),
    (
        "one of two builds cannot be prepared",
        {"builders": [{"type": "file"}, NULL], "provisioners": [say("{{build_type}}")]},
        (),
    ),
    ("an unknown setting", {"builders": [{**NULL, "comunicator": "x"}], "provisioners": [say("x")]}, ()),
    ("a comment", {"_comment": "x", "builders": [NULL], "provisioners": [say("x")]}, ()),
    ("an unknown root key", {"comment": "x", "builders": [NULL]}, ()),
    ("no builder", {"provisioners": [say("x")]}, ()),
    ("two builders of a name", {"builders": [NULL, NULL]}, ()),
    ("a missing type", {"builders": [NULL], "provisioners": [{"inline": ["x"]}]}, ()),
    ("a text for a list", {"builders": [NULL], "provisioners": [{"type": "shell-local", "inline": "echo x >> out.txt"}]}, ()),
    (
        "weak types",
        {
            "variables": {"c": "3"},
            "builders": [NULL],
            "provisioners": [
                {"type": "shell-local", "inline": ["echo x >> out.txt; exit 3"], "valid_exit_codes": "{{user `c`}}"}
            ],
        },
        (),
    ),
    (
        "a step that fails",
        {"builders": [NULL], "provisioners": [say("x"), {"type": "shell-local", "inline": ["exit 4"]}, say("y")]},
        (),
    ),
    (
        "the clean-up after a failure",
        {
            "builders": [NULL],
            "provisioners": [{"type": "shell-local", "inline": ["exit 4"]}],
            "error-cleanup-provisioner": say("clean"),
        },
        (),
    ),
    (
        "retries",
        {
            "builders": [NULL],
            "provisioners": [
                {"type": "shell-local", "inline": ["echo try >> out.txt; [ $(wc -l < out.txt) = 3 ]"], "max_retries": 3}
            ],
        },
        (),
    ),
    (
        "a command with fields",
        {
            "variables": {"c": "{{.Vars}} {{.Script}}"},
            "builders": [NULL],
            "provisioners": [say("$A", environment_vars=["A=1"], execute_command=["/bin/sh", "-c", "{{user `c`}}"])],
        },
        (),
    ),
    (
        "chains that keep and throw away",
        {
            "builders": [{"type": "file", "target": "a.txt", "content": "a"}],
            "post-processors": [
                {"type": "checksum", "output": "sums"},
                ["manifest", {"type": "compress", "output": "a.tar.gz"}],
            ],
        },
        (),
    ),
    (
        "a chain that keeps its input",
        {
            "builders": [{"type": "file", "target": "a.txt", "content": "a"}],
            "post-processors": [{"type": "compress", "output": "a.tar.gz", "keep_input_artifact": True}],
        },
        (),
    ),
    (
        "a chain that throws its input away",
        {
            "builders": [{"type": "file", "target": "a.txt", "content": "a"}],
            "post-processors": [{"type": "compress", "output": "a.tar.gz"}],
        },
        (),
    ),
    (
        "a file that says where it is",
        {"builders": [{"type": "file", "target": "a.txt", "content": "{{build_name}} {{upper `x`}}"}]},
        (),
    ),
    ("a version that is too high", {"min_packer_version": "99.0.0", "builders": [NULL]}, ()),
    ("what is no JSON", "{", ()),
]


@pytest.mark.parametrize(("template", "arguments"), [row[1:] for row in BUILT], ids=[row[0] for row in BUILT])
def test_a_build_ends_as_packers_and_leaves_the_same_files(tmp_path: Path, template: Json, arguments: Sequence[str]) -> None:
    packer = shutil.which("packer")
    if packer is None:
        pytest.skip("Debian's packer, the witness for builds, is not installed")
    results = []
    for program in (packer, GOLDSMITH):
        place = tmp_path / Path(program).name
        place.mkdir()
        (place / "vars.json").write_text('{"f": "quince"}')
        (place / "t.json").write_text(template if isinstance(template, str) else json.dumps(template))
        checked = run(program, "validate", *(item for item in arguments if "parallel" not in item), "t.json", cwd=place)
        done = run(program, "build", *arguments, "t.json", cwd=place)
        names = sorted(
            path.name for path in place.iterdir() if path.name not in ("home", "cache", ".goldsmith", "packer_cache")
        )
        text = (place / "out.txt").read_text() if (place / "out.txt").exists() else None
        results.append((checked.returncode, done.returncode, names, text))

    assert results[1] == results[0]


def test_a_template_comes_from_standard_input_too(tmp_path: Path) -> None:
    text = json.dumps({"builders": [NULL], "provisioners": [say("{{template_dir}}")]})

    assert run(GOLDSMITH, "build", "-", cwd=tmp_path, stdin=text).returncode == 0
    assert (tmp_path / "out.txt").read_text() == f"{tmp_path}\n"
    assert run(GOLDSMITH, "validate", "-", cwd=tmp_path, stdin="[]").returncode == 1


def test_inspect_and_console_speak_of_legacy_templates_as_packer_does(tmp_path: Path) -> None:
    write(tmp_path, {"variables": {"b": "x", "a": None}, "builders": [NULL], "provisioners": [say("x")]})

    assert run(GOLDSMITH, "inspect", "t.json", cwd=tmp_path).stdout.startswith(
        "Packer Inspect: JSON mode\nRequired variables:\n\n  a\n\nOptional variables and their defaults:\n\n  b = x\n\n"
    )
    facts = run(GOLDSMITH, "inspect", "-machine-readable", "t.json", cwd=tmp_path).stdout
    assert ",,template-variable,b,x,0\n" in facts and ",,template-builder,null,null\n" in facts
    assert run(GOLDSMITH, "console", "-var", "a=1", "t.json", cwd=tmp_path, stdin="{{user `a`}}{{user `b`}}\n").stdout == "1x\n"
    assert run(GOLDSMITH, "console", cwd=tmp_path, stdin="1 + 5\n").stdout == "1 + 5\n"


def test_lines_name_builds_and_post_processors_as_packer_does(tmp_path: Path) -> None:
    write(tmp_path, {"builders": [{**NULL, "name": "a"}], "post-processors": ["manifest", say("x", name="say")]})

    lines = run(GOLDSMITH, "build", "t.json", cwd=tmp_path).stdout.splitlines()

    assert "==> null.a: Running post-processor: manifest" in lines
    assert "==> null.a: Running post-processor: say (type shell-local)" in lines


def test_a_fault_shows_its_line_and_the_way_on(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{\n  "builders": [\n    {"type": "null", "communicatr": "none"}\n  ]\n}\n')

    told = run(GOLDSMITH, "validate", "t.json", cwd=tmp_path).stdout

    assert "t.json line 3" in told and 'Did you mean "communicator"?' in told


@pytest.mark.parametrize(("file", "status"), [("vars.json", 0), ("none.json", 1)])
def test_a_check_of_the_syntax_reads_variable_files_as_packer_does(tmp_path: Path, file: str, status: int) -> None:
    write(tmp_path, {"variables": {"a": None}, "builders": [{"type": "nosuch"}]})
    (tmp_path / "vars.json").write_text("{}")

    assert run(GOLDSMITH, "validate", "-syntax-only", f"-var-file={file}", "t.json", cwd=tmp_path).returncode == status
