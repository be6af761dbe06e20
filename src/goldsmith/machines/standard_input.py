"""The standard input of a command: given bytes, or nothing."""

from __future__ import annotations

import os


def standard_input(content: bytes | None) -> int:
    """A descriptor to read from, which the caller closes. A memory file: the command may read it late, or not at all."""
    if content is None:
        return os.open("/dev/null", os.O_RDONLY)
    descriptor = os.memfd_create("stdin")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
