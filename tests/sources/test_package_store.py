"""The package store and the .deb format."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images.lock import LockedPackage
from goldsmith.sources.deb import control_of, is_in_xz, repack
from goldsmith.sources.debstore import PackageStore, Prepared
from goldsmith.sources.rootfs import _needed_by_none
from tests.sources.archive_workbench import Repository


def locked(path: Path, name: str, version: str = "1.0") -> LockedPackage:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return LockedPackage(name=name, version=version, architecture="amd64", sha256=digest, size=len(content), url=str(path))


def repacked(path: Path) -> bytes:
    target = io.BytesIO()
    with path.open("rb") as package:
        repack(package, target)
    return target.getvalue()


def test_a_package_keeps_its_control_fields(repository: Repository) -> None:
    path = repository.add("thing", Depends="libthing (>= 1.0), apt", Priority="optional")

    with path.open("rb") as package:
        fields = control_of(package)

    told = subprocess.run(["dpkg-deb", "--field", str(path)], capture_output=True, text=True, check=True).stdout
    assert fields == told


def test_a_repacked_package_unpacks_to_the_same_bytes(repository: Repository, tmp_path: Path) -> None:
    path = repository.add("thing", content="some text " * 10_000)
    again = tmp_path / "again.deb"

    content = repacked(path)

    again.write_bytes(content)
    members = subprocess.run(["busybox", "ar", "t", str(again)], capture_output=True, text=True, check=True).stdout.split()
    assert members == ["debian-binary", "control.tar.xz", "data.tar.zst"]
    before, after = (
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(file)], capture_output=True, check=True).stdout
        for file in (path, again)
    )
    assert before == after
    assert not is_in_xz(io.BytesIO(content)), "there is nothing to gain twice"
    assert content == repacked(path)


def test_packing_again_takes_little_memory_whatever_the_size(repository: Repository, tmp_path: Path) -> None:
    rng = random.Random(1)
    path = repository.add("thing", content="".join(rng.choice("abcd") for _ in range(1 << 16)) * 500)

    tracemalloc.start()
    with path.open("rb") as package, (tmp_path / "again.deb").open("w+b") as target:
        repack(package, target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 12_000_000, "its data has 32 MB, a dictionary of xz 8 MB"


def test_a_package_that_is_damaged_anywhere_is_a_value_error(repository: Repository) -> None:
    whole = repository.add("thing", content="some text " * 1000).read_bytes()
    assert is_in_xz(io.BytesIO(whole))

    for place in (whole.index(b"\xfd7zXZ"), whole.rindex(b"\xfd7zXZ")):
        damaged = io.BytesIO(whole[: place + 40] + b"\0" * 8 + whole[place + 48 :])
        with pytest.raises(ValueError):
            control_of(damaged)
            repack(damaged, io.BytesIO())


@pytest.mark.parametrize("size", [b"-60", b"-1", b"99999999"])
def test_a_member_of_an_impossible_size_is_a_value_error(size: bytes) -> None:
    header = b"debian-binary".ljust(48) + size.ljust(10) + b"`\n"
    with pytest.raises(ValueError):
        is_in_xz(io.BytesIO(b"!<arch>\n" + header))


@given(st.binary(max_size=300))
def test_what_is_no_package_is_a_value_error(content: bytes) -> None:
    for damaged in (content, b"!<arch>\n" + content):
        with pytest.raises(ValueError):
            control_of(io.BytesIO(damaged))


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
