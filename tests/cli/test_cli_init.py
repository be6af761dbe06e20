"""`init` and `plugins`: what scripts read of them, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_command_line import goldsmith

ANSIBLE = 'ansible = { version = ">= 1.1", source = "github.com/hashicorp/ansible" }'
VMWARE = 'vmware = { version = ">= 1", source = "github.com/hashicorp/vmware" }'
SOURCES = 'source "null" "a" { communicator = "none" }\nsource "vmware-iso" "b" {}\n'


def write(root: Path, plugins: str, builds: str) -> None:
    required = f"packer {{\n  required_plugins {{\n    {plugins}\n  }}\n}}\n" if plugins else ""
    (root / "a.pkr.hcl").write_text(f"{required}{SOURCES}build {{\n  sources = [{builds}]\n}}\n")


def test_init_says_which_components_are_built_in(tmp_path: Path) -> None:
    write(tmp_path, ANSIBLE, '"null.a"')

    done = goldsmith("init", ".", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout.startswith('ansible github.com/hashicorp/ansible ">= 1.1": built in: provisioner ansible')


def test_init_warns_of_a_template_that_requires_nothing_as_packer_does(tmp_path: Path) -> None:
    write(tmp_path, "", '"null.a"')

    done = goldsmith("init", ".", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout.startswith("\nNo plugins requirement found, make sure you reference a Packer config")


@pytest.mark.parametrize(("builds", "code", "word"), [('"null.a"', 0, "Warning"), ('"null.a", "vmware-iso.b"', 1, "Error")])
def test_a_missing_plugin_fails_init_only_when_a_build_uses_it(tmp_path: Path, builds: str, code: int, word: str) -> None:
    write(tmp_path, VMWARE, builds)

    done = goldsmith("init", "-upgrade", ".", cwd=tmp_path)

    assert done.returncode == code
    assert f'{word}: Failed getting the "github.com/hashicorp/vmware" plugin' in done.stdout
    assert ("source vmware-iso" in done.stdout) is bool(code)


@pytest.mark.parametrize("arguments", [["init"], ["init", ".", "."], ["init", "nowhere"], ["init", "-nosuch", "."]])
def test_a_wrong_call_of_init_ends_with_one(tmp_path: Path, arguments: list[str]) -> None:
    assert goldsmith(*arguments, cwd=tmp_path).returncode == 1


def test_plugins_required_lists_the_requirements(tmp_path: Path) -> None:
    write(tmp_path, VMWARE, '"null.a"')

    assert goldsmith("plugins", "required", ".", cwd=tmp_path).stdout == 'vmware github.com/hashicorp/vmware ">= 1"\n'


def test_plugins_that_goldsmith_does_not_manage_are_left_to_packer(tmp_path: Path) -> None:
    done = goldsmith("plugins", "install", "github.com/hashicorp/vmware", cwd=tmp_path)

    assert done.returncode == 1
    assert "packer plugins install github.com/hashicorp/vmware" in done.stdout
    assert goldsmith("plugins", "installed", cwd=tmp_path).returncode == 0
    assert goldsmith("plugins", cwd=tmp_path).returncode == 127


def test_a_legacy_template_requires_no_plugins_as_in_packer(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"builders": [{"type": "null", "communicator": "none"}]}')

    done = goldsmith("init", "a.json", cwd=tmp_path)

    assert done.returncode == 1
    assert "goldsmith hcl2_upgrade a.json" in done.stdout
