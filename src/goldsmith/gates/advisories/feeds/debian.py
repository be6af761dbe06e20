"""Feed `debian`: the security tracker's state of each source package in each release."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from goldsmith.gates.advisories.feeds.feed import DAY_S, Feed
from goldsmith.gates.advisories.feeds.fetching import Document
from goldsmith.gates.advisories.schema import Advisory, Record, Told
from goldsmith.gates.advisories.vulnerability import Severity, Status

_URL = "https://security-tracker.debian.org/tracker/data/json"
_RELEASES = {
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
}
_URGENCIES: Mapping[str, Severity] = {"unimportant": "negligible", "low": "low", "medium": "medium", "high": "high"}
_NO_ADVISORY: Mapping[str, Status] = {"ignored": "will_not_fix", "postponed": "fix_deferred"}


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """{source: {CVE: {description, releases: {suite: {status, fixed_version, urgency, nodsa_reason}}}}}."""
    described: set[str] = set()
    tracker = json.loads(documents[0].path.read_bytes())
    for source, vulnerabilities in tracker.items():
        for id, entry in vulnerabilities.items():
            if id not in described and entry.get("description"):
                described.add(id)
                yield Told(id=id, description=entry["description"])
            for suite, state in entry["releases"].items():
                if suite in _RELEASES:
                    yield from _advisory(source, id, f"debian {_RELEASES[suite]}", state)


def _advisory(source: str, id: str, eco: str, state: Mapping[str, str]) -> Iterator[Record]:
    fixed = state.get("fixed_version", "") if state["status"] == "resolved" else ""
    if fixed == "0":  # this release never had the fault
        return
    urgency = state.get("urgency", "").replace("*", "").strip()
    status: Status = "fixed" if fixed else _NO_ADVISORY.get(state.get("nodsa_reason", ""), "affected")
    if state["status"] == "undetermined":
        status = "under_investigation"
    elif urgency == "end-of-life":
        status = "end_of_life"
    yield Advisory(
        eco=eco,
        package=source,
        vulnerability=id,
        scheme="dpkg",
        fixed=fixed,
        status=status,
        severity=_URGENCIES.get(urgency),
    )


FEED = Feed(
    id="debian",
    name="Debian Security Tracker",
    url="https://security-tracker.debian.org/",
    fetch=lambda fetcher: (fetcher.get(_URL),),
    read=read,
    quiet_s=2 * DAY_S,
    complete=True,
)
