"""Feed `kev`: CISA's catalogue of vulnerabilities that are known to be exploited."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from goldsmith.gates.advisories.feeds.feed import DAY_S, Feed, moment
from goldsmith.gates.advisories.feeds.fetching import Document
from goldsmith.gates.advisories.schema import Exploited, Record

_URL = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """{count, dateReleased, vulnerabilities: [{cveID, dateAdded, dueDate, knownRansomwareCampaignUse}]}."""
    catalogue = json.loads(documents[0].path.read_bytes())
    entries = catalogue["vulnerabilities"]
    if catalogue["count"] != len(entries):
        raise ValueError(f"it says that it has {catalogue['count']} entries, and has {len(entries)}")
    for entry in entries:
        yield Exploited(
            vulnerability=entry["cveID"],
            added_s=moment(entry["dateAdded"]),
            due_s=moment(entry.get("dueDate", "")),
            ransomware=entry.get("knownRansomwareCampaignUse") == "Known",
        )


def published(documents: Sequence[Document]) -> int:
    """The catalogue's own date."""
    return moment(json.loads(documents[0].path.read_bytes())["dateReleased"])


FEED = Feed(
    id="kev",
    name="CISA Known Exploited Vulnerabilities",
    url="https://www.cisa.gov/known-exploited-vulnerabilities-catalog",
    fetch=lambda fetcher: (fetcher.get(_URL),),
    read=read,
    published=published,
    quiet_s=21 * DAY_S,
)
