"""What every blob store promises, on a disk and in an object store: one set of tests for all kinds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.images.identity import CHUNK_BYTES
from goldsmith.registry import open_store
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.local_store import LocalStore
from goldsmith.registry.object_store import ObjectStore
from goldsmith.registry.transfer import copy_blob
from tests.registry.registry_workbench import digest


def in_memory() -> ObjectStore:
    from obstore.store import MemoryStore

    return ObjectStore("memory", MemoryStore())


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return LocalStore(tmp_path / "store") if request.param == "local" else in_memory()


def disk(path: Path, chunks: str = "d0d", tail: int = 1000) -> Path:
    """A sparse file: `d` stands for a chunk of data, `0` for one of zeros; `tail` bytes of data follow."""
    with path.open("wb") as file:
        for number, kind in enumerate(chunks):
            if kind == "d":
                file.seek(number * CHUNK_BYTES)
                file.write(bytes([number + 1]) * CHUNK_BYTES)
        file.truncate(len(chunks) * CHUNK_BYTES)
        file.seek(len(chunks) * CHUNK_BYTES)
        file.write(b"t" * tail)
    return path


def sha256(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("chunks", ["", "d", "0", "d0d", "00d"])
def test_what_is_put_in_comes_out(store: BlobStore, tmp_path: Path, chunks: str) -> None:
    source = disk(tmp_path / "disk.raw", chunks)

    blob = store.put(source, sha256(source))

    assert (blob.digest, blob.size) == (sha256(source), source.stat().st_size)
    assert store.has(blob.digest)
    assert store.size(blob.digest) == blob.size
    with store.open(blob.digest) as reader:
        assert reader.read(10) + reader.read() == source.read_bytes()
    assert store.is_intact(blob.digest)
    assert [name for name, _ in store.digests()] == [blob.digest]


def test_zeros_cost_nothing(store: BlobStore, tmp_path: Path) -> None:
    blob = store.put(disk(tmp_path / "disk.raw", "d" + "0" * 30 + "d"))

    assert blob.size > 32 * CHUNK_BYTES
    assert store.allocated(blob.digest) < 3 * CHUNK_BYTES


def test_other_bytes_than_promised_are_refused(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="not the file that it was"):
        store.put(disk(tmp_path / "disk.raw"), digest("another disk"))

    assert list(store.digests()) == []


def test_what_is_not_there_is_told(store: BlobStore, tmp_path: Path) -> None:
    gone = digest("gone")

    assert (store.has(gone), store.size(gone), store.allocated(gone), store.stamp(gone)) == (False, None, 0, "")
    for read in (lambda: store.open(gone).__enter__(), lambda: store.tree(gone)):
        with pytest.raises(MachineError, match="no bytes for"):
            read()
    with pytest.raises(UserError, match="cannot be read"):
        store.put(tmp_path / "gone.raw")


def test_a_buried_blob_is_gone_and_burying_it_again_is_harmless(store: BlobStore, tmp_path: Path) -> None:
    blob = store.put(disk(tmp_path / "disk.raw"))

    assert store.bury(blob.digest)
    assert store.bury(blob.digest)
    store.empty_trash()

    assert not store.has(blob.digest)
    assert list(store.digests()) == []


def test_a_stamp_changes_when_a_blob_is_written_anew(store: BlobStore) -> None:
    blob = store.put_bytes(b"small")
    before = store.stamp(blob.digest)

    assert store.stamp(blob.digest) == before
    store.bury(blob.digest)
    store.put_bytes(b"small")
    assert store.stamp(blob.digest) != before


def test_a_note_is_replaced_only_by_who_has_read_it(store: BlobStore) -> None:
    assert store.note("registry.json") is None
    assert store.replace_note("registry.json", None, b"first")
    assert not store.replace_note("registry.json", None, b"second")
    assert not store.replace_note("registry.json", b"other", b"second")
    assert store.replace_note("registry.json", b"first", b"second")
    assert store.note("registry.json") == b"second"


def spoil(store: BlobStore, name: str, number: int) -> None:
    """Change a byte in one chunk, as a faulty disk does."""
    if isinstance(store, LocalStore):
        path = store.path(name)
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.seek(number * CHUNK_BYTES + 7)
            file.write(b"?")
        return
    assert isinstance(store, ObjectStore)
    key = f"chunks/{name.removeprefix('sha256:')}/{number:08d}"
    content = bytearray(store.objects.get(key) or b"")
    content[7] ^= 1
    store.objects.overwrite(key, bytes(content))


def test_a_flipped_bit_is_found_and_only_its_chunk_is_fetched_again(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = LocalStore(tmp_path / "good")
    source = disk(tmp_path / "disk.raw", "dd0d")
    blob = good.put(source)
    store.put(source)
    spoil(store, blob.digest, 1)
    assert not store.is_intact(blob.digest)

    store.quarantine(blob.digest)
    assert not store.has(blob.digest)
    fetched: list[int] = []
    chunk = LocalStore.chunk

    def counted(self: LocalStore, digest: str, number: int) -> bytes:
        fetched.append(number)
        return chunk(self, digest, number)

    monkeypatch.setattr(LocalStore, "chunk", counted)
    copy_blob(good, store, blob.digest)

    assert store.is_intact(blob.digest)
    assert fetched == [1]


@pytest.mark.parametrize("target", ["local", "memory"])
def test_a_copy_that_was_cut_short_goes_on_where_it_stopped(store: BlobStore, tmp_path: Path, target: str) -> None:
    blob = store.put(disk(tmp_path / "disk.raw", "dd0dd"))
    other: BlobStore = LocalStore(tmp_path / "other") if target == "local" else in_memory()
    tree = store.tree(blob.digest)
    with other.receive(blob.digest, tree) as incoming:
        assert incoming.missing() == [0, 1, 3, 4, 5]
        for number in (0, 3):
            incoming.write(number, store.chunk(blob.digest, number))
    assert not other.has(blob.digest)
    told: list[tuple[int, int]] = []

    copy_blob(store, other, blob.digest, progress=lambda done, total: told.append((done, total)))

    assert other.is_intact(blob.digest)
    assert told[0] == (3 * CHUNK_BYTES, blob.size)
    assert told[-1] == (blob.size, blob.size)
    assert len(told) == 4


def test_a_damaged_source_is_told_and_gives_nothing(store: BlobStore, tmp_path: Path) -> None:
    blob = store.put(disk(tmp_path / "disk.raw", "dd"))
    spoil(store, blob.digest, 1)
    other = LocalStore(tmp_path / "other")

    with pytest.raises(MachineError) as caught:
        copy_blob(store, other, blob.digest)

    assert caught.value.diagnostics[0].code in ("store.chunk", "store.other-bytes")
    assert not other.has(blob.digest)


def test_another_disk_under_the_name_is_found_before_the_first_byte_is_sent(store: BlobStore, tmp_path: Path) -> None:
    blob = store.put(disk(tmp_path / "disk.raw", "dd"))
    other = in_memory()

    with pytest.raises(MachineError, match="other bytes than its hash says"):
        copy_blob(store, other, blob.digest, disk=digest("the disk that it should be"))

    assert list(other.digests()) == []


def test_a_chunk_that_is_not_the_one_that_was_promised_is_not_kept(store: BlobStore, tmp_path: Path) -> None:
    source = LocalStore(tmp_path / "source")
    blob = source.put(disk(tmp_path / "disk.raw", "dd"))

    with store.receive(blob.digest, source.tree(blob.digest)) as incoming:
        with pytest.raises(MachineError, match="chunk 0"):
            incoming.write(0, b"?" * CHUNK_BYTES)
        assert 0 in incoming.missing()


def test_parts_of_an_upload_that_was_killed_are_seen_by_the_collection(tmp_path: Path) -> None:
    source, store = LocalStore(tmp_path / "source"), in_memory()
    blob = source.put(disk(tmp_path / "disk.raw", "dd"))
    with store.receive(blob.digest, source.tree(blob.digest)) as incoming:
        incoming.write(1, source.chunk(blob.digest, 1))

    assert [name for name, _ in store.digests()] == [blob.digest]
    store.bury(blob.digest)
    assert list(store.digests()) == []


# ── S3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of a real S3 server."""
    import boto3

    client = boto3.client("s3", endpoint_url=aws)
    name = f"goldsmith-{os.urandom(6).hex()}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield name


