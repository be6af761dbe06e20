"""Which package of the distribution owns a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from goldsmith.gates.inventory.apk import apk_owned
from goldsmith.gates.inventory.dpkg import dpkg_owned
from goldsmith.gates.inventory.package import Owned, Package, PackageKind
from goldsmith.gates.inventory.rpm import rpm_owned
from goldsmith.gates.inventory.stack import Stack

MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Directories that are links into /usr on most systems, while databases still use the old names."""
_READERS: Mapping[PackageKind, Callable[[Stack], Iterator[Owned]]] = {"deb": dpkg_owned, "rpm": rpm_owned, "apk": apk_owned}


@dataclass(frozen=True, slots=True)
class Owner:
    """A package as its list of files names it; what is empty says nothing."""

    kind: PackageKind
    name: str
    version: str
    architecture: str

    def is_(self, package: Package) -> bool:
        """Whether a package of the inventory is meant."""
        return (
            (self.kind, self.name) == (package.kind, package.name)
            and self.version in ("", package.version)
            and self.architecture in ("", package.architecture)
        )


def owners_of(stack: Stack, wanted: Collection[str]) -> tuple[Mapping[str, Owner], tuple[str, ...]]:
    """The owners of those of the wanted files that have one, and what could not be read."""
    found: dict[str, Owner] = {}
    faults: list[str] = []
    if not wanted:
        return found, ()
    names = _names(wanted, stack)
    for kind, read in _READERS.items():
        try:
            for owned in read(stack):
                for path in filter(names.__contains__, owned.paths):
                    found[names[path]] = Owner(kind, owned.name, owned.version, owned.architecture)
        except (OSError, ValueError) as error:
            faults.append(f"the files of {kind} packages cannot be told: {error}")
    return found, tuple(faults)


def _names(wanted: Collection[str], stack: Stack) -> Mapping[str, str]:
    """The names by which a database may know the wanted files."""
    names = {path: path for path in wanted}
    for top in MERGED:
        if top in stack.links:
            names |= {path.removeprefix("usr/"): path for path in wanted if path.startswith(f"usr/{top}/")}
    return names
