"""Registers versions: their bytes first, then everything about them in one change."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images import file_digest
from goldsmith.registry import layout, versions
from goldsmith.registry.blobs import Blob, BlobStore
from goldsmith.registry.canonical import JSON, canonical, digest_of, digest_of_bytes, is_digest
from goldsmith.registry.db import Database
from goldsmith.registry.entities import REMADE, ArtifactFile, Package, Part, Version, VersionDetail
from goldsmith.registry.local_store import told
from goldsmith.registry.ownership import claim
from goldsmith.registry.sweeping import Standing, admit, finish, standings
from goldsmith.registry.transaction import Reader, Transaction

ATTEMPTS = 5
"""How often bytes are stored again because a deletion of the same bytes was under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What is known of a finished build."""

    image: str
    document: Mapping[str, JSON]
    artifacts: Sequence[ArtifactFile]
    packages: Mapping[str, Sequence[Package]]
    """Installed packages by the digest of the layer that brought them."""
    builder: str
    parts: Sequence[ArtifactFile] = ()
    """Files that belong to it and are no disks: layers, the recipe of a disk that is made from them."""
    remade: Sequence[Part] = ()
    """Disk files that are not stored, because they are made from the layers when they are asked for."""

    @property
    def digest(self) -> str:
        """The version's digest: that of its document."""
        return digest_of(self.document)

    @property
    def disks(self) -> Mapping[str, str]:
        """Disk digests by architecture."""
        return _texts(self.document.get("disks"))

    @property
    def layers(self) -> Sequence[str]:
        """Layer digests from the bottom."""
        layers = self.document.get("layers")
        return [str(item) for item in layers] if isinstance(layers, Sequence) and not isinstance(layers, str) else []

    @property
    def parent(self) -> str | None:
        """The digest of the version that it was built on."""
        parent = self.document.get("parent")
        return parent if isinstance(parent, str) else None


def register(database: Database, store: BlobStore, registration: Registration, actor: str) -> Version:
    """Record a version, numbered within its image. A digest that is known already gives its version with `existed`.

    A known version that was deleted, or lacks one of the artifacts, gets its bytes back: they are named by the same digest.
    Raises `UserError` for a document that contradicts itself or a parent that is not registered.
    """
    _check(registration)
    with database.read() as reader:
        known = _known(reader, store, registration)
    if known is not None:
        return replace(known, existed=True)
    claim(database, store)
    digests = {item: _digest(item) for item in (*registration.artifacts, *registration.parts)}
    for _ in range(ATTEMPTS):
        with database.read() as reader:
            before = standings(reader, digests.values())
        blobs = {item: _stored(store, item, digest, before.get(digest)) for item, digest in digests.items()}
        with database.write(actor) as tx:
            lost = admit(tx, blobs.values(), before)
            if not lost:
                return _recorded(tx, registration, blobs)
        finish(database, store, lost, actor)
    raise _bytes_vanish(store, f'the bytes of image "{registration.image}" vanish')


def _bytes_vanish(store: BlobStore, what: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="registry.bytes-vanish",
            what=f'{what} from the store "{store.name}" while they are registered',
            next="Another program deletes files there. Stop it, then run the command again; the image is kept.",
        )
    )


def describe(database: Database, store: BlobStore, detail: VersionDetail, *, actor: str) -> None:
    """Keep the document and the manifest of a version as blobs, for tools that read OCI layouts."""
    claim(database, store)
    manifest = layout.version_manifest(detail.version.image, detail.document, detail.parts)
    contents = {"config": canonical(detail.document), "manifest": manifest}
    if not detail.parts:
        contents["empty"] = layout.EMPTY_CONTENT
    digests = [digest_of_bytes(content) for content in contents.values()]
    for _ in range(ATTEMPTS):
        with database.read() as reader:
            before = standings(reader, digests)
            have = {digest for _, digest in _recorded_parts(reader, detail.version.id)}
        if have.issuperset(digests) and all(item.state == "live" for item in before.values()):
            return
        blobs = {role: store.put_bytes(content) for role, content in contents.items()}
        with database.write(actor) as tx:
            lost = admit(tx, blobs.values(), before)
            if not lost:
                _describe(tx, detail.version, blobs)
                return
        finish(database, store, lost, actor)
    raise _bytes_vanish(store, f"the description of {detail.version.ref} vanishes")


