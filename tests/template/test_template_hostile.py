"""Templates that are no friends: strange files are refused clearly, and `-sandboxed-files` keeps what is outside unread."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.limits import LARGEST_FILE_BYTES
from goldsmith.template import load, load_options

BUILD = 'source "null" "a" {\n  communicator = "none"\n}\nbuild {\n  sources = ["null.a"]\n}\n'


def values_of(directory: Path, sandboxed: bool = False, files: tuple[Path, ...] = ()) -> dict[str, object]:
    """The locals of a template in `directory`."""
    options = load_options(cwd=directory, sandboxed=sandboxed, variable_files=files, environment={})
    return {name: value.raw for name, value in load(directory, options).locals.items()}


def template(directory: Path, text: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "a.pkr.hcl").write_text(BUILD + text, encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"a = \x00\n",
        b"\x00" * 1000,
        b"}" * 1000,
        b"{" * 100_000,
        b'"${' * 100_000,
        b"a = <<E\n",
        b"/*",
        b"\x80",
        b"\r",
        b'a = "\xc3"',
        b"locals { a = 1e99999999999999999999 }\n",
    ],
)
def test_bytes_that_are_no_template_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pkr.hcl").write_bytes(content)

    with pytest.raises(UserError):
        load(tmp_path, load_options())


def test_a_file_of_a_hundred_megabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.pkr.hcl").open("wb") as file:
        file.truncate(100 * 2**20)

    with pytest.raises(UserError, match=f"more than {LARGEST_FILE_BYTES:,} bytes"):
        load(tmp_path, load_options())


def test_line_ends_and_a_byte_order_mark_mean_nothing(tmp_path: Path) -> None:
    text = BUILD + "locals {\n  a = <<E\nx\nE\n}\n"
    (tmp_path / "a.pkr.hcl").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    assert values_of(tmp_path)["a"] == "x\r\n"


@pytest.mark.parametrize("kind", ["fifo", "loop", "device"])
def test_what_is_no_file_is_neither_read_nor_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pkr.hcl"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "device":
            path.symlink_to("/dev/zero")

    with pytest.raises(UserError, match="Cannot read"):
        load(tmp_path, load_options())


def test_a_directory_with_the_name_of_a_template_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.pkr.hcl").mkdir()

    with pytest.raises(UserError, match="Could not find any config file"):
        load(tmp_path, load_options())


@pytest.mark.parametrize("name", ["x" * 5000 + ".pkr.hcl"])
def test_a_name_that_no_file_can_have_is_not_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", name]) == 1
    assert "contradicts itself" not in capsys.readouterr().out


def test_variables_that_are_no_utf8_are_read_as_well_as_they_can_be(tmp_path: Path) -> None:
    template(tmp_path, 'variable "v" {\n  type = string\n}\nlocals {\n  a = upper(var.v)\n}\n')

    loaded = load(tmp_path, load_options(variables=(("v", "a\udcff"),)))

    assert loaded.locals["a"].raw == "A\N{REPLACEMENT CHARACTER}"


# ── -sandboxed-files ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("top", encoding="utf-8")
    return path


READS = (
    'file("{}")',
    'filebase64("{}")',
    'templatefile("{}", {{}})',
    'fileexists("{}")',
    'fileset("{}/..", "*")',
    'fileset("..", "*")',
    'file("../secret.txt")',
    'file("link")',
    'fileset("below", "*")',
)


@pytest.mark.parametrize("call", READS)
def test_nothing_outside_of_the_templates_directory_is_read(call: str, secret: Path, tmp_path: Path) -> None:
    inside = template(tmp_path / "t", f"locals {{\n  a = {call.format(secret)}\n}}\n")
    (inside / "link").symlink_to(secret)
    (inside / "below").symlink_to(tmp_path)

    values_of(inside)
    with pytest.raises(UserError, match="-sandboxed-files allows nothing else"):
        values_of(inside, sandboxed=True)


def test_files_in_the_templates_directory_are_read(tmp_path: Path, secret: Path) -> None:
    text = (
        'locals {\n  a = file("x.txt")\n  b = filebase64("x.txt")\n  c = fileset(".", "*.txt")\n  d = fileexists("x.txt")\n}\n'
    )
    inside = template(tmp_path / "t", text)
    (inside / "x.txt").write_text("hello", encoding="utf-8")
    (inside / "link.txt").symlink_to(secret)

    # filebase64 looks from the working directory, as Packer's does.
    before = Path.cwd()
    os.chdir(inside)
    try:
        found = values_of(inside, sandboxed=True)
    finally:
        os.chdir(before)

    assert (found["a"], found["b"], found["d"]) == ("hello", base64.b64encode(b"hello").decode(), True)
    assert [item.raw for item in found["c"]] == ["x.txt"]  # type: ignore[attr-defined]  # a set of strings


def test_a_refused_read_tells_nothing_by_way_of_try(secret: Path, tmp_path: Path) -> None:
    inside = template(tmp_path / "t", f'locals {{\n  a = try(file("{secret}"), "none")\n}}\n')

    assert values_of(inside, sandboxed=True) == {"a": "none"}


def test_variable_files_and_templates_outside_are_refused(tmp_path: Path, secret: Path) -> None:
    inside = template(tmp_path / "t", 'variable "v" {\n  default = 1\n}\n')
    outside = tmp_path / "x.pkrvars.hcl"
    outside.write_text("v = 2\n", encoding="utf-8")

    with pytest.raises(UserError, match="outside of the template's directory"):
        values_of(inside, sandboxed=True, files=(outside,))
    (inside / "x.auto.pkrvars.hcl").symlink_to(outside)
    with pytest.raises(UserError, match="outside of the template's directory"):
        values_of(inside, sandboxed=True)


@pytest.mark.parametrize("command", ["validate", "inspect", "console", "plan", "build"])
@pytest.mark.parametrize("language", ["hcl", "json"])
def test_every_command_that_evaluates_a_template_has_the_option(
    command: str, language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "outside"
    outside.write_text(BUILD if language == "hcl" else '{"builders": [{"type": "null"}]}', encoding="utf-8")
    link = tmp_path / "t" / ("a.pkr.hcl" if language == "hcl" else "a.json")
    link.parent.mkdir()
    link.symlink_to(outside)

    assert run([command, "-sandboxed-files", str(link)]) == 1
    assert "template.sandboxed" in capsys.readouterr().out
