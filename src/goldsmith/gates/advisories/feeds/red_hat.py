"""Feed `redhat`: Red Hat's VEX documents (CSAF), one for each CVE, and its map from repositories to CPEs."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from goldsmith.gates.advisories.feeds import osv
from goldsmith.gates.advisories.feeds.feed import DAY_S, Feed, moment
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.schema import Advisory, Record, Scope, Told
from goldsmith.gates.advisories.vulnerability import Status

_VEX = "https://security.access.redhat.com/data/csaf/v2/vex/"
_REPOSITORIES = "https://security.access.redhat.com/data/metrics/repository-to-cpe.json"
_ARCHIVE = re.compile(r"csaf_vex_(\d{4}-\d{2}-\d{2})\.tar\.zst")
_NO_FIX: Mapping[str, Status] = {
    "will not fix": "will_not_fix",
    "out of support scope": "end_of_life",
    "fix deferred": "fix_deferred",
    "affected": "affected",
}
_SOURCE = "src:"
"""Before the name of a component that has no build yet: matching asks for it by the source's name."""


@dataclass(slots=True)
class _Places:
    """Numbers of CPEs, in the order in which they are met."""

    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, cpe: str) -> int:
        return self.numbers.setdefault(cpe, len(self.numbers))


def fetch(fetcher: Fetcher) -> Sequence[Document]:
    """The map, the archive with its checksum, and each document that changed since the archive was made."""
    name = fetcher.get(f"{_VEX}archive_latest.txt").path.read_text().strip()
    found = _ARCHIVE.fullmatch(name)
    if found is None:
        raise ValueError(f'the newest archive is called "{name[:80]}"')
    archive = fetcher.get(f"{_VEX}{name}")
    announced = fetcher.get(f"{_VEX}{name}.sha256").path.read_text().split()
    if announced[:1] != [archive.sha256]:
        raise ValueError(f"{name} has not the checksum that is announced")
    changes = fetcher.get(f"{_VEX}changes.csv")
    since = moment(found[1])
    with changes.path.open(newline="") as lines:
        changed = [row[0] for row in csv.reader(lines) if moment(row[1]) >= since]
    safe = [item for item in changed if re.fullmatch(r"\d{4}/[a-z0-9-]+\.json", item)]
    return [fetcher.get(_REPOSITORIES), archive, changes, *(fetcher.get(f"{_VEX}{item}") for item in safe)]


def published(documents: Sequence[Document]) -> int:
    """The time of the newest change."""
    with documents[2].path.open(newline="") as lines:
        return max(moment(row[1]) for row in csv.reader(lines))


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """Documents of the archive but those that changed since, then the changed ones; then which CPEs a repository stands for."""
    repositories, archive, _, *changed = documents
    places = _Places()
    newer = {item.url.rpartition("/")[2] for item in changed}
    for document in _in_archive(archive, newer):
        yield from _records(document, places)
    for item in changed:
        yield from _records(json.loads(item.path.read_bytes()), places)
    yield from _scopes(json.loads(repositories.path.read_bytes()), places)


def _in_archive(archive: Document, without: set[str]) -> Iterator[osv.Json]:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    with zstd.open(archive.path) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".json") and member.name.rpartition("/")[2] not in without:
                content = tar.extractfile(member)
                assert content is not None  # a regular file
                yield json.load(content)


def _scopes(repositories: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]], places: _Places) -> Iterator[Record]:
    """A repository stands for its CPEs, and for each that says less: `…:8` holds for `…:8::baseos`."""
    for name, entry in repositories["data"].items():
        ids = sorted(number for cpe, number in places.numbers.items() if any(_holds_for(cpe, own) for own in entry["cpes"]))
        if ids:
            yield Scope(kind="repository", name=name, ids=tuple(ids))
    for cpe, number in places.numbers.items():
        yield Scope(kind="cpe", name=cpe, ids=(number,))


def _holds_for(general: str, special: str) -> bool:
    return special == general or special.startswith(f"{general}:")


