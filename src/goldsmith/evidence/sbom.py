"""Bills of materials: CycloneDX 1.6 and SPDX 2.3 as JSON, the same bytes for the same components."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from goldsmith.evidence.moments import moment

NAMESPACE = uuid.UUID("6f2d8f0e-6f9c-5a43-9d0a-3f0c8a1c7b11")
"""Of the UUIDv5 that names a document after its version."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Component:
    """A package in an image."""

    type: str
    """The purl type: deb, pypi, npm."""
    name: str
    version: str
    purl: str
    architecture: str = ""
    source_name: str = ""
    source_version: str = ""
    layer: str = ""
    """`sha256:<hex>` of the layer that brought it, when it is known."""
    sha256: str = ""
    """Hex digest of the package file, when it is known."""
    module: str = ""
    """The modularity label of an rpm."""
    path: str = ""
    """The file in the image that tells of it, for what is not of the distribution."""
    owner: str = ""
    """The purl of the distribution's package that this file belongs to; empty when nobody owns it."""
    licences: tuple[str, ...] = ()
    """As the package tells them, in no fixed language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a bill of materials is about."""

    image: str
    disk_digest: str
    epoch: int
    """The document's time: seconds since 1970."""
    tool_version: str
    """Goldsmith's."""
    facts: tuple[tuple[str, str], ...] = ()
    """What is known of the image as a whole: names, which may repeat, and values."""


def cyclonedx(subject: Described, components: Sequence[Component]) -> Mapping[str, object]:
    """A CycloneDX 1.6 document; components sorted, references are the purls."""
    references = _references(components)
    about: dict[str, object] = {
        "type": "operating-system",
        "bom-ref": subject.disk_digest,
        "name": subject.image,
        "version": subject.disk_digest.removeprefix("sha256:")[:12],
    }
    if subject.facts:
        about["properties"] = _properties(subject.facts)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_identity(subject)}",
        "version": 1,
        "metadata": {
            "timestamp": moment(subject.epoch),
            "tools": {"components": [{"type": "application", "name": "goldsmith", "version": subject.tool_version}]},
            "component": about,
        },
        "components": [_cyclonedx_component(item, references[item]) for item in sorted(references)],
        "dependencies": [{"ref": subject.disk_digest, "dependsOn": sorted(references.values())}],
    }


def spdx(subject: Described, components: Sequence[Component]) -> Mapping[str, object]:
    """An SPDX 2.3 document. What SPDX has no field for stands in comments, a line `goldsmith:NAME=VALUE` for each.

    Licences stand in `licenseComments`, a line for each.
    """
    root = "SPDXRef-Image"
    references = _references(components)
    packages = [_spdx_package(item, references[item]) for item in sorted(references)]
    about: dict[str, object] = {
        "SPDXID": root,
        "name": subject.image,
        "versionInfo": subject.disk_digest.removeprefix("sha256:")[:12],
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
    }
    if subject.facts:
        about["comment"] = _lines(subject.facts)
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject.image,
        "documentNamespace": f"https://goldsmith.dev/spdx/{_identity(subject)}",
        "creationInfo": {"created": moment(subject.epoch), "creators": [f"Tool: goldsmith-{subject.tool_version}"]},
        "packages": [about, *packages],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": root},
            *(
                {"spdxElementId": root, "relationshipType": "CONTAINS", "relatedSpdxElement": str(item["SPDXID"])}
                for item in packages
            ),
        ],
    }


def _references(components: Sequence[Component]) -> Mapping[Component, str]:
    """The purl of each component; where one is there more than once, with the file that tells of it."""
    unique = frozenset(components)
    counts = Counter(item.purl for item in unique)
    return {item: item.purl if counts[item.purl] == 1 else f"{item.purl}#{item.path}" for item in unique}


def _told(item: Component) -> Iterator[tuple[str, str]]:
    """What neither format has a field for."""
    yield "source", item.source_name
    yield "source-version", item.source_version
    yield "architecture", item.architecture
    yield "layer", item.layer
    yield "module", item.module
    yield "path", item.path
    yield "owner", item.owner


def _properties(pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, str]]:
    return [{"name": f"goldsmith:{name}", "value": value} for name, value in pairs if value]


def _lines(pairs: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"goldsmith:{name}={' '.join(value.splitlines())}" for name, value in pairs if value)


def _cyclonedx_component(item: Component, reference: str) -> Mapping[str, object]:
    told: dict[str, object] = {
        "type": "application" if item.type == "generic" else "library",
        "bom-ref": reference,
        "name": item.name,
        "version": item.version,
        "purl": item.purl,
        "properties": _properties(tuple(_told(item))),
    }
    if item.sha256:
        told["hashes"] = [{"alg": "SHA-256", "content": item.sha256}]
    if item.licences:
        told["licenses"] = [{"license": {"name": licence}} for licence in item.licences]
    return told


def _spdx_package(item: Component, reference: str) -> Mapping[str, object]:
    told: dict[str, object] = {
        "SPDXID": "SPDXRef-" + _spdx_id(item, reference),
        "name": item.name,
        "versionInfo": item.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": item.purl},
        ],
    }
    if item.source_name:
        told["sourceInfo"] = f"built from {item.source_name} {item.source_version or item.version}"
    if item.sha256:
        told["checksums"] = [{"algorithm": "SHA256", "checksumValue": item.sha256}]
    if item.licences:
        # Not an expression of SPDX, which "licenseDeclared" asks for: packages have words of their own.
        told["licenseComments"] = "\n".join(" ".join(licence.splitlines()) for licence in item.licences)
    if comment := _lines(tuple(_told(item))):
        told["comment"] = comment
    return told


def _spdx_id(item: Component, reference: str) -> str:
    """Letters, digits, dots and dashes only; the rest of the reference is kept apart by a digest."""
    readable = re.sub(r"[^A-Za-z0-9.-]", "-", f"{item.type}-{item.name}-{item.architecture or 'any'}")
    return f"{readable}-{uuid.uuid5(NAMESPACE, reference).hex[:12]}"


def _identity(subject: Described) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{subject.image} {subject.disk_digest}")
