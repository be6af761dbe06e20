"""Reading files from disk: regular ones of sensible size, and source files among them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.limits import LARGEST_FILE_BYTES
from goldsmith.hcl.source import SourceFile


def read_source(path: Path) -> SourceFile:
    """The text of a file under the name that was given; a byte order mark is dropped, line ends stay as they are.

    Raises `UserError` when the file cannot be read, is no regular file, is too large or is not UTF-8.
    """
    try:
        text = read_regular(path, LARGEST_FILE_BYTES).decode("utf-8")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        why = f"All input files must be UTF-8 encoded; byte {error.start} is not."
        next = "Ensure that UTF-8 encoding is selected in your editor."
        raise UserError(Diagnostic(code="hcl.encoding", what=f'"{path}" is not UTF-8', why=why, next=next)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error
    return SourceFile(str(path), text.removeprefix("\ufeff"))


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a regular file; a pipe or device, which might never end, is not waited for.

    Raises OSError when it cannot be read, ValueError when it is something else, has more than `largest` bytes, or when no file
    can have such a name.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        mode = os.fstat(file).st_mode
        if stat.S_ISDIR(mode):
            raise ValueError("it is a directory")
        if not stat.S_ISREG(mode):
            raise ValueError("it is not a regular file")
        content = opened.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it has more than {largest:,} bytes")
    return content


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(
        Diagnostic(code="hcl.unreadable", what=f'Cannot read "{path}"', why=f"{reason}.", next="Check its name and mode.")
    )
