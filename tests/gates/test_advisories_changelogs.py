"""Real changelogs as an oracle: what a version's changelog fixes is not reported of it, and is of the version before."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldsmith.gates.advisories import match
from goldsmith.gates.advisories.feeds.debian import FEED
from goldsmith.gates.advisories.feeds.fetching import Fetcher
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.updating import update
from goldsmith.gates.advisories.versions import sort_key
from goldsmith.gates.inventory import Inventory, Package, read_inventory
from goldsmith.hcl.diagnostics import GoldsmithError
from tests.gates.feed_documents import NOW

DOCUMENTATION = Path("/usr/share/doc")
_HEAD = re.compile(r"^(\S+) \(([^)]+)\) [^;\n]+; urgency=", re.MULTILINE)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_RELEASES = {"11": "bullseye", "12": "bookworm", "13": "trixie"}


@dataclass(frozen=True)
class Fix:
    """The first entry of a source's changelog that names a vulnerability, and the version before it."""

    source: str
    cve: str
    version: str
    before: str


def fixes_of(package: Package) -> Iterator[Fix]:
    path = DOCUMENTATION / package.name / "changelog.Debian.gz"
    if not path.is_file() or path.parent.is_symlink():
        return
    text = gzip.decompress(path.read_bytes()).decode(errors="replace")
    heads = [head for head in _HEAD.finditer(text) if head[1] == package.source_name]
    ends = [head.start() for head in heads[1:]] + [len(text)]
    told: set[str] = set()
    for place in reversed(range(len(heads))):  # the oldest entry first
        named = set(_CVE.findall(text, heads[place].end(), ends[place])) - told
        told |= named
        # A rebuild for a release ("1.2-3~deb12u1") stands above the entry that it has the fix from, and is lower.
        version = min((head[2] for head in heads[: place + 1]), key=_key)
        if place + 1 < len(heads) and _key(heads[place + 1][2]) < _key(version):
            for cve in named:
                yield Fix(package.source_name, cve, version, heads[place + 1][2])


def _key(version: str) -> bytes:
    return sort_key("dpkg", version)


@pytest.fixture(scope="module")
def installed() -> Inventory:
    try:
        found = read_inventory([Path("/")])
    except GoldsmithError as error:
        pytest.skip(f"this host is no Debian whose changelogs could be read: {error}")
    if found.distribution.release not in _RELEASES:
        pytest.skip("this host is no release of Debian")
    return found


@pytest.fixture(scope="module")
def fixes(installed: Inventory) -> Mapping[tuple[str, str], Fix]:
    found = {(fix.source, fix.cve): fix for package in installed.packages for fix in fixes_of(package)}
    if not found:
        pytest.skip("no changelog of an installed package names a vulnerability")
    return found


@pytest.fixture(scope="module")
def store(installed: Inventory, fixes: Mapping[tuple[str, str], Fix], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The tracker's document as it would be if it knew exactly what the changelogs say."""
    release = _RELEASES[installed.distribution.release]
    tracker: dict[str, dict[str, object]] = {}
    for fix in fixes.values():
        state = {"status": "resolved", "fixed_version": fix.version, "urgency": "not yet assigned"}
        tracker.setdefault(fix.source, {})[fix.cve] = {"releases": {release: state}}
    directory = tmp_path_factory.mktemp("oracle")
    place = directory / "mirror/security-tracker.debian.org/tracker/data/json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(tracker))
    store = Store(directory / "advisories")
    (outcome,) = update(store, [FEED], Fetcher(store.downloads, str(directory / "mirror")), 2_000_000_000, lambda _: None)
    assert (outcome.state, outcome.records) == ("updated", len(fixes))
    return store


def test_what_the_installed_version_fixes_is_not_reported(installed: Inventory, store: Store) -> None:
    with store.open() as database:
        found = match(installed, database, now_s=NOW)

    assert [(item.package.name, item.id) for item in found.vulnerabilities] == []
    assert found.faults == ()
    assert found.evaluated == len([package for package in installed.packages if package.kind == "deb"])


def test_what_a_later_version_fixes_is_reported_of_the_one_before(
    installed: Inventory, fixes: Mapping[tuple[str, str], Fix], store: Store
) -> None:
    expected: dict[tuple[str, str], dict[str, str]] = {}
    for fix in fixes.values():
        expected.setdefault((fix.source, fix.before), {})[fix.cve] = fix.version
    with store.open() as database:
        for (source, before), fixed in expected.items():
            package = Package(kind="deb", name="x", version="0", source_name=source, source_version=before)
            inventory = Inventory(distribution=installed.distribution, packages=(package,))
            found = {item.id: item.fixed for item in match(inventory, database, now_s=NOW).vulnerabilities}
            assert fixed.items() <= found.items(), package
