"""Another reader of packages to compare with: syft, as `uv sync --group syft` installs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

KINDS: Mapping[str, str] = {
    "deb": "deb",
    "python": "pypi",
    "npm": "npm",
    "go-module": "golang",
    "rust-crate": "cargo",
    "java-archive": "maven",
    "gem": "gem",
}
"""Syft's words for kinds of packages, and ours."""


def find_syft() -> str | None:
    """The program, beside this Python or on the path."""
    return shutil.which("syft", path=Path(sys.executable).parent) or shutil.which("syft")


def read_with_syft(program: str, tree: Path) -> tuple[float, set[tuple[str, str, str]]]:
    """The seconds that it took, and (kind, name, version) of what it found, in our words.

    Raises `CalledProcessError`. By itself syft reads a directory as source code, and no installed npm package.
    """
    with tempfile.TemporaryDirectory(prefix="goldsmith-syft-") as place:
        told = Path(place, "syft.json")
        command = [program, "--quiet", f"dir:{tree}", "--override-default-catalogers", "image", "--output", f"json={told}"]
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        taken = time.monotonic() - started
        artifacts = json.loads(told.read_bytes())["artifacts"]
    return taken, {_package(item) for item in artifacts if item["type"] in KINDS}


def _package(item: Mapping[str, str]) -> tuple[str, str, str]:
    kind = KINDS[item["type"]]
    name, version = item["name"], item["version"]
    if kind == "maven":
        name = item["purl"].partition("@")[0].removeprefix("pkg:maven/").replace("/", ":")
    return kind, name.lower() if kind == "pypi" else name, version.removeprefix("go") if name == "stdlib" else version
