"""What blocks a snapshot holds: written, read back, and remembered by their digests on this host."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from goldsmith.amazon.account import Account
from goldsmith.amazon.crew import each
from goldsmith.amazon.ebs import BLOCK_BYTES, ZERO_BLOCK, ZERO_DIGEST, Ebs, checksum
from goldsmith.amazon.raw_blocks import RawBlocks
from goldsmith.aws import error_code
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images.identity import CHUNK_BYTES, leaf, root_of, zero_leaf
from goldsmith.images.whole import write_whole
from goldsmith.machines.cancellation import Cancellation

WORKERS = 16
"""Calls at once: 16 blocks of half a MiB on their way, whatever the size of the disk."""
_READERS = 8
"""Chunks at once, of eight blocks each."""
_BLOCKS_OF_CHUNK = CHUNK_BYTES // BLOCK_BYTES
_ENTRY = struct.Struct(">I32s")


class SnapshotBlocks:
    """The blocks of snapshots in the region of a build."""

    def __init__(self, account: Account, cancellation: Cancellation, progress: Callable[[int, int], None]) -> None:
        self._account = account
        self._api = cast("Ebs", account.service("ebs", 2 * WORKERS))
        self._cancellation = cancellation
        self._progress = progress

    def write(self, snapshot_id: str, disk: RawBlocks, parent: Mapping[int, bytes]) -> dict[int, bytes]:
        """Write the blocks in which a disk differs from its parent, and seal the snapshot; the digest of each that was written.

        `parent` has the digests of the parent's blocks; what it does not have is zeros there.
        """
        written: dict[int, bytes] = {}

        def put(index: int) -> tuple[int, bytes]:
            data = disk.read(index)
            digest = ZERO_DIGEST if data == ZERO_BLOCK else hashlib.sha256(data).digest()
            if parent.get(index, ZERO_DIGEST) == digest:
                return index, b""
            with self._account.telling(f"Writing block {index} of {snapshot_id}"):
                self._api.put_snapshot_block(
                    SnapshotId=snapshot_id,
                    BlockIndex=index,
                    BlockData=data,
                    DataLength=BLOCK_BYTES,
                    Checksum=checksum(digest),
                    ChecksumAlgorithm="SHA256",
                )
            return index, digest

        for done, (index, digest) in enumerate(each(put, _to_look_at(disk, parent), WORKERS, self._cancellation), 1):
            if digest:
                written[index] = digest
            self._progress(done * BLOCK_BYTES, disk.size)
        self._complete(snapshot_id, written)
        return written

    def _complete(self, snapshot_id: str, written: Mapping[int, bytes]) -> None:
        request: dict[str, object] = {"SnapshotId": snapshot_id, "ChangedBlocksCount": len(written)}
        if written:
            # The API's LINEAR method: the digest of the blocks' digests in the order of their numbers.
            whole = hashlib.sha256(b"".join(written[index] for index in sorted(written))).digest()
            request |= {"Checksum": checksum(whole), "ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}
        try:
            with self._account.telling(f"Completing the snapshot {snapshot_id}"):
                self._api.complete_snapshot(**request)
        except UserError as error:
            # A call that was tried again because its answer was lost: the snapshot is not to be written to any more.
            if error_code(error) not in ("ConflictException", "ValidationException") or not self._is_complete(snapshot_id):
                raise

    def _is_complete(self, snapshot_id: str) -> bool:
        with self._account.telling(f"Querying the snapshot {snapshot_id}"):
            found = self._account.ec2().describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
        return any(snapshot["State"] == "completed" for snapshot in found)

    def digests(self, snapshot_id: str) -> dict[int, bytes]:
        """The digests of the blocks of a snapshot that are not zeros, by reading all of them."""

        def examine(block: tuple[int, str]) -> tuple[int, bytes]:
            return block[0], hashlib.sha256(self._read(snapshot_id, *block)).digest()

        return merged({}, dict(each(examine, self._tokens(snapshot_id).items(), WORKERS, self._cancellation)))

    def disk_digest(self, snapshot_id: str, size: int) -> str:
        """The identity of the disk of `size` bytes that a snapshot holds, by reading all its blocks, a chunk at a time.

        Raises `MachineError` when there is something behind the end of the disk.
        """
        tokens = self._tokens(snapshot_id)
        chunks = -(-max(size, 1) // CHUNK_BYTES)
        leaves = [b""] * chunks

        def examine(chunk: int) -> tuple[int, bytes]:
            numbers = range(chunk * _BLOCKS_OF_CHUNK, (chunk + 1) * _BLOCKS_OF_CHUNK)
            if not any(number in tokens for number in numbers) and (chunk + 1) * CHUNK_BYTES <= size:
                return chunk, zero_leaf()
            parts = (self._read(snapshot_id, number, tokens[number]) if number in tokens else ZERO_BLOCK for number in numbers)
            data = b"".join(parts)
            length = max(0, min(CHUNK_BYTES, size - chunk * CHUNK_BYTES))
            if any(data[length:]):
                raise _not_the_disk(snapshot_id, f"there is something behind its end, at byte {size}")
            return chunk, leaf(data[:length])

        # Blocks behind the end of the disk must be zeros, if they are there at all.
        last = max(tokens, default=0) // _BLOCKS_OF_CHUNK
        for done, (chunk, found) in enumerate(each(examine, range(max(chunks, last + 1)), _READERS, self._cancellation), 1):
            if chunk < chunks:
                leaves[chunk] = found
            self._progress(min(done * CHUNK_BYTES, size), size)
        return "sha256:" + root_of(leaves).hex()

    def _tokens(self, snapshot_id: str) -> dict[int, str]:
        return dict(self._pages(snapshot_id))

    def _pages(self, snapshot_id: str) -> Iterator[tuple[int, str]]:
        request: dict[str, object] = {"SnapshotId": snapshot_id, "MaxResults": 10_000}
        while True:
            with self._account.telling(f"Listing the blocks of {snapshot_id}"):
                page = self._api.list_snapshot_blocks(**request)
            yield from ((block["BlockIndex"], block["BlockToken"]) for block in page.get("Blocks", ()))
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]

    def _read(self, snapshot_id: str, index: int, token: str) -> bytes:
        with self._account.telling(f"Reading block {index} of {snapshot_id}"):
            block = self._api.get_snapshot_block(SnapshotId=snapshot_id, BlockIndex=index, BlockToken=token)
            data = block["BlockData"].read()
        if len(data) != BLOCK_BYTES or checksum(hashlib.sha256(data).digest()) != block["Checksum"]:
            raise _not_the_disk(snapshot_id, f"block {index} did not arrive as it was sent")
        return data


def _to_look_at(disk: RawBlocks, parent: Mapping[int, bytes]) -> Iterator[int]:
    """The blocks that hold something, here or in the parent, in order."""
    theirs = iter(sorted(parent))
    behind = next(theirs, None)
    for index in disk.with_data():
        while behind is not None and behind < index:
            yield behind
            behind = next(theirs, None)
        if behind == index:
            behind = next(theirs, None)
        yield index
    while behind is not None:
        yield behind
        behind = next(theirs, None)


def _not_the_disk(snapshot_id: str, why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="amazon.not-the-disk",
            what=f"the snapshot {snapshot_id} does not hold the disk that was sealed",
            why=why,
            next="Build again; nothing of this try is left in AWS.",
        )
    )


@dataclass(frozen=True, slots=True)
class BlockRecords:
    """What this host knows of snapshots that it wrote: a snapshot never changes, so its record holds for ever."""

    directory: Path

    def find(self, snapshot_id: str) -> dict[int, bytes] | None:
        """The digests of the blocks of a snapshot that are not zeros; None when this host did not write it."""
        try:
            content = (self.directory / snapshot_id).read_bytes()
        except FileNotFoundError:
            return None
        body, seal = content[:-32], content[-32:]
        if hashlib.sha256(body).digest() != seal or len(body) % _ENTRY.size:
            return None
        return dict(_ENTRY.iter_unpack(body))

    def keep(self, snapshot_id: str, digests: Mapping[int, bytes]) -> None:
        """Remember a snapshot."""
        self.directory.mkdir(parents=True, exist_ok=True)
        body = b"".join(_ENTRY.pack(index, digests[index]) for index in sorted(digests))
        write_whole(self.directory / snapshot_id, body + hashlib.sha256(body).digest())


def merged(parent: Mapping[int, bytes], written: Mapping[int, bytes]) -> dict[int, bytes]:
    """The digests of a snapshot that was written on a parent."""
    return {index: digest for index, digest in {**parent, **written}.items() if digest != ZERO_DIGEST}
