"""A small fleet whose use changes, and inventories of it that go wrong in every known way: does anything go that is in use?

What is really in use is known here, so that each decision can be judged; what the registry is told may be wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, Refused
from goldsmith.registry import CopyPlace, Outlook, Place, Reading, Reference, RetentionPolicy
from tests.registry.registry_oracle import judge
from tests.registry.registry_workbench import ACTOR, SECOND, Bench

PLACES = tuple(Place("fleet", "aws", account, region) for account in ("1", "2") for region in ("east", "west"))
CMDB = Place("cmdb")
RULES = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=86_400, disabled_s=0, bytes_wait_s=0)
FLEET = 36
OTHERS = 20
"""Uses of images that are not ours, in each place."""

Spoil = Callable[["World", Reading], Reading]


def _without(world: World, reading: Reading, left: float) -> Reading:
    kept = int(len(reading.references) * left)
    return replace(reading, references=tuple(world.chance.sample(reading.references, kept)))


def _trouble(what: str) -> Spoil:
    return lambda world, reading: replace(
        _without(world, reading, world.chance.random()), trouble=(Diagnostic(code="aws.refused", what=what),)
    )


def _at_another_time(seconds: int) -> Spoil:
    return lambda world, reading: replace(
        reading, started=reading.started + seconds * SECOND, finished=reading.finished + seconds * SECOND
    )


def _shrunk(world: World, reading: Reading) -> Reading:
    """Less than 70 % of what was seen last time."""
    last = world.last.get(reading.place, reading).size
    kept = int(min(last * 0.69, len(reading.references) * 0.69) * world.chance.random())
    return replace(reading, references=reading.references[:kept])


def _old_copy(world: World, reading: Reading) -> Reading:
    """What was said last time; within the hour that is allowed it would be no fault to say it again."""
    last = world.last.get(reading.place, reading)
    return last if reading.finished - last.finished > 3600 * SECOND else replace(reading, references=())


LOUD: Mapping[str, Spoil] = {
    "empty": lambda world, reading: replace(reading, references=()),
    "partial": _trouble("a host did not answer"),
    "403": _trouble("UnauthorizedOperation"),
    "page cut": _trouble("a page was lost"),
    "region down": _trouble("Could not connect"),
    "shrunk": lambda world, reading: _shrunk(world, reading),
    "old clock": _at_another_time(-2 * 3600),
    "clock ahead": _at_another_time(600),
    "account gone": lambda world, reading: reading,  # it is left out
    "an old copy": lambda world, reading: _old_copy(world, reading),
}
"""Faults that must stop the run."""


@dataclass
class Told:
    """What came of it."""

    runs: int = 0
    stopped: int = 0
    decisions: int = 0
    deleted: int = 0
    wrong: int = 0
    faults: list[str] = field(default_factory=list)

    def blame(self, why: str, versions: object = 1) -> None:
        self.wrong += 1
        self.faults.append(f"run {self.runs}: {why} {versions}")


class World:
    """The fleet as it is."""

    def __init__(self, root: Path, seed: int) -> None:
        root.mkdir(parents=True)
        self.chance: random.Random = random.Random(seed)
        self.bench = Bench(root)
        self.copies: dict[str, CopyPlace] = {}
        """The copy of each version, by its digest."""
        self.used: set[str] = set()
        """Digests of versions that run somewhere, whatever anybody is told."""
        self.last: dict[Place, Reading] = {}
        """The reading of each place that was accepted last."""
        self.missed_before = False
        """Whether the last look that was believed missed something without a sign."""
        self.cloud = _Gone()
        self.built = 0

    def turn(self) -> None:
        """Time goes by, machines come and go."""
        self.bench.turn(self.chance.choice((600, 7200, 40_000, 90_000, 200_000)))
        states = self.states()
        for version in list(self.copies):
            if states[version] in ("deleting", "deleted"):
                del self.copies[version]
                self.used.discard(version)
        while len(self.copies) < FLEET:
            self._build()
        for version in self.chance.sample(sorted(self.copies), 4):
            self.used ^= {version}

    def _build(self) -> None:
        self.built += 1
        version = self.bench.build(f"image{self.built % 3}", self.built)
        place = self.chance.choice(PLACES)
        copy = CopyPlace(
            platform="aws", account=place.account, region=place.region, external_id=f"ami-{self.built:08}", kind="ami"
        )
        self.bench.registry.add_copy(version.digest, copy, actor=ACTOR)
        self.copies[version.digest] = copy

    def states(self) -> dict[str, str]:
        with self.bench.registry.database.read() as reader:
            rows = reader.rows("SELECT v.digest, s.state FROM version v JOIN storage s ON s.version = v.id")
        return {row.text("digest"): row.text("state") for row in rows}

    def readings(self) -> list[Reading]:
        """What an honest look at every place finds."""
        now = self.bench.now
        others = tuple(Reference(external_id="ami-ffffffff", kind="instance", place=f"i-{n}") for n in range(OTHERS))
        found: dict[Place, list[Reference]] = {place: list(others) for place in (*PLACES, CMDB)}
        for version in sorted(self.used):
            copy = self.copies[version]
            place = Place("fleet", *copy.key)
            # Half of the machines are known by their AMI, the others to another tool by the version's digest.
            by_ami = int(version[-1], 16) % 2 == 0
            id, where = (copy.external_id, place) if by_ami else (version, CMDB)
            found[where].append(Reference(external_id=id, kind="instance", place=version[:14]))
        return [Reading(place=place, started=now, finished=now, references=tuple(items)) for place, items in found.items()]


class _Gone:
    """A cloud that does everything at once."""

    def disable(self, image: str) -> tuple[str, ...] | None:
        return ()

    def deregister(self, image: str) -> None:
        """Nothing is left to do."""

    def delete_snapshot(self, snapshot: str) -> None:
        """Nothing is left to do."""


def decide_under_faults(root: Path, decisions: int, seed: int = 0, *, patient: bool = True) -> Told:
    """Run retention until so many decisions were taken, half of the time with a fault; each is judged by what is true.

    Without patience it ends at the first that is wrong.
    """
    world, told = World(root, seed), Told()
    while told.decisions < decisions and (patient or not told.wrong):
        world.turn()
        _run(world, told)
    world.bench.registry.close()
    told.faults += judge(root / "registry.db", root / "store")
    return told


def _run(world: World, told: Told) -> None:
    told.runs += 1
    told.decisions += FLEET
    honest = world.readings()
    # Before a place was looked at once, nobody can miss it.
    fault = "" if told.runs == 1 else world.chance.choice((*[""] * len(LOUD), *LOUD, "a silent miss"))
    before, given = world.states(), list(_spoiled(world, honest, fault))
    outlook = Outlook(readings=given, clouds={place_key(place): world.cloud for place in PLACES})
    try:
        world.bench.registry.expire(RULES, outlook=outlook, actor=ACTOR)
    except Refused as refused:
        told.stopped += 1
        if fault not in LOUD:
            told.blame(f"was stopped without a fault ({fault}): {refused}")
    else:
        if fault in LOUD and given != honest:
            told.blame(f"went on with the fault {fault}")
        world.missed_before = fault == "a silent miss"
    # What was seen rightly is kept also when the run is stopped.
    world.last |= {reading.place: reading for reading in given if reading in honest or fault == "a silent miss"}
    _judge(world, told, fault, before, {reading.place for reading in given})


def _spoiled(world: World, honest: list[Reading], fault: str) -> Iterator[Reading]:
    victim = world.chance.randrange(len(honest))
    for number, reading in enumerate(honest):
        if number != victim or not fault:
            yield reading
        elif fault == "a silent miss":
            # Nothing can see it; it must not happen twice in a row, which is what the second look is for.
            yield reading if world.missed_before else _without(world, reading, 0.95)
        elif fault != "account gone":
            yield LOUD[fault](world, reading)


def place_key(place: Place) -> tuple[str, str, str]:
    return place.platform, place.account, place.region


def _judge(world: World, told: Told, fault: str, before: Mapping[str, str], seen: set[Place]) -> None:
    after = world.states()
    gone = {version for version in after if after[version] in ("deleting", "deleted") and before[version] == "expiring"}
    marked = {version for version in after if after[version] == "expiring" and before[version] == "present"}
    told.deleted += len(gone)
    if used := gone & world.used:
        told.blame("has deleted what is in use", sorted(used))
    if fault in LOUD and gone | marked:
        told.blame(f"has marked or deleted in spite of the fault {fault}", sorted(gone | marked))
    unseen = {version for version in gone | marked if Place("fleet", *world.copies[version].key) not in seen}
    if unseen:
        told.blame("has marked or deleted what nobody looked for", sorted(unseen))
