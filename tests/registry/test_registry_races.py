"""Several processes at once, some of them killed: whatever happens, no illegal move and nothing lost."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import Refused
from goldsmith.registry import Registry, RetentionPolicy, open_registry
from goldsmith.registry.engines import host_clock
from tests.registry.registry_mutants import DYING, RACING
from tests.registry.registry_postgresql import Server
from tests.registry.registry_races import Site, add, dying_at, fork, found, prove, race, race_and_kill
from tests.registry.registry_workbench import ACTOR

ALL = bool(os.environ.get("GOLDSMITH_ALL_FAULTS"))
"""Whether every wrong registry is tried on a server too; else those that a server may treat otherwise than a file."""
OTHERWISE_ON_A_SERVER = ("no writer's lock", "the last hash selected", "facts read before the writer's lock")
EXPECTED = {
    "promotion.committed",
    "promotion.refused",
    "rollback.committed",
    "revocation.declared",
    "retention.marked",
    "retention.deleted",
    "version.stored",
}
"""Events without which a race has shown little."""


@pytest.fixture
def place() -> Iterator[Path]:
    """Where registries are: in memory if that can be had, since a killed process loses nothing that the system holds."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="goldsmith-", dir=memory if os.access(memory, os.W_OK) else None) as directory:
        yield Path(directory)


@pytest.fixture
def site(place: Path) -> Site:
    return found(Site(place / "site"))


@pytest.fixture
def shared_site(place: Path, postgresql: Server) -> Iterator[Site]:
    """As `site`, on PostgreSQL."""
    (place / "shared").mkdir()
    made = Site(place / "shared", postgresql, postgresql.registry())
    yield found(made)
    postgresql.drop(made.database)


def test_racing_processes_never_break_a_rule(site: Site) -> None:

    _race_until_it_has_shown_much(site)


def _race_until_it_has_shown_much(site: Site) -> None:
    """How far a race comes in its time is for the machine to say: one under load races again."""
    for seed in range(0, 40, 4):
        codes = race(site, processes=4, seconds=3, seed=seed)
        assert (codes, site.faults()) == ([0, 0, 0, 0], [])
        if {kind for kind, _ in site.events()} >= EXPECTED:
            return
    pytest.fail(f"the race has shown nothing of {EXPECTED - {kind for kind, _ in site.events()}}")


def test_killed_processes_leave_a_sound_registry_that_goes_on(site: Site) -> None:

    race_and_kill(site, seconds=2, seed=7)
    assert site.faults() == []

    before = len(site.events())
    assert race(site, processes=1, seconds=0.4) == [0]
    assert site.faults() == []
    assert len(site.events()) > before > 20


def test_processes_that_race_on_a_server_and_die_never_break_a_rule(shared_site: Site) -> None:

    before = len(shared_site.events())

    codes = race(shared_site, processes=4, seconds=2)
    race_and_kill(shared_site, seconds=1, seed=7)

    assert (codes, shared_site.faults()) == ([0, 0, 0, 0], [])
    # The long race demands every kind of event.
    assert len(shared_site.events()) > before


@pytest.mark.slow  # half a minute on both databases at once; ten minutes: python -m benchmarks.registry --race 600
def test_a_long_race_with_kills_never_breaks_a_rule(site: Site, shared_site: Site) -> None:
    sites = (site, shared_site)

    races = [fork(partial(race_and_kill, each, 30, seed)) for seed, each in zip((100, 200), sites, strict=True)]

    assert [os.waitpid(each, 0)[1] for each in races] == [0, 0]
    for each in sites:
        assert each.faults() == []
        _race_until_it_has_shown_much(each)


def test_many_processes_that_open_a_new_registry_make_one(place: Path) -> None:
    site = Site(place)

    children = [fork(partial(_open_and_add, site, number)) for number in range(5)]

    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5
    assert site.faults() == []
    with site.open() as registry:
        assert sorted(item.number for item in registry.versions("base")) == [1, 2, 3, 4, 5]


def _open_and_add(site: Site, number: int) -> None:
    with site.open() as registry:
        add(registry, site, "base", number)


