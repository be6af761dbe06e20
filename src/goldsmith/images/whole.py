"""Writing a file as a whole: whoever reads it sees the old content or the new one, never a part."""

from __future__ import annotations

import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace a file, or make it, in one step; when that fails, the old one is as it was and nothing else is left."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
