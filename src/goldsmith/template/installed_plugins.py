"""Packer plugins that are installed on this host: where they are looked for, and which of them count."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.template.constraints import Constraint
from goldsmith.template.plugin_address import PluginAddress

API = (5, 0)
"""Major and minor version of Packer's plugin protocol; a plugin of a lower minor version is as good."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
_NAME = re.compile(r"packer-plugin-(?P<name>.+)_v(?P<version>\d+\.\d+\.\d+(?:-[\w.-]+)?)_x(?P<major>\d+)\.(?P<minor>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPlugin:
    """The program of a plugin; its SHA-256 is the one that its `_SHA256SUM` file tells."""

    path: Path
    name: str
    version: str
    """Without "v", such as "1.1.4"."""

    @property
    def order(self) -> tuple[tuple[int, ...], bool]:
        """Sorts by version; a pre-release comes before its release."""
        numbers, _, prerelease = self.version.partition("-")
        return tuple(int(number) for number in numbers.split(".")), not prerelease


def plugin_directories(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where plugins are looked for.

    PACKER_PLUGIN_PATH names directories, separated as in PATH. Else it is `plugins` in Packer's configuration directory:
    PACKER_CONFIG_DIR/.packer.d, ~/.packer.d when there is one, XDG_CONFIG_HOME/packer or ~/.config/packer.
    """
    if named := environment.get("PACKER_PLUGIN_PATH"):
        return tuple(Path(part) for part in named.split(os.pathsep) if part)
    return (_configuration(environment) / "plugins",)


def installations(
    address: PluginAddress, constraints: Iterable[Constraint], directories: Iterable[Path]
) -> tuple[InstalledPlugin, ...]:
    """The installed versions of a plugin that fulfil all constraints, the newest first."""
    wanted = tuple(constraints)
    places = [place for root in directories for place in _places(root, address)]
    # The directory named first wins when two hold the same version.
    by_version = {found.version: found for place in reversed(places) for found in _found(place) if found.name == address.name}
    fitting = (found for found in by_version.values() if all(item.admits(found.version) for item in wanted))
    return tuple(sorted(fitting, key=lambda found: found.order, reverse=True))


def every_installation(directories: Iterable[Path]) -> tuple[InstalledPlugin, ...]:
    """All plugins that are installed, by path."""
    places = {path.parent for root in directories if root.is_dir() for path in root.rglob("packer-plugin-*")}
    return tuple(sorted((found for place in places for found in _found(place)), key=lambda found: found.path))


def _configuration(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME") or "/")
    if named := environment.get("PACKER_CONFIG_DIR"):
        return Path(named) / ".packer.d"
    if (home / ".packer.d").is_dir():
        return home / ".packer.d"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "packer"


def _places(root: Path, address: PluginAddress) -> Iterator[Path]:
    yield root / address.host / address.namespace / address.name
    yield root / address.host / address.namespace


def _found(directory: Path) -> Iterator[InstalledPlugin]:
    ending = f"_linux_{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
    for path in sorted(directory.glob(f"packer-plugin-*{ending}")):
        match = _NAME.fullmatch(path.name.removesuffix(ending))
        if match is None or not _speaks_our_protocol(int(match["major"]), int(match["minor"])) or not _is_proven(path):
            continue
        yield InstalledPlugin(path=path, name=match["name"], version=match["version"])


def _speaks_our_protocol(major: int, minor: int) -> bool:
    return major == API[0] and minor <= API[1]


def _is_proven(path: Path) -> bool:
    """Whether the file beside the program tells its SHA-256; without one Packer does not look at the program at all."""
    try:
        told = path.with_name(f"{path.name}_SHA256SUM").read_text(encoding="ascii").strip().lower()
        with path.open("rb") as file:
            return told == hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, UnicodeDecodeError):
        return False
