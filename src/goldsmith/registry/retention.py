"""Which versions may be deleted, and what keeps the others: a plan that changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from goldsmith.registry import copies
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.certificates import Marking, markings
from goldsmith.registry.entities import StorageState
from goldsmith.registry.fitness import SECOND_US, spoken
from goldsmith.registry.holds import Holds, Line, find_holds
from goldsmith.registry.inventory.accepted import Inventory
from goldsmith.registry.keep_rules import RetentionPolicy
from goldsmith.registry.transaction import Reader
from goldsmith.registry.versions import image_id, storage_state

Step: TypeAlias = Literal["mark", "wait", "delete", "finish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """A version that nothing keeps."""

    id: int
    ref: str
    digest: str
    state: StorageState
    step: Step
    """What comes next: it is marked, waits for its grace, is deleted, or a deletion that was cut short is finished."""
    why: str
    size: int = 0
    """Bytes of disk that nothing else uses."""
    copies: tuple[str, ...] = ()
    """Its copies outside of the store, which go as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A version that stays, and everything that keeps it."""

    id: int
    ref: str
    digest: str
    state: StorageState
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpirePlan:
    """What retention would do now."""

    at: int
    """Microseconds since 1970."""
    going: tuple[Expiring, ...]
    """Children before their parents."""
    kept: tuple[Kept, ...]

    @property
    def freed(self) -> int:
        """Bytes of disk that deleting all of `going` frees."""
        return sum(item.size for item in self.going)


KEPT, LEAVING, GONE = 2, 1, 0
"""How alive a version and everything built on it is."""


@dataclass(frozen=True, slots=True)
class _Judge:
    """What a version is judged by."""

    policy: RetentionPolicy
    grace_s: int
    inventories: Sequence[Inventory]
    markings: Mapping[int, Marking]
    at: int


def grace_s(policy: RetentionPolicy, inventories: Sequence[Inventory]) -> int:
    """How long a marked version waits: twice what an inventory may be old, at least, so that the second look can see what the
    first could not."""
    return max([policy.grace_s, *(2 * item.limits.max_age_s for item in inventories)])


def make_plan(
    reader: Reader, policy: RetentionPolicy, image: str | None = None, inventories: Sequence[Inventory] = ()
) -> ExpirePlan:
    """Judge every version of the registry; `image` narrows what is told. Raises `UserError` for an unknown image.

    A version stays while a rule keeps it or none speaks of it, while it is in a channel or within a rollback window, pinned,
    asked for, in use, copied or shared to a place that no inventory sees, or has a descendant that stays.
    """
    if image is not None:
        image_id(reader, image)
    judge = _Judge(policy, grace_s(policy, inventories), inventories, markings(reader), reader.now)
    lines = _lines(reader)
    holds = find_holds(reader, lines, policy, inventories)
    alive: dict[int, tuple[int, str]] = {}
    going: list[Expiring] = []
    kept: list[Kept] = []
    for line in reversed(lines):
        level, child = alive.get(line.id, (GONE, ""))
        by = tuple(_kept_by(judge, line, holds, level, child))
        step = _step(judge, line, by, level)
        if step is None:
            kept.append(Kept(id=line.id, ref=line.ref, digest=line.digest, state=line.state, by=by))
        else:
            why = _why(judge, line, step, level, child)
            going.append(Expiring(id=line.id, ref=line.ref, digest=line.digest, state=line.state, step=step, why=why))
        own = KEPT if step is None else GONE if step in ("delete", "finish") else LEAVING
        if line.parent is not None:
            alive[line.parent] = max(alive.get(line.parent, (GONE, "")), (own, line.ref) if own >= level else (level, child))
    name = f"{image}:"
    return ExpirePlan(
        at=judge.at,
        going=tuple(item for item in going if image is None or item.ref.startswith(name)),
        kept=tuple(item for item in kept if image is None or item.ref.startswith(name)),
    )


def measured(reader: Reader, store: BlobStore, plan: ExpirePlan) -> ExpirePlan:
    """The plan with what goes along with each version: bytes, and copies elsewhere. Asks the store for each blob, so that no
    transaction that writes should wait for it."""
    sizes = _sizes(reader, store, [item.id for item in plan.going])
    elsewhere = copies.ids_by_version(reader) if plan.going else {}
    going = (replace(item, size=sizes.get(item.id, 0), copies=tuple(elsewhere.get(item.id, ()))) for item in plan.going)
    return replace(plan, going=tuple(going))


def _kept_by(judge: _Judge, line: Line, holds: Holds, level: int, child: str) -> Iterator[str]:
    yield from holds.get(line.id, ())
    if line.state == "expiring":
        # A place that was looked at for the marking and is not now may hold what is in use meanwhile.
        for place in sorted(judge.markings[line.id].places - {item.place for item in judge.inventories}):
            yield f"its marking rests on the inventory {place}, which was not read now"
    if level == KEPT:
        yield f"{child} is built on it"


def _step(judge: _Judge, line: Line, by: Sequence[str], level: int) -> Step | None:
    """What comes next for a version, or None when it stays."""
    if not judge.policy.enabled:
        return None
    if line.state == "deleting":
        return "finish"
    if by:
        return None
    since = line.since if line.state == "expiring" else judge.at
    if level == GONE and judge.at >= since + judge.grace_s * SECOND_US and not _older_inventories(judge, since):
        return "delete"
    return "wait" if line.state == "expiring" else "mark"


def _older_inventories(judge: _Judge, since: int) -> Sequence[Inventory]:
    """Those that cannot tell what happened after a marking."""
    return [item for item in judge.inventories if item.started < since]


def _why(judge: _Judge, line: Line, step: Step, level: int, child: str) -> str:
    left_s = judge.grace_s - (judge.at - line.since) // SECOND_US
    if step == "finish":
        return "its deletion was cut short"
    if step == "wait" and level == LEAVING:
        return f"it waits for {child}, which is built on it"
    if step == "wait" and left_s > 0:
        return f"it is deleted in {spoken(left_s)}"
    if step == "wait":
        return "it is deleted when its use was looked for again"
    age = spoken((judge.at - line.created_at) // SECOND_US)
    rule = judge.policy.rule(line.image)
    newest = max(rule.keep_last if rule else 0, 1)
    return f"{age} old, not among the newest {newest}, in no channel or rollback window, not pinned, not in use"


def _lines(reader: Reader) -> list[Line]:
    rows = reader.tuples(
        """SELECT v.id, i.name, v.number, v.digest, v.parent, v.created_at, s.state, s.since FROM version v
        JOIN image i ON i.id = v.image JOIN storage s ON s.version = v.id WHERE s.state <> 'deleted' ORDER BY v.id"""
    )
    lines = []
    for id, image, number, digest, parent, created_at, state, since in rows:
        assert isinstance(id, int)
        assert isinstance(image, str)
        assert isinstance(number, int)
        assert isinstance(digest, str)
        assert isinstance(parent, int | None)
        assert isinstance(created_at, int)
        assert isinstance(state, str)
        assert isinstance(since, int)
        lines.append(Line(id, image, number, digest, parent, created_at, storage_state(state), since))
    return lines


def _sizes(reader: Reader, store: BlobStore, going: Sequence[int]) -> Mapping[int, int]:
    """Bytes that go with each version; a blob that several of them share goes with the last one."""
    leaving = set(going)
    users: defaultdict[str, list[int]] = defaultdict(list)
    if leaving:
        sql = """SELECT vb.digest, vb.version FROM version_blob vb
            JOIN storage s ON s.version = vb.version WHERE s.state <> 'deleted'"""
        for row in reader.stream(sql):
            users[row.text("digest")].append(row.whole("version"))
    sizes: defaultdict[int, int] = defaultdict(int)
    for digest, versions in users.items():
        if leaving.issuperset(versions):
            sizes[min(versions)] += store.allocated(digest)
    return sizes
