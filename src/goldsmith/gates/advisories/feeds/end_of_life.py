"""Feed `eol`: until when each release of a distribution gets security updates (endoflife.date)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from goldsmith.gates.advisories.feeds.feed import Feed, moment
from goldsmith.gates.advisories.feeds.fetching import Document
from goldsmith.gates.advisories.schema import EndOfLife, Record

_URL = "https://endoflife.date/api/v1/products/full"
_PRODUCTS: Mapping[str, Sequence[str]] = {
    # the product there: what this house calls it
    "debian": ("debian",),
    "ubuntu": ("ubuntu",),
    "alpine-linux": ("alpine",),
    "rhel": ("redhat",),
    "centos": ("centos",),
    "centos-stream": ("centos",),
    "almalinux": ("alma",),
    "rocky-linux": ("rocky",),
    "oracle-linux": ("oracle",),
    "amazon-linux": ("amazon",),
    "sles": ("suse linux enterprise",),
    "opensuse": ("opensuse leap",),
    "suse-linux-micro": ("suse linux enterprise micro",),
    "vmware-photon": ("photon",),
}
_LONGER = frozenset({"debian"})
"""Products whose extended support is in the archive that everybody uses: Debian's LTS."""
_SHADOWED = frozenset({("centos-stream", "8")})
"""Releases that share a number with an older product of the same name."""


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """{result: [{name, releases: [{name, eolFrom, ltsFrom, isLts}]}]}; a release without a day has no row."""
    for product in json.loads(documents[0].path.read_bytes())["result"]:
        for name in _PRODUCTS.get(product["name"], ()):
            for release in product["releases"]:
                day = (product["name"] in _LONGER and release.get("eoesFrom")) or release.get("eolFrom")
                if day and (product["name"], release["name"]) not in _SHADOWED:
                    yield EndOfLife(eco=f"{name} {release['name']}", date_s=moment(day), source="endoflife.date")


def published(documents: Sequence[Document]) -> int:
    """When the list was generated."""
    return moment(json.loads(documents[0].path.read_bytes())["generated_at"])


FEED = Feed(
    id="eol",
    name="endoflife.date",
    url="https://endoflife.date/",
    fetch=lambda fetcher: (fetcher.get(_URL),),
    read=read,
    published=published,
)
