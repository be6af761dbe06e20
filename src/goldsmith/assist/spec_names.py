"""Whether the names of a specification exist: packages in the signed index of the distribution, units in its packages.

Typing errors, inventions and names that somebody squats on end here, before a file is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, get_args

from goldsmith.assist.image_spec import ImageSpec
from goldsmith.assist.places import parts_of, text_of
from goldsmith.assist.shapes import AnswerFault, Json
from goldsmith.assist.spec_template import BOOTS, RUNS
from goldsmith.components import Context
from goldsmith.hcl import parse, read_source
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.sources.archive import ArchiveRequest, Distribution, host_architecture, keyring
from goldsmith.sources.deb import sums_of
from goldsmith.sources.indexes import fields_of, package_names
from goldsmith.sources.resolution import Archive as SignedArchive
from goldsmith.sources.resolution import PackageRequest

DISTRIBUTIONS: tuple[Distribution, ...] = get_args(Distribution)
_SYSTEMD = (
    "systemd",
    "systemd-timesyncd",
    "cron",
    "apt",
    "dpkg",
    "e2fsprogs",
    "util-linux",
    "logrotate",
    "man-db",
    "cloud-init",
)
"""Packages whose units may be named without naming the package: they are in every system, or in the images for clouds."""


class Index(Protocol):
    """What is known of a distribution's packages."""

    def names(self) -> frozenset[str]:
        """All package names."""

    def versions(self, package: str) -> frozenset[str]:
        """The versions that are offered."""

    def needs(self, package: str) -> tuple[str, ...]:
        """What a package depends on, by name."""

    def units(self, package: str) -> frozenset[str]:
        """The units of systemd that a package brings."""


