"""Copies a blob from one store to another, chunk by chunk; an attempt that was interrupted is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.registry.blobs import Blob, BlobStore, Incoming
from goldsmith.registry.chunks import ChunkTree, damaged_chunk
from goldsmith.registry.side_by_side import side_by_side

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many bytes of a blob are there, of how many; zeros count as there."""

ATTEMPTS = 3
"""How often a chunk that arrived damaged is fetched again."""


def quiet(done: int, total: int) -> None:
    """A `Progress` that nobody sees."""


def copy_blob(source: BlobStore, target: BlobStore, digest: str, *, disk: str = "", progress: Progress = quiet) -> Blob:
    """Bring a blob to another store, unless it is there. Chunks that are there are not sent again, zeros never.

    `disk` is the digest that a raw disk must have: then wrong bytes are found before the first one is sent. Raises
    `MachineError` for a source that does not have the blob, or has other bytes under its name.
    """
    size = target.size(digest)
    if size is not None:
        return Blob(digest, size)
    tree = source.tree(digest)
    if disk and tree.root != disk:
        raise damaged_chunk(f"{source.name} {digest}", 0)
    with target.receive(digest, tree) as incoming:
        for attempt in range(ATTEMPTS):
            _send_missing(source, incoming, digest, tree, progress)
            try:
                return incoming.finish()
            except MachineError as error:
                # What arrived damaged was thrown away, and is missing again.
                if error.diagnostics[0].code != "store.chunk" or attempt + 1 == ATTEMPTS:
                    raise
    raise AssertionError("a transfer ends by its result or by an error")


def _send_missing(source: BlobStore, incoming: Incoming, digest: str, tree: ChunkTree, progress: Progress) -> None:
    missing = incoming.missing()
    done = tree.size - sum(tree.length(number) for number in missing)
    progress(done, tree.size)

    def send(number: int) -> int:
        content = source.chunk(digest, number)
        if not tree.matches(number, content):
            raise damaged_chunk(f"{source.name} {digest}", number)
        incoming.write(number, content)
        return len(content)

    for length in side_by_side(send, missing):
        done += length
        progress(done, tree.size)