def _records(document: osv.Json, places: _Places) -> Iterator[Record]:
    products = _Products.of(document)
    for entry in osv.items(document, "vulnerabilities"):
        id = str(entry["cve"])
        yield _told(document, entry, id)
        facts = _facts(entry)
        status = entry.get("product_status")
        status = status if isinstance(status, dict) else {}
        for fixed in (True, False):
            kinds: tuple[tuple[str, Status], ...] = (
                (("fixed", "fixed"),)
                if fixed
                else (("known_affected", "affected"), ("under_investigation", "under_investigation"))
            )
            for key, default in kinds:
                yield from _advisories(id, osv.texts(status, key), default, products, facts, places)


@dataclass(frozen=True, slots=True)
class _Facts:
    """By product: the advisory that fixes it, why there is no fix, how bad it is there."""

    advisories: Mapping[str, str]
    dates: Mapping[str, int]
    statuses: Mapping[str, Status]
    impacts: Mapping[str, str]


def _facts(entry: osv.Json) -> _Facts:
    advisories: dict[str, str] = {}
    dates: dict[str, int] = {}
    statuses: dict[str, Status] = {}
    for item in osv.items(entry, "remediations"):
        for product in osv.texts(item, "product_ids"):
            if item.get("category") == "vendor_fix":
                advisories[product] = str(item.get("url", "")).rpartition("/")[2]
                dates[product] = moment(str(item.get("date", "")))
            elif item.get("category") in ("no_fix_planned", "none_available"):
                statuses[product] = _NO_FIX.get(str(item.get("details", "")).strip().lower(), "affected")
    impacts = {
        product: str(item.get("details", ""))
        for item in osv.items(entry, "threats")
        if item.get("category") == "impact"
        for product in osv.texts(item, "product_ids")
    }
    return _Facts(advisories, dates, statuses, impacts)


def _advisories(
    id: str, named: Sequence[str], default: Status, products: _Products, facts: _Facts, places: _Places
) -> Iterator[Record]:
    """One row for each build and fact, with the CPEs and architectures of all products that share it."""
    gathered: dict[tuple[str, str, Status, str, str, int], tuple[set[int], set[str]]] = {}
    for product in named:
        build = products.build(product)
        if build is None:
            continue
        status = default if build.version else facts.statuses.get(product, default)
        advisory = facts.advisories.get(product, "") if build.version else ""
        impact = facts.impacts.get(product, "")
        key = (build.name, build.version, status, advisory, impact, facts.dates.get(product, 0) if advisory else 0)
        scope, arches = gathered.setdefault(key, (set(), set()))
        scope.add(places.of(build.cpe))
        arches.add(build.architecture)
    for (name, version, status, advisory, impact, date_s), (scope, arches) in gathered.items():
        yield Advisory(
            eco="redhat",
            package=name,
            vulnerability=id,
            scheme="rpm",
            fixed=version,
            status=status,
            severity=osv.by_word(impact),
            arches=tuple(sorted(arches - {"", "noarch"})) if "noarch" not in arches else (),
            scope=tuple(sorted(scope)),
            vendor_ids=(advisory,) if advisory else (),
            fix_date_s=date_s,
        )


@dataclass(frozen=True, slots=True)
class _Build:
    """A package in a product; without a version it stands for all builds from a source."""

    name: str
    version: str
    architecture: str
    cpe: str


