"""Templates in the JSON form of HCL on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_command_line import goldsmith

BUILD = '"source": {"null": {"n": {"communicator": "none"}}}, "build": {"sources": ["null.n"], "provisioner": %s}'
SAY = """{"shell-local": {"inline": ["echo '${var.word} from ${source.name}'"]}}"""


def template(root: Path, provisioner: str = SAY) -> Path:
    path = root / "t.pkr.json"
    path.write_text(f'{{\n  "variable": {{"word": {{"default": "hello"}}}},\n  {BUILD % provisioner}\n}}\n')
    return path


@pytest.mark.parametrize("argument", [".", "t.pkr.json"])
def test_a_template_in_json_is_built(tmp_path: Path, argument: str) -> None:
    template(tmp_path)
    (tmp_path / "v.json").write_text('{"word": "${word}"}')

    done = goldsmith("build", "-var-file=v.json", argument, cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    assert "==> null.n: ${word} from n" in done.stdout


def test_validate_inspect_console_and_plan_read_json(tmp_path: Path) -> None:
    template(tmp_path)

    assert "The configuration is valid." in goldsmith("validate", ".", cwd=tmp_path).stdout
    assert 'var.word: "hello"' in goldsmith("inspect", "t.pkr.json", cwd=tmp_path).stdout
    assert goldsmith("console", "t.pkr.json", cwd=tmp_path, stdin="upper(var.word)\n").stdout == "HELLO\n"
    assert "null.n" in goldsmith("plan", ".", cwd=tmp_path).stdout


def test_an_error_in_a_string_shows_its_place_in_the_file(tmp_path: Path) -> None:
    template(tmp_path, '{"shell-local": {"inline": ["\\u0041\\n${var.wrod}"]}}')

    done = goldsmith("validate", ".", cwd=tmp_path)

    assert done.returncode == 1
    line = (tmp_path / "t.pkr.json").read_text().splitlines()[2]
    assert f"3 │ {line}" in done.stdout
    (told,) = (text for text in goldsmith("validate", "-json", ".", cwd=tmp_path).stdout.splitlines() if "wrod" in text)
    where = json.loads(told)["range"]
    assert line[where["start"]["character"] : where["end"]["character"]] == ".wrod"


def test_fmt_leaves_json_alone(tmp_path: Path) -> None:
    path = template(tmp_path)
    before = path.read_text()

    assert goldsmith("fmt", "-check", ".", cwd=tmp_path).returncode == 0
    named = goldsmith("fmt", "t.pkr.json", cwd=tmp_path)

    assert (named.returncode, path.read_text()) == (1, before)
    assert "is not a HCL file" in named.stdout


def test_a_project_takes_templates_in_json(tmp_path: Path) -> None:
    source = '"source": {"bootstrap": {"base": {"distribution": "debian", "release": "bookworm"}}}'
    (tmp_path / "goldsmith.hcl").write_text('image "one" { template = "one" }\nimage "two" { template = "two/t.pkr.json" }\n')
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.pkr.json").write_text(f'{{{source}, "build": {{"sources": ["bootstrap.base"]}}}}')

    done = goldsmith("validate", ".", cwd=tmp_path)

    assert (done.returncode, "The configuration is valid." in done.stdout) == (0, True), done.stdout


def test_a_template_in_json_beside_a_project_file_is_a_template(tmp_path: Path) -> None:
    template(tmp_path)
    (tmp_path / "goldsmith.hcl").write_text("")

    assert "==> null.n: hello from n" in goldsmith("build", ".", cwd=tmp_path).stdout


def test_of_a_long_line_only_the_place_is_shown(tmp_path: Path) -> None:
    many = ", ".join(f'"v{number}": "{"x" * 20}"' for number in range(5_000))
    (tmp_path / "t.pkr.json").write_text(f'{{"locals": {{{many}, "bad": "${{nosuch}}", {many.replace("v", "w")}}}}}')

    told = goldsmith("validate", ".", cwd=tmp_path).stdout

    excerpt, caret = next(pair for pair in zip(told.splitlines(), told.splitlines()[1:], strict=False) if "nosuch" in pair[0])
    assert len(excerpt) < 180
    assert excerpt[caret.index("^") : caret.rindex("^") + 1] == "nosuch"