def test_of_many_promotions_from_one_generation_one_wins(site: Site) -> None:

    children = [fork(partial(_promote_from_nothing, site, 1 + number % 3)) for number in range(8)]
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

    committed = [data for kind, data in site.events() if kind == "promotion.committed"]
    assert [data["generation"] for data in committed] == [1]
    with site.open() as registry:
        winner = registry.resolve("web@dev").number
    # Who asked for the version that is there by now changes nothing, and is told so; the others are refused.
    assert ended == [0 if 1 + number % 3 == winner else 1 for number in range(8)]


def _promote_from_nothing(site: Site, number: int) -> None:
    with site.open() as registry:
        registry.promote("web", "dev", f"web:{number}", if_generation=0, actor=ACTOR)


KEEP_ONE = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, bytes_wait_s=0)
ACTS: dict[str, Callable[[Site, Registry], object]] = {
    "register": lambda site, registry: add(registry, site, "web", 9, registry.resolve("base:3"), shared=False),
    "promote": lambda site, registry: registry.promote("web", "dev", "web:3", actor=ACTOR),
    "rollback": lambda site, registry: registry.rollback("web", "prod", actor=ACTOR),
    "expire": lambda site, registry: registry.expire(
        RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, bytes_wait_s=0), actor=ACTOR
    ),
    "revoke": lambda site, registry: registry.revoke("base:2", "bad", actor=ACTOR),
}

DONE = {
    "register": ("version.registered", 9),
    "promote": ("promotion.committed", 5),
    "rollback": ("rollback.committed", 1),
    "expire": ("retention.deleted", 2),
    "revoke": ("revocation.declared", 1),
}
"""What the log tells after each act, and how often."""


@pytest.fixture
def ready(site: Site) -> Site:
    return _with_work(site)


def _with_work(site: Site) -> Site:
    """A registry in which each of `ACTS` has something to do: prod went from web:1 to web:2, nothing keeps 3 and 4."""
    with site.open() as registry:
        for number in (4, 5):
            add(registry, site, "web", number, registry.resolve("base:3"), shared=False)
        for number in (1, 2):
            for channel in ("dev", "prod"):
                registry.promote("web", channel, f"web:{number}", actor=ACTOR)
    return site


def crashes(ready: Site, place: Path, name: str, stride: int = 1) -> Iterator[tuple[Site, bool]]:
    """The registry after a death before each step of an act in turn, and at last after the whole act."""
    for number in count(1, stride):
        site = ready.copy(place / f"{number}")
        _, status = os.waitpid(fork(dying_at(site, number, partial(ACTS[name], site))), 0)
        yield site, os.WIFSIGNALED(status)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            return


@pytest.mark.parametrize("name", ACTS)
def test_a_death_before_any_step_leaves_all_or_nothing(place: Path, ready: Site, name: str) -> None:
    _die_before_each_step(place, ready, name)


@pytest.mark.parametrize(("name", "stride"), [(name, 1) for name in ACTS] if ALL else [("promote", 3), ("revoke", 7)])
def test_a_death_before_a_step_on_a_server_leaves_all_or_nothing(
    place: Path, shared_site: Site, name: str, stride: int
) -> None:
    _die_before_each_step(place, _with_work(shared_site), name, stride)


def _die_before_each_step(place: Path, ready: Site, name: str, stride: int = 1) -> None:
    steps = 0
    for site, died in crashes(ready, place, name, stride):
        steps += 1
        assert site.faults() == [], f"after a death before step {steps}"
        if died:
            _finish(site, name)
            assert site.faults() == [], f"after going on from a death before step {steps}"
    assert steps * stride > 5


def _finish(site: Site, name: str) -> None:
    """Do it again, as a person would; what had been done already may be refused."""
    with site.open() as registry:
        try:
            ACTS[name](site, registry)
        except Refused:
            assert name == "rollback", "one that was done before leaves nowhere to go back to"
    wanted, times = DONE[name]
    assert [kind for kind, _ in site.events()].count(wanted) == times, "done once, not twice"