@dataclass(frozen=True, slots=True)
class _Products:
    """The product tree of a document: CPEs of products, purls of packages, and which package is in which product."""

    cpes: Mapping[str, str]
    purls: Mapping[str, str]
    places: Mapping[str, tuple[str, str]]

    @staticmethod
    def of(document: osv.Json) -> _Products:
        tree = document.get("product_tree")
        tree = tree if isinstance(tree, dict) else {}
        cpes: dict[str, str] = {}
        purls: dict[str, str] = {}
        waiting = list(osv.items(tree, "branches"))
        while waiting:
            branch = waiting.pop()
            waiting += osv.items(branch, "branches")
            product = branch.get("product")
            if isinstance(product, dict):
                helper = product.get("product_identification_helper")
                helper = helper if isinstance(helper, dict) else {}
                cpes[str(product["product_id"])] = str(helper.get("cpe", ""))
                purls[str(product["product_id"])] = str(helper.get("purl", ""))
        places = {
            str(product["product_id"]): (str(item["product_reference"]), str(item["relates_to_product_reference"]))
            for item in osv.items(tree, "relationships")
            if isinstance(product := item.get("full_product_name"), dict)
        }
        # A package of a module is in the module, which is in the product.
        return _Products(cpes, purls, places)

    def build(self, product: str) -> _Build | None:
        """The package that a product id names; None for what is no rpm, such as a container."""
        component, place = self.places.get(product, ("", ""))
        module = ""
        if place in self.places:
            module, place = self.places[place]
        purl, cpe = self.purls.get(component, ""), self.cpes.get(place, "")
        if not purl.startswith("pkg:rpm/") or not cpe:
            return None
        return _of_purl(purl, cpe, _module_of(self.purls.get(module, "")))


def _module_of(purl: str) -> str:
    """`name:stream` of a module's purl, `pkg:rpmmod/redhat/nodejs@18:8060…`."""
    found = re.match(r"pkg:rpmmod/[^/]+/([^@]+)@([^:?]+)", unquote(purl))
    return f"{found[1]}:{found[2]}" if found else ""


def _of_purl(purl: str, cpe: str, module: str) -> _Build | None:
    from packageurl import PackageURL

    parsed = PackageURL.from_string(purl)
    qualifiers = parsed.qualifiers if isinstance(parsed.qualifiers, dict) else {}
    label = qualifiers.get("rpmmod", "")
    module = ":".join(label.split(":")[:2]) if label else module
    prefix = f"{module}::" if module else ""
    architecture = qualifiers.get("arch", "")
    if not parsed.version:
        return _Build(f"{prefix if module else _SOURCE}{parsed.name}", "", "", cpe)
    if architecture == "src":
        return None
    epoch = qualifiers.get("epoch", "0")
    return _Build(f"{prefix}{parsed.name}", f"{epoch}:{parsed.version}".removeprefix("0:"), architecture, cpe)


def _told(document: osv.Json, entry: osv.Json, id: str) -> Told:
    head = document.get("document")
    head = head if isinstance(head, dict) else {}
    tracking = head.get("tracking")
    tracking = tracking if isinstance(tracking, dict) else {}
    overall = head.get("aggregate_severity")
    severity = osv.by_word(str(overall.get("text", ""))) if isinstance(overall, dict) else None
    notes = {str(item.get("category")): str(item.get("text", "")) for item in osv.items(entry, "notes")}
    scores = [item[key] for item in osv.items(entry, "scores") for key in ("cvss_v3", "cvss_v2") if key in item]
    vectors = [str(score["vectorString"]) for score in scores if isinstance(score, dict) and "vectorString" in score]
    cwe = entry.get("cwe")
    return Told(
        id=id,
        title=str(head.get("title", "")),
        description=notes.get("description", ""),
        published_s=moment(str(entry.get("release_date") or tracking.get("initial_release_date", ""))),
        modified_s=moment(str(tracking.get("current_release_date", ""))),
        cvss={"redhat": vectors[0]} if vectors else {},
        severities={"redhat": severity} if severity else {},
        cwe=(str(cwe["id"]),) if isinstance(cwe, dict) and "id" in cwe else (),
        references=tuple(str(item["url"]) for item in osv.items(entry, "references") if "url" in item),
    )


FEED = Feed(
    id="redhat",
    name="Red Hat security data",
    url="https://access.redhat.com/security/data",
    fetch=fetch,
    read=read,
    published=published,
    quiet_s=3 * DAY_S,
)
