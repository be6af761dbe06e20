"""Copies versions with their evidence to a store without a registry: an archive, a mirror, the way to another registry.

The store becomes an OCI layout that is pulled from and that other tools read. A version is named in its index only when all of
it is there, so a push that was killed leaves nothing half-done, and the next one goes on with what has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry import layout, overview, versions
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.canonical import JSON, canonical
from goldsmith.registry.db import Database
from goldsmith.registry.entities import Part, Version, VersionDetail
from goldsmith.registry.ownership import owner
from goldsmith.registry.transaction import Reader
from goldsmith.registry.transfer import Progress, copy_blob

INDEX = "index.json"
ATTEMPTS = 20
"""How often the index is written again because somebody else was quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What is in the other store now."""

    versions: tuple[Version, ...]
    """The version and what it was built on, the eldest first."""
    blobs: int
    size: int
    """Bytes of the blobs, each once, holes counted."""


def push(
    database: Database, store: BlobStore, target: BlobStore, reference: str, progress: Callable[[Part], Progress]
) -> Pushed:
    """Copy a version, the versions that it was built on, and all their evidence; what is there already is not sent again.

    Raises `UserError` for a target that belongs to a registry, or has another version under the same name, and
    `MachineError` for bytes that are not what they should be, here or there.
    """
    if owner(target):
        raise _owned(target)
    with database.read() as reader:
        lineage = list(_lineage(reader, reference))
    sent: dict[str, int] = {}
    for detail in lineage:
        if detail.version.storage in ("deleting", "deleted"):
            raise _deleted(detail.version, lineage[-1].version)
        for part in detail.parts:
            disk = disk_of(detail.document) if part.role == "raw" else ""
            copy_blob(store, target, part.digest, disk=disk, progress=progress(part))
            sent[part.digest] = part.size
        _enter(target, detail, _documents(store, target, detail))
    return Pushed(versions=tuple(item.version for item in lineage), blobs=len(sent), size=sum(sent.values()))


def write_index(database: Database, store: BlobStore, described: Callable[[VersionDetail], None]) -> int:
    """Rebuild the index of the registry's own store from the database; gives the number of versions in it.

    `described` sees to it that the store has, and keeps, the documents of a version.
    """
    with database.read() as reader:
        rows = reader.rows("SELECT v.digest FROM version v JOIN storage s ON s.version = v.id WHERE s.state <> 'deleted'")
        details = [overview.show(reader, row.text("digest")) for row in rows]
    entries = []
    for detail in details:
        described(detail)
        manifest = layout.version_manifest(detail.version.image, detail.document, detail.parts)
        entries.append(layout.entry(manifest, layout.VERSION, detail.version.digest, detail.version.ref))
    was = store.note(INDEX)
    if not store.replace_note(INDEX, was, layout.index(entries)):
        raise _busy(store)
    return len(entries)


def _lineage(reader: Reader, reference: str) -> Iterator[VersionDetail]:
    version = versions.find(reader, reference)
    sql = "SELECT ancestor FROM closure WHERE version = :id ORDER BY depth DESC"
    for row in reader.rows(sql, id=version.id):
        yield overview.show(reader, versions.by_id(reader, row.whole("ancestor")).digest)
    yield overview.show(reader, version.digest)


def disk_of(document: Mapping[str, JSON]) -> str:
    """The digest of a version's disk, when it has one alone: the raw file's chunks must add up to it."""
    disks = document.get("disks")
    found = list(disks.values()) if isinstance(disks, Mapping) else []
    return str(found[0]) if len(found) == 1 else ""


def _documents(store: BlobStore, target: BlobStore, detail: VersionDetail) -> Sequence[Mapping[str, JSON]]:
    """Send what describes a version, and its evidence; gives the entries of the index."""
    manifest = layout.version_manifest(detail.version.image, detail.document, detail.parts)
    for content in (canonical(detail.document), layout.EMPTY_CONTENT, manifest):
        target.put_bytes(content)
    digest = detail.version.digest
    entries = [layout.entry(manifest, layout.VERSION, digest, detail.version.ref)]
    for blob, gate in {item.blob: item.gate for item in detail.evidence}.items():
        copy_blob(store, target, blob)
        with store.open(blob) as file:
            described = layout.evidence_manifest(manifest, file.read(), gate)
        target.put_bytes(described)
        entries.append(layout.entry(described, layout.BUNDLE, digest))
    return entries


def _enter(target: BlobStore, detail: VersionDetail, entries: Sequence[Mapping[str, JSON]]) -> None:
    """Name a version in the index, which others may be writing as well."""
    own = {str(entry["digest"]) for entry in entries}
    for _ in range(ATTEMPTS):
        was = target.note(INDEX)
        known = layout.parse_index(was, f"{target.name}/{INDEX}") if was else ()
        _check_name(target, detail.version, known)
        # A manifest that this registry made earlier, with fewer disks, gives way.
        others = [
            entry.raw
            for entry in known
            if not (entry.artifact_type == layout.VERSION and entry.version == detail.version.digest)
        ]
        content = layout.index([*others, *entries])
        if own <= {entry.descriptor.digest for entry in known} and content == was:
            return
        if target.replace_note(INDEX, was, content):
            return
    raise _busy(target)


def _check_name(target: BlobStore, version: Version, known: Sequence[layout.Entry]) -> None:
    for entry in known:
        if entry.name == version.ref and entry.version != version.digest:
            raise UserError(
                Diagnostic(
                    code="push.name-taken",
                    what=f'the store "{target.name}" has another version under the name {version.ref}',
                    why=f"it is {entry.version}, and {version.ref} here is {version.digest}: two registries number it so",
                    next="Push to a store or a prefix of its own for each registry.",
                )
            )


def _owned(target: BlobStore) -> UserError:
    return UserError(
        Diagnostic(
            code="push.owned",
            what=f'the store "{target.name}" belongs to a registry',
            why="what is pushed there past its registry would be collected as left-overs",
            next="Push to a store without a registry; the other registry takes it from there: goldsmith pull REF STORE.",
        )
    )


def _deleted(version: Version, wanted: Version) -> UserError:
    needed = "" if version == wanted else f", on which {wanted.ref} was built"
    what = f"{version.ref}{needed}, is deleted" if needed else f"{version.ref} is deleted"
    next = f"Build {version.image} again: the same inputs give the same bytes."
    return UserError(Diagnostic(code="push.deleted", what=what, next=next))


def _busy(target: BlobStore) -> MachineError:
    what = f'the index of the store "{target.name}" is changed all the time'
    return MachineError(Diagnostic(code="push.busy", what=what, next="Run the command again, when others are done."))