@dataclass(frozen=True)
class ArchiveIndex:
    """The signed index of a release, and its packages as they are looked into."""

    archive: SignedArchive
    lists: Path

    def names(self) -> frozenset[str]:
        """All package names."""
        return package_names(self.lists)

    def versions(self, package: str) -> frozenset[str]:
        """The versions that are offered."""
        return frozenset(fields["Version"] for fields in fields_of(self.lists, package) if "Version" in fields)

    def needs(self, package: str) -> tuple[str, ...]:
        """What the package depends on, alternatives too, by name."""
        told = ", ".join(fields.get("Depends", "") for fields in fields_of(self.lists, package)[-1:])
        return tuple(dict.fromkeys(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)", told)))

    def units(self, package: str) -> frozenset[str]:
        """The units that the newest offered package holds; it is fetched, and checked against its digest."""
        offered = [fields for fields in fields_of(self.lists, package) if "SHA256" in fields]
        found: set[str] = set()
        for path in self.archive.offered(self.lists, [fields["SHA256"] for fields in offered[-1:]]).values():
            with suppress(ValueError), path.open("rb") as file:
                found |= {PurePosixPath(name).name for name in sums_of(file) if "/systemd/system/" in f"/{name}"}
        return frozenset(found)


def archive_index(distribution: Distribution, release: str, context: Context) -> ArchiveIndex:
    """The index of a release: one that this host has and that is not a day old, else one that is fetched and verified.

    Raises `UserError` and `MachineError` when there is none and it cannot be fetched.
    """
    request = PackageRequest(
        archive=ArchiveRequest(distribution=distribution, release=release),
        packages=(),
        architecture=host_architecture(),
        keyring=keyring(distribution, "", context.cwd),
    )
    archive = SignedArchive(request, context)
    return ArchiveIndex(archive, archive.lists_of_today())


def release_of(start: Mapping[str, Json], templates: Mapping[str, Path]) -> tuple[Distribution, str] | None:
    """The distribution and release of a start; of a layer those that its parent's template names, when it says so plainly."""
    distribution, release = str(start.get("distribution", "")), str(start.get("release", ""))
    if start.get("kind") == "parent":
        template = templates.get(str(start.get("image")))
        distribution, release = _of_template(template) if template is not None else ("", "")
    family = next((name for name in DISTRIBUTIONS if name == distribution), None)
    return (family, release) if family is not None and release else None


def _of_template(template: Path) -> tuple[str, str]:
    found = {"distribution": "debian", "release": ""}
    defaults: dict[str, str] = {}
    for path in sorted(template.glob("*.pkr.hcl")) if template.is_dir() else [template]:
        body, _ = parse(read_source(path))
        for part in parts_of(body):
            if part.kind == "variable" and part.labels and (default := part.value("default")) is not None:
                defaults[f"var.{part.labels[0]}"] = text_of(default)
            for name in found if part.kind == "source" and part.labels[:1] == ("bootstrap",) else ():
                if (value := part.value(name)) is not None:
                    found[name] = text_of(value) or value.range.text
    return defaults.get(found["distribution"], found["distribution"]), defaults.get(found["release"], found["release"])


def name_faults(spec: ImageSpec, index: Index) -> Iterator[AnswerFault]:
    """Packages, versions and units that do not exist."""
    names = index.names()
    for number, package in enumerate(spec.packages):
        if package.name not in names:
            yield AnswerFault(f"packages.{number}.name", _unknown("package", package.name, names))
        elif package.version is not None and package.version not in (offered := index.versions(package.name)):
            what = f"{package.name} is offered in {', '.join(sorted(offered))}, not in {package.version}"
            yield AnswerFault(f"packages.{number}.version", what)
    yield from _unit_faults(spec, index, names)


def _unit_faults(spec: ImageSpec, index: Index, names: frozenset[str]) -> Iterator[AnswerFault]:
    own = {f"first-boot-{item.name}.service" for item in spec.first_boot}
    own |= {PurePosixPath(file.path).name for file in spec.files if "/systemd/system/" in file.path}
    wanted = [(number, item.unit) for number, item in enumerate(spec.services) if item.unit not in own]
    if not wanted or spec.roles or spec.scripts:
        # What roles and scripts bring cannot be told from their names: the boot gate looks for these units.
        return
    base = [name for packages in BOOTS.values() for name in packages]
    own_packages = [item.name for item in spec.packages]
    # The unit of a server often lies in a package that it depends on: nginx's in nginx-common.
    needed = [name for package in own_packages for name in index.needs(package)]
    packages = [*own_packages, *_likely(needed, own_packages), *RUNS, *_SYSTEMD, *base, *needed]
    known: set[str] = set()
    for package in dict.fromkeys(name for name in packages if name in names):
        if all(_is_known(unit, known) for _, unit in wanted):
            return
        known |= index.units(package)
    for number, unit in wanted:
        if not _is_known(unit, known):
            yield AnswerFault(f"services.{number}.unit", _unknown("unit", unit, known))


def _likely(needed: Sequence[str], packages: Sequence[str]) -> list[str]:
    """Those that carry the name of a package that needs them: they are looked into first."""
    return [name for name in needed if any(name.startswith(package.partition("-")[0]) for package in packages)]


def _is_known(unit: str, known: set[str]) -> bool:
    stem, at, rest = unit.partition("@")
    return unit in known or (bool(at) and f"{stem}@.{rest.rpartition('.')[2]}" in known)


def _unknown(kind: str, name: str, names: frozenset[str] | set[str]) -> str:
    where = "in the distribution's index" if kind == "package" else "in the packages of this image"
    near = did_you_mean(name, frozenset(names)) if len(names) <= 5_000 else did_you_mean(name, _like(name, names))
    return f'there is no {kind} "{name}" {where}. {near}'.rstrip()


def _like(name: str, names: frozenset[str] | set[str]) -> frozenset[str]:
    """The names that begin or end as a name does, so that few are compared."""
    return frozenset(item for item in names if item[:2] == name[:2] or item[-3:] == name[-3:])
