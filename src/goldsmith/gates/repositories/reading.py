"""Reads a kept state of a repository by the keys of an image: what it offers, and who vouches for that."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from goldsmith.gates.inventory.archive_index import Offer
from goldsmith.gates.repositories.apkindex import NAME as APKINDEX
from goldsmith.gates.repositories.apkindex import read_apkindex
from goldsmith.gates.repositories.repomd import parse_repomd
from goldsmith.gates.repositories.repository import Index, Repository, Voucher
from goldsmith.gates.repositories.rpm_lists import read_modules, read_notices, read_packages
from goldsmith.gates.repositories.signatures import why_not_signed, write_keyring
from goldsmith.gates.repositories.store import came_by_https
from goldsmith.gates.tree import Tree
from goldsmith.sources.indexes import fetched_at

REPOMD = "repomd.xml"
SIGNATURE = "repomd.xml.asc"


def read_index(state: Path, repository: Repository, tree: Tree, names: Collection[str], work: Path) -> Index:
    """What a state offers of these names. `work` is a directory for a keyring.

    Raises `ValueError` for a state that cannot be read, or is not the one that was signed.
    """
    read = _read_apk if repository.form == "apk" else _read_rpm
    try:
        return read(state, repository, tree, names, work)
    except OSError as error:
        raise ValueError(f"it cannot be read: {error}") from error


def published_s(state: Path, repository: Repository) -> int:
    """When a state was made, seconds since 1970; 0 when it does not say. Raises `ValueError` when it cannot be read."""
    try:
        if repository.form == "apk":
            return read_apkindex(state / APKINDEX).published_s
        return parse_repomd((state / REPOMD).read_bytes()).published_s
    except OSError as error:
        raise ValueError(f"it cannot be read: {error}") from error


def why_unsigned(state: Path, repository: Repository, tree: Tree, work: Path) -> str:
    """Why no signature by a key of the image vouches for a state; empty when one does. Raises `ValueError`, `OSError`."""
    if repository.form == "apk":
        return read_apkindex(state / APKINDEX).archive.why_not_signed(tree, repository.keys)
    named = hashlib.sha256("\n".join(repository.keys).encode()).hexdigest()
    keyring = work / f"{named[:16]}.gpg"
    if not keyring.exists():
        write_keyring(tree, repository.keys, keyring)
    return why_not_signed(state / REPOMD, state / SIGNATURE, keyring)


def _read_rpm(state: Path, repository: Repository, tree: Tree, names: Collection[str], work: Path) -> Index:
    data = (state / REPOMD).read_bytes()
    contents = parse_repomd(data)
    for part in contents.parts.values():
        if not part.is_of(state / part.name):
            raise ValueError(f"{part.name} is not the list that its repomd.xml names")
    lists = {kind: state / part.name for kind, part in contents.parts.items()}
    streams = read_modules(lists["modules"], names) if "modules" in lists else {}
    architectures: dict[str, int] = {}
    offers = tuple(_in_streams(offer, streams) for offer in read_packages(lists["primary"], names, architectures))
    why = why_unsigned(state, repository, tree, work)
    return Index(
        repository=repository,
        digest="sha256:" + hashlib.sha256(data).hexdigest(),
        published_s=contents.published_s,
        fetched_s=fetched_at(state),
        vouched=_voucher(why, state, (state / SIGNATURE).is_file()),
        unsigned_because=why,
        listed=sum(architectures.values()),
        architectures=frozenset(architectures),
        releases=contents.releases,
        offers=offers,
        notices=tuple(read_notices(lists["updateinfo"], names)) if "updateinfo" in lists else (),
        announces="updateinfo" in lists,
    )


def _read_apk(state: Path, repository: Repository, tree: Tree, names: Collection[str], work: Path) -> Index:
    found = read_apkindex(state / APKINDEX)
    listed = [fields.get("A", "") for fields in found.records]
    why = found.archive.why_not_signed(tree, repository.keys)
    return Index(
        repository=repository,
        digest="sha256:" + hashlib.sha256((state / APKINDEX).read_bytes()).hexdigest(),
        published_s=found.published_s,
        fetched_s=fetched_at(state),
        vouched=_voucher(why, state, bool(found.archive.signature)),
        unsigned_because=why,
        listed=len(listed),
        architectures=frozenset(listed),
        offers=tuple(found.offers(names)),
    )


def _voucher(why: str, state: Path, has_signature: bool) -> Voucher:
    """A signature that does not fit is never made good by the way that the index came."""
    if not why:
        return "signature"
    return "https" if not has_signature and came_by_https(state) else "nobody"


def _in_streams(offer: Offer, streams: Mapping[tuple[str, str, str], frozenset[str]]) -> Offer:
    found = streams.get((offer.name, offer.version, offer.architecture))
    return replace(offer, streams=found) if found else offer
