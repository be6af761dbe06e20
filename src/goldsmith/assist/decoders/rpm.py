"""rpm's database: what is installed in which version, asked of the database and never compared by bytes."""

from __future__ import annotations

from collections import Counter

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable
from goldsmith.assist.stacked import StackedTree
from goldsmith.gates.inventory.rpm import DIRECTORIES, FILES, read_rpm
from goldsmith.gates.inventory.stack import Stack

_BESIDE = ("rpmdb.sqlite-shm", "rpmdb.sqlite-wal", "Index.db", ".rpm.lock")


def _read(tree: StackedTree) -> Facts:
    found = read_rpm(Stack(tree.layers))
    if found.faults:
        raise Undecodable("; ".join(found.faults))
    # Several versions of a kernel are installed side by side, and every imported key is a package.
    counted = Counter(f"package {item.name} {item.version} {item.architecture}" for item in found.packages)
    return {name: str(count) for name, count in counted.items()}


DECODER = Decoder("rpm", tuple(f"{directory}/{name}" for directory in DIRECTORIES for name in (*FILES, *_BESIDE)), _read)
