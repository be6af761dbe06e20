"""The packages of a Debian family image: dpkg's status file and the status.d of images without dpkg."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from goldsmith.evidence import Component
from goldsmith.gates.inventory.package import Distribution, Inventory, Package
from goldsmith.gates.inventory.purls import package_url
from goldsmith.gates.inventory.release import read_distribution, visible
from goldsmith.hcl.diagnostics import Diagnostic, MachineError

STATUS = "var/lib/dpkg/status"
STATUS_D = "var/lib/dpkg/status.d"

_FIELD = re.compile(r"^(Package|Status|Version|Architecture|Source):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")


def read_inventory(roots: Sequence[Path]) -> Inventory:
    """The inventory of a stack of layers (lowest first), or of one tree.

    Raises `MachineError` with code `inventory.no-database` when there is no package database, and
    `inventory.unknown-distribution` like `read_distribution`.
    """
    distribution = read_distribution(roots)
    texts = list(_databases(roots))
    if not texts:
        raise MachineError(
            Diagnostic(
                code="inventory.no-database",
                what=f"the image says that it is {distribution.id}, but has no package database",
                why=f"neither /{STATUS} nor /{STATUS_D} is there",
                next="Keep dpkg's database in the image.",
            )
        )
    packages: list[Package] = []
    faults: list[str] = []
    for paragraph in _paragraphs(texts):
        found = _package(paragraph)
        if isinstance(found, Package):
            packages.append(found)
        elif found:
            faults.append(found)
    return Inventory(distribution=distribution, packages=tuple(sorted(packages)), faults=tuple(faults))


def components(inventory: Inventory) -> tuple[Component, ...]:
    """The packages as a bill of materials names them."""
    return tuple(_component(package, inventory.distribution) for package in inventory.packages)


def _databases(roots: Sequence[Path]) -> Iterator[str]:
    path = visible(roots, STATUS)
    if path is not None:
        yield path.read_text(errors="surrogateescape")
    names = {item.name for root in roots if (root / STATUS_D).is_dir() for item in (root / STATUS_D).iterdir()}
    for name in sorted(names):
        record = visible(roots, f"{STATUS_D}/{name}")
        if record is not None and not name.endswith(".md5sums"):
            yield record.read_text(errors="surrogateescape")


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (paragraph for paragraph in re.split(r"\n[ \t]*\n", text) if paragraph.strip())


def _package(paragraph: str) -> Package | str | None:
    """The package of a record, None when it is not installed, or what is wrong with the record."""
    fields: Mapping[str, str] = dict(_FIELD.findall(paragraph))
    name = fields.get("Package", "")
    if not name:
        return f'a record without a name: "{paragraph.splitlines()[0][:60]}"'
    if "Status" in fields and not fields["Status"].endswith(" installed"):
        return None
    version = fields.get("Version", "")
    if not re.fullmatch(r"(\d+:)?\d[A-Za-z0-9.+~-]*", version):
        return f'package "{name}" has the version "{version}", which is none'
    source = _SOURCE.match(fields.get("Source", ""))
    return Package(
        kind="deb",
        name=name,
        version=version,
        architecture=fields.get("Architecture", ""),
        source_name=source[1] if source else name,
        source_version=(source[2] if source else None) or version,
    )


def _component(package: Package, distribution: Distribution) -> Component:
    return Component(
        type=package.kind,
        name=package.name,
        version=package.version,
        purl=package_url(package, distribution),
        architecture=package.architecture,
        source_name=package.source_name,
        source_version=package.source_version,
    )
