"""From the documents of publishers to findings: fetching, keeping what is had, and what is told of it."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from goldsmith.gates.advisories import Matches, match
from goldsmith.gates.advisories.feeds import FEEDS, Feed, Fetcher
from goldsmith.gates.advisories.feeds.errata import suse_eco
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.updating import Outcome, update
from goldsmith.gates.inventory import Distribution, Inventory, Package, PackageKind
from tests.gates.feed_documents import (
    AMAZON,
    AZURE,
    DAY,
    NOW,
    OSV,
    PYPI,
    VEX,
    FeedServer,
    all_documents,
    as_bytes,
    azure_linux,
    zipped,
)

BY_ID = {feed.id: feed for feed in FEEDS}
TRACKER = "security-tracker.debian.org/tracker/data/json"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FeedServer(all_documents()) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "advisories")


def fetch(store: Store, mirror: str, *ids: str, now_s: int = NOW) -> Mapping[str, Outcome]:
    fetcher = Fetcher(store.downloads, mirror)
    try:
        feeds: Sequence[Feed] = [BY_ID[id] for id in ids] if ids else FEEDS
        return {item.feed: item for item in update(store, feeds, fetcher, now_s, lambda _: None)}
    finally:
        fetcher.close()


def image(family: str, release: str, *packages: Package) -> Inventory:
    return Inventory(distribution=Distribution(id=family, family=family, release=release), packages=tuple(sorted(packages)))


def package(kind: PackageKind, name: str, version: str, **more: str) -> Package:
    return Package(kind=kind, name=name, version=version, **more)  # type: ignore[arg-type]  # texts only


def matches(store: Store, inventory: Inventory, now_s: int = NOW) -> Matches:
    with store.open() as database:
        return match(inventory, database, now_s=now_s)


def found(store: Store, inventory: Inventory) -> list[tuple[str, str, str, str, str, str]]:
    result = matches(store, inventory)
    assert result.faults == ()
    return [
        (item.id, item.package.name, item.fixed, item.status, item.severity, item.severity_source)
        for item in result.vulnerabilities
    ]


def test_all_feeds_are_fetched_and_read(store: Store, server: FeedServer) -> None:
    outcomes = fetch(store, server.url)

    assert {item.feed: item.why for item in outcomes.values() if item.state != "updated"} == {}
    assert {item.records > 0 for item in outcomes.values()} == {True}
    with store.open() as database:
        assert {feed.id for feed in database.feeds(NOW)} == set(BY_ID)


def test_debian_tells_status_and_urgency_of_each_release(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "debian")
    libssl = package("deb", "libssl3", "3.0.20-1~deb12u1+b1", source_name="openssl", source_version="3.0.20-1~deb12u1")
    oldlib = package("deb", "oldlib", "1.0", source_name="oldlib", source_version="1.0")

    assert found(store, image("debian", "12", libssl, oldlib)) == [
        ("CVE-2025-0001", "libssl3", "3.0.20-1~deb12u2", "fixed", "medium", "debian"),
        ("CVE-2025-0002", "libssl3", "", "fix_deferred", "unknown", ""),
        ("CVE-2025-0003", "libssl3", "", "will_not_fix", "low", "debian"),
        ("CVE-2025-0004", "oldlib", "", "end_of_life", "unknown", ""),
    ]
    newer = package("deb", "libssl3", "3.5.1-1", source_name="openssl", source_version="3.5.1-1")
    assert found(store, image("debian", "13", newer)) == [
        ("CVE-2025-0002", "libssl3", "", "affected", "negligible", "debian"),
        ("CVE-2025-0003", "libssl3", "", "under_investigation", "unknown", ""),
    ]


def test_ubuntu_gives_the_package_its_own_priority(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "ubuntu")
    libssl = package("deb", "libssl3t64", "3.0.13-0ubuntu3.5", source_name="openssl", source_version="3.0.13-0ubuntu3.5")

    assert found(store, image("ubuntu", "24.04", libssl)) == [
        ("CVE-2025-0001", "libssl3t64", "3.0.13-0ubuntu3.6", "fixed", "high", "ubuntu")
    ]


def test_alpine_knows_branches_and_what_never_was(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "alpine")
    openssl = package("apk", "libssl3", "3.3.4-r0", source_name="openssl")

    assert found(store, image("alpine", "3.20.3", openssl)) == [
        ("CVE-2025-0001", "libssl3", "3.3.5-r0", "fixed", "unknown", "")
    ]
    assert found(store, image("alpine", "edge", openssl)) == [("CVE-2025-0001", "libssl3", "3.5.4-r0", "fixed", "unknown", "")]
    assert "no feed" in matches(store, image("alpine", "3.19.1", openssl)).faults[0]


def test_alma_names_packages_of_modules_by_their_stream(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "alma", "rocky")
    openssl = package("rpm", "openssl", "1:3.2.2-6.el9_5", architecture="x86_64")
    old = "1:20.18.1-1.module_el9.5.0+1+a"
    node = package("rpm", "nodejs", old, architecture="x86_64", module="nodejs:20:9050:abc:x86_64")
    other = package("rpm", "nodejs", old, architecture="x86_64", module="nodejs:22:9050:abc:x86_64")
    unlabelled = package("rpm", "nodejs", old, architecture="x86_64")
    fix = ("1:3.2.2-6.el9_5.1", "fixed", "high", "alma")

    assert found(store, image("alma", "9.5", openssl, other)) == [
        ("CVE-2025-0001", "openssl", *fix),
        ("CVE-2025-0002", "openssl", *fix),
    ]
    assert [item[0] for item in found(store, image("alma", "9.5", node))] == ["CVE-2025-0005"]
    assert [item.count for item in matches(store, image("alma", "9.5", unlabelled)).skipped] == [1]
    assert matches(store, image("alma", "9.5", openssl)).vulnerabilities[0].vendor_ids == ("ALSA-2025:0001",)
    assert found(store, image("rocky", "9.5", openssl))[0][4:] == ("medium", "rocky")


def test_suse_names_binary_packages(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "suse")
    libopenssl = package("rpm", "libopenssl3", "3.1.4-150600.5.20.1", source_name="openssl-3")
    chromium = package("rpm", "chromium", "129.0-bp156.1.1")

    assert [item[:3] for item in found(store, image("suse", "15.6", libopenssl))] == [
        ("CVE-2025-0001", "libopenssl3", "3.1.4-150600.5.24.1")
    ]
    assert [item[0] for item in found(store, image("opensuse-leap", "15.6", chromium))] == ["CVE-2025-0006"]


def test_oracle_counts_by_architecture_and_module(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "oracle")
    stream = "nodejs:20:9060020250101:abc:x86_64"
    older = "nodejs:18:9060020250101:abc:x86_64"
    openssl = package("rpm", "openssl", "1:3.0.7-28.0.1.el9_6", architecture="x86_64")
    elsewhere = package("rpm", "openssl", "1:3.0.7-28.0.1.el9_6", architecture="aarch64")
    node = package("rpm", "nodejs", "1:20.18.0-1.module+el9.6.0+80+1", architecture="x86_64", module=stream)
    other = package("rpm", "nodejs", "1:18.20.0-1.module+el9.6.0+80+1", architecture="x86_64", module=older)
    perl = package("rpm", "openssl-perl", "1:3.0.7-28.0.1.el9_6", architecture="x86_64")

    assert found(store, image("oracle", "9.6", openssl, elsewhere, node, other, perl)) == [
        ("CVE-2025-0011", "nodejs", "1:20.19.5-1.module+el9.6.0+90+1", "fixed", "medium", "oracle"),
        ("CVE-2025-0001", "openssl", "1:3.0.7-29.0.1.el9_6", "fixed", "high", "oracle"),
        ("CVE-2025-0010", "openssl", "1:3.0.7-29.0.1.el9_6", "fixed", "high", "oracle"),
    ]
    [first, *_] = matches(store, image("oracle", "9.6", openssl)).vulnerabilities
    assert (first.vendor_ids, first.fix_date_s) == (("ELSA-2025-0001",), 1_761_955_200)


def test_azure_linux_takes_the_newest_affected_package_for_no_fix(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "azurelinux")
    openssl = package("rpm", "openssl-libs", "3.3.5-2.azl3", source_name="openssl", source_version="3.3.5-2.azl3")
    wget = package("rpm", "wget", "2.1.0-8.azl3", source_name="wget", source_version="2.1.0-8.azl3")

    assert found(store, image("azurelinux", "3.0.20251101", openssl, wget)) == [
        ("CVE-2025-0001", "openssl-libs", "3.3.5-3.azl3", "fixed", "high", "azurelinux"),
        ("CVE-2025-0012", "wget", "", "affected", "medium", "azurelinux"),
    ]


def test_photon_names_sources_and_says_where_nothing_is_fixed(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "photon")
    openssl = package("rpm", "openssl", "3.0.15-4.ph5", source_name="openssl")

    assert found(store, image("photon", "5.0", openssl)) == [
        ("CVE-2025-0001", "openssl", "3.0.15-5.ph5", "fixed", "critical", "photon"),
        ("CVE-2025-0013", "openssl", "", "affected", "medium", "photon"),
    ]


def test_amazon_is_read_from_the_updateinfo_of_its_repositories(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "amazon")
    libs = package("rpm", "openssl-libs", "1:3.2.2-1.amzn2023.0.3", architecture="aarch64")
    newer = package("rpm", "openssl-libs", "1:3.2.2-1.amzn2023.0.4", architecture="x86_64")

    assert found(store, image("amazon", "2023", libs, newer)) == [
        ("CVE-2025-0001", "openssl-libs", "1:3.2.2-1.amzn2023.0.4", "fixed", "high", "amazon")
    ]


def _breaks_off(document: bytes) -> bytes:
    return bz2.compress(bz2.decompress(document)[:-400])


@pytest.mark.parametrize(
    ("feed", "place", "harm", "why"),
    [
        ("oracle", "linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2", _breaks_off, "ParseError"),
        ("oracle", "linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2", lambda _: bz2.compress(b"<a/>"), "no records"),
        ("oracle", "linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2", lambda data: data[:200], "EOFError"),
        (
            "azurelinux",
            f"{AZURE}/azurelinux-3.0-oval.xml",
            lambda _: azure_linux("azl3", "2025-01-01T00:00:00Z"),
            "it is older than what is here",
        ),
        ("azurelinux", f"{AZURE}/azurelinux-3.0-oval.xml", lambda _: b"<html></html>", "nothing says when it was made"),
        ("photon", "packages.broadcom.com/photon/photon_cve_metadata/cve_data_photon5.0.json", lambda _: b"[{}]", "cve_id"),
        ("amazon", next(name for name in AMAZON if "updateinfo" in name), lambda _: gzip.compress(b"<a/>"), "checksum"),
        ("amazon", next(name for name in AMAZON if "mirror.list" in name), lambda _: b"", "no mirror"),
    ],
)
def test_a_broken_document_keeps_what_was_there(
    store: Store, server: FeedServer, feed: str, place: str, harm: Callable[[bytes], bytes], why: str
) -> None:
    before = fetch(store, server.url, feed)[feed].records
    server.documents[place] = harm(server.documents[place])

    outcome = fetch(store, server.url, feed, now_s=NOW + DAY)[feed]

    assert (outcome.state, outcome.records) == ("failed", before)
    assert why in outcome.why


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("SUSE:Linux Enterprise Server 15 SP5", "suse linux enterprise 15.5"),
        ("SUSE:Linux Enterprise Server 15 SP3-LTSS", "suse linux enterprise 15.3 ltss"),
        ("SUSE:Linux Enterprise Server for SAP Applications 15 SP4", "suse linux enterprise 15.4 sap"),
        ("SUSE:Linux Enterprise Micro 5.5", "suse linux enterprise micro 5.5"),
        ("SUSE:Linux Enterprise Desktop 15", "suse linux enterprise 15"),
        ("openSUSE:Tumbleweed", "opensuse tumbleweed"),
        ("openSUSE:Leap 15.6", "opensuse leap 15.6"),
        ("SUSE:Manager Server 4.3", ""),
    ],
)
def test_products_of_suse_have_a_name_here(theirs: str, ours: str) -> None:
    assert suse_eco(theirs) == ours


def test_red_hat_counts_where_its_repositories_are(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "redhat")
    libs = package("rpm", "openssl-libs", "1:3.2.2-6.el9_5", architecture="x86_64", source_name="openssl")
    bash = package("rpm", "bash", "5.1.8-9.el9", architecture="x86_64", source_name="bash")

    fixed = ("openssl-libs", "1:3.2.2-6.el9_5.1", "fixed")
    assert found(store, image("redhat", "9.5", libs, bash)) == [
        ("CVE-2025-0001", "bash", "", "will_not_fix", "low", "redhat"),
        ("CVE-2025-0008", "bash", "", "will_not_fix", "low", "redhat"),
        ("CVE-2025-0001", *fixed, "high", "redhat"),
        # its document changed after the archive was made
        ("CVE-2025-0008", *fixed, "low", "redhat"),
    ]
    told = matches(store, image("redhat", "9.5", libs)).vulnerabilities[0]
    assert (told.vendor_ids, told.cwe, told.fix_date_s > 0) == (("RHSA-2025:0001",), ("CWE-416",), True)
    assert "no repository" in matches(store, image("redhat", "8.10", libs)).faults[0]


def test_an_archive_of_red_hat_without_its_checksum_is_not_taken(store: Store, server: FeedServer) -> None:
    server.documents[f"{VEX}/csaf_vex_2025-11-20.tar.zst.sha256"] = b"00  csaf_vex_2025-11-20.tar.zst\n"

    outcome = fetch(store, server.url, "redhat")["redhat"]

    assert (outcome.state, "checksum" in outcome.why) == ("failed", True)


def test_names_of_one_vulnerability_are_one_finding(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "osv-pypi")
    result = matches(store, image("", "", package("pypi", "Jinja2", "3.1.4")))

    assert [(item.id, item.aliases, item.severity, item.severity_source) for item in result.vulnerabilities] == [
        ("CVE-2025-0007", ("GHSA-aaaa-bbbb-cccc", "PYSEC-2025-1"), "medium", "ghsa")
    ]


@pytest.mark.parametrize(
    ("version", "hit"), [("1.9", 0), ("2.0", 1), ("2.5", 0), ("2.6", 0), ("2.7", 1), ("2.9", 1), ("2.9.1", 0)]
)
def test_ranges_of_osv_are_followed(store: Store, server: FeedServer, version: str, hit: int) -> None:
    fetch(store, server.url, "osv-pypi")

    assert len(matches(store, image("", "", package("pypi", "requests", version))).vulnerabilities) == hit


def test_every_language_has_its_order_of_versions(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "osv-npm", "osv-go", "osv-crates.io", "osv-maven", "osv-rubygems")
    affected = image(
        "",
        "",
        package("npm", "left-pad", "1.3.0"),
        package("golang", "stdlib", "go1.23rc2"),
        package("cargo", "time", "0.2.9"),
        package("maven", "org.a:b", "2.0-rc1"),
        package("gem", "rack", "2.2.6.3"),
    )
    fixed = image("", "", package("npm", "left-pad", "1.3.1"), package("golang", "stdlib", "go1.22.10"))

    assert len(found(store, affected)) == 5
    assert found(store, fixed) == []


def test_exploitation_and_the_end_of_a_release_are_told(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "debian", "kev", "epss", "eol")
    libssl = package("deb", "libssl3", "3.0.20-1~deb12u1", source_name="openssl", source_version="3.0.20-1~deb12u1")

    result = matches(store, image("debian", "12", libssl))
    first = result.vulnerabilities[0]

    assert (first.kev, first.ransomware, first.epss, first.epss_percentile) == (True, True, 0.93, 0.998)
    assert result.end_of_life_s == 1_845_936_000


def test_a_language_package_of_the_distribution_is_left_to_its_feed(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "debian", "osv-pypi")
    metadata = "usr/lib/python3/dist-packages/jinja2-3.1.2.dist-info/METADATA"
    owner = Package(kind="deb", name="python3-jinja2", version="3.1.2-1", source_name="jinja2", files=(metadata,))
    own, foreign = package("pypi", "jinja2", "3.1.2", path=metadata), package("pypi", "jinja2", "3.1.2", path="opt/x/METADATA")

    result = matches(store, image("debian", "12", owner, own, foreign))

    assert [item.package.path for item in result.vulnerabilities] == ["opt/x/METADATA"]
    assert [item.count for item in result.skipped] == [1]


def test_what_did_not_change_is_not_fetched_again(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "debian")
    before = store.open().feeds(NOW)

    again = fetch(store, server.url, "debian", now_s=NOW + 3600)["debian"]

    assert (again.state, server.answered(304)) == ("unchanged", [TRACKER])
    with store.open() as database:
        after = database.feeds(NOW + 3600)
    assert [(item.records, item.eco) for item in after] == [(item.records, item.eco) for item in before]
    assert {item.age_s for item in after} == {0}


def test_a_broken_transfer_goes_on_where_it_ended(store: Store, server: FeedServer) -> None:
    server.breaks_after = 300
    first = fetch(store, server.url, "debian")["debian"]
    second = fetch(store, server.url, "debian")["debian"]

    assert (first.state, second.state) == ("failed", "updated")
    assert server.asked[-1][1] == 206
    assert server.asked[-1][2]["Range"] == "bytes=300-"


def test_a_document_that_changed_meanwhile_is_fetched_from_its_start(store: Store, server: FeedServer) -> None:
    server.breaks_after = 300
    fetch(store, server.url, "debian")
    server.documents[TRACKER] = as_bytes({**json.loads(server.documents[TRACKER]), "other": {}})

    assert fetch(store, server.url, "debian")["debian"].state == "updated"
    assert server.asked[-1][1] == 200


def _shrinks(server: FeedServer) -> None:
    server.documents[f"{OSV}/PyPI/all.zip"] = zipped(PYPI[0])


def _breaks(server: FeedServer) -> None:
    server.documents[f"{OSV}/PyPI/all.zip"] = server.documents[f"{OSV}/PyPI/all.zip"][:-100]


def _has_no_date(server: FeedServer) -> None:
    server.dated = False
    server.documents[f"{OSV}/PyPI/all.zip"] = zipped(*PYPI, PYPI[0])


def _is_gone(server: FeedServer) -> None:
    server.statuses[f"{OSV}/PyPI/all.zip"] = 503


def _is_older(server: FeedServer) -> None:
    server.modified_s -= 10 * DAY
    server.documents[f"{OSV}/PyPI/all.zip"] = zipped(*PYPI, {**PYPI[0], "id": "GHSA-zzzz-zzzz-zzzz"})


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_shrinks, "and had"),
        (_breaks, "cannot be read"),
        (_has_no_date, "when it was made"),
        (_is_gone, "503"),
        (_is_older, "older"),
    ],
)
def test_a_feed_that_is_unfit_keeps_its_old_rows_and_age(store: Store, server: FeedServer, harm: object, why: str) -> None:
    assert callable(harm)
    fetch(store, server.url, "osv-pypi", "kev")
    inventory = image("", "", package("pypi", "requests", "2.8"), package("pypi", "jinja2", "3.0"))
    before = found(store, inventory)
    harm(server)

    outcomes = fetch(store, server.url, "osv-pypi", "kev", now_s=NOW + DAY)

    assert (outcomes["osv-pypi"].state, outcomes["kev"].state) == ("failed", "unchanged")
    assert why in outcomes["osv-pypi"].why
    assert found(store, inventory) == before
    with store.open() as database:
        assert {item.id: item.age_s for item in database.feeds(NOW + DAY)} == {"osv-pypi": DAY, "kev": 0}


def test_feeds_that_are_not_asked_stay(store: Store, server: FeedServer) -> None:
    fetch(store, server.url, "debian", "kev")
    fetch(store, server.url, "epss")

    with store.open() as database:
        assert {item.id for item in database.feeds(NOW)} == {"debian", "kev", "epss"}
        assert database.exploitation(["CVE-2025-0001"]).kev


def test_a_directory_serves_as_a_mirror(store: Store, tmp_path: Path) -> None:
    for place, content in all_documents().items():
        path = tmp_path / "mirror" / (f"{place}index.html" if place.endswith("/") else place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    outcomes = fetch(store, str(tmp_path / "mirror"), now_s=2_000_000_000)

    assert {item.feed: item.why for item in outcomes.values() if item.state != "updated"} == {}


def test_a_mirror_that_stands_still_grows_old(store: Store, server: FeedServer) -> None:
    server.modified_s = NOW - 30 * DAY
    fetch(store, server.url, "debian")

    with store.open() as database:
        assert {item.age_s for item in database.feeds(NOW)} == {28 * DAY}


def test_a_row_with_a_version_that_is_none_makes_the_answer_incomplete(store: Store, server: FeedServer) -> None:
    tracker = json.loads(server.documents[TRACKER])
    tracker["openssl"]["CVE-2025-0001"]["releases"]["bookworm"]["fixed_version"] = "not a version"
    server.documents[TRACKER] = as_bytes(tracker)
    fetch(store, server.url, "debian")
    openssl = package("deb", "openssl", "3.0.20-1", source_name="openssl", source_version="3.0.20-1")
    oldlib = package("deb", "oldlib", "1.0", source_name="oldlib", source_version="1.0")

    assert any("not a version" in fault for fault in matches(store, image("debian", "12", openssl)).faults)
    assert matches(store, image("debian", "12", oldlib)).faults == ()


def test_nothing_fetched_leaves_nothing(store: Store, server: FeedServer) -> None:
    server.documents.clear()

    assert {item.state for item in fetch(store, server.url).values()} == {"failed"}
    assert store.current() is None
