"""The blob store: whole or absent, named by content, honest about a faulty disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.registry.local_store import LocalStore
from tests.registry.registry_workbench import digest

MEGABYTE = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def left_in_tmp(store: LocalStore) -> list[str]:
    return [path.name for path in (store.root / "tmp").glob("*")]


def test_a_stored_file_has_the_name_of_its_content(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "disk.raw"
    source.write_bytes(b"content" * 300_000)

    blob = store.put(source)

    assert blob.digest == "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()
    assert blob.size == source.stat().st_size == store.path(blob.digest).stat().st_size
    assert store.path(blob.digest).read_bytes() == source.read_bytes()
    assert left_in_tmp(store) == []


def test_the_store_is_an_oci_layout(store: LocalStore) -> None:
    blob = store.put_bytes(b"bundle")

    assert json.loads((store.root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert store.path(blob.digest) == store.root / "blobs" / "sha256" / hashlib.sha256(b"bundle").hexdigest()


def test_writing_to_the_source_afterwards_does_not_reach_the_store(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "disk.raw"
    source.write_bytes(b"sealed")
    blob = store.put(source)

    with source.open("r+b") as writer:
        writer.write(b"booted")

    assert store.is_intact(blob.digest)
    assert source.stat().st_mode & 0o200


def test_holes_are_kept_and_cost_no_disk(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "disk.raw"
    with source.open("wb") as writer:
        writer.write(b"boot")
        writer.seek(40 * MEGABYTE)
        writer.write(b"data" * 1000)
        writer.truncate(64 * MEGABYTE)

    blob = store.put(source)

    assert blob.size == 64 * MEGABYTE
    assert blob.digest == "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.allocated(blob.digest) < MEGABYTE


@settings(max_examples=40)
@given(parts=st.lists(st.tuples(st.binary(max_size=9000), st.integers(0, 300_000)), max_size=6))
def test_any_mixture_of_data_and_holes_is_stored_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[bytes, int]]
) -> None:
    root = tmp_path_factory.mktemp("sparse")
    source = root / "disk.raw"
    with source.open("wb") as writer:
        for data, hole in parts:
            writer.write(data)
            writer.seek(hole, os.SEEK_CUR)
        writer.truncate()

    blob = LocalStore(root / "store").put(source)

    assert LocalStore(root / "store").path(blob.digest).read_bytes() == source.read_bytes()
    assert blob.digest == "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()


def test_a_flipped_byte_is_found_and_storing_again_repairs_it(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "disk.raw"
    source.write_bytes(bytes(range(256)) * 100)
    blob = store.put(source)
    path = store.path(blob.digest)
    path.chmod(0o644)
    with path.open("r+b") as writer:
        writer.seek(1234)
        writer.write(b"\xff")
    assert not store.is_intact(blob.digest)

    store.put(source)

    assert store.is_intact(blob.digest)


def test_half_a_blob_is_replaced_by_the_whole_one(store: LocalStore) -> None:
    blob = store.put_bytes(b"whole content")
    path = store.path(blob.digest)
    path.chmod(0o644)
    path.write_bytes(b"whole")

    store.put_bytes(b"whole content")

    assert store.is_intact(blob.digest)


def test_other_bytes_than_promised_are_refused_and_leave_nothing(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "disk.raw"
    source.write_bytes(b"swapped")

    with pytest.raises(MachineError, match="not the file that it was"):
        store.put(source, digest("the original"))

    assert list(store.digests()) == []
    assert left_in_tmp(store) == []


def test_a_missing_source_and_a_missing_blob_are_told(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        store.put(tmp_path / "gone.raw")
    with pytest.raises(MachineError, match="no bytes for"), store.open(digest("gone")):
        pass


@pytest.mark.parametrize("name", ["../../etc/passwd", "sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 32, ""])
def test_text_that_is_no_digest_names_no_path(store: LocalStore, name: str) -> None:
    with pytest.raises(UserError, match="no digest"):
        store.path(name)


def test_burying_a_blob_is_repeatable_and_the_trash_is_emptied(store: LocalStore) -> None:
    blob = store.put_bytes(b"old")

    store.bury(blob.digest)
    store.bury(blob.digest)
    store.empty_trash()

    assert not store.has(blob.digest)
    assert list((store.root / "trash").iterdir()) == []


def test_left_overs_of_killed_processes_are_cleared_but_running_copies_are_not(store: LocalStore) -> None:
    store.put_bytes(b"makes the directories")
    old, young = store.root / "tmp" / "old", store.root / "tmp" / "young"
    for path in (old, young):
        path.touch()
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))

    store.empty_trash()

    assert left_in_tmp(store) == ["young"]


def test_many_writers_of_the_same_blob_leave_one(store: LocalStore) -> None:
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for number in range(10):
                store.put_bytes(b"the same %d" % number)
        except BaseException as error:  # a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert all(store.is_intact(name) for name, _ in store.digests())
    assert len(list(store.digests())) == 10


FULL_DISK = """
import sys
from pathlib import Path
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.registry.local_store import LocalStore
store = LocalStore(Path(sys.argv[1]))
kept = store.put_bytes(b"small")
try:
    store.put(Path(sys.argv[2]))
except MachineError as error:
    print(error.diagnostics[0].code)
print(store.is_intact(kept.digest), len(list(store.digests())), len(list((store.root / "tmp").iterdir())))
"""


def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    large = tmp_path / "disk.raw"
    large.write_bytes(os.urandom(2 * MEGABYTE))
    script = f'mount -t tmpfs -o size=512k none "{mount}" && exec "{sys.executable}" -c "$PROGRAM" "{mount}" "{large}"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]

    ran = subprocess.run(command, env={**os.environ, "PROGRAM": FULL_DISK}, capture_output=True, text=True, check=False)

    if "Operation not permitted" in ran.stderr or "permission denied" in ran.stderr:
        pytest.skip("mounting a small tmpfs needs root")
    assert ran.stdout.split() == ["store.disk-full", "True", "1", "0"], ran.stderr
