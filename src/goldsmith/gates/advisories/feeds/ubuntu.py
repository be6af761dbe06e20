"""Feed `ubuntu`: Canonical's OSV documents, one for each CVE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import DAY_S, Feed
from goldsmith.gates.advisories.feeds.fetching import Document
from goldsmith.gates.advisories.schema import Advisory, Record, Told
from goldsmith.gates.advisories.vulnerability import Severity

_URL = "https://security-metadata.canonical.com/osv/osv-all.tar.xz"
_PREFIX = "UBUNTU-"


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """Documents `UBUNTU-CVE-…`; notices (USN-…) repeat what these say."""
    for document in osv.documents_in(documents[0].path):
        id = str(document["id"])
        if id.startswith(_PREFIX) and not osv.withdrawn(document):
            yield from _records(document, id.removeprefix(_PREFIX))


def _records(document: osv.Json, id: str) -> Iterator[Record]:
    told = osv.told(document, id, "nvd")
    general = _priority(document)
    yield Told(
        id=id,
        description=told.description,
        published_s=told.published_s,
        modified_s=told.modified_s,
        cvss=told.cvss,
        severities={"ubuntu": general} if general else {},
        references=told.references,
    )
    for ecosystem, package, entry in osv.affected(document):
        eco = _eco(ecosystem)
        if not eco:
            continue
        specific = entry.get("ecosystem_specific")
        severity = osv.by_word(str(specific.get("ubuntu_priority", ""))) if isinstance(specific, dict) else None
        for part in osv.ranges(entry):
            yield Advisory(
                eco=eco,
                package=package,
                vulnerability=id,
                scheme="dpkg",
                introduced=part.introduced,
                fixed=part.fixed,
                last=part.last,
                status="fixed" if part.fixed else "affected",
                severity=severity,
            )


def _priority(document: osv.Json) -> Severity | None:
    words = [str(item.get("score")) for item in osv.items(document, "severity") if item.get("type") == "Ubuntu"]
    return osv.by_word(words[0]) if words else None


def _eco(ecosystem: str) -> str:
    """`Ubuntu:22.04:LTS` is `ubuntu 22.04`, `Ubuntu:Pro:18.04:LTS` is `ubuntu pro 18.04`: what only subscribers get."""
    name, *parts = ecosystem.split(":")
    return " ".join(["ubuntu", *(part.lower() for part in parts if part != "LTS")]) if name == "Ubuntu" else ""


FEED = Feed(
    id="ubuntu",
    name="Ubuntu security metadata",
    url="https://ubuntu.com/security/cves",
    fetch=lambda fetcher: (fetcher.get(_URL),),
    read=read,
    quiet_s=4 * DAY_S,
    complete=True,
)