def test_a_disk_goes_to_s3_and_comes_back(bucket: str, tmp_path: Path) -> None:
    store = open_store(f"s3://{bucket}/images")
    source = disk(tmp_path / "disk.raw", "d0dd")

    blob = store.put(source, sha256(source))
    back = LocalStore(tmp_path / "back")
    copy_blob(store, back, blob.digest)

    assert back.is_intact(blob.digest)
    assert back.path(blob.digest).read_bytes() == source.read_bytes()
    assert store.name == f"s3://{bucket}/images"
    assert store.replace_note("index.json", None, b"1")
    assert not store.replace_note("index.json", None, b"2")
    assert store.replace_note("index.json", b"1", b"3")
    spoil(store, blob.digest, 2)
    assert not store.is_intact(blob.digest)
    assert store.bury(blob.digest)
    assert list(store.digests()) == []


def test_a_bucket_that_does_not_exist_is_told(aws: str, tmp_path: Path) -> None:
    store = open_store("s3://goldsmith-nobody-has-made-this")

    with pytest.raises(MachineError) as caught:
        store.put_bytes(b"small")

    assert caught.value.diagnostics[0].code == "store.unreachable"
    assert "goldsmith-nobody-has-made-this" in str(caught.value)


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)

    with pytest.raises(MachineError, match="could not be used") as caught:
        open_store("s3://bucket").has(digest("anything"))

    assert caught.value.diagnostics[0].code == "store.unreachable"
    assert "run the command again" in caught.value.diagnostics[0].next


@pytest.mark.parametrize(
    "url", ["ftp://x", "s3://", "s3://key:word@bucket", "s3://bucket?token=hidden", "/path", "file://", ""]
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        open_store(url)

    assert caught.value.diagnostics[0].code == "store.url"
    assert "word" not in str(caught.value)
    assert "hidden" not in str(caught.value)
