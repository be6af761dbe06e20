"""The identity of a disk: the tree of hashes by hand, holes, and every format having the same."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import UserError
from goldsmith.images import disk_digest, disk_digest_of, file_digest
from goldsmith.images.formats import check_formats, to_qcow2
from goldsmith.images.identity import CHUNK_BYTES, leaf, root_of


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_three_chunks_and_a_short_one_by_hand(tmp_path: Path) -> None:
    chunks = [b"a" * CHUNK_BYTES, bytes(CHUNK_BYTES), b"c" * CHUNK_BYTES, b"d" * 1000]
    (tmp_path / "disk").write_bytes(b"".join(chunks))
    a, b, c, d = (sha(b"\0" + chunk) for chunk in chunks)

    expected = sha(b"\1" + sha(b"\1" + a + b) + sha(b"\1" + c + d))

    assert disk_digest(tmp_path / "disk") == "sha256:" + expected.hex()


def test_an_odd_node_rises_unchanged() -> None:
    a, b, c = leaf(b"a"), leaf(b"b"), leaf(b"c")

    assert root_of([a]) == a
    assert root_of([a, b, c]) == sha(b"\1" + sha(b"\1" + a + b) + c)


def reference(leaves: list[bytes]) -> bytes:
    """The same tree, told from the top: the left part is the largest power of two that leaves something to the right."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + reference(leaves[:split]) + reference(leaves[split:]))


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70))
def test_the_tree_is_the_one_of_certificate_transparency(leaves: list[bytes]) -> None:
    assert root_of(leaves) == reference(leaves)


def test_holes_and_written_zeros_are_the_same(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3 * CHUNK_BYTES)
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(5 * CHUNK_BYTES)
        file.write(data)
        file.truncate(20 * CHUNK_BYTES + 512)
    (tmp_path / "full").write_bytes((tmp_path / "sparse").read_bytes())
    assert (tmp_path / "sparse").stat().st_blocks < (tmp_path / "full").stat().st_blocks

    assert disk_digest(tmp_path / "sparse") == disk_digest(tmp_path / "full")


def test_every_format_has_the_same_identity_and_its_own_file_digest(tmp_path: Path) -> None:
    with (tmp_path / "disk.raw").open("wb") as file:
        file.write(random.Random(1).randbytes(1 << 20))
        file.truncate(32 << 20)
    to_qcow2(tmp_path / "disk.raw", tmp_path / "disk.qcow2")

    assert disk_digest_of(tmp_path / "disk.qcow2", "qcow2", tmp_path) == disk_digest_of(tmp_path / "disk.raw", "raw", tmp_path)
    assert file_digest(tmp_path / "disk.qcow2") != file_digest(tmp_path / "disk.raw")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.qcow2", "disk.raw"]


def test_qcow2_of_the_same_disk_has_the_same_bytes(tmp_path: Path) -> None:
    with (tmp_path / "disk.raw").open("wb") as file:
        file.write(random.Random(1).randbytes(6 << 20))
        file.truncate(32 << 20)
    for name in ("one", "other"):
        to_qcow2(tmp_path / "disk.raw", tmp_path / name)

    assert file_digest(tmp_path / "one") == file_digest(tmp_path / "other")


def test_one_changed_bit_changes_the_identity(tmp_path: Path) -> None:
    data = bytearray(random.Random(1).randbytes(2 * CHUNK_BYTES))
    (tmp_path / "disk").write_bytes(data)
    before = disk_digest(tmp_path / "disk")
    data[-1] ^= 1
    (tmp_path / "disk").write_bytes(data)

    assert disk_digest(tmp_path / "disk") != before


def test_progress_ends_with_the_whole_disk(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    (tmp_path / "disk").write_bytes(bytes(70 * CHUNK_BYTES + 5))

    disk_digest(tmp_path / "disk", progress=lambda done, total: told.append((done, total)))

    assert told[-1] == (70 * CHUNK_BYTES + 5, 70 * CHUNK_BYTES + 5)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize("formats", [(), ("vmdk",), ("raw", "vhdx")])
def test_a_format_that_is_not_written_here_is_refused(formats: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="a disk cannot be written"):
        check_formats(formats)
