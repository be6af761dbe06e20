"""Feed `azurelinux`: the OVAL definitions that Microsoft makes for Azure Linux and CBL-Mariner, one document a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.feeds.oval import Criteria, Definition, RpmTest, read_document
from goldsmith.gates.advisories.schema import Advisory, Record, Told, Unreadable

_PLACE = "https://raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main/"
_RELEASES: Mapping[str, str] = {
    "cbl-mariner-2.0-oval.xml": "azurelinux 2.0",
    "azurelinux-3.0-oval.xml": "azurelinux 3.0",
}


def fetch(fetcher: Fetcher) -> Sequence[Document]:
    """The document of each release."""
    return [fetcher.get(f"{_PLACE}{name}") for name in _RELEASES]


def published(documents: Sequence[Document]) -> int:
    """The older of the documents' own times, so that one that stands still is not hidden by the other."""
    return min(read_document(document.path).made_s for document in documents)


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """An advisory for each definition: of a source package, below a version, or up to the newest one when nothing is fixed."""
    for document in documents:
        eco = _RELEASES[document.url.rpartition("/")[2]]
        content = read_document(document.path)
        for definition in content.definitions:
            yield from _records(definition, eco, content.tests)


def _records(definition: Definition, eco: str, tests: Mapping[str, RpmTest]) -> Iterator[Record]:
    names = [id for source, id, _ in definition.references if source == "CVE"]
    if not names:
        raise ValueError(f"{definition.id} names no CVE")
    severity = osv.by_word(definition.severity)
    bounds = [tests[test] for test in _tests(definition.criteria) if test in tests]
    for name in names:
        yield Told(
            id=name,
            title=definition.title,
            description=definition.description,
            severities={"azurelinux": severity} if severity else {},
            published_s=definition.issued_s,
            references=tuple(address for _, _, address in definition.references if address),
        )
        if not bounds:
            package = definition.title.partition(" package ")[2].split(" ")[0]
            yield Unreadable(eco=eco, package=package, vulnerability=name, what="its versions are not told")
            continue
        yield _advisory(definition, eco, name, bounds)


def _advisory(definition: Definition, eco: str, name: str, bounds: Sequence[RpmTest]) -> Advisory:
    """`less than` is a fix. `less than or equal` is the newest package there is: one built since is no fix either."""
    package = bounds[0].package
    fixed = next((item.evr for item in bounds if item.operation == "less than"), "")
    introduced = next((item.evr for item in bounds if item.operation in ("greater than or equal", "greater than")), "")
    return Advisory(
        eco=eco,
        package=package,
        vulnerability=name,
        scheme="rpm",
        introduced=introduced,
        fixed=fixed.removeprefix("0:"),
        status="fixed" if fixed else "affected",
        severity=osv.by_word(definition.severity),
        vendor_ids=(definition.fields["advisory_id"],) if definition.fields.get("advisory_id") else (),
        fix_date_s=definition.issued_s if fixed else 0,
    )


def _tests(criteria: Criteria) -> Iterator[str]:
    yield from (test for _, test in criteria.criterions)
    for part in criteria.below:
        yield from _tests(part)


FEED = Feed(
    id="azurelinux",
    name="Azure Linux vulnerability data",
    url="https://github.com/microsoft/AzureLinuxVulnerabilityData",
    fetch=fetch,
    read=read,
    published=published,
)
