"""The patches gate on signed indexes: what is behind, since when that is known, and what must never pass."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.components import Duration, Period
from goldsmith.events import ignore
from goldsmith.gates.changelogs import entries
from goldsmith.gates.contract import Result, Subject
from goldsmith.gates.inventory.archive_index import Offer, read_suites
from goldsmith.gates.judge import run_gate
from goldsmith.gates.patches import Patches, PatchesConfig
from goldsmith.gates.waivers import Ignore
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.indexes import STAMP
from tests.sources.archive_workbench import Keys, make_keys

NOW = 1_800_000_000
DAY = 86_400
WEEK = PatchesConfig(within=Duration(7 * DAY))
Suites: TypeAlias = dict[str, dict[str, str]]

MAIN = {"bash": "5.2-1", "curl": "7.88-1", "nginx": "1.22-9"}
FIXED = {"bookworm": MAIN, "bookworm-security": {"curl": "7.88-1+deb12u1"}}
UNFIXED: Suites = {"bookworm": MAIN, "bookworm-security": {"nginx": "1.22-9"}}


@pytest.fixture(scope="module")
def two_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, Keys]]:
    made = make_keys(tmp_path_factory.mktemp("k")), make_keys(tmp_path_factory.mktemp("o"))
    yield made
    for keys in made:
        subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


@dataclass
class Place:
    """A tree with three packages, and signed lists of several days."""

    root: Path
    keys: Keys

    def tree(self) -> Path:
        tree = self.root / "tree"
        (tree / "etc").mkdir(parents=True, exist_ok=True)
        (tree / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
        (tree / "var/lib/dpkg").mkdir(parents=True, exist_ok=True)
        (tree / "var/lib/dpkg/status").write_text(
            "\n".join(
                f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
                for name, version in MAIN.items()
            )
        )
        return tree

    def lists(self, name: str, suites: Suites, date: int = NOW, keys: Keys | None = None, sha256: str = "") -> Path:
        directory = self.root / name
        directory.mkdir()
        for suite, packages in suites.items():
            prefix = f"archive.test_debian_dists_{suite}_"
            content = "\n".join(
                f"Package: {package}\nVersion: {version}\nArchitecture: amd64\nSize: 1\n"
                + (f"SHA256: {sha256}\n" if sha256 else "")
                for package, version in packages.items()
            ).encode()
            (directory / f"{prefix}main_binary-amd64_Packages").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            release = (
                f"Suite: {suite}\nCodename: {suite}\nLabel: {'Debian-Security' if 'security' in suite else 'Debian'}\n"
                f"Date: {formatdate(date, usegmt=True)}\nSHA256:\n {digest} {len(content)} main/binary-amd64/Packages\n"
            )
            (directory / f"{prefix}InRelease").write_text((keys or self.keys).clearsign(release))
        (directory / STAMP).write_text(json.dumps({"at": NOW - 60}))
        return directory

    def judge(self, lists: Path, *earlier: Path, config: PatchesConfig = WEEK) -> Result:
        subject = Subject(
            image="web",
            disk_digest="sha256:aa",
            tree=self.tree(),
            disk=None,
            lists=lists,
            earlier_lists=earlier,
            keyring=self.keys.public,
            now_s=NOW,
        )
        return run_gate(Patches(), config, subject, ignore, Cancellation())


@pytest.fixture
def place(tmp_path: Path, two_keys: tuple[Keys, Keys]) -> Place:
    return Place(tmp_path, two_keys[0])


def test_an_image_with_the_newest_packages_passes(place: Place) -> None:
    assert place.judge(place.lists("now", UNFIXED)).verdict == "pass"


def test_without_a_grace_period_a_pending_security_update_fails(place: Place) -> None:
    before = place.lists("before", UNFIXED, NOW - DAY)

    result = place.judge(place.lists("now", FIXED), before, config=PatchesConfig())

    assert (result.verdict, result.failing) == ("fail", ("curl 7.88-1+deb12u1",))


def test_an_update_that_an_index_of_this_week_did_not_offer_is_young_and_warns(place: Place) -> None:
    before = place.lists("before", UNFIXED, NOW - 3 * DAY)

    result = place.judge(place.lists("now", FIXED), before)

    assert result.verdict == "warn", result.reasons
    assert "not yet offered on" in result.reasons[0]
    assert [data.published for data in result.facts.data if "earlier" in data.name] == [NOW - 3 * DAY]


@pytest.mark.parametrize(
    "earlier",
    [
        lambda place, _: [],
        lambda place, _: [place.lists("old", UNFIXED, NOW - 8 * DAY)],
        lambda place, _: [place.lists("had-it", FIXED, NOW - 3 * DAY)],
        lambda place, _: [place.lists("from-the-future", UNFIXED, NOW + DAY)],
        lambda place, _: [place.lists("main-only", {"bookworm": MAIN}, NOW - DAY)],
        lambda place, _: [place.lists("empty", {**UNFIXED, "bookworm-security": {}}, NOW - DAY)],
        lambda place, _: [place.lists("another", {"trixie-security": {"nginx": "1"}}, NOW - DAY)],
        lambda place, other: [place.lists("forged", UNFIXED, NOW - DAY, other)],
        lambda place, _: [place.lists("earlier-fix", {"bookworm-security": {"curl": "7.88-1+deb12u0"}}, NOW - DAY)],
    ],
    ids=["none", "too old", "had it", "future", "no security suite", "empty", "another release", "forged", "an earlier fix"],
)
def test_what_is_not_known_to_be_young_fails(
    place: Place, two_keys: tuple[Keys, Keys], earlier: Callable[[Place, Keys], list[Path]]
) -> None:
    result = place.judge(place.lists("now", FIXED), *earlier(place, two_keys[1]))

    assert result.verdict == "fail", result.reasons
    assert result.failing == ("curl 7.88-1+deb12u1",)
    assert "no index on this host shows that it is younger than 168 h" in result.reasons[0]


def test_each_security_suite_must_have_an_earlier_index_of_its_own(place: Place) -> None:
    now = place.lists("now", {**FIXED, "bookworm-lts-security": {"curl": "7.88-1+deb12u2"}})
    before = place.lists("before", UNFIXED, NOW - DAY)

    assert place.judge(now, before).verdict == "fail"


@settings(max_examples=25)
@given(within=st.integers(1, 30), age=st.integers(0, 40), had_it=st.booleans())
def test_grace_needs_an_index_within_it_that_lacks_the_update(place: Place, within: int, age: int, had_it: bool) -> None:
    name = f"{within}-{age}-{had_it}"
    now = place.root / "now"
    if not now.exists():
        place.lists("now", FIXED)
    before = place.root / name
    if not before.exists():
        place.lists(name, FIXED if had_it else UNFIXED, NOW - age * DAY)

    result = place.judge(now, before, config=PatchesConfig(within=Duration(within * DAY)))

    assert result.verdict == ("warn" if age <= within and not had_it else "fail")


def test_an_unsigned_or_altered_index_is_an_error(place: Place, two_keys: tuple[Keys, Keys]) -> None:
    forged = place.judge(place.lists("forged", UNFIXED, keys=two_keys[1]))
    altered = place.lists("altered", UNFIXED)
    next(altered.glob("*_Packages")).write_text("Package: bash\nVersion: 1\nArchitecture: amd64\n")

    assert forged.verdict == place.judge(altered).verdict == "error"


def test_a_list_of_any_size_is_read_in_little_memory_and_nothing_of_it_is_lost(place: Place) -> None:
    filler = "words " * 400
    everything = {f"package-{number}": f"{number}.0\nDescription: {filler[: number % 2000]}" for number in range(20_000)}
    lists = place.lists("large", {"bookworm": everything})
    wanted = {f"package-{number}" for number in (0, 777, 10_000, 19_999)} | {"missing"}

    tracemalloc.start()
    (suite,) = read_suites(lists, place.keys.public, "amd64", wanted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert suite.listed == 20_000
    assert suite.offers == tuple(
        Offer(name=f"package-{number}", version=f"{number}.0", architecture="amd64", sha256="", size=1)
        for number in (0, 777, 10_000, 19_999)
    )
    assert next(lists.glob("*_Packages")).stat().st_size > 20_000_000
    assert peak < 4_000_000


def test_a_compressed_list_is_the_signed_one_or_an_error(place: Place) -> None:
    lists = place.lists("packed", UNFIXED)
    for plain in lists.glob("*_Packages"):
        subprocess.run(["gzip", str(plain)], check=True)
    packed = next(lists.glob("*bookworm_*_Packages.gz"))

    assert place.judge(lists).verdict == "pass"
    packed.write_bytes(packed.read_bytes()[:-10])
    assert place.judge(lists).verdict == "error"


def test_lists_that_nobody_knows_to_be_fresh_are_an_error(place: Place) -> None:
    lists = place.lists("now", UNFIXED)
    (lists / STAMP).unlink()
    assert place.judge(lists).verdict == "error"

    (lists / STAMP).write_text(json.dumps({"at": NOW - 49 * 3600}))
    assert place.judge(lists).verdict == "error"


def test_an_old_verdict_does_not_stand_for_ever_while_an_update_waits(place: Place) -> None:
    subject = Subject(image="web", disk_digest="", tree=place.tree(), disk=None, lists=place.lists("now", FIXED), now_s=NOW)
    later = replace(subject, now_s=NOW + DAY)

    assert Patches().data_digests(subject, WEEK) != Patches().data_digests(later, WEEK)
    assert Patches().data_digests(subject, PatchesConfig()) == Patches().data_digests(later, PatchesConfig())


@pytest.mark.parametrize(
    ("release", "database", "told"),
    [
        ('ID="almalinux"\nVERSION_ID="9.4"\n', "", "almalinux"),
        ("ID=alpine\nVERSION_ID=3.23.0\n", "P:musl\nV:1.2.5-r9\nA:x86_64\n\n", "alpine 3.23.0 names no repository"),
    ],
)
def test_the_lists_of_debian_say_nothing_of_an_image_of_another_family(
    place: Place, release: str, database: str, told: str
) -> None:
    lists, tree = place.lists("now", UNFIXED), place.tree()
    (tree / "etc/os-release").write_text(release)
    (tree / "lib/apk/db").mkdir(parents=True)
    (tree / "lib/apk/db/installed").write_text(database)
    subject = Subject(image="web", disk_digest="", tree=tree, disk=None, lists=lists, keyring=place.keys.public, now_s=NOW)

    result = run_gate(Patches(), PatchesConfig(), subject, ignore, Cancellation())

    assert result.verdict == "error"
    assert told in result.reasons[0]


def test_a_distribution_past_its_end_of_life_is_an_error_unless_somebody_answers_for_it(place: Place) -> None:
    after = 1_846_000_000  # July 2028
    lists, tree = place.lists("now", UNFIXED, date=after), place.tree()
    (lists / STAMP).write_text(json.dumps({"at": after - 60}))
    subject = Subject(image="web", disk_digest="", tree=tree, disk=None, lists=lists, keyring=place.keys.public, now_s=after)

    result = run_gate(Patches(), PatchesConfig(), subject, ignore, Cancellation())
    assert result.verdict == "error"
    assert "end of life, which was on 2028-06-30" in result.reasons[0]

    answered = Ignore(finding="end-of-life", reason="moved next month", owner="ops", until="2028-08-01")
    config = PatchesConfig(ignore=(answered,), max_ignore=Period(10_000 * DAY))
    result = run_gate(Patches(), config, subject, ignore, Cancellation())
    assert result.verdict == "warn"
    assert "ops answers for it until 2028-08-01" in result.reasons[0]


# ── what updates fix, by their changelogs ───────────────────────────────────────────────────────────────────────────────

CHANGELOG = """curl (7.88-1+deb12u2) bookworm-security; urgency=high

  * Fix CVE-2024-0002 and CVE-2024-0003.
  * Another change of (CVE-2024-0002).

 -- A Person <a@example.org>  {newest}

