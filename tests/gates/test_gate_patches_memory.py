"""Since when an update is out, as the advisories file remembers it when the indexes themselves are gone."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.components import Duration
from goldsmith.events import ignore
from goldsmith.gates.advisories.feeds import Fetcher
from goldsmith.gates.advisories.noticed import Noticed, Remembered, seen_since
from goldsmith.gates.advisories.schema import Seen
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.updating import update
from goldsmith.gates.contract import Result, Subject
from goldsmith.gates.judge import run_gate
from goldsmith.gates.patches import Patches, PatchesConfig
from goldsmith.gates.patches.noticing import noticed_indexes
from goldsmith.machines.cancellation import Cancellation
from tests.gates.advisory_workbench import Host
from tests.gates.repository_workbench import HOST, ApkRepository, Image, apk_image, make_rsa
from tests.gates.test_gate_patches import DAY, FIXED, NOW, UNFIXED, Place
from tests.sources.archive_workbench import Keys, make_keys


@pytest.fixture(scope="module")
def archive_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    keys = make_keys(tmp_path_factory.mktemp("k"))
    yield keys
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


def index(date_s: int, offers: Iterable[str], source: str = "main") -> Noticed:
    pairs = [("curl", version) for version in offers]
    return Noticed(source=source, digest=f"sha256:{date_s}", date_s=date_s, read=lambda: pairs)


def remembered(rows: Iterable[Seen], source: str = "main") -> Remembered:
    own = [row for row in rows if row.source == source]
    return Remembered(
        last_s=max((row.first_seen_s for row in own if not row.package), default=0),
        first_seen={(row.package, row.version): row.first_seen_s for row in own if row.package},
    )


def nothing(source: str) -> Remembered:
    return Remembered(first_seen={})


def not_yet(known: Remembered, *newer: str) -> int | None:
    return known.not_yet_s("curl", newer, lambda version: version > "1")


def test_what_the_first_index_has_is_of_no_known_age() -> None:
    known = remembered(seen_since(nothing, [index(100, ["1", "2"])]))

    assert (known.last_s, not_yet(known, "2")) == (100, None)


def test_what_a_later_index_is_the_first_to_have_was_not_offered_on_the_day_of_the_one_before() -> None:
    known = remembered(seen_since(nothing, [index(300, ["1", "2", "3"]), index(100, ["1"]), index(200, ["1", "2"])]))

    assert not_yet(known, "3") == 100  # 2 was newer than what is installed, too
    assert known.not_yet_s("curl", ["3"], lambda version: version > "2") == 200
    assert not_yet(known) == 100


def test_what_no_index_had_when_it_was_looked_at_is_younger_than_the_last_look() -> None:
    known = remembered(seen_since(nothing, [index(100, ["1"]), index(200, ["1"])]))

    assert not_yet(known, "2") == 200
    assert not_yet(remembered([]), "2") is None


def test_an_index_that_is_older_empty_or_unreadable_tells_nothing() -> None:
    def unreadable() -> Iterable[tuple[str, str]]:
        raise ValueError

    broken = Noticed(source="main", digest="sha256:b", date_s=150, read=unreadable)
    before = remembered(seen_since(nothing, [index(100, ["1"])]))
    rows = list(seen_since(lambda _: before, [index(50, ["1", "2"]), index(120, []), broken, index(200, ["1", "2"])]))

    assert [(row.version, row.first_seen_s) for row in rows] == [("2", 100), ("sha256:200", 200)]


def test_indexes_of_other_archives_are_apart() -> None:
    rows = list(seen_since(nothing, [index(100, ["1"]), index(200, ["1", "2"], "other")]))

    assert not_yet(remembered(rows), "2") == 100
    assert not_yet(remembered(rows, "other"), "2") is None


@given(
    contents=st.lists(st.frozensets(st.sampled_from("123456"), min_size=1), min_size=1, max_size=8),
    looks=st.lists(st.integers(0, 7), min_size=1, max_size=8),
)
def test_nothing_ever_looks_younger_than_it_is(contents: list[frozenset[str]], looks: list[int]) -> None:
    """At the time that is told, the index of that time did not have it, whatever indexes were looked at and in which runs."""
    indexes = [index(100 * (number + 1), content) for number, content in enumerate(contents)]
    rows: list[Seen] = []
    for look in looks:
        seen = indexes[: look % len(indexes) + 1]
        known = remembered(rows)
        rows += list(seen_since(lambda _, known=known: known, seen[-1:]))  # type: ignore[misc]  # the default binds it
    known = remembered(rows)
    for installed in "012345":
        newer = [version for version in contents[-1] if version > installed]
        moment = known.not_yet_s("curl", newer, lambda version, installed=installed: version > installed)  # type: ignore[misc]  # likewise
        if moment is not None:
            assert all(version <= installed for version in contents[moment // 100 - 1])


# ── through the advisories file ─────────────────────────────────────────────────────────────────────────────────────────


def look(cache: Path, now_s: int = NOW) -> None:
    """`goldsmith advisories update`, when no feed has anything new."""
    store = Store(cache / "advisories")
    fetcher = Fetcher(store.downloads)
    update(store, (), fetcher, now_s, lambda _: None, noticed_indexes(cache))
    fetcher.close()


def keep(cache: Path, lists: Path) -> None:
    """As the source does after apt has verified them."""
    shutil.copytree(lists, cache / "packages/indexes" / lists.name)


def judged(place: Place, cache: Path, lists: Path, days: float) -> Result:
    subject = Subject(
        image="web",
        disk_digest="sha256:aa",
        tree=place.tree(),
        disk=None,
        lists=lists,
        keyring=place.keys.public,
        cache=cache,
        now_s=NOW,
    )
    return run_gate(Patches(), PatchesConfig(within=Duration(days * DAY)), subject, ignore, Cancellation())


@pytest.fixture
def place(tmp_path: Path, archive_keys: Keys) -> Place:
    return Place(tmp_path, archive_keys)


def test_the_age_of_an_update_runs_from_the_first_index_that_offered_it(place: Place) -> None:
    cache = place.root / "cache"
    Host(cache).advise()
    for name, suites, days in (("a", UNFIXED, 10), ("b", FIXED, 3)):
        keep(cache, place.lists(name, suites, NOW - days * DAY))
        look(cache)
    shutil.rmtree(cache / "packages")
    now = place.lists("now", FIXED)

    late = judged(place, cache, now, 7)
    assert (late.verdict, late.failing) == ("fail", ("curl 7.88-1+deb12u1",))
    assert "not yet offered on" in late.reasons[0]
    early = judged(place, cache, now, 14)
    assert early.verdict == "warn", early.reasons
    source = "archive.test_debian_dists_bookworm-security amd64"
    assert any(item.name == f"what was noticed of the index {source}" for item in early.facts.data)


def test_an_update_that_is_newer_than_the_last_look_is_younger_than_that(place: Place) -> None:
    cache = place.root / "cache"
    Host(cache).advise()
    keep(cache, place.lists("a", UNFIXED, NOW - 2 * DAY))
    look(cache)
    shutil.rmtree(cache / "packages")

    assert judged(place, cache, place.lists("now", FIXED), 7).verdict == "warn"


def test_what_was_offered_when_this_host_looked_first_is_of_no_known_age(place: Place) -> None:
    cache = place.root / "cache"
    Host(cache).advise()
    keep(cache, place.lists("a", FIXED, NOW - 2 * DAY))
    look(cache)

    assert judged(place, cache, place.lists("now", FIXED), 7).verdict == "fail"


def test_another_host_learns_it_with_the_advisories(place: Place) -> None:
    cache, there = place.root / "cache", place.root / "there"
    Host(cache).advise()
    keep(cache, place.lists("a", UNFIXED, NOW - 2 * DAY))
    look(cache)
    file = Store(cache / "advisories").give(place.root / "usb")
    Store(there / "advisories").take(file, place.root / "usb/advisories.pub")

    assert judged(place, there, place.lists("now", FIXED), 7).verdict == "warn"


def test_indexes_of_apk_are_remembered_under_the_key_that_vouched_for_them(tmp_path: Path) -> None:
    packages: Mapping[str, str] = {"musl": "1.2.5-r9", "libcrypto3": "3.5.1-r0"}
    key, other = make_rsa(tmp_path / "a/devel-1.rsa"), make_rsa(tmp_path / "b/devel-1.rsa")
    image = apk_image(Image(tmp_path), packages, key)
    own = "own/packages"  # not Alpine's, so that the host's advisories say nothing of it
    image.write("etc/apk/repositories", f"https://{HOST}/{own}\n")
    Host(image.cache).advise()
    repository = ApkRepository(image.mirror / HOST / own, key)
    repository.publish(packages, built_s=time.time() - 10 * DAY)
    within = partial(PatchesConfig, mirror="mirror")
    assert image.judge().verdict == "pass"
    look(image.cache, int(time.time()))
    shutil.rmtree(image.cache / "repositories")
    newer = {**packages, "libcrypto3": "3.5.2-r0"}

    repository.publish(newer)
    assert image.judge(within(within=Duration(14 * DAY))).verdict == "warn"
    assert image.judge(within(within=Duration(7 * DAY))).verdict == "fail"

    image.write(f"etc/apk/keys/{key.name}.pub", Path(f"{other}.pub").read_bytes())
    shutil.rmtree(image.cache / "repositories")
    repository.publish(newer, key=other)
    assert image.judge(within(within=Duration(14 * DAY))).verdict == "fail"