def _describe(tx: Transaction, version: Version, blobs: Mapping[str, Blob]) -> None:
    have = {digest for _, digest in _recorded_parts(tx, version.id)}
    new = {role: blob.digest for role, blob in blobs.items() if blob.digest not in have}
    for role, digest in new.items():
        tx.insert("version_blob", {"version": version.id, "digest": digest, "role": role})
    if new:
        tx.event("version.described", {"version": version.digest, "blobs": sorted(new.values())})


def _check(registration: Registration) -> None:
    versions.check_name("an image", registration.image)
    document = registration.document
    parent = document.get("parent")
    faults = [
        ("image", document.get("image") == registration.image),
        ("parent", parent is None or is_digest(parent)),
        ("inputs", isinstance(document.get("inputs"), str)),
        ("layers", isinstance(document.get("layers"), Sequence) and all(map(is_digest, registration.layers))),
        ("disks", isinstance(document.get("disks"), Mapping) and all(map(is_digest, registration.disks.values()))),
    ]
    wrong = [name for name, is_right in faults if not is_right]
    if wrong:
        raise UserError(
            Diagnostic(
                code="registry.document",
                what=f'the document of image "{registration.image}" is wrong in {", ".join(wrong)}',
                why=canonical(document).decode()[:500],
                next="Give image, parent, inputs, layers, boot and disks as project/version_document.py makes them.",
            )
        )


def _known(reader: Reader, store: BlobStore, registration: Registration) -> Version | None:
    """The version, when nothing of it is missing. Files of unknown digest are read to find out."""
    version = versions.by_digest(reader, registration.digest)
    if version is None or version.storage != "present":
        return None
    artifacts, parts = _recorded_artifacts(reader, version.id), _recorded_parts(reader, version.id)
    complete = all(
        item.digest and (item.kind, item.digest) in have and store.has(item.digest)
        for items, have in ((registration.artifacts, artifacts), (registration.parts, parts))
        for item in items
    )
    return version if complete and artifacts.issuperset((item.role, item.digest) for item in registration.remade) else None


def _recorded_artifacts(reader: Reader, version: int) -> frozenset[tuple[str, str]]:
    rows = reader.rows("SELECT kind, digest FROM artifact WHERE version = :version AND state <> 'gone'", version=version)
    return frozenset((row.text("kind"), row.text("digest")) for row in rows)


def _recorded_parts(reader: Reader, version: int) -> frozenset[tuple[str, str]]:
    rows = reader.rows("SELECT role, digest FROM version_blob WHERE version = :version", version=version)
    return frozenset((row.text("role"), row.text("digest")) for row in rows)


def _digest(item: ArtifactFile) -> str:
    with told(item.path.parent, item.path):
        return item.digest or file_digest(item.path)


def _stored(store: BlobStore, item: ArtifactFile, digest: str, standing: Standing | None) -> Blob:
    """Bytes that no row vouches for are read before one names them."""
    size = store.size(digest)
    is_vouched = standing is not None and standing.state in ("live", "condemned")
    if size is not None and (is_vouched or store.is_intact(digest)):
        return Blob(digest, size)
    return store.put(item.path, digest)


