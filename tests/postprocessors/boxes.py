"""Looks into Vagrant boxes as Vagrant does: by tar."""

from __future__ import annotations

import subprocess
from pathlib import Path


def unpacked(box: Path) -> Path:
    """The directory that a box was unpacked into."""
    place = box.with_suffix(".unpacked")
    place.mkdir()
    subprocess.run(["tar", "-xf", str(box), "-C", str(place)], check=True)
    return place
