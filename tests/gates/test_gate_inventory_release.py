"""Which distribution an image is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.advisories.families import ecosystem, family_of
from goldsmith.gates.advisories.support import published_end_s
from goldsmith.gates.inventory import Distribution, Stack, read_distribution
from goldsmith.gates.inventory.release import OS_RELEASE
from goldsmith.hcl.diagnostics import MachineError


def read(root: Path, files: Mapping[str, str]) -> Distribution:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return read_distribution(Stack([root]))


@pytest.mark.parametrize(
    ("text", "family", "eco"),
    [
        ('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm', "debian", "debian 12"),
        ('PRETTY_NAME="Distroless"\nNAME="Debian GNU/Linux"\nID="debian"\nVERSION_ID="9"', "debian", "debian 9"),
        ('ID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=debian', "ubuntu", "ubuntu 24.04"),
        ("ID=alpine\nVERSION_ID=3.20.3", "alpine", "alpine 3.20"),
        ('ID="rhel"\nVERSION_ID="8.10"', "redhat", "redhat"),
        ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"\nNAME="CentOS Stream"', "centos", "redhat"),
        ('ID="almalinux"\nVERSION_ID="9.4"', "alma", "alma 9"),
        ('ID="rocky"\nVERSION_ID="8.9"', "rocky", "rocky 8"),
        ('ID="ol"\nVERSION_ID="8.10"', "oracle", "oracle 8"),
        ('ID="amzn"\nVERSION_ID="2"', "amazon", "amazon 2"),
        ('ID="amzn"\nVERSION_ID="2023"', "amazon", "amazon 2023"),
        ('ID="amzn"\nVERSION_ID="2018.03"', "amazon", "amazon 1"),
        ('ID="sles"\nVERSION_ID="15.5"', "suse", "suse linux enterprise 15.5"),
        ('ID="sle-micro"\nVERSION_ID="5.5"', "suse", "suse linux enterprise micro 5.5"),
        ('ID="opensuse-leap"\nVERSION_ID="15.6"', "opensuse-leap", "opensuse leap 15.6"),
        ('ID="opensuse"\nVERSION_ID="42.3"', "opensuse", "opensuse leap 42.3"),
        ('ID="opensuse-tumbleweed"\nVERSION_ID="20261101"', "opensuse-tumbleweed", "opensuse tumbleweed"),
        ("ID=photon\nVERSION_ID=5.0", "photon", "photon 5.0"),
        ('ID=azurelinux\nVERSION_ID="3.0"', "azurelinux", "azurelinux 3.0"),
        ('ID=mariner\nVERSION_ID="2.0"', "azurelinux", "azurelinux 2.0"),
    ],
)
def test_each_distribution_is_known_by_its_id(tmp_path: Path, text: str, family: str, eco: str) -> None:
    found = read(tmp_path, {"etc/os-release": text + "\n"})

    assert found.family == family
    assert family_of(found) is not None
    assert ecosystem(found) == eco


@pytest.mark.parametrize(
    ("name", "text", "id", "release"),
    [
        ("etc/centos-release", "CentOS release 6.10 (Final)\n", "centos", "6.10"),
        ("etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n", "rhel", "6.10"),
        ("etc/redhat-release", "CentOS release 5.11 (Final)\n", "centos", "5.11"),
        ("etc/oracle-release", "Oracle Linux Server release 6.10\n", "ol", "6.10"),
    ],
)
def test_systems_older_than_os_release_are_known(tmp_path: Path, name: str, text: str, id: str, release: str) -> None:
    found = read(tmp_path, {name: text})

    assert (found.id, found.release) == (id, release)


def test_the_file_of_usr_counts_where_etc_has_none_or_a_link(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")

    assert read(tmp_path, {"usr/lib/os-release": "ID=debian\nVERSION_ID=13\n"}).release == "13"


@pytest.mark.parametrize(
    ("repositories", "release"),
    [
        ("", "3.18.4"),
        ("https://dl-cdn.alpinelinux.org/alpine/v3.18/main\n", "3.18.4"),
        ("https://dl-cdn.alpinelinux.org/alpine/v3.20/main\n", "3.20"),
        ("https://mirror/alpine/v3.9/main\nhttps://mirror/alpine/v3.10/community\n", "3.10"),
        ("https://mirror/alpine/v3.18/main\nhttps://mirror/alpine/edge/testing\n", "edge"),
        ("https://mirror/alpine/v3.18/main\n@edge https://mirror/alpine/edge/testing\n#/media/v3.99/main\n", "3.18.4"),
        ("/media/cdrom/apks\n", "3.18.4"),
    ],
)
def test_alpine_is_the_release_that_apk_installs_from(tmp_path: Path, repositories: str, release: str) -> None:
    files = {"etc/os-release": "ID=alpine\nVERSION_ID=3.18.4\n", "etc/apk/repositories": repositories}

    assert read(tmp_path, files).release == release


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "unknown"),
        ("ID=\n", "unknown"),
        ("ID=mint\nID_LIKE=debian\nVERSION_ID=12\n", "unknown"),
        ("ID=linuxmint\nID_LIKE=ubuntu\nVERSION_ID=22\n", "unsupported"),
        ("ID=fedora\nVERSION_ID=41\n", "unsupported"),
        ("ID=wolfi\nVERSION_ID=20230201\n", "unsupported"),
        ("ID=debian\n", "unsupported"),
        ('ID=debian\nVERSION_ID="trixie/sid"\n', "unsupported"),
    ],
)
def test_what_is_not_known_is_an_error_that_says_why(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(MachineError) as refused:
        read(tmp_path, {"etc/os-release": text})

    assert refused.value.diagnostics[0].code == f"inventory.{code}-distribution"
    assert refused.value.diagnostics[0].why


def test_a_huge_or_special_file_is_no_os_release(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/os-release")
    with pytest.raises(MachineError, match="not known"):
        read_distribution(Stack([tmp_path]))
    (tmp_path / "etc/os-release").unlink()
    with (tmp_path / "etc/os-release").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(MachineError, match="not known"):
        read_distribution(Stack([tmp_path]))


@given(content=st.binary(max_size=200))
def test_any_content_is_a_distribution_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.mktemp("release")
    (root / "etc").mkdir()
    (root / OS_RELEASE[0]).write_bytes(content)
    try:
        assert read_distribution(Stack([root])).family
    except MachineError as error:
        assert error.diagnostics[0].code.startswith("inventory.")


@pytest.mark.parametrize(
    ("family", "release", "day"),
    [
        ("debian", "11", "2026-08-31"),
        ("debian", "12", "2028-06-30"),
        ("alpine", "3.10.2", "2021-05-01"),
        ("redhat", "7.9", "2024-06-30"),
        ("amazon", "2018.03", "2023-12-31"),
        ("opensuse-leap", "15.1", "2021-02-02"),
        ("suse", "15.5", "2024-12-31"),
        ("opensuse-tumbleweed", "20261101", ""),
        ("debian", "99", ""),
        ("plan9", "4", ""),
    ],
)
def test_the_end_of_support_is_known_without_any_feed(family: str, release: str, day: str) -> None:
    found = published_end_s(Distribution(id=family, family=family, release=release))

    assert (datetime.fromtimestamp(found, UTC).date().isoformat() if found else "") == day