def _recorded(tx: Transaction, registration: Registration, blobs: Mapping[ArtifactFile, Blob]) -> Version:
    known = versions.by_digest(tx, registration.digest)
    if known is None:
        return _added(tx, registration, blobs)
    if known.storage == "deleting":
        raise MachineError(
            Diagnostic(
                code="registry.deleting",
                what=f"{known.ref} is being deleted",
                why="its bytes can be stored again when that is finished",
                next="Run goldsmith expire -yes, then this command again.",
            )
        )
    have = _recorded_artifacts(tx, known.id)
    missing = [item for item in registration.artifacts if (item.kind, blobs[item].digest) not in have]
    remade = [item for item in registration.remade if (item.role, item.digest) not in have]
    added = _add_parts(tx, known.id, blobs)
    stored = _now_stored(tx, known.id, {blobs[item].digest for item in registration.artifacts})
    if known.storage == "present" and not (missing or added or remade or stored):
        return replace(known, existed=True)
    if known.storage != "present":
        tx.update("storage", {"version": known.id}, {"state": "present", "since": tx.at, "certificate": None})
    _add_artifacts(tx, known.id, {item: blobs[item] for item in missing})
    _add_remade(tx, known.id, remade)
    tx.event(
        "version.stored",
        {"version": known.digest, "was": known.storage, "blobs": sorted(blob.digest for blob in blobs.values())},
    )
    return replace(versions.by_id(tx, known.id), existed=True)


def _added(tx: Transaction, registration: Registration, blobs: Mapping[ArtifactFile, Blob]) -> Version:
    parent = _parent(tx, registration)
    image = _image(tx, registration.image)
    newest = tx.first("SELECT COALESCE(MAX(number), 0) AS number FROM version WHERE image = :image", image=image)
    number = (newest.whole("number") if newest else 0) + 1
    version = tx.insert(
        "version",
        {
            "image": image,
            "number": number,
            "digest": registration.digest,
            "parent": parent.id if parent else None,
            "manifest": canonical(registration.document).decode(),
            "inputs_digest": str(registration.document["inputs"]),
            "build": None,
            "builder": registration.builder,
            "created_at": tx.at,
            "seq": tx.seq,
        },
    )
    tx.insert("storage", {"version": version, "state": "present", "since": tx.at, "certificate": None})
    if parent is not None:
        _descend(tx, version, parent)
    _derive(tx, version, registration)
    packages = _add_packages(tx, registration)
    _add_parts(tx, version, blobs)
    _add_artifacts(tx, version, {item: blobs[item] for item in registration.artifacts})
    _add_remade(tx, version, registration.remade)
    tx.event(
        "version.registered",
        {
            "image": registration.image,
            "number": number,
            "version": registration.digest,
            "parent": registration.parent,
            "builder": registration.builder,
            "disks": sorted(registration.disks.values()),
            "blobs": sorted({blob.digest for blob in blobs.values()}),
            "packages": packages,
        },
    )
    return versions.by_id(tx, version)


def _parent(tx: Transaction, registration: Registration) -> Version | None:
    if registration.parent is None:
        return None
    parent = versions.by_digest(tx, registration.parent)
    if parent is None:
        raise UserError(
            Diagnostic(
                code="registry.unknown-parent",
                what=f'the parent of image "{registration.image}" is not registered',
                why=f"no version has the digest {registration.parent}",
                next="Register the parent first: goldsmith build builds and registers it.",
            )
        )
    return parent


def _image(tx: Transaction, name: str) -> int:
    row = tx.first("SELECT id FROM image WHERE name = :name", name=name)
    return row.whole("id") if row else tx.insert("image", {"name": name, "labels": "{}", "seq": tx.seq, "retired_seq": None})


def _descend(tx: Transaction, version: int, parent: Version) -> None:
    """Write the ancestry once, and keep the bytes of a parent that was about to expire."""
    ancestors = tx.rows("SELECT ancestor, depth FROM closure WHERE version = :parent", parent=parent.id)
    lines = [(parent.id, 1), *((row.whole("ancestor"), row.whole("depth") + 1) for row in ancestors)]
    tx.unlogged(
        "INSERT INTO closure (version, ancestor, depth) VALUES (:version, :ancestor, :depth)",
        [{"version": version, "ancestor": ancestor, "depth": depth} for ancestor, depth in lines],
    )
    expiring = tx.rows(
        "SELECT version FROM storage WHERE state = 'expiring' AND version IN :ancestors",
        ancestors=[ancestor for ancestor, _ in lines],
    )
    for row in expiring:
        tx.update("storage", {"version": row.whole("version")}, {"state": "present", "since": tx.at, "certificate": None})


