"""What another store offers: versions by its index, each with its document, blobs and evidence, and nothing of it believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError, did_you_mean
from goldsmith.registry import layout
from goldsmith.registry.blobs import BlobStore, other_bytes
from goldsmith.registry.canonical import JSON, digest_of_bytes, parse
from goldsmith.registry.entities import Part
from goldsmith.registry.intake import LARGEST_BUNDLE
from goldsmith.registry.push import INDEX, disk_of
from goldsmith.registry.versions import SHORTEST_DIGEST

DEEPEST = 100
"""How many versions may stand on each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A version that a store has. All digests were compared with the bytes; who vouches for them is for the caller to find."""

    name: str
    """What the store calls it: `web:41`."""
    digest: str
    document: Mapping[str, JSON]
    parts: tuple[Part, ...]
    bundles: tuple[bytes, ...]
    """Signed statements, unverified."""

    @property
    def image(self) -> str:
        """The image that it is a version of."""
        return str(self.document.get("image", ""))

    @property
    def parent(self) -> str:
        """The digest of the version that it was built on, or empty."""
        parent = self.document.get("parent")
        return parent if isinstance(parent, str) else ""

    @property
    def disk(self) -> str:
        """The digest of its disk, or empty unless it has one alone."""
        return disk_of(self.document)


def offers(store: BlobStore, reference: str, known: frozenset[str] = frozenset()) -> tuple[Offer, ...]:
    """The version that `web`, `web:41` or `sha256:…` names in a store, after those that it was built on.

    What is in `known` (digests of versions) is not looked for. Raises `UserError` when the store does not have it.
    """
    content = store.note(INDEX)
    if content is None:
        raise _no_index(store)
    entries = layout.parse_index(content, f"{store.name}/{INDEX}")
    versions = {entry.version: entry for entry in entries if entry.artifact_type == layout.VERSION}
    found: list[Offer] = []
    wanted = _named(store, reference, list(versions.values()))
    while wanted and wanted not in known and len(found) < DEEPEST:
        if wanted not in versions:
            raise _no_parent(store, wanted, found[-1])
        offer = _read(store, versions[wanted], entries)
        found.append(offer)
        wanted = offer.parent
    return tuple(reversed(found))


def _named(store: BlobStore, reference: str, versions: Sequence[layout.Entry]) -> str:
    if reference.startswith("sha256:") and len(reference) >= SHORTEST_DIGEST:
        matching = [entry.version for entry in versions if entry.version.startswith(reference)]
    elif ":" in reference:
        matching = [entry.version for entry in versions if entry.name == reference]
    else:
        own = [entry for entry in versions if entry.name.partition(":")[0] == reference]
        matching = [max(own, key=_number).version] if own else []
    if len(set(matching)) == 1:
        return matching[0]
    names = sorted(entry.name for entry in versions)
    raise UserError(
        Diagnostic(
            code="pull.unknown",
            what=f'the store "{store.name}" has no version "{reference}"'
            if not matching
            else f'"{reference}" is the beginning of several digests',
            why=f"it has {', '.join(names[:10])}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")
            if names
            else "it has none",
            next=did_you_mean(reference, names) or "Give its name or digest; the store that it was pushed to has it.",
        )
    )


def _number(entry: layout.Entry) -> int:
    number = entry.name.partition(":")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _read(store: BlobStore, entry: layout.Entry, entries: Sequence[layout.Entry]) -> Offer:
    manifest = layout.parse_manifest(_small(store, entry.descriptor.digest, layout.LARGEST), f"{store.name} {entry.name}")
    config = _small(store, manifest.config.digest, layout.LARGEST)
    try:
        document = parse(config.decode())
    except ValueError as error:
        raise _wrong(store, entry, f"its document cannot be read: {error}") from error
    if manifest.config.digest != entry.version or document.get("image") != entry.name.partition(":")[0]:
        raise _wrong(store, entry, "its document is that of another version")
    bundles = [
        _small(store, layer.digest, LARGEST_BUNDLE)
        for item in entries
        if item.artifact_type == layout.BUNDLE and item.version == entry.version
        for layer in layout.parse_manifest(_small(store, item.descriptor.digest, layout.LARGEST), store.name).layers[:1]
    ]
    return Offer(
        name=entry.name, digest=entry.version, document=document, parts=manifest.parts, bundles=tuple(dict.fromkeys(bundles))
    )


def _small(store: BlobStore, digest: str, largest: int) -> bytes:
    with store.open(digest) as file:
        content = file.read(largest + 1)
    if digest_of_bytes(content) != digest:
        raise other_bytes(f"{store.name} {digest}", digest, digest_of_bytes(content))
    return content


def _wrong(store: BlobStore, entry: layout.Entry, why: str) -> UserError:
    what = f'{entry.name} in the store "{store.name}" is not what its index says'
    return UserError(Diagnostic(code="pull.malformed", what=what, why=why, next="Push it there again."))


def _no_index(store: BlobStore) -> MachineError:
    return MachineError(
        Diagnostic(
            code="pull.no-index",
            what=f'the store "{store.name}" has no index',
            why="nothing was pushed there, or it is another place",
            next="Check its URL; goldsmith push fills a store, goldsmith registry index writes that of a registry's own.",
        )
    )


def _no_parent(store: BlobStore, wanted: str, child: Offer) -> UserError:
    return UserError(
        Diagnostic(
            code="pull.no-parent",
            what=f'{child.name} was built on a version that the store "{store.name}" does not have',
            why=f"it is {wanted}",
            next="Push it there again: goldsmith push takes along what it was built on.",
        )
    )
