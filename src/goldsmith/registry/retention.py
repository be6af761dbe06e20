"""Which versions may be deleted, and what keeps the others: a plan that changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.canonical import JSON, digest_of, parse
from goldsmith.registry.entities import StorageState
from goldsmith.registry.fitness import SECOND_US, spoken
from goldsmith.registry.policy import read_policy
from goldsmith.registry.rollback import PASSING
from goldsmith.registry.sweeping import CONDEMNED_S
from goldsmith.registry.transaction import Reader
from goldsmith.registry.versions import image_id, storage_state

Step: TypeAlias = Literal["mark", "wait", "delete", "finish"]
Holds: TypeAlias = Mapping[int, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRule:
    """What keeps versions of one image."""

    keep_last: int
    keep_for_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """What keeps a version; it is a candidate only when no rule keeps it."""

    keep_last: int = 5
    """How many newest versions of each image are kept; the newest one always is."""
    keep_for_s: int = 90 * 86_400
    grace_s: int = 7 * 86_400
    """The time between marking a version and deleting it."""
    bytes_wait_s: int = CONDEMNED_S
    """The time between deleting a version and deleting its bytes."""
    enabled: bool = True
    images: Mapping[str, KeepRule] = field(default_factory=dict)
    """Rules of images that have their own."""

    def rule(self, image: str) -> KeepRule:
        """The rule of an image."""
        return self.images.get(image) or KeepRule(keep_last=self.keep_last, keep_for_s=self.keep_for_s)

    @property
    def digest(self) -> str:
        """Names the policy in certificates."""
        document: JSON = {
            "keep_last": self.keep_last,
            "keep_for_s": self.keep_for_s,
            "grace_s": self.grace_s,
            "enabled": self.enabled,
            "images": [[name, rule.keep_last, rule.keep_for_s] for name, rule in sorted(self.images.items())],
        }
        return digest_of(document)


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
    size: int
    """Bytes of disk that nothing else uses."""


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


@dataclass(frozen=True, slots=True)
class _Line:
    """A version that is not deleted, as the plan needs it."""

    id: int
    image: str
    number: int
    digest: str
    parent: int | None
    created_at: int
    state: StorageState
    since: int

    @property
    def ref(self) -> str:
        return f"{self.image}:{self.number}"


KEPT, LEAVING, GONE = 2, 1, 0
"""How alive a version and everything built on it is."""


def make_plan(reader: Reader, store: BlobStore, policy: RetentionPolicy, image: str | None = None) -> ExpirePlan:
    """Judge every version of the registry; `image` narrows what is told. Raises `UserError` for an unknown image.

    A version stays while it is among the newest, young, in a channel, within a rollback window, pinned, copied to a place
    without an inventory, or has a descendant that stays.
    """
    if image is not None:
        image_id(reader, image)
    at = reader.now
    lines = _lines(reader)
    holds = _holds(reader, lines, policy, at)
    alive: dict[int, tuple[int, str]] = {}
    going: list[Expiring] = []
    kept: list[Kept] = []
    for line in reversed(lines):
        level, child = alive.get(line.id, (GONE, ""))
        by = tuple(holds.get(line.id, ())) + ((f"{child} is built on it",) if level == KEPT else ())
        step = _step(line, by, level, policy, at)
        if step is None:
            kept.append(Kept(id=line.id, ref=line.ref, digest=line.digest, state=line.state, by=by))
        else:
            why = _why(line, step, level, child, policy, at)
            going.append(Expiring(id=line.id, ref=line.ref, digest=line.digest, state=line.state, step=step, why=why, size=0))
        own = KEPT if step is None else GONE if step in ("delete", "finish") else LEAVING
        if line.parent is not None:
            alive[line.parent] = max(alive.get(line.parent, (GONE, "")), (own, line.ref) if own >= level else (level, child))
    sizes = _sizes(reader, store, [item.id for item in going])
    name = f"{image}:"
    return ExpirePlan(
        at=at,
        going=tuple(replace(item, size=sizes.get(item.id, 0)) for item in going if image is None or item.ref.startswith(name)),
        kept=tuple(item for item in kept if image is None or item.ref.startswith(name)),
    )


def _step(line: _Line, by: Sequence[str], level: int, policy: RetentionPolicy, at: int) -> Step | None:
    """What comes next for a version, or None when it stays."""
    if not policy.enabled:
        return None
    if line.state == "deleting":
        return "finish"
    if by:
        return None
    since = line.since if line.state == "expiring" else at
    if level == GONE and at >= since + policy.grace_s * SECOND_US:
        return "delete"
    return "wait" if line.state == "expiring" else "mark"


def _why(line: _Line, step: Step, level: int, child: str, policy: RetentionPolicy, at: int) -> str:
    if step == "finish":
        return "its deletion was cut short"
    if step == "wait" and level == LEAVING:
        return f"it waits for {child}, which is built on it"
    if step == "wait":
        return f"it is deleted in {spoken(policy.grace_s - (at - line.since) // SECOND_US)}"
    age = spoken((at - line.created_at) // SECOND_US)
    newest = max(policy.rule(line.image).keep_last, 1)
    return f"{age} old, not among the newest {newest}, in no channel or rollback window, not pinned"


def _lines(reader: Reader) -> list[_Line]:
    rows = reader.stream(
        """SELECT v.id, i.name AS image, v.number, v.digest, v.parent, v.created_at, s.state, s.since FROM version v
        JOIN image i ON i.id = v.image JOIN storage s ON s.version = v.id ORDER BY v.id"""
    )
    lines = [
        _Line(
            row.whole("id"),
            row.text("image"),
            row.whole("number"),
            row.text("digest"),
            row.whole_or_none("parent"),
            row.whole("created_at"),
            storage_state(row.text("state")),
            row.whole("since"),
        )
        for row in rows
    ]
    return [line for line in lines if line.state != "deleted"]


def _holds(reader: Reader, lines: Sequence[_Line], policy: RetentionPolicy, at: int) -> Holds:
    """Everything that keeps a version by itself, by version; what keeps it through its descendants is not here."""
    holds: defaultdict[int, list[str]] = defaultdict(list)
    if not policy.enabled:
        for line in lines:
            holds[line.id].append("retention is disabled")
    _hold_newest(holds, lines, policy, at)
    _hold_channels(holds, reader)
    for row in reader.stream("SELECT version, kind, holder FROM pin WHERE until IS NULL OR until > :at ORDER BY id", at=at):
        holds[row.whole("version")].append(f"{row.text('kind')} by {row.text('holder')}")
    copies = reader.stream(
        """SELECT version, platform, region, external_id FROM artifact
        WHERE state <> 'gone' AND (platform <> 'local' OR external_id <> digest)"""
    )
    for row in copies:
        place = f"{row.text('platform')} {row.text('region')}".strip()
        holds[row.whole("version")].append(f"nothing says whether its copy {row.text('external_id')} in {place} is in use")
    return holds


def _hold_newest(holds: defaultdict[int, list[str]], lines: Sequence[_Line], policy: RetentionPolicy, at: int) -> None:
    seen: defaultdict[str, int] = defaultdict(int)
    for line in reversed(lines):
        if line.state == "deleting":
            continue
        rule = policy.rule(line.image)
        if seen[line.image] == 0:
            holds[line.id].append(f"the newest version of {line.image}")
        elif seen[line.image] < rule.keep_last:
            holds[line.id].append(f"among the newest {rule.keep_last} of {line.image}")
        seen[line.image] += 1
        if line.created_at + rule.keep_for_s * SECOND_US > at:
            holds[line.id].append(f"younger than {spoken(rule.keep_for_s)}")


def _hold_channels(holds: defaultdict[int, list[str]], reader: Reader) -> None:
    """The version of each channel, those that a rollback may still go to, and the last that was assigned on a decision."""
    channels = reader.rows(
        """SELECT c.id, i.name || '@' || c.name AS name, c.generation, c.version, p.doc FROM channel c
        JOIN image i ON i.id = c.image JOIN policy p ON p.digest = c.policy ORDER BY c.id"""
    )
    for channel in channels:
        current, name = channel.whole_or_none("version"), channel.text("name")
        if current is not None:
            holds[current].append(f"in {name}")
        first = channel.whole("generation") - read_policy(parse(channel.text("doc"))).keep
        passing = "SELECT MAX(generation) FROM assignment WHERE channel = :id AND kind IN :passing"
        window = f"generation >= :first OR generation = ({passing})"
        sql = f"SELECT DISTINCT version FROM assignment WHERE channel = :id AND ({window})"
        for row in reader.rows(sql, id=channel.whole("id"), first=first, passing=PASSING):
            version = row.whole_or_none("version")
            if version is not None and version != current:
                holds[version].append(f"a rollback of {name} may go to it")


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