def _derive(tx: Transaction, version: int, registration: Registration) -> None:
    tx.unlogged(
        "INSERT INTO version_disk (version, architecture, digest) VALUES (:version, :architecture, :digest)",
        [{"version": version, "architecture": name, "digest": digest} for name, digest in registration.disks.items()],
    )
    tx.unlogged(
        "INSERT INTO version_layer (version, position, layer) VALUES (:version, :position, :layer)",
        [{"version": version, "position": place, "layer": layer} for place, layer in enumerate(registration.layers)],
    )


def _add_packages(tx: Transaction, registration: Registration) -> Mapping[str, JSON]:
    """Write the packages of layers that are new; gives the digest of each list, which the log keeps."""
    digests: dict[str, JSON] = {}
    for layer, packages in sorted(registration.packages.items()):
        if tx.first("SELECT 1 AS known FROM layer_package WHERE layer = :layer LIMIT 1", layer=layer):
            continue
        rows = sorted({(item.purl_type, item.name, item.version) for item in packages})
        tx.unlogged(
            "INSERT INTO layer_package (layer, purl_type, name, version) VALUES (:layer, :purl_type, :name, :version)",
            [{"layer": layer, "purl_type": kind, "name": name, "version": number} for kind, name, number in rows],
        )
        digests[layer] = packages_digest(rows)
    return digests


def packages_digest(rows: Sequence[tuple[str, str, str]]) -> str:
    """The digest of a layer's packages: (type, name, version), sorted, as canonical JSON."""
    return digest_of_bytes(json.dumps([list(row) for row in sorted(rows)], separators=(",", ":")).encode())


def _add_parts(tx: Transaction, version: int, blobs: Mapping[ArtifactFile, Blob]) -> bool:
    """Name every blob that belongs to the version; whether one is new."""
    known = {digest for _, digest in _recorded_parts(tx, version)}
    new = {blob.digest: item.kind for item, blob in blobs.items() if blob.digest not in known}
    for digest, role in new.items():
        tx.insert("version_blob", {"version": version, "digest": digest, "role": role})
    return bool(new)


def _add_artifacts(tx: Transaction, version: int, blobs: Mapping[ArtifactFile, Blob]) -> None:
    for item, blob in blobs.items():
        _add_artifact(tx, version, item.kind, blob, "full")


def _add_remade(tx: Transaction, version: int, items: Sequence[Part]) -> None:
    for item in items:
        _add_artifact(tx, version, item.role, Blob(item.digest, item.size), REMADE)


def _now_stored(tx: Transaction, version: int, digests: Collection[str]) -> bool:
    """Note the disks that were made when they were asked for, and are blobs now; whether there is one."""
    sql = "SELECT id, digest FROM artifact WHERE version = :version AND bound_by = :remade AND state <> 'gone' ORDER BY id"
    found = [row for row in tx.rows(sql, version=version, remade=REMADE) if row.text("digest") in digests]
    for row in found:
        tx.update("artifact", {"id": row.whole("id")}, {"bound_by": "full", "checked_at": tx.at})
    return bool(found)


def _add_artifact(tx: Transaction, version: int, kind: str, blob: Blob, bound_by: str) -> None:
    tx.insert(
        "artifact",
        {
            "version": version,
            "kind": kind,
            "platform": "local",
            "account": "",
            "region": "",
            "external_id": blob.digest,
            "digest": blob.digest,
            "size": blob.size,
            "bound_by": bound_by,
            "state": "published",
            "checked_at": tx.at,
        },
    )


def _texts(value: JSON) -> Mapping[str, str]:
    return {name: str(item) for name, item in value.items()} if isinstance(value, Mapping) else {}
