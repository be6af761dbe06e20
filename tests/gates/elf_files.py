"""Small ELF programs with the notes that build tools leave, of either width and byte order."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence

BASE = 0x400000
SENTINEL = b"0123456789abcdef"
INTERPRETER = 3


def program(
    sections: Mapping[str, bytes], *, wide: bool = True, order: str = "<", segments: Sequence[int] = (), named: bool = True
) -> bytes:
    """A program that holds sections, loaded from `BASE` on as one writable segment; `segments` adds kinds of empty ones."""
    head, row, part = (64, 64, 56) if wide else (52, 40, 32)
    count = 1 + len(segments)
    body, placed = b"", [(0, 0, 0)]
    names = b"\0"
    start = head + part * count
    for name, data in [*sections.items(), (".shstrtab", b"")]:
        body += b"\0" * (-(start + len(body)) % 16)
        placed.append((len(names), start + len(body), len(data)))
        names += name.encode() + b"\0"
        body += data
    placed[-1] = (placed[-1][0], start + len(body), len(names))
    body += names
    table = start + len(body)
    word = "Q" if wide else "I"
    identity = b"\x7fELF" + bytes((2 if wide else 1, 1 if order == "<" else 2, 1)) + bytes(9)
    ends = (table, len(placed), len(placed) - 1) if named else (0, 0, 0)
    header = identity + struct.pack(
        f"{order}HHI{word}{word}{word}IHHHHHH", 2, 62, 1, BASE, head, ends[0], 0, head, part, count, row, ends[1], ends[2]
    )
    loads = [(1, 6, 0, BASE, table)] + [(kind, 4, 0, 0, 0) for kind in segments]
    if wide:
        packed = b"".join(struct.pack(f"{order}IIQQQQQQ", k, f, o, a, a, n, n, 16) for k, f, o, a, n in loads)
    else:
        packed = b"".join(struct.pack(f"{order}IIIIIIII", k, o, a, a, n, n, f, 16) for k, f, o, a, n in loads)
    rows = b"".join(
        struct.pack(
            f"{order}II{word}{word}{word}{word}II{word}{word}", n, 1 if n else 0, 0, BASE + o if n else 0, o, s, 0, 0, 1, 0
        )
        for n, o, s in placed
    )
    return header + packed + body + (rows if named else b"")


def go_text(*lines: str) -> bytes:
    """The text of modules as the linker frames it."""
    return SENTINEL + ("\n".join(line.replace(" ", "\t") for line in lines) + "\n").encode() + SENTINEL


def inline_information(version: str, modules: bytes) -> bytes:
    """Build information as Go 1.18 and newer writes it."""
    head = b"\xff Go buildinf:" + bytes((8, 2))
    return head.ljust(32, b"\0") + _counted(version.encode()) + _counted(modules)


def pointed_program(version: str, modules: bytes, *, wide: bool = True, order: str = "<", named: bool = True) -> bytes:
    """A program with build information as Go 1.13 to 1.17 wrote it: pointers to strings, which point to their text."""
    width, word = (8, "Q") if wide else (4, "I")
    head = b"\xff Go buildinf:" + bytes((width, 0 if order == "<" else 1))
    start = (64 + 56 if wide else 52 + 32) + 15 & ~15
    strings = start + 64
    text = strings + 4 * width
    data = head + struct.pack(f"{order}{word}{word}", BASE + strings, BASE + strings + 2 * width)
    data = data.ljust(64, b"\0")
    data += struct.pack(f"{order}4{word}", BASE + text, len(version), BASE + text + len(version), len(modules))
    return program({".go.buildinfo": data + version.encode() + modules}, wide=wide, order=order, named=named)


def crates(*packages: Mapping[str, object]) -> bytes:
    """A list as `cargo auditable` writes it."""
    return zlib.compress(json.dumps({"packages": list(packages)}).encode())


def _counted(text: bytes) -> bytes:
    size, count = len(text), b""
    while size >= 0x80:
        count += bytes((size & 0x7F | 0x80,))
        size >>= 7
    return count + bytes((size,)) + text
