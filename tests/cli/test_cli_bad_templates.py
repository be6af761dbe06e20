"""Bad input by the command line: a clear error and exit code 1 in each language of templates, and no secret told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goldsmith.cli.app import run

NATIVE = 'source "null" "a" {{\n  communicator = {communicator}\n}}\nbuild {{\n  sources = ["null.a"]\n}}\n'
SECRET = "s3cr3t-value"
FILES = {"native": "t.pkr.hcl", "hcl-json": "t.pkr.json", "legacy": "t.json"}


def native(declarations: str = "", communicator: str = '"none"') -> str:
    return declarations + NATIVE.format(communicator=communicator)


def hcl_json(declarations: str = "", communicator: str = '"none"') -> str:
    source = f'"source": {{"null": {{"a": {{"communicator": {communicator}}}}}}}'
    return f'{{{declarations}{source}, "build": [{{"sources": ["null.a"]}}]}}'


def legacy(declarations: str = "", settings: str = "") -> str:
    return f'{{{declarations}"builders": [{{"type": "null", "communicator": "none"{settings}}}]}}'


BAD: dict[str, tuple[str, str, str, str]] = {
    "duplicate": (
        "uplicate",
        native('variable "x" {\n}\nvariable "x" {\n}\n'),
        hcl_json('"variable": [{"x": {}}, {"x": {}}], '),
        legacy('"variables": {"x": "1", "x": "2"}, '),
    ),
    "cycle": (
        "→",
        native("locals {\n  a = local.b\n  b = local.a\n}\n"),
        hcl_json('"locals": {"a": "${local.b}", "b": "${local.a}"}, '),
        legacy('"variables": {"x": "{{user `y`}}", "y": "{{user `x`}}"}, '),
    ),
    "wrong type": (
        "x",
        native('variable "x" {\n  type    = number\n  default = "abc"\n}\n'),
        hcl_json('"variable": {"x": {"type": "number", "default": "abc"}}, '),
        legacy('"variables": {"x": ["a"]}, '),
    ),
    "not UTF-8": (
        "is not UTF-8",
        native('locals {\n  a = "\udcff"\n}\n'),
        hcl_json('"locals": {"a": "\udcff"}, '),
        legacy('"variables": {"a": "\udcff"}, '),
    ),
    "deep nesting": (
        "nested too deeply",
        native(f"locals {{\n  a = {'[' * 5000}{']' * 5000}\n}}\n"),
        hcl_json(f'"locals": {{"a": {"[" * 5000}{"]" * 5000}}}, '),
        legacy(f'"variables": {{"a": {"[" * 5000}{"]" * 5000}}}, '),
    ),
    "a secret of the wrong type": (
        "Error",
        native(f'variable "x" {{\n  sensitive = true\n  default = "{SECRET}"\n}}\nlocals {{\n  a = file(var.x)\n}}\n'),
        hcl_json(f'"variable": {{"x": {{"sensitive": true, "default": "{SECRET}"}}}}, "locals": {{"a": "${{file(var.x)}}"}}, '),
        legacy(f'"variables": {{"x": "{SECRET}"}}, "sensitive-variables": ["x"], ', ', "ssh_port": "{{user `x`}}"'),
    ),
}


@pytest.mark.parametrize("command", ["validate", "build", "plan"])
@pytest.mark.parametrize("language", FILES)
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_template_is_refused(
    fault: str, language: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted, *texts = BAD[fault]
    text = dict(zip(FILES, texts, strict=True))[language]
    Path(FILES[language]).write_bytes(text.encode(errors="surrogateescape"))

    assert run([command, FILES[language]]) == 1
    told = capsys.readouterr()
    assert wanted in told.out + told.err
    assert "Error" in told.out + told.err
    assert SECRET not in told.out + told.err and "Traceback" not in told.out + told.err


@pytest.mark.parametrize("command", ["validate", "build", "plan", "inspect", "console", "hcl2_upgrade"])
@pytest.mark.parametrize("kind", ["pipe", "loop", "nowhere", "huge"])
@pytest.mark.parametrize("name", FILES.values())
def test_what_cannot_be_read_is_an_error(
    name: str, kind: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "nowhere":
            path.symlink_to("nowhere")
        case "huge":
            with path.open("wb") as file:
                file.truncate(100 * 2**20)

    assert run([command, name]) == 1
    assert "Error: " in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "wanted"), [("pipe", "not a regular file"), ("nowhere", "leads nowhere"), ("", "not exist")])
def test_fmt_says_what_is_wrong_with_a_file(kind: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.pkr.hcl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind:
        path.symlink_to("nowhere")

    assert run(["fmt", str(path)]) == 1
    assert wanted in capsys.readouterr().out


@pytest.mark.parametrize(("name", "code"), [("a.hcl", 1), ("a.pkr.json", 1), ("a.pkrvars.hcl", 0), ("goldsmith.hcl", 0)])
def test_fmt_formats_what_is_a_template_by_its_name(name: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("a=1\n", encoding="utf-8")

    assert run(["fmt", str(path)]) == code
    assert path.read_text(encoding="utf-8") == ("a=1\n" if code else "a = 1\n")


def test_plan_does_not_hide_a_build_that_cannot_be_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sources = 'source "null" "a" {\n  communicator = "none"\n}\nsource "null" "b" {\n  nosuch = 1\n}\n'
    Path("t.pkr.hcl").write_text(f'{sources}build {{\n  sources = ["null.a", "null.b"]\n}}\n', encoding="utf-8")

    assert run(["plan", "."]) == 1
    told = capsys.readouterr().out
    assert "null.a\n  always" in told and "nosuch" in told and "1 that cannot be built" in told

    assert run(["plan", "-json", "."]) == 1
    assert ["error" in item for item in json.loads(capsys.readouterr().out)] == [False, True]
