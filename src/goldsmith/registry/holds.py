"""Everything that keeps a version by itself: rules, channels, pins, requests, use, and copies that nobody looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from goldsmith.registry import copies, requests
from goldsmith.registry.canonical import parse
from goldsmith.registry.entities import StorageState
from goldsmith.registry.fitness import SECOND_US, spoken
from goldsmith.registry.inventory import accepted
from goldsmith.registry.inventory.accepted import Inventory, UseOfVersion
from goldsmith.registry.inventory.reading import SHARED
from goldsmith.registry.keep_rules import KeepRule, RetentionPolicy
from goldsmith.registry.policy import read_policy
from goldsmith.registry.rollback import PASSING
from goldsmith.registry.transaction import Reader
from goldsmith.registry.trust import revoked_versions

Holds: TypeAlias = Mapping[int, Sequence[str]]
_Holds: TypeAlias = defaultdict[int, list[str]]

REMOVABLE = "aws"
"""The platform whose copies can be taken away from here."""


@dataclass(frozen=True, slots=True)
class Line:
    """A version that is not deleted, as retention needs it."""

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
        """The short name that commands take."""
        return f"{self.image}:{self.number}"


def find_holds(reader: Reader, lines: Sequence[Line], policy: RetentionPolicy, inventories: Sequence[Inventory]) -> Holds:
    """Everything that keeps a version by itself, by version; what keeps it through its descendants is not here.

    `inventories` are those of this run; without any, what was seen last tells what is in use.
    """
    holds: _Holds = defaultdict(list)
    if not policy.enabled:
        for line in lines:
            holds[line.id].append("retention is disabled")
    revoked = revoked_versions(reader)
    _hold_by_rules(holds, lines, policy, revoked, reader.now)
    _hold_by_channels(holds, reader, policy, revoked.union(line.id for line in lines if line.state == "deleting"))
    _hold_by_pins(holds, reader)
    _hold_by_requests(holds, reader, lines)
    covered = frozenset((item.place.platform, item.place.account, item.place.region) for item in inventories)
    _hold_by_uses(holds, reader, inventories or accepted.newest(reader), covered)
    _hold_by_copies(holds, reader, covered)
    return holds


def _hold_by_rules(holds: _Holds, lines: Sequence[Line], policy: RetentionPolicy, revoked: Collection[int], at: int) -> None:
    seen: defaultdict[str, int] = defaultdict(int)
    fit: defaultdict[str, int] = defaultdict(int)
    for line in reversed(lines):
        if line.state == "deleting":
            continue
        rule = policy.rule(line.image)
        if rule is None:
            holds[line.id].append(f"no retention rule speaks of {line.image}")
            continue
        if seen[line.image] == 0:
            holds[line.id].append(f"the newest version of {line.image}")
        elif seen[line.image] < rule.keep_last:
            holds[line.id].append(f"among the newest {rule.keep_last} of {line.image}")
        seen[line.image] += 1
        if line.created_at + rule.keep_for_s * SECOND_US > at:
            holds[line.id].append(f"younger than {spoken(rule.keep_for_s)}")
        if fit[line.image] < rule.retain_at_least and line.id not in revoked:
            fit[line.image] += 1
            holds[line.id].append(f"one of {rule.retain_at_least} fit versions that {line.image} retains")


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Stay:
    """A version's time in a channel."""

    generation: int
    version: int | None
    is_passing: bool
    came: int


_NO_RULE = KeepRule()


def _hold_by_channels(holds: _Holds, reader: Reader, policy: RetentionPolicy, unusable: Collection[int]) -> None:
    """The version of each channel, those that a rollback may still go to, and what the rule of the channel keeps."""
    stays = _stays(reader)
    keep: dict[str, int] = {}
    for row in reader.stream("SELECT digest, doc FROM policy"):
        keep[row.text("digest")] = read_policy(parse(row.text("doc"))).keep
    channels = reader.stream(
        """SELECT c.id, i.name AS image, c.name, c.generation, c.version, c.policy FROM channel c
        JOIN image i ON i.id = c.image ORDER BY c.id"""
    )
    for channel in channels:
        name, current = f"{channel.text('image')}@{channel.text('name')}", channel.whole_or_none("version")
        if current is not None:
            holds[current].append(f"in {name}")
        past = stays.get(channel.whole("id"), ())
        first = channel.whole("generation") - keep[channel.text("policy")]
        for earlier in _rollback_window(past, first) - {current}:
            holds[earlier].append(f"a rollback of {name} may go to it")
        rule = policy.channels.get(channel.text("name"), _NO_RULE)
        for version, why in _by_channel_rule(past, rule, unusable, reader.now):
            holds[version].append(f"{why} {name}")


