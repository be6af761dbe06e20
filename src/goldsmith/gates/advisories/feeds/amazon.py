"""Feed `amazon`: the updateinfo of Amazon Linux' own repositories, by which dnf lists security updates (ALAS)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urljoin
from xml.etree import ElementTree

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import Feed, moment
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.schema import Advisory, Record, Told
from goldsmith.gates.advisories.vulnerability import Severity

_CDN = "https://cdn.amazonlinux.com/"
_MIRRORS: Mapping[str, str] = {
    f"{_CDN}2/core/latest/x86_64/mirror.list": "amazon 2",
    f"{_CDN}al2023/core/mirrors/latest/x86_64/mirror.list": "amazon 2023",
}
"""The updateinfo of x86_64 lists the packages of aarch64 as well. Packages of AL2's extras are in repositories of their own."""
_SPACE = "{http://linux.duke.edu/metadata/repo}"


def fetch(fetcher: Fetcher) -> Sequence[Document]:
    """The updateinfo of each release, checked by the checksum in its repomd.xml."""
    return [_updateinfo(fetcher, mirrors) for mirrors in _MIRRORS]


def _updateinfo(fetcher: Fetcher, mirrors: str) -> Document:
    lines = fetcher.get(mirrors).path.read_text().split()
    if not lines:
        raise ValueError(f"{mirrors} names no mirror")
    place = lines[0].replace("$basearch", "x86_64").rstrip("/") + "/"
    index = ElementTree.fromstring(fetcher.get(f"{place}repodata/repomd.xml").path.read_bytes())
    data = index.find(f"{_SPACE}data[@type='updateinfo']")
    location = data.find(f"{_SPACE}location") if data is not None else None
    checksum = data.find(f"{_SPACE}checksum") if data is not None else None
    if location is None or checksum is None or checksum.attrib.get("type") != "sha256":
        raise ValueError(f"{place} has no updateinfo with a SHA-256 checksum")
    document = fetcher.get(urljoin(place, location.attrib["href"]))
    if document.sha256 != (checksum.text or "").strip():
        raise ValueError(f"{document.url} has another checksum than its repomd.xml says")
    return document


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """updates/update: id, severity, issued, references of the type cve, pkglist/collection/package."""
    for document, eco in zip(documents, _MIRRORS.values(), strict=True):
        with gzip.open(document.path) as file:
            for _, element in ElementTree.iterparse(file):
                if element.tag == "update":
                    yield from _records(element, eco)
                    element.clear()


def _records(update: ElementTree.Element, eco: str) -> Iterator[Record]:
    alas = update.findtext("id", "")
    if not alas:
        raise ValueError("an update has no id")
    references = update.findall("references/reference")
    cves = [item.attrib["id"] for item in references if item.attrib.get("type") == "cve" and item.attrib.get("id")]
    names = tuple(dict.fromkeys(cves)) or (alas,)
    severity = osv.by_word(update.findtext("severity", ""))
    issued = update.find("issued")
    issued_s = moment(issued.attrib.get("date", "")) if issued is not None else 0
    for name in names:
        yield Told(
            id=name,
            title=update.findtext("title", "") if len(names) == 1 else "",
            description=update.findtext("description", "") if len(names) == 1 else "",
            severities={"amazon": severity} if severity else {},
            published_s=issued_s,
            references=tuple(
                item.attrib["href"] for item in references if item.attrib.get("id") in (name, alas) and "href" in item.attrib
            ),
        )
    for package in update.findall("pkglist/collection/package"):
        for name in names:
            yield _advisory(package, eco, name, alas, severity, issued_s)


def _advisory(
    package: ElementTree.Element, eco: str, name: str, alas: str, severity: Severity | None, issued_s: int
) -> Advisory:
    told = package.attrib
    epoch = f"{told['epoch']}:" if told.get("epoch", "0") not in ("", "0") else ""
    return Advisory(
        eco=eco,
        package=told["name"],
        vulnerability=name,
        scheme="rpm",
        fixed=f"{epoch}{told['version']}-{told['release']}",
        status="fixed",
        severity=severity,
        # A package that is made for all architectures is a fix of them all.
        arches=() if told.get("arch", "noarch") == "noarch" else (told["arch"],),
        vendor_ids=(alas,) if alas != name else (),
        fix_date_s=issued_s,
    )


FEED = Feed(
    id="amazon",
    name="Amazon Linux Security Center",
    url="https://alas.aws.amazon.com/",
    fetch=fetch,
    read=read,
)
