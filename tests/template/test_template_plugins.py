"""`required_plugins`: what is accepted, what of it is built in, installed or missing, and when a missing one is an error."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import pytest

from goldsmith.template import load_options, required_plugins
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.installed_plugins import every_installation, installations, plugin_directories
from goldsmith.template.plugin_address import PluginAddress
from tests.template.template_workplace import Say, Workplace

ACME = PluginAddress("github.com", "acme", "cloud")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
BUILD = 'source "mock" "a" {}\nsource "cloud-vm" "b" {}\nbuild {\n  sources = ["mock.a", "cloud-vm.b"]\n}\n'


def install(root: Path, version: str, *, api: str = "x5.0", place: str = "github.com/acme/cloud", proven: bool = True) -> Path:
    """Put a plugin where Packer would look for it."""
    path = root / place / f"packer-plugin-cloud_v{version}_{api}_linux_{ARCHITECTURE}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(version.encode())
    digest = hashlib.sha256(version.encode() if proven else b"other").hexdigest()
    path.with_name(f"{path.name}_SHA256SUM").write_text(digest)
    return path


def requirement(text: str) -> str:
    return f"packer {{\n  required_plugins {{\n    {text}\n  }}\n}}\n"


CLOUD = requirement('cloud = { version = "~> 1.2", source = "github.com/acme/cloud" }')


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('cloud = "~> 1.2"', "Invalid plugin requirement"),
        ("cloud = []", "Invalid required_plugins syntax"),
        ('cloud = { source = "github.com/acme/cloud" }', "No version constraint was set"),
        ('cloud = { version = 1, source = "github.com/acme/cloud" }', "Invalid version constraint"),
        ('cloud = { version = "one", source = "github.com/acme/cloud" }', "Invalid version constraint"),
        ('cloud = { version = "1.0.0-beta", source = "github.com/acme/cloud" }', "Invalid version constraint"),
        ('cloud = { version = "1.0.0" }', "No source was set"),
        ('cloud = { version = "1.0.0", source = null }', "Invalid source"),
        ('cloud = { version = "1.0.0", source = "cloud" }', "Invalid plugin source string"),
        ('cloud = { version = "1.0.0", source = "acme/cloud" }', "Invalid plugin source string"),
        ('cloud = { version = "1.0.0", source = "https://github.com/acme/cloud" }', "Invalid plugin source string"),
        ('cloud = { version = "1.0.0", source = "github.com/acme/cloud/" }', "Invalid plugin source string"),
        ('cloud = { version = "1.0.0", source = "github.com/acme/packer-plugin-cloud" }', "Invalid plugin type"),
        ('cloud = { version = "1.0.0", source = "github.com/acme/packer-cloud" }', "Invalid plugin type"),
        ('cloud = { version = "1.0.0", source = "github.com/acme/cl--oud" }', "Invalid plugin type"),
        ('cloud = { version = "1.0.0", source = "github.com/ac.me/cloud" }', "Invalid plugin namespace"),
        ('Cloud = { version = "1.0.0", source = "github.com/acme/cloud" }', "Invalid plugin local name"),
        ('cloud = { version = "1.0.0", source = "github.com/acme/cloud", x = 1 }', "Invalid required_plugins object"),
    ],
)
def test_a_malformed_requirement_is_refused_in_packers_words(workplace: Workplace, whats: Say, text: str, what: str) -> None:
    faults = workplace.faults(requirement(text) + BUILD)

    assert whats(faults)[0] == what
    assert all(fault.where and fault.next for fault in faults[:1])


def test_the_address_that_was_meant_is_suggested(workplace: Workplace) -> None:
    text = requirement('cloud = { version = "1.0.0", source = "github.com/acme/packer-plugin-cloud" }')

    assert workplace.faults(text + BUILD)[0].next == 'Did you mean "github.com/acme/cloud"?'


def test_a_requirement_that_is_made_twice_is_refused(workplace: Workplace, whats: Say) -> None:
    assert whats(workplace.faults(CLOUD + CLOUD)) == ['Duplicate required_plugin."cloud" block']


def test_the_newest_version_that_fits_comes_first(tmp_path: Path) -> None:
    for version in ("1.2.9", "1.2.10", "1.3.0", "2.0.0"):
        install(tmp_path, version)

    found = installations(ACME, parse_constraints(">= 1.2, < 2"), [tmp_path])

    assert [item.version for item in found] == ["1.3.0", "1.2.10", "1.2.9"]


def test_programs_that_packer_would_not_run_do_not_count(tmp_path: Path) -> None:
    install(tmp_path, "1.0.0", api="x4.0")
    install(tmp_path, "1.0.1", api="x5.1")
    install(tmp_path, "1.0.2", proven=False)
    install(tmp_path, "1.0.3").with_name(f"packer-plugin-cloud_v1.0.3_x5.0_linux_{ARCHITECTURE}_SHA256SUM").unlink()
    kept = install(tmp_path, "1.0.4")

    assert [item.path for item in installations(ACME, (), [tmp_path])] == [kept]
    assert [item.path for item in every_installation([tmp_path])] == [kept]


def test_of_the_same_version_the_directory_named_first_wins(tmp_path: Path) -> None:
    first, second = install(tmp_path / "one", "1.0.0"), install(tmp_path / "two", "1.0.0")

    assert installations(ACME, (), [tmp_path / "one", tmp_path / "two"])[0].path == first
    assert installations(ACME, (), [tmp_path / "two", tmp_path / "one"])[0].path == second


def test_plugins_are_looked_for_where_packer_looks(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}

    assert plugin_directories({"PACKER_PLUGIN_PATH": "/a:/b", **home}) == (Path("/a"), Path("/b"))
    assert plugin_directories({"PACKER_CONFIG_DIR": "/c", **home}) == (Path("/c/.packer.d/plugins"),)
    assert plugin_directories({"XDG_CONFIG_HOME": "/x", **home}) == (Path("/x/packer/plugins"),)
    assert plugin_directories(home) == (tmp_path / ".config/packer/plugins",)
    (tmp_path / ".packer.d").mkdir()
    assert plugin_directories({"XDG_CONFIG_HOME": "/x", **home}) == (tmp_path / ".packer.d/plugins",)


def test_each_plugin_is_told_with_what_is_built_in_installed_and_missing(workplace: Workplace, tmp_path: Path) -> None:
    amazon = 'amazon = { version = ">= 1", source = "github.com/hashicorp/amazon" }'
    mock = 'mock = { version = ">= 1", source = "example.com/a/b/mock" }'
    workplace.write(requirement(f"{amazon}\n{mock}") + CLOUD + BUILD)
    path = install(tmp_path / "plugins", "1.2.3")
    options = load_options(environment={"PACKER_PLUGIN_PATH": str(tmp_path / "plugins")}, cwd=workplace.root)

    amazon_state, mock_state, cloud = required_plugins(workplace.root, options)

    assert {"source amazon-ebs", "post-processor amazon-import", "data amazon-ami"} <= set(amazon_state.built_in)
    assert (mock_state.built_in[0], mock_state.absent) == ("source mock", ())
    assert [item.path for item in cloud.installed] == [path]
    assert (cloud.built_in, cloud.absent) == ((), ("source cloud-vm",))


def test_a_missing_plugin_is_an_error_only_for_a_build_that_uses_it(workplace: Workplace) -> None:
    assert not workplace.faults(CLOUD + BUILD, only=("mock.*",))

    (fault,) = workplace.faults(environment={"PACKER_PLUGIN_PATH": "/nowhere"})

    assert fault.what == "Unknown source type cloud-vm"
    assert "github.com/acme/cloud" in fault.why and "/nowhere" in fault.why
    assert "goldsmith init" in fault.next


def test_a_component_of_a_known_plugin_is_told_without_a_requirement(workplace: Workplace) -> None:
    (fault,) = workplace.faults('source "hyperv-iso" "a" {}\nbuild {\n  sources = ["hyperv-iso.a"]\n}\n')

    assert "github.com/hashicorp/hyperv" in fault.why


def test_a_misspelt_component_still_gets_a_suggestion(workplace: Workplace) -> None:
    (fault,) = workplace.faults('source "mokc" "a" {}\nbuild {\n  sources = ["mokc.a"]\n}\n')

    assert fault.next == 'Did you mean "mock"?'
