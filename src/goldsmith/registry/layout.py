"""Versions in the documents of OCI images: a manifest for each version and each piece of evidence, and the index of a store.

So other tools can list and copy them (`skopeo copy oci:STORE:web:41 …`), and a store without a database can be pulled from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.canonical import JSON, canonical, digest_of_bytes, is_digest
from goldsmith.registry.entities import Part

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
VERSION = "application/vnd.goldsmith.version.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_CONTENT = b"{}"
NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"
SUBJECT = "org.goldsmith.subject"
"""The digest of the version that an entry of an index is, or is about."""

LARGEST = 20_000_000
"""Bytes of a manifest or an index that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Names a blob."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str]

    def as_json(self) -> dict[str, JSON]:
        """The object that stands in manifests and indexes."""
        found: dict[str, JSON] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return {**found, "annotations": dict(self.annotations)} if self.annotations else found


def media_type(role: str) -> str:
    """What a part of a version is."""
    return LAYER if role == "layer" else f"application/vnd.goldsmith.{role}"


def role_of(media_type: str) -> str:
    """The inverse of `media_type`."""
    return "layer" if media_type == LAYER else media_type.removeprefix("application/vnd.goldsmith.")


def version_manifest(image: str, document: Mapping[str, JSON], parts: Sequence[Part]) -> bytes:
    """The manifest of a version: its document is the config, its disks or layers are the layers."""
    config = canonical(document)
    layers = [
        Descriptor(
            media_type=media_type(item.role),
            digest=item.digest,
            size=item.size,
            annotations={TITLE: f"{image}.{item.role}"} if item.role != "layer" else {},
        )
        for item in sorted(parts, key=lambda item: (item.role, item.digest))
    ]
    return _manifest(VERSION, _of_bytes(VERSION, config), layers or [_of_bytes(EMPTY, EMPTY_CONTENT)])


def evidence_manifest(subject: bytes, bundle: bytes, gate: str) -> bytes:
    """The manifest of a signed statement; `subject` is the manifest of the version."""
    layer = _of_bytes(BUNDLE, bundle, {TITLE: f"{gate}.json"})
    return _manifest(BUNDLE, _of_bytes(EMPTY, EMPTY_CONTENT), [layer], _of_bytes(MANIFEST, subject))


def entry(manifest: bytes, artifact_type: str, version: str, name: str = "") -> dict[str, JSON]:
    """What stands in an index of a manifest."""
    annotations = {SUBJECT: version, **({NAME: name} if name else {})}
    return {**_of_bytes(MANIFEST, manifest, annotations).as_json(), "artifactType": artifact_type}


def index(entries: Sequence[Mapping[str, JSON]]) -> bytes:
    """The content of `index.json`: entries by their digests, each once."""
    known = {str(item["digest"]): item for item in entries}
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [known[digest] for digest in sorted(known)]})


def _manifest(artifact_type: str, config: Descriptor, layers: Sequence[Descriptor], subject: Descriptor | None = None) -> bytes:
    document: dict[str, JSON] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": config.as_json(),
        "layers": [layer.as_json() for layer in layers],
    }
    return canonical({**document, "subject": subject.as_json()} if subject is not None else document)


def _of_bytes(media_type: str, content: bytes, annotations: Mapping[str, str] | None = None) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digest_of_bytes(content), size=len(content), annotations=annotations or {})


# ── reading what others wrote ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest, checked."""

    artifact_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The blobs of a version."""
        named = [item for item in self.layers if item.media_type != EMPTY]
        return tuple(Part(role=role_of(item.media_type), digest=item.digest, size=item.size) for item in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of an index."""

    descriptor: Descriptor
    raw: Mapping[str, JSON]
    """As it stood there, with what other tools added."""

    @property
    def artifact_type(self) -> str:
        """What the manifest is of."""
        return str(self.raw.get("artifactType", ""))

    @property
    def name(self) -> str:
        """`web:41`, or empty."""
        return self.descriptor.annotations.get(NAME, "")

    @property
    def version(self) -> str:
        """The digest of the version that it is, or is about."""
        return self.descriptor.annotations.get(SUBJECT, "")


def parse_manifest(content: bytes, place: str) -> Manifest:
    """Raises `UserError` with code `layout.malformed`."""
    try:
        document = _object(content)
        if document["mediaType"] != MANIFEST:
            raise ValueError(f"its media type is {document['mediaType']}")
        subject = document.get("subject")
        return Manifest(
            artifact_type=str(document["artifactType"]),
            config=_descriptor(document["config"]),
            layers=tuple(_descriptor(item) for item in document["layers"]),
            subject=None if subject is None else _descriptor(subject),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _malformed("manifest", place, error) from error


def parse_index(content: bytes, place: str) -> tuple[Entry, ...]:
    """Raises `UserError` with code `layout.malformed`. Entries of other tools are among them."""
    try:
        return tuple(Entry(descriptor=_descriptor(item), raw=item) for item in _object(content)["manifests"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _malformed("index", place, error) from error


def _object(content: bytes) -> dict[str, Any]:
    if len(content) > LARGEST:
        raise ValueError(f"it has {len(content)} bytes, {LARGEST} are allowed")
    document = json.loads(content)
    if not isinstance(document, dict):
        raise TypeError("it is no object")
    return document


def _descriptor(data: object) -> Descriptor:
    if not isinstance(data, dict) or not is_digest(data["digest"]) or not isinstance(data["size"], int) or data["size"] < 0:
        raise ValueError("a descriptor lacks a digest or a size")
    annotations = {str(name): str(value) for name, value in (data.get("annotations") or {}).items()}
    return Descriptor(media_type=str(data["mediaType"]), digest=data["digest"], size=data["size"], annotations=annotations)


def _malformed(kind: str, place: str, error: Exception) -> UserError:
    return UserError(
        Diagnostic(
            code="layout.malformed",
            what=f'"{place}" is no {kind} of an OCI layout',
            why=f"{type(error).__name__}: {error}",
            next="Copy or push it again from where it came.",
        )
    )