def test_the_clock_is_read_when_the_writers_lock_is_held(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    held: list[bool] = []

    def clock() -> int:
        with closing(sqlite3.connect(path, timeout=0)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
                held.append(False)
            except sqlite3.OperationalError:
                held.append(True)
        return host_clock()

    with open_registry(f"sqlite:///{path}", tmp_path / "store", clock=clock) as registry:
        base = add(registry, Site(tmp_path), "base", 1)
        held.clear()
        registry.revoke(base.ref, "bad", actor=ACTOR)

    assert held == [True]


# ── the oracle catches a registry that is wrong ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mutant", RACING)
def test_a_registry_that_is_wrong_in_one_way_is_caught_by_a_race(
    site: Site, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    _caught_by_a_race(site, monkeypatch, mutant)


@pytest.mark.parametrize("mutant", RACING if ALL else OTHERWISE_ON_A_SERVER)
def test_a_registry_on_a_server_that_is_wrong_in_one_way_is_caught_by_a_race(
    shared_site: Site, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    _caught_by_a_race(shared_site, monkeypatch, mutant)


def _caught_by_a_race(site: Site, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    mutate, only = RACING[mutant]
    mutate(monkeypatch)

    for seed in range(0, 60, 2):
        # A machine under load comes to little in a short race: each one is longer than the last.
        race(site, processes=2, seconds=0.3 + seed / 20, seed=seed, only=only)
        if site.faults():
            return

    pytest.fail(f"nothing was wrong in the eyes of the oracle: {mutant}")


def test_the_races_that_catch_wrong_registries_find_nothing_in_the_right_one(site: Site) -> None:
    for only in {tuple(only) for _, only in RACING.values()}:
        race(site, processes=2, seconds=0.3, only=only)

    assert site.faults() == []


@pytest.mark.parametrize("mutant", DYING)
def test_a_registry_that_is_wrong_at_one_step_is_caught_by_a_death_there(
    place: Path, ready: Site, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    _caught_by_a_death(place, ready, monkeypatch, mutant)


if ALL:  # each takes a minute

    @pytest.mark.parametrize("mutant", DYING)
    def test_a_registry_on_a_server_that_is_wrong_at_one_step_is_caught_by_a_death_there(
        place: Path, shared_site: Site, monkeypatch: pytest.MonkeyPatch, mutant: str
    ) -> None:
        _caught_by_a_death(place, _with_work(shared_site), monkeypatch, mutant)


def _caught_by_a_death(place: Path, ready: Site, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    mutate, name = DYING[mutant]
    mutate(monkeypatch)

    assert any(site.faults() for site, _ in crashes(ready, place, name))


def test_the_oracle_sees_a_channel_that_was_moved_without_an_event(site: Site) -> None:
    with closing(site.connect()) as connection:
        connection.execute("UPDATE channel SET version = 1, generation = 1 WHERE name = 'dev'")
        connection.commit()

    assert any("I2" in fault for fault in site.faults())


def test_the_oracle_sees_an_answer_that_is_not_in_the_log(site: Site) -> None:
    site.tell(image="web", channel="dev", generation=1, version="sha256:" + "0" * 64, demanded=None)

    assert any("I12" in fault for fault in site.faults())


def test_evidence_that_ends_while_a_promotion_waits_does_not_count(site: Site) -> None:
    """The writer's lock may be waited for: what counts is the time after it."""
    with site.open() as registry:
        registry.promote("web", "dev", "web:1", actor=ACTOR)
        prove(registry, registry.resolve("web:1"), "pass", lasts_us=500_000)
    other = fork(partial(_hold_the_lock, site, 0.8))
    while not (site.root / "held").exists():
        time.sleep(0.01)

    with site.open() as registry, pytest.raises(Refused, match="expired"):
        registry.promote("web", "prod", "web:1", actor=ACTOR)

    os.waitpid(other, 0)


def _hold_the_lock(site: Site, seconds: float) -> None:
    with closing(site.connect()) as connection:
        connection.execute("BEGIN IMMEDIATE")
        (site.root / "held").touch()
        time.sleep(seconds)
