"""The package store and the .deb format."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images.lock import LockedPackage
from goldsmith.sources.deb import control_of, repacked
from goldsmith.sources.debstore import PackageStore, Prepared
from goldsmith.sources.rootfs import _needed_by_none
from tests.sources.archive_workbench import Repository


def locked(path: Path, name: str, version: str = "1.0") -> LockedPackage:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return LockedPackage(name=name, version=version, architecture="amd64", sha256=digest, size=len(content), url=str(path))


def test_a_package_keeps_its_control_fields(repository: Repository) -> None:
    path = repository.add("thing", Depends="libthing (>= 1.0), apt", Priority="optional")

    fields = control_of(path.read_bytes())

    told = subprocess.run(["dpkg-deb", "--field", str(path)], capture_output=True, text=True, check=True).stdout
    assert fields == told


def test_a_repacked_package_unpacks_to_the_same_bytes(repository: Repository, tmp_path: Path) -> None:
    path = repository.add("thing", content="some text " * 10_000)
    again = tmp_path / "again.deb"

    content = repacked(path.read_bytes())

    assert content is not None
    again.write_bytes(content)
    members = subprocess.run(["busybox", "ar", "t", str(again)], capture_output=True, text=True, check=True).stdout.split()
    assert members == ["debian-binary", "control.tar.xz", "data.tar.zst"]
    before, after = (
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(file)], capture_output=True, check=True).stdout
        for file in (path, again)
    )
    assert before == after
    assert repacked(content) is None, "there is nothing to gain twice"
    assert content == repacked(path.read_bytes())


@given(st.binary(max_size=300))
def test_what_is_no_package_is_a_value_error(content: bytes) -> None:
    for damaged in (content, b"!<arch>\n" + content):
        with pytest.raises(ValueError):
            control_of(damaged)


def test_a_file_that_is_not_what_was_promised_is_not_taken(repository: Repository, tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "store", "trust")
    path = repository.add("thing")
    package = locked(path, "thing")
    path.write_bytes(path.read_bytes() + b"more")

    with pytest.raises(MachineError) as caught:
        store.add(path, package)

    assert caught.value.diagnostics[0].code == "archive.mismatch"
    assert store.missing([package]) == [package]
    assert [file.name for file in (tmp_path / "store").rglob("*") if file.is_file()] == ["in-use"]


def test_a_package_is_shown_in_each_view_that_asks_for_it(repository: Repository, tmp_path: Path) -> None:
    path = repository.add("thing", "1:2.0")
    package = locked(path, "thing", "1:2.0")
    PackageStore(tmp_path / "store", "one").add(path, package)
    other = PackageStore(tmp_path / "store", "two")
    assert not list(other.view.glob("*.deb"))

    assert other.missing([package]) == []

    shown = other.view / "thing_1%3a2.0_amd64.deb"
    assert shown.samefile(other.path(package)), "a hard link costs no room"


def test_a_cut_off_package_in_the_store_counts_as_missing(repository: Repository, tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "store", "trust")
    path = repository.add("thing")
    package = locked(path, "thing")
    store.add(path, package)
    store.path(package).write_bytes(b"cut off")

    assert store.missing([package]) == [package]


@pytest.mark.parametrize("fast", [True, False])
def test_a_prepared_package_is_described_as_it_is(repository: Repository, tmp_path: Path, fast: bool) -> None:
    store = PackageStore(tmp_path / "store", "trust")
    path = repository.add("thing")
    package = locked(path, "thing")
    store.add(path, package)

    (prepared,) = store.prepare([package], fast=fast)
    (again,) = store.prepare([package], fast=fast)

    content = prepared.path.read_bytes()
    assert f"Size: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n" in prepared.stanza
    assert prepared.stanza.startswith("Package: thing\n")
    assert (content == path.read_bytes()) is not fast
    assert again == prepared


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "store", "trust")
    broken = tmp_path / "broken.deb"
    broken.write_bytes(b"this is no package")
    package = locked(broken, "thing")
    store.add(broken, package)

    with pytest.raises(MachineError) as caught:
        store.prepare([package], fast=True)

    assert caught.value.diagnostics[0].code == "archive.broken-package"
    assert "thing" in caught.value.diagnostics[0].what


def test_packages_that_nothing_needs_are_asked_for_by_name() -> None:
    stanzas = [
        "Package: base\nPre-Depends: awk,\n libc (>= 2)\n",
        "Package: mawk\nProvides: awk\n",
        "Package: libc\nDepends: libgcc | other\n",
        "Package: libgcc\nDepends: libc\n",
        "Package: raised-by-the-archive\nDescription: x\n Depends: base\n",
    ]

    assert _needed_by_none([Prepared(Path(), stanza) for stanza in stanzas]) == {"base", "raised-by-the-archive"}
