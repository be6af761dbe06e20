"""What is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.gates.inventory import Stack, components, read_distribution, read_inventory
from goldsmith.hcl.diagnostics import MachineError

RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
STATUS = """Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b13
Source: bash (5.2.15-2)
Description: a shell
 with lines

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: adduser
Status: hold ok installed
Architecture: all
Version: 3.134
"""


def tree(path: Path, status: str = STATUS, release: str = RELEASE) -> Path:
    (path / "etc").mkdir(parents=True)
    (path / "etc/os-release").write_text(release)
    (path / "var/lib/dpkg").mkdir(parents=True)
    (path / "var/lib/dpkg/status").write_text(status)
    return path


def test_installed_packages_are_read_with_their_sources(tmp_path: Path) -> None:
    found = read_inventory([tree(tmp_path)])

    assert [(item.name, item.version, item.source_version) for item in found.packages] == [
        ("adduser", "3.134", "3.134"),
        ("bash", "5.2.15-2+b13", "5.2.15-2"),
    ]
    assert found.faults == ()


def test_a_purl_names_architecture_and_release(tmp_path: Path) -> None:
    purls = [item.purl for item in components(read_inventory([tree(tmp_path)]))]

    assert "pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64&distro=debian-12" in purls


def test_the_topmost_layer_decides(tmp_path: Path) -> None:
    lower, upper = tree(tmp_path / "lower"), tree(tmp_path / "upper", STATUS.replace("3.134", "3.135"))

    assert {item.version for item in read_inventory([lower, upper]).packages} == {"3.135", "5.2.15-2+b13"}


def test_a_record_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = read_inventory([tree(tmp_path, STATUS.replace("Version: 3.134", "Version: what"))])

    assert len(found.faults) == 1
    assert "adduser" in found.faults[0]


@pytest.mark.parametrize("release", ["", "ID=plan9\n", "ID=mint\nID_LIKE=debian\nVERSION_ID=12\n", "ID=debian\n"])
def test_an_unknown_distribution_is_an_error(tmp_path: Path, release: str) -> None:
    with pytest.raises(MachineError):
        read_distribution(Stack([tree(tmp_path, release=release)]))


def test_no_package_database_is_an_error(tmp_path: Path) -> None:
    (tree(tmp_path) / "var/lib/dpkg/status").unlink()

    with pytest.raises(MachineError) as refused:
        read_inventory([tmp_path])

    assert refused.value.diagnostics[0].code == "inventory.no-database"


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    (root / "etc/os-release").unlink()
    (root / "etc/os-release").symlink_to("/etc/os-release")

    with pytest.raises(MachineError):
        read_distribution(Stack([root]))
