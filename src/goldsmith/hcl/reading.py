"""Reading sources: regular files of sensible size, and standard input."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.limits import LARGEST_FILE_BYTES
from goldsmith.hcl.source import SourceFile


def read_source(path: Path) -> SourceFile:
    """The text of a file under the name that was given; a byte order mark is dropped, line ends stay as they are.

    Raises `UserError` when the file cannot be read, is no regular file, is too large or is not UTF-8.
    """
    try:
        content = read_regular(path, LARGEST_FILE_BYTES)
    except OSError as error:
        raise _unreadable(f'"{path}"', error.strerror or str(error), _CHECK_FILE) from error
    except ValueError as error:
        raise _unreadable(f'"{path}"', str(error), _CHECK_FILE) from error
    return SourceFile(str(path), _decoded(content, f'"{path}"'))


def read_standard_input() -> SourceFile:
    """The text of standard input, with the rules of `read_source`."""
    try:
        content = sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable("standard input", error.strerror or str(error), _CHECK_PIPE) from error
    if len(content) > LARGEST_FILE_BYTES:
        raise _unreadable("standard input", _too_large(LARGEST_FILE_BYTES), _CHECK_PIPE)
    return SourceFile("<stdin>", _decoded(content, "Standard input"))


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a regular file; a pipe or device, which might never end, is not waited for.

    Raises OSError when it cannot be read, ValueError when it is something else, has more than `largest` bytes, or when no file
    can have such a name.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        status = os.fstat(file)
        if stat.S_ISDIR(status.st_mode):
            raise ValueError("it is a directory")
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        # A file that is known to be too large is not read at all; one may still grow while it is read.
        content = opened.read(largest + 1) if status.st_size <= largest else b""
    if max(len(content), status.st_size) > largest:
        raise ValueError(_too_large(largest))
    return content


def _decoded(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        why = f"All input must be UTF-8 encoded; byte {error.start} is not."
        next = "Ensure that UTF-8 encoding is selected in your editor."
        raise UserError(Diagnostic(code="hcl.encoding", what=f"{what} is not UTF-8", why=why, next=next)) from error


def _too_large(largest: int) -> str:
    return f"it has more than {largest:,} bytes"


def _unreadable(what: str, reason: str, next: str) -> UserError:
    return UserError(Diagnostic(code="hcl.unreadable", what=f"Cannot read {what}", why=reason, next=next))


_CHECK_FILE = "Check its name and mode."
_CHECK_PIPE = "Check the command that writes it."
