"""Reading a source file from disk."""

from __future__ import annotations

from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import SourceFile


def read_source(path: Path) -> SourceFile:
    """The text of a file under the name that was given; a byte order mark is dropped, line ends stay as they are.

    Raises `UserError` when the file cannot be read or is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            Diagnostic(code="hcl.unreadable", what=f'Cannot read "{path}"', why=f"{reason}.", next="Check its name and mode.")
        ) from error
    except UnicodeDecodeError as error:
        why = f"All input files must be UTF-8 encoded; byte {error.start} is not."
        next = "Ensure that UTF-8 encoding is selected in your editor."
        raise UserError(Diagnostic(code="hcl.encoding", what=f'"{path}" is not UTF-8', why=why, next=next)) from error
    return SourceFile(str(path), text.removeprefix("\ufeff"))
