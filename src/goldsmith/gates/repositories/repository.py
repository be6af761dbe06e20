"""Where an image takes its packages from, by its own configuration, and what such a place offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from goldsmith.gates.advisories.vulnerability import Severity
from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory.archive_index import Offer

Form: TypeAlias = Literal["rpm", "apk"]
Voucher: TypeAlias = Literal["signature", "https", "nobody"]
ON_THE_MACHINE = "repositories on media or disks that only the machine itself has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One place of packages that an image trusts."""

    form: Form
    id: str
    """As the configuration names it; of apk: the address."""
    place: str
    """The file of the image that names it, without a leading slash."""
    bases: tuple[str, ...] = ()
    """Addresses that end with a slash; the first that answers counts."""
    mirrorlist: str = ""
    metalink: str = ""
    keys: tuple[str, ...] = ()
    """Files of the image with the keys that it is said to be signed with."""
    priority: int = 99
    """Of rpm: the smallest number of those that offer a name counts, as for dnf and zypper."""
    tag: str = ""
    """Of apk: only packages that are pinned to this tag come from here."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that it is asked by."""
        return (*self.bases, *filter(None, (self.metalink, self.mirrorlist)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The repositories that an image has switched on."""

    repositories: tuple[Repository, ...]
    faults: tuple[str, ...] = ()
    """What could not be read, in sentences."""
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A security update as a repository announces it."""

    id: str
    severity: Severity | None
    cves: tuple[str, ...]
    issued_s: int
    """Seconds since 1970; 0 when it does not say."""
    packages: tuple[tuple[str, str, str], ...]
    """Name, version and architecture of what it fixes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What a repository offered when its index was made."""

    repository: Repository
    source: str
    """What hosts call it under the key that vouches for it; empty for rpm."""
    digest: str
    """`sha256:<hex>` of the file that a signature is over."""
    published_s: int
    """Seconds since 1970; 0 when the index does not say."""
    fetched_s: int | None
    """When it was last known to be the current one; None when nothing says so."""
    vouched: Voucher
    unsigned_because: str = ""
    """Why no signature vouches for it."""
    listed: int
    architectures: frozenset[str]
    releases: tuple[str, ...] = ()
    """The releases that it says it is for, as CPEs; most say nothing."""
    offers: tuple[Offer, ...]
    """Those of the names that were asked for."""
    notices: tuple[Notice, ...] = ()
    announces: bool = False
    """Whether it tells which of its packages are security updates."""


def shown_url(url: str) -> str:
    """An address without the login that may be in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
