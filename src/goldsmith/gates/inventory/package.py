"""What is installed in an image: packages of every kind, and the distribution they are of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.gates.contract import Skipped

PackageKind: TypeAlias = Literal["deb", "rpm", "apk", "pypi", "npm", "golang", "cargo", "maven", "gem", "generic"]
"""The purl types; generic is for a kernel or boot loader that no package brought."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Package:
    """An installed package."""

    kind: PackageKind
    name: str
    """As its kind names it: `@scope/name` for npm, the module path for golang, `group:artifact` for maven."""
    version: str
    """As reported: `[epoch:]version[-release]`, the epoch only when it is not 0."""
    architecture: str = ""
    source_name: str = ""
    """What a distribution built it from; empty for other packages."""
    source_version: str = ""
    module: str = ""
    """The modularity label of an rpm, `name:stream:version:context:arch`, or empty."""
    path: str = ""
    """The file in the image that says so, without a leading slash; empty for a package of the distribution.

    For what is in an archive: `app.jar!/BOOT-INF/lib/inner.jar`.
    """
    files: tuple[str, ...] = ()
    """Those of its files that other packages of the inventory are read from, without a leading slash. All files of a system
    would be a hundred thousand names: `owners_of` finds the owners of given ones. Of a Python package: all of its RECORD."""
    layer: str = ""
    """`sha256:<hex>` of the layer that brought this version, when it is known."""
    licences: tuple[str, ...] = ()
    """As the package tells them."""

    @property
    def file(self) -> str:
        """The regular file of the image that `path` is in."""
        return self.path.partition("!/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A release of a distribution."""

    id: str
    """`ID` of os-release."""
    family: str
    """Whose advisories count: debian, ubuntu, alpine, redhat, centos, alma, rocky, oracle, amazon, suse, opensuse-leap, …"""
    release: str
    """`VERSION_ID` of os-release, or what the package manager's own configuration says."""
    codename: str = ""
    name: str = ""
    """For people: `PRETTY_NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """The files of an installed package, as its database tells them."""

    name: str
    version: str = ""
    """Empty where the name and the architecture say it all."""
    architecture: str = ""
    """Empty where the name says it all."""
    paths: Iterable[str]
    """Without a leading slash; directories may be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reader of one kind of package found in an image."""

    packages: tuple[Package, ...] = ()
    faults: tuple[str, ...] = ()
    """What could not be read, in sentences."""
    skipped: tuple[Skipped, ...] = ()
    """What was not read on purpose, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is installed, and what could not be found out."""

    distribution: Distribution
    packages: tuple[Package, ...]
    """Sorted."""
    faults: tuple[str, ...] = ()
    """What could not be read, in sentences; never left out in silence."""
    skipped: tuple[Skipped, ...] = ()
    """What was not read on purpose, and why."""
    content_sets: tuple[str, ...] = ()
    """The repositories that a Red Hat image says it was built from."""
    nvr: str = ""
    """`name-version-release-architecture` of a Red Hat container image, or empty."""
