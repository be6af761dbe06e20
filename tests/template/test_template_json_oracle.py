"""Debian's packer as a witness for templates in JSON."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import Console, inspect, load, load_options

SOURCE = '"source": {"null": {"n": {"communicator": "none"}, "m": [{"communicator": "none"}]}}'
STEP = '{"shell-local": {"inline": ["a"]}}'
EACH = '{"inline": ["${provisioner.value}"]}'


def building(members: str) -> str:
    """A template whose build has some more members."""
    return f'{{{SOURCE}, "build": {{"sources": ["null.n"], {members}}}}}'


def with_variable(declaration: str) -> str:
    """A template with the variable `a`."""
    return f'{{"variable": {{"a": {declaration}}}, {SOURCE}, "build": {{"sources": ["null.n"]}}}}'


def with_root(members: str) -> str:
    """A template with some more members."""
    return f'{{{members}, {SOURCE}, "build": {{"sources": ["null.n"]}}}}'


def with_dynamic(members: str) -> str:
    """A template whose build makes provisioners."""
    return building(f'"dynamic": {{"provisioner": {{{members}}}}}')


BUILDS_NOTHING = ("[]", "{}")
TEMPLATES = (
    f'{{{SOURCE}, "build": {{"sources": ["null.n", "source.null.m"]}}}}',
    f'[{{{SOURCE}}}, {{"build": [{{"sources": ["null.n"]}}, {{"name": "b", "sources": ["null.m"]}}]}}]',
    f'{{{SOURCE}, "build": [{{"sources": ["null.n"]}}, "x"]}}',
    f'{{{SOURCE}, "build": "x"}}',
    building('"//": [], "provisioner": {"//": {}, "shell-local": [{"inline": ["a"]}, {"inline": ["b"], "name": "x"}]}'),
    building('"//": 1, "provisioner": {"shell-local": [{"inline": ["a"]}, {"inline": ["b"], "name": "x", "//": 2}]}'),
    building(f'"provisioner": [{STEP}, {{"breakpoint": {{"disable": true}}}}, {STEP}]'),
    building('"post-processor": {"manifest": {}}, "post-processors": [{"post-processor": {"manifest": {"name": "m"}}}]'),
    building('"post-processors": {"post-processor": [{"manifest": {}}, {"shell-local": {"inline": ["a"]}}]}'),
    building('"provisioner": null, "post-processors": []'),
    building('"provisioner": {}'),
    building('"provisioner": {"shell-local": "x"}'),
    building('"provisioner": {"shell-local": [null]}'),
    building('"provisioner": {"shell-local": {"inlin": ["a"]}}'),
    building('"provisioner": [[{"shell-local": {"inline": ["a"]}}]]'),
    building('"bogus": 1'),
    with_dynamic(f'"for_each": ["a"], "labels": ["shell-local"], "content": {EACH}'),
    with_dynamic(f'"for_each": ["a"], "iterator": "i", "labels": ["shell-local"], "content": {EACH}'),
    with_dynamic(f'"for_each": ["a"], "iterator": "provisioner", "labels": ["shell-local"], "content": {EACH}'),
    with_dynamic(f'"for_each": ["a"], "iterator": "${{provisioner}}", "labels": ["shell-local"], "content": {EACH}'),
    with_dynamic('"for_each": [], "labels": ["a", "b"], "content": {}'),
    with_dynamic('"for_each": [], "labels": "a", "content": {}'),
    with_dynamic('"for_each": [], "content": {}'),
    with_dynamic('"for_each": null, "labels": ["shell-local"], "content": {}'),
    with_variable('{"type": "strng", "default": 1}'),
    with_variable('{"type": "list(string", "default": 1}'),
    with_variable('{"type": "\\"string\\"", "default": 1}'),
    with_variable('{"type": "${string}", "default": 1}'),
    with_variable('{"type": 1, "default": 1}'),
    with_variable('{"type": ["string"], "default": 1}'),
    with_variable('{"type": " list( \\n string ) ", "default": []}'),
    with_variable('{"type": "object({k=string})", "default": {"k": 1}}'),
    with_variable('{"type": "object({k=string})", "default": {"l": 1}}'),
    with_variable('{"default": 1, "description": null}'),
    with_variable('{"default": 1, "description": "${"}'),
    with_variable('{"default": "${"}'),
    with_variable('{"default": "x", "sensitive": "${true}"}'),
    with_variable('{"default": "x", "sensitive": "true"}'),
    with_variable('{"default": 1, "default": 2}'),
    with_variable('{"default": {"k": 1, "k": 2}}'),
    with_variable('{"default": 1}, "a": {"default": 1}'),
    with_variable('{"default": 1, "validation": {"condition": "${var.a == 1}", "error_message": "Is ${not} one."}}'),
    with_variable('{"default": 2, "validation": {"condition": "${var.a == 1}", "error_message": "Is not one."}}'),
    with_variable('{"default": 1, "validation": {"condition": "var.a == 1", "error_message": "Is not one."}}'),
    with_root('"variable": {"a": []}, "variables": [{"v": 1}, {"w": 2}]'),
    with_root('"variables": [[{"v": 1}]]'),
    with_root('"locals": {"a": "${local.b}", "b": {"${null}": 1}}'),
    with_root('"locals": {"a": "${local.b}", "b": {"${1}": 1}}'),
    with_root('"packer": {"required_version": "${x}"}'),
    with_root('"packer": {"required_version": ">= 1.0.0"}'),
    with_root('"packer": [null]'),
    *BUILDS_NOTHING,
    "null",
    '"x"',
    '{"a": 1,}',
)
VALUES = (
    *('"${1+1}"', '"a${1}b"', '["${[1, \\"x\\"]}", null]', '{"${\\"k\\"}": true, "a b": {}}', "1.50", "1e3", "-0", "0.1"),
    *(
        "123456789012345678901234567890",
        "1e400",
        '"\\u00e9\\ud83d\\ude00"',
        '"\\ud83d"',
        '"e\\u0301"',
        '"$${x} %%{y}"',
        '"\\\\n"',
    ),
    *('"%{ for x in [1,2] }${x},%{ endfor }"', '"\\"q\\""', "true", "[]", "{}", '"${{a = 1}}"', '"a\\nb"', '"~${~ 1 ~}~"'),
)

Packer = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def packer(tmp_path: Path) -> Packer:
    program = shutil.which("packer")
    if program is None:
        pytest.skip("Debian's packer, the witness for templates in JSON, is not installed")
    environment = {"HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", "PATH": os.environ["PATH"]}

    def run(*arguments: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        command = [program, *arguments]
        return subprocess.run(command, input=piped, text=True, capture_output=True, env=environment, cwd=tmp_path, check=False)

    return run


@pytest.mark.parametrize("text", TEMPLATES)
def test_templates_are_accepted_and_refused_as_by_packer(packer: Packer, tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.pkr.json"
    path.write_text(text)
    options = load_options(environment={}, cwd=tmp_path)
    try:
        accepted = not load(path, options).plan().failed
    except UserError:
        accepted = False

    # Packer 1.6.6 is content with a template that builds nothing.
    assert (packer("validate", str(path)).returncode == 0) is (accepted or text in BUILDS_NOTHING)
    if accepted:
        assert packer("inspect", str(path)).stdout.rstrip() == inspect(path, options).rstrip()


def test_values_mean_what_they_mean_to_packer(packer: Packer, tmp_path: Path) -> None:
    path = tmp_path / "t.pkr.json"
    path.write_text(f'{{"locals": {{{", ".join(f"{chr(34)}v{at}{chr(34)}: {value}" for at, value in enumerate(VALUES))}}}}}')
    console = Console(path, load_options(environment={}, cwd=tmp_path))

    for at, value in enumerate(VALUES):
        told = packer("console", str(path), piped=f"local.v{at}\n")
        assert told.stdout.rstrip("\n") == console.answer(f"local.v{at}"), value


def test_variable_files_mean_what_they_mean_to_packer(packer: Packer, tmp_path: Path) -> None:
    (tmp_path / "t.pkr.json").write_text('{"variable": {"a": {"default": null}, "b": {"default": null}}}')
    (tmp_path / "v.auto.pkrvars.json").write_text('{"a": "${x} %{y}", "b": {"${k}": "$${v}", "n": 1.50}}')
    told = packer("inspect", str(tmp_path))

    assert told.stdout.rstrip() == inspect(tmp_path, load_options(environment={}, cwd=tmp_path)).rstrip()