def _stays(reader: Reader) -> Mapping[int, Sequence[_Stay]]:
    """Every stay in each channel, the newest first."""
    sql = """SELECT a.channel, a.generation, a.version, a.kind, e.at FROM assignment a JOIN event e ON e.seq = a.seq
        ORDER BY a.channel, a.generation DESC"""
    stays: defaultdict[int, list[_Stay]] = defaultdict(list)
    for channel, generation, version, kind, at in reader.tuples(sql):
        assert isinstance(channel, int)
        assert isinstance(generation, int)
        assert isinstance(version, int | None)
        assert isinstance(at, int)
        stays[channel].append(_Stay(generation, version, kind in PASSING, at))
    return stays


def _rollback_window(past: Sequence[_Stay], first: int) -> frozenset[int]:
    """What came in at or after a generation, and the last that was assigned on a passing decision."""
    last = next((stay.version for stay in past if stay.is_passing), None)
    window = {stay.version for stay in past if stay.generation >= first} | {last}
    return frozenset(version for version in window if version is not None)


def _by_channel_rule(past: Sequence[_Stay], rule: KeepRule, unusable: Collection[int], at: int) -> Iterator[tuple[int, str]]:
    if rule == _NO_RULE:
        return
    newest = list(dict.fromkeys(stay.version for stay in past if stay.version is not None))
    for version in newest[: rule.keep_last]:
        yield version, f"among the last {rule.keep_last} of"
    passing = dict.fromkeys(stay.version for stay in past if stay.version is not None and stay.is_passing)
    for version in [item for item in passing if item not in unusable][: rule.retain_at_least]:
        yield version, f"one of {rule.retain_at_least} fit versions that are retained for"
    lefts = [at, *(stay.came for stay in past)]
    for stay, left in zip(past, lefts, strict=False):
        if rule.keep_for_s and stay.version is not None and left + rule.keep_for_s * SECOND_US > at:
            yield stay.version, f"less than {spoken(rule.keep_for_s)} ago in"


# ── pins, requests and use ────────────────────────────────────────────────────────────────────────────────────────────


def _hold_by_pins(holds: _Holds, reader: Reader) -> None:
    sql = "SELECT version, kind, holder FROM pin WHERE until IS NULL OR until > :at ORDER BY id"
    for row in reader.stream(sql, at=reader.now):
        holds[row.whole("version")].append(f"{row.text('kind')} by {row.text('holder')}")


def _hold_by_requests(holds: _Holds, reader: Reader, lines: Sequence[Line]) -> None:
    """Who asked for a version waits for approvals, and must get it."""
    waiting = requests.waiting(reader)
    if not waiting:
        return
    ids = {line.digest: line.id for line in lines}
    for request in waiting:
        for target in request.targets:
            if (version := ids.get(str(target["version"]))) is not None:
                holds[version].append(f"request {request.id} asks for it in {target['image']}@{target['channel']}")


_Covered: TypeAlias = Collection[tuple[str, str, str]]


def _hold_by_uses(holds: _Holds, reader: Reader, inventories: Sequence[Inventory], covered: _Covered) -> None:
    """What is in use, and what is shared with an account that nobody looks at."""
    known = {item.id: item for item in inventories}
    found = accepted.uses(reader, sorted(known))
    for (version, inventory, kind), same in groupby(found, key=lambda use: (use.version, use.inventory, use.kind)):
        uses = list(same)
        if kind == SHARED:
            holds[version] += _hold_by_sharing(uses, known[inventory], covered)
        else:
            holds[version].append(_in_use(uses, known[inventory]))


def _in_use(uses: Sequence[UseOfVersion], inventory: Inventory) -> str:
    places = ", ".join(use.place for use in uses[:3]) + (", …" if len(uses) > 3 else "")
    return f"in use by {sum(use.count for use in uses)} × {uses[0].kind} ({places}) as {inventory.place} says"


def _hold_by_sharing(uses: Sequence[UseOfVersion], inventory: Inventory, covered: _Covered) -> Iterator[str]:
    platform, region = inventory.place.platform, inventory.place.region
    for use in uses:
        if (platform, use.place, region) not in covered:
            yield f"{use.external_id} is shared with {use.place} in {region}, which no inventory sees"


def _hold_by_copies(holds: _Holds, reader: Reader, covered: _Covered) -> None:
    for key in copies.places(reader):
        if key[0] == REMOVABLE and key in covered:
            continue
        where = " ".join(part for part in key if part)
        for version, id in copies.ids_in(reader, key):
            why = (
                f"no inventory says whether its copy {id} in {where} is in use"
                if key[0] == REMOVABLE
                else f"its copy {id} in {where} can only be deleted there; then: goldsmith copies -gone"
            )
            holds[version].append(why)