curl (7.88-1+deb12u1) bookworm-security; urgency=medium

  * CVE-2023-0001: a fault.

 -- A Person <a@example.org>  {first}

curl (7.88-1) unstable; urgency=medium

  * CVE-2022-9999 was fixed long ago.

 -- A Person <a@example.org>  Mon, 02 Jan 2023 10:00:00 +0000
"""


def deb(directory: Path, changelog: str, name: str = "changelog.Debian.gz") -> Path:
    place = directory / "deb/usr/share/doc/curl"
    place.mkdir(parents=True)
    (place / name).write_bytes(gzip.compress(changelog.encode()))
    (directory / "deb/DEBIAN").mkdir()
    (directory / "deb/DEBIAN/control").write_text(
        "Package: curl\nVersion: 7.88-1+deb12u2\nArchitecture: amd64\nMaintainer: a <a@b.c>\nDescription: x\n"
    )
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", directory / "deb", directory / "curl.deb"], check=True)
    return directory / "curl.deb"


def with_changelog(place: Place, days: float, config: PatchesConfig = WEEK, text: str = CHANGELOG) -> Result:
    """curl has an update whose first version is so many days old."""
    dates = {"newest": formatdate(NOW - DAY), "first": formatdate(NOW - int(days * DAY))}
    package = deb(place.root, text.format(**dates))
    subject = Subject(
        image="web",
        disk_digest="sha256:aa",
        tree=place.tree(),
        disk=None,
        lists=place.lists("now", {**FIXED, "bookworm-security": {"curl": "7.88-1+deb12u2"}}, sha256="ab" * 32),
        keyring=place.keys.public,
        offered=lambda _, digests: dict.fromkeys(digests, package),
        now_s=NOW,
    )
    return run_gate(Patches(), config, subject, ignore, Cancellation())


def test_an_update_tells_what_its_changelog_says_above_the_installed_version(place: Place) -> None:
    result = with_changelog(place, 20)

    (finding,) = result.facts.findings
    assert finding.aliases == ("CVE-2024-0002", "CVE-2024-0003", "CVE-2023-0001")
    assert "it fixes CVE-2024-0002, CVE-2024-0003, CVE-2023-0001" in finding.detail
    assert "of 2026-12-" in finding.detail
    assert result.verdict == "fail"


def test_the_first_version_above_the_installed_one_decides_how_old_an_update_is(place: Place) -> None:
    assert with_changelog(place, 5).verdict == "warn"


def test_without_a_grace_period_a_young_update_fails_too(place: Place) -> None:
    assert with_changelog(place, 2, PatchesConfig()).verdict == "fail"


@pytest.mark.parametrize("text", ["", "no changelog\n", "curl (7.88-1) x; y\n\n -- a  not a date\n"])
def test_a_changelog_that_says_nothing_makes_no_update_young(place: Place, text: str) -> None:
    result = with_changelog(place, 1, text=text)

    assert result.verdict == "fail"
    assert result.facts.findings[0].aliases == ()


def test_what_cannot_be_had_is_told(place: Place) -> None:
    lists = place.lists("now", FIXED)
    subject = Subject(
        image="web",
        disk_digest="sha256:aa",
        tree=place.tree(),
        disk=None,
        lists=lists,
        keyring=place.keys.public,
        offered=lambda _, digests: {},
        now_s=NOW,
    )

    result = run_gate(Patches(), WEEK, subject, ignore, Cancellation())

    assert result.verdict == "fail"
    assert "the changelogs of curl are not at hand: what these updates fix is not told" in result.facts.messages


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_no_text_ends_the_reading_of_changelogs(text: str) -> None:
    for entry in entries(f"{text}\ncurl (1-1) x; urgency=low\n{text}\n"):
        assert entry.version
