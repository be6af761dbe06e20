"""Feed `photon`: the CVE metadata of Photon OS, one JSON document for each release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.schema import Advisory, Record, Told

_PLACE = "https://packages.broadcom.com/photon/photon_cve_metadata/"
_RELEASE = re.compile(r"cve_data_photon([\w.]+)\.json")
_NONE = ("", "NA", "N/A")
"""What stands in `res_ver` where nothing is fixed."""
_IDS = ("CVE-", "BDSA-")
"""Others (`UNK-…`) name no vulnerability that anybody could look up."""


def fetch(fetcher: Fetcher) -> Sequence[Document]:
    """The documents of all releases that the index names."""
    branches = json.loads(fetcher.get(f"{_PLACE}photon_versions.json").path.read_bytes())["branches"]
    return [fetcher.get(f"{_PLACE}cve_data_photon{branch}.json") for branch in branches]


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """[{cve_id, pkg, cve_score, aff_ver, res_ver}]; packages are sources."""
    for document in documents:
        release = _RELEASE.search(document.url)
        if release is None:
            raise ValueError(f"{document.url} names no release")
        for entry in json.loads(document.path.read_bytes()):
            if str(entry["cve_id"]).startswith(_IDS):
                yield from _records(entry, f"photon {release[1]}")


def _records(entry: osv.Json, eco: str) -> Iterator[Record]:
    id, package = str(entry["cve_id"]), str(entry["pkg"])
    fixed = str(entry["res_ver"])
    score = entry.get("cve_score")
    severity = osv.by_score(float(score)) if isinstance(score, int | float) and score > 0 else None
    yield Told(id=id, severities={"photon": severity} if severity else {})
    yield Advisory(
        eco=eco,
        package=package,
        vulnerability=id,
        scheme="rpm",
        fixed="" if fixed in _NONE else fixed,
        status="affected" if fixed in _NONE else "fixed",
    )


FEED = Feed(
    id="photon",
    name="Photon OS CVE metadata",
    url="https://github.com/vmware/photon/wiki/Security-Advisories",
    fetch=fetch,
    read=read,
)
