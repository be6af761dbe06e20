"""dpkg's database: equal to what dpkg says of it, and never silent when it is damaged."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.inventory import Stack, read_inventory
from goldsmith.gates.inventory.dpkg import dpkg_owned, read_dpkg
from goldsmith.gates.inventory.ownership import owners_of

RELEASE = "ID=debian\nVERSION_ID=12\n"


def record(name: str, status: str = "install ok installed", version: str = "1.0-1", more: str = "") -> str:
    return f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n{more}Description: x\n y\n\n"


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in {"etc/os-release": RELEASE, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs dpkg-query")
def test_the_packages_of_this_system_are_those_of_dpkg(tmp_path: Path) -> None:
    root = tree(tmp_path, {})
    (root / "var/lib").mkdir(parents=True)
    shutil.copytree("/var/lib/dpkg", root / "var/lib/dpkg", ignore=lambda _, names: [name for name in names if "lock" in name])
    form = "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n"
    said = subprocess.run(
        ["dpkg-query", "--admindir", str(root / "var/lib/dpkg"), "-W", "-f", form], capture_output=True, text=True, check=True
    )
    expected = {line.partition(" ")[2] for line in said.stdout.splitlines() if line.startswith("installed ")}

    found = read_inventory([root])

    assert {
        f"{item.name} {item.version} {item.architecture} {item.source_name} {item.source_version}"
        for item in found.packages
        if item.kind == "deb"
    } == expected
    assert found.faults == ()


def test_only_what_is_there_counts(tmp_path: Path) -> None:
    states = {
        "a": "install ok installed",
        "b": "hold ok installed",
        "c": "install ok triggers-pending",
        "d": "deinstall ok config-files",
        "e": "install reinstreq half-installed",
        "f": "purge ok not-installed",
        "g": "install ok unpacked",
    }
    text = "".join(record(name, status) for name, status in states.items())

    found = read_dpkg(Stack([tree(tmp_path, {"var/lib/dpkg/status": text})]))

    assert [item.name for item in found.packages] == ["a", "b", "c", "g"]
    assert found.faults == ('package "e" is in the state "half-installed" in /var/lib/dpkg/status',)


def test_images_without_dpkg_have_a_file_for_each_package(tmp_path: Path) -> None:
    place = "var/lib/dpkg/status.d"
    one = "Package: base-files\nVersion: 12.4+deb12u5\nArchitecture: amd64"
    two = "Package: libssl3\nSource: openssl\nVersion: 3.0.11-1~deb12u2\nArchitecture: amd64\n"
    sums = "d41d8cd98f00b204e9800998ecf8427e  usr/lib/x86_64-linux-gnu/libssl.so.3\n"
    root = tree(tmp_path, {f"{place}/base": one + "\n", f"{place}/libssl3": two, f"{place}/libssl3.md5sums": sums})

    found = read_inventory([root])

    assert [(item.name, item.source_name) for item in found.packages] == [("base-files", "base-files"), ("libssl3", "openssl")]
    owners, faults = owners_of(Stack([root]), {"usr/lib/x86_64-linux-gnu/libssl.so.3"})
    assert [owner.name for owner in owners.values()] == ["libssl3"]
    assert faults == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ((record("a") + record("b"))[:-40], "cut off"),
        (record("a"), "no record of 1 packages whose files are listed in /var/lib/dpkg/info: b"),
        (record("a") + record("b", version="!"), 'package "b" has the version "!"'),
        (record("a") + record("b").replace("Package: b\n", ""), "a record without a name"),
        ("\0" * 4096 + "\n", "a record without a name"),
    ],
)
def test_a_damaged_status_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    lists = {"var/lib/dpkg/info/a.list": "/.\n/a\n", "var/lib/dpkg/info/b:amd64.list": "/.\n/b\n"}

    faults = read_dpkg(Stack([tree(tmp_path, {"var/lib/dpkg/status": text, **lists})])).faults

    assert any(told in fault and "/var/lib/dpkg/status" in fault for fault in faults)


def test_owners_are_found_behind_a_merged_usr(tmp_path: Path) -> None:
    root = tree(tmp_path, {"var/lib/dpkg/info/a.list": "/.\n/lib\n/lib/x\n", "var/lib/dpkg/info/b.list": "/usr/lib/y\n"})
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")

    owners, _ = owners_of(Stack([root]), {"usr/lib/x", "usr/lib/y", "usr/lib/z"})

    assert {path: owner.name for path, owner in owners.items()} == {"usr/lib/x": "a", "usr/lib/y": "b"}


def test_licences_are_those_of_copyright_files_that_machines_can_read(tmp_path: Path) -> None:
    readable = "Format: https://x.invalid/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n"
    root = tree(
        tmp_path,
        {
            "var/lib/dpkg/status": record("a") + record("b") + record("c"),
            "usr/share/doc/a/copyright": f"{readable}\nFiles: x\nLicense: Expat\n\nLicense: Expat\n Permission\n",
            "usr/share/doc/b/copyright": "License: in free text\n",
        },
    )
    (root / "usr/share/doc/c").symlink_to("a")

    assert [item.licences for item in read_inventory([root]).packages] == [("Expat", "GPL-2+"), (), ()]


def test_a_name_that_is_no_text_is_told_and_never_stored(tmp_path: Path) -> None:
    root = tree(tmp_path, {"var/lib/dpkg/status": record("a")})
    with (root / "var/lib/dpkg/status").open("ab") as file:
        file.write(record("b").encode().replace(b"Package: b", b"Package: caf\xe9"))

    found = read_inventory([root])

    assert [item.name for item in found.packages] == ["a"]
    assert "caf" in found.faults[0]
    assert found.faults[0].isprintable()


@given(content=st.binary(max_size=400) | st.text("Package: Version.1\n~+-Satuinled", max_size=300).map(str.encode))
def test_any_content_is_packages_or_faults(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tree(tmp_path_factory.mktemp("dpkg"), {"var/lib/dpkg/status": "", "var/lib/dpkg/info/x.list": ""})
    (root / "var/lib/dpkg/status").write_bytes(content)
    (root / "var/lib/dpkg/info/x.list").write_bytes(content)

    found = read_dpkg(Stack([root]))

    assert all(package.name and package.version for package in found.packages)
    assert found.faults  # x has files, and no record but by chance
    assert [owned.name for owned in dpkg_owned(Stack([root]))] == ["x"]
