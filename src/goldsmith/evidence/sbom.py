"""Bills of materials: CycloneDX 1.6 and SPDX 2.3 as JSON, the same bytes for the same components."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a bill of materials is about."""

    image: str
    disk_digest: str
    epoch: int
    """The document's time: seconds since 1970."""
    tool_version: str
    """Goldsmith's."""


def cyclonedx(subject: Described, components: Sequence[Component]) -> Mapping[str, object]:
    """A CycloneDX 1.6 document; components sorted, references are the purls."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_identity(subject)}",
        "version": 1,
        "metadata": {
            "timestamp": _moment(subject.epoch),
            "tools": {"components": [{"type": "application", "name": "goldsmith", "version": subject.tool_version}]},
            "component": {
                "type": "operating-system",
                "bom-ref": subject.disk_digest,
                "name": subject.image,
                "version": subject.disk_digest.removeprefix("sha256:")[:12],
            },
        },
        "components": [_cyclonedx_component(item) for item in sorted(components)],
        "dependencies": [{"ref": subject.disk_digest, "dependsOn": sorted({item.purl for item in components})}],
    }


def spdx(subject: Described, components: Sequence[Component]) -> Mapping[str, object]:
    """An SPDX 2.3 document."""
    root = "SPDXRef-Image"
    packages = [_spdx_package(item) for item in sorted(components)]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject.image,
        "documentNamespace": f"https://goldsmith.dev/spdx/{_identity(subject)}",
        "creationInfo": {"created": _moment(subject.epoch), "creators": [f"Tool: goldsmith-{subject.tool_version}"]},
        "packages": [
            {
                "SPDXID": root,
                "name": subject.image,
                "versionInfo": subject.disk_digest.removeprefix("sha256:")[:12],
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False,
                "primaryPackagePurpose": "OPERATING-SYSTEM",
            },
            *packages,
        ],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": root},
            *(
                {"spdxElementId": root, "relationshipType": "CONTAINS", "relatedSpdxElement": str(item["SPDXID"])}
                for item in packages
            ),
        ],
    }


def _cyclonedx_component(item: Component) -> Mapping[str, object]:
    properties = (
        ("goldsmith:source", item.source_name),
        ("goldsmith:source-version", item.source_version),
        ("goldsmith:architecture", item.architecture),
        ("goldsmith:layer", item.layer),
    )
    told: dict[str, object] = {
        "type": "library",
        "bom-ref": item.purl,
        "name": item.name,
        "version": item.version,
        "purl": item.purl,
        "properties": [{"name": name, "value": value} for name, value in properties if value],
    }
    if item.sha256:
        told["hashes"] = [{"alg": "SHA-256", "content": item.sha256}]
    return told


def _spdx_package(item: Component) -> Mapping[str, object]:
    told: dict[str, object] = {
        "SPDXID": "SPDXRef-" + _spdx_id(item),
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
    return told


def _spdx_id(item: Component) -> str:
    """Letters, digits, dots and dashes only; the rest of the purl is kept apart by a digest."""
    readable = re.sub(r"[^A-Za-z0-9.-]", "-", f"{item.type}-{item.name}-{item.architecture or 'any'}")
    return f"{readable}-{uuid.uuid5(NAMESPACE, item.purl).hex[:12]}"


def _identity(subject: Described) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{subject.image} {subject.disk_digest}")


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
