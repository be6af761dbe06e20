"""Reads a kept state of a repository by the keys of an image: what it offers, and who vouches for that."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.gates.inventory.archive_index import Offer
from goldsmith.gates.repositories.apkindex import NAME as APKINDEX
from goldsmith.gates.repositories.apkindex import read_apkindex
from goldsmith.gates.repositories.repomd import parse_repomd
from goldsmith.gates.repositories.repository import Index, Repository, Voucher, shown_url
from goldsmith.gates.repositories.rpm_lists import read_modules, read_notices, read_packages
from goldsmith.gates.repositories.signatures import why_not_signed, write_keyring
from goldsmith.gates.repositories.store import origin_of
from goldsmith.gates.tree import Tree
from goldsmith.images import file_digest
from goldsmith.sources.indexes import fetched_at

REPOMD = "repomd.xml"
SIGNATURE = "repomd.xml.asc"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads states of repositories by the keys of one image. `work` is a directory for keyrings."""

    tree: Tree
    architecture: str
    work: Path

    def read(self, state: Path, repository: Repository, names: Collection[str]) -> Index:
        """What a state offers of these names. Raises `ValueError` for one that cannot be read, or is not what was signed."""
        try:
            if repository.form == "apk":
                return self._read_apk(state, repository, names)
            return self._read_rpm(state, repository, names)
        except OSError as error:
            raise ValueError(f"it cannot be read: {error}") from error

    def why_unsigned(self, state: Path, repository: Repository) -> str:
        """Why no key of the image vouches for a state; empty when one does. Raises `ValueError` or `OSError`."""
        if repository.form == "apk":
            return read_apkindex(state / APKINDEX).archive.why_not_signed(self._apk_key(state, repository))
        named = hashlib.sha256("\n".join(repository.keys).encode()).hexdigest()
        keyring = self.work / f"{named[:16]}.gpg"
        if not keyring.exists():
            write_keyring(self.tree, repository.keys, keyring)
        return why_not_signed(state / REPOMD, state / SIGNATURE, keyring)

    def is_good(self, state: Path, repository: Repository) -> bool:
        """Whether a state is whole, and a key of the image vouches for it."""
        try:
            parts = parse_repomd((state / REPOMD).read_bytes()).parts.values() if repository.form == "rpm" else ()
            return all(part.is_of(state / part.name) for part in parts) and not self.why_unsigned(state, repository)
        except (OSError, ValueError):
            return False

    def source(self, state: Path, repository: Repository) -> str:
        """What hosts call this index of this repository under its key; empty for rpm, which tells itself what is new."""
        if repository.form == "rpm":
            return ""
        key = hashlib.sha256((self._apk_key(state, repository) or "").strip().encode()).hexdigest()
        return f"apk {shown_url(repository.addresses[0])} {self.architecture} {key[:16]}"

    def _apk_key(self, state: Path, repository: Repository) -> str | None:
        """The text of the key that the index names, as the image has it."""
        name = read_apkindex(state / APKINDEX).archive.key
        place = next((path for path in repository.keys if path.rpartition("/")[2] == name), None)
        return self.tree.text(place) if place is not None else None

    def _read_rpm(self, state: Path, repository: Repository, names: Collection[str]) -> Index:
        data = (state / REPOMD).read_bytes()
        contents = parse_repomd(data)
        for part in contents.parts.values():
            if not part.is_of(state / part.name):
                raise ValueError(f"{part.name} is not the list that its repomd.xml names")
        lists = {kind: state / part.name for kind, part in contents.parts.items()}
        streams = read_modules(lists["modules"], names) if "modules" in lists else {}
        architectures: dict[str, int] = {}
        offers = tuple(_in_streams(offer, streams) for offer in read_packages(lists["primary"], names, architectures))
        why = self.why_unsigned(state, repository)
        return Index(
            repository=repository,
            source="",
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

    def _read_apk(self, state: Path, repository: Repository, names: Collection[str]) -> Index:
        found = read_apkindex(state / APKINDEX)
        listed = [fields.get("A", "") for fields in found.records]
        why = self.why_unsigned(state, repository)
        return Index(
            repository=repository,
            source=self.source(state, repository),
            digest=file_digest(state / APKINDEX),
            published_s=found.published_s,
            fetched_s=fetched_at(state),
            vouched=_voucher(why, state, bool(found.archive.signature)),
            unsigned_because=why,
            listed=len(listed),
            architectures=frozenset(listed),
            offers=tuple(found.offers(names)),
        )


def published_s(state: Path, repository: Repository) -> int:
    """When a state was made, seconds since 1970; 0 when it does not say. Raises `ValueError` when it cannot be read."""
    try:
        if repository.form == "apk":
            return read_apkindex(state / APKINDEX).published_s
        return parse_repomd((state / REPOMD).read_bytes()).published_s
    except OSError as error:
        raise ValueError(f"it cannot be read: {error}") from error


def _voucher(why: str, state: Path, has_signature: bool) -> Voucher:
    """A signature that does not fit is never made good by the way that the index came."""
    if not why:
        return "signature"
    return "https" if not has_signature and origin_of(state).safe else "nobody"


def _in_streams(offer: Offer, streams: Mapping[tuple[str, str, str], frozenset[str]]) -> Offer:
    found = streams.get((offer.name, offer.version, offer.architecture))
    return replace(offer, streams=found) if found else offer
