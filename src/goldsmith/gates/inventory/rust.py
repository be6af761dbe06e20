"""Rust crates in a program, by the list that `cargo auditable` leaves in it (its section `.dep-v0`)."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from goldsmith.gates.inventory.elf import Program

_SECTION = b".dep-v0"
_LARGEST = 8 << 20
_LARGEST_TEXT = 64 << 20
_COMMENT = 1 << 20


@dataclass(frozen=True, slots=True)
class Crate:
    """A crate that is linked into a program."""

    name: str
    version: str


def rust_crates(program: Program) -> tuple[Crate, ...] | None:
    """The crates of a program, but for those that only its build ran; None when it has no list of them.

    Raises `ValueError` when the list is malformed.
    """
    data = program.section(_SECTION, _LARGEST)
    if data is None:
        return None
    try:
        inflate = zlib.decompressobj()
        text = inflate.decompress(data, _LARGEST_TEXT)
        packages = json.loads(text)["packages"] if inflate.eof else None
        if packages is None:
            raise ValueError("it breaks off, or is too large")
        return tuple(Crate(str(item["name"]), str(item["version"])) for item in packages if item.get("kind") != "build")
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its list of Rust crates cannot be read: {error}") from error


def is_rust_without_list(program: Program) -> bool:
    """Whether the Rust compiler built it, and nothing says of which crates."""
    return b"rustc version " in (program.section(b".comment", _COMMENT) or b"")
