"""Package databases that are no plain files of the tree: never followed, never waited for, never a silent PASS."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.gates.inventory import read_inventory
from goldsmith.hcl.diagnostics import MachineError

DATABASES = {
    "var/lib/dpkg/status": "ID=debian\nVERSION_ID=12\n",
    "lib/apk/db/installed": "ID=alpine\nVERSION_ID=3.23.0\n",
    "var/lib/rpm/rpmdb.sqlite": 'ID="almalinux"\nVERSION_ID="9.4"\n',
    "usr/lib/sysimage/rpm/Packages.db": 'ID="sles"\nVERSION_ID="15.7"\n',
    "var/lib/rpm/Packages": 'ID="centos"\nVERSION_ID="7"\n',
}


def link(path: Path) -> None:
    outside = path.parents[0].resolve() / "outside"
    outside.write_text("Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n")
    path.symlink_to(outside)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def directory_link(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("/")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    os.mknod(path, 0o020666, os.makedev(1, 5))


def holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def directory(path: Path) -> None:
    path.mkdir()


def emptiness(path: Path) -> None:
    path.touch()


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 64)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("make", [link, loop, directory_link, pipe, device, holes, directory, emptiness, noise])
def test_it_is_an_error_or_a_fault_with_the_place(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(DATABASES[name])
    (tmp_path / name).parent.mkdir(parents=True)
    make(tmp_path / name)

    try:
        found = read_inventory([tmp_path])
    except MachineError as error:
        assert error.diagnostics[0].code == "inventory.no-database"
        assert name.rpartition("/")[2] in error.diagnostics[0].why
    else:
        assert found.packages == ()
        assert any(name in fault for fault in found.faults)
