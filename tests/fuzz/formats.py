"""Compares `fmt` with Debian's packer on the templates below directories: python -m tests.fuzz.formats DIRECTORY...

What one of the two refuses and the other formats is a difference as well. Nothing is written into the directories.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from goldsmith.cli.app import run

_ENDINGS = (".pkr.hcl", ".pkrvars.hcl")


def templates(directory: Path) -> Iterator[Path]:
    """The files below a directory that `fmt` is for."""
    yield from (path for path in sorted(directory.rglob("*.hcl")) if path.name.endswith(_ENDINGS) and path.is_file())


def formatted_by_us(content: bytes, place: Path) -> bytes | None:
    """The file after our `fmt`; None when it is refused."""
    path = _written(content, place)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        code = run(["fmt", str(path)])
    return path.read_bytes() if code == 0 else None


def formatted_by_packer(content: bytes, place: Path) -> bytes | None:
    """The file after Packer's `fmt`; None when it is refused."""
    packer = shutil.which("packer")
    if packer is None:
        raise FileNotFoundError("Debian's packer, the witness for the format, is not installed")
    path = _written(content, place)
    environment = {"HOME": str(place), "CHECKPOINT_DISABLE": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run([packer, "fmt", str(path)], env=environment, capture_output=True, check=False)
    return path.read_bytes() if done.returncode == 0 else None


def _written(content: bytes, place: Path) -> Path:
    path = place / "a.pkr.hcl"
    path.write_bytes(content)
    return path


def compared(content: bytes, place: Path) -> str:
    """How the two judge a file: "same bytes", "refused by both", or how they differ."""
    ours, theirs = formatted_by_us(content, place), formatted_by_packer(content, place)
    if ours is None or theirs is None:
        return "refused by both" if ours is theirs else f"refused by {'us' if ours is None else 'packer'} alone"
    return "same bytes" if ours == theirs else "other bytes"


def main() -> None:
    """Compare, tell how many files came out how, and end with 1 when there is a difference."""
    directories = [Path(argument) for argument in sys.argv[1:]]
    if not directories:
        sys.exit("usage: python -m tests.fuzz.formats DIRECTORY...")
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        for path in (path for directory in directories for path in templates(directory)):
            found = compared(path.read_bytes(), Path(place))
            told[found] += 1
            if found not in ("same bytes", "refused by both"):
                sys.stdout.write(f"{found}: {path}\n")
    sys.stdout.write("".join(f"{number:8} {found}\n" for found, number in told.most_common()))
    sys.exit(0 if told.keys() <= {"same bytes", "refused by both"} else 1)


if __name__ == "__main__":
    main()
