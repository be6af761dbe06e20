"""Differences between what a script and what a role made, each with the class that it is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from goldsmith.assist.compare import Difference
from goldsmith.assist.decoders import Decoder, Facts, decoders, same_document
from goldsmith.assist.divergences import Divergence
from goldsmith.assist.noise import FixedNoise, Mask
from goldsmith.assist.stacked import StackedTree, expression_of

Class: TypeAlias = Literal["noise", "formatting", "semantic", "explained", "unexplained"]
CLASSES: tuple[Class, ...] = ("noise", "formatting", "semantic", "explained", "unexplained")
"""From what matters least: the class of a path is the last one of its fields."""
_MEANT = frozenset({"presence", "type", "content", "target"})
"""Fields in which files that mean the same may differ; another mode or owner never means the same."""
_MOST_FACTS = 12


@dataclass(frozen=True, slots=True)
class Judged:
    """A difference and its class."""

    difference: Difference
    verdict: Class
    reason: str
    facts: tuple[str, ...] = ()
    """What the decoder of the path finds to differ, in sentences; empty when it has none, or everything is equal."""


def judge(
    differences: Sequence[Difference],
    one: StackedTree,
    other: StackedTree,
    *,
    mask: Mask,
    divergences: Sequence[Divergence] = (),
    today: date,
    passwords: Sequence[str] = (),
) -> tuple[Judged, ...]:
    """The class of each difference. `one` is what the script made, `other` what the role made."""
    fixed = FixedNoise(one, other)
    noise = {item: reason for item in differences if (reason := _noise(item, fixed, mask, other))}
    rest = [item for item in differences if item not in noise]
    meanings = _meanings(rest, one, other, decoders(passwords))
    judged = [Judged(item, "noise", reason) for item, reason in noise.items()]
    judged += [_judged(item, one, other, meanings, divergences, today) for item in rest]
    return tuple(sorted(judged, key=lambda item: item.difference))


def counted(judged: Sequence[Judged]) -> Mapping[str, int]:
    """How many paths are of each class."""
    worst: dict[str, int] = {}
    for item in judged:
        rank = CLASSES.index(item.verdict)
        worst[item.difference.path] = max(rank, worst.get(item.difference.path, 0))
    found = Counter(worst.values())
    return {name: found[rank] for rank, name in enumerate(CLASSES)}


def _noise(item: Difference, fixed: FixedNoise, mask: Mask, other: StackedTree) -> str:
    if reason := fixed.reason(item):
        return reason
    return "two runs of the script differ in it too" if mask.covers(item, other) else ""


def _judged(
    item: Difference,
    one: StackedTree,
    other: StackedTree,
    meanings: Mapping[str, _Meaning],
    divergences: Sequence[Divergence],
    today: date,
) -> Judged:
    if item.field == "content" and (name := _same_document(item.path, one, other)):
        return Judged(item, "formatting", f"the same {name} in another layout")
    meaning = meanings.get(item.path) if item.field in _MEANT else None
    if meaning is not None and meaning.is_equal:
        return Judged(item, "semantic", f"{meaning.decoder} mean the same")
    facts = meaning.facts if meaning else ()
    reason = meaning.reason if meaning else "it differs"
    for divergence in divergences:
        if divergence.covers(item):
            if divergence.expires >= today:
                return Judged(item, "explained", f"{divergence.reason} ({divergence.owner}, until {divergence.expires})", facts)
            reason = f"the divergence of {divergence.owner} for it expired on {divergence.expires}"
    return Judged(item, "unexplained", reason, facts)


def _same_document(path: str, one: StackedTree, other: StackedTree) -> str:
    return same_document(path, one.read(path) or b"", other.read(path) or b"")


@dataclass(frozen=True, slots=True)
class _Meaning:
    decoder: str
    is_equal: bool
    reason: str
    facts: tuple[str, ...] = ()


def _meanings(
    differences: Sequence[Difference], one: StackedTree, other: StackedTree, known: Sequence[Decoder]
) -> Mapping[str, _Meaning]:
    """What the decoders say of the paths that differ; each decoder reads all its files at once."""
    found: dict[str, _Meaning] = {}
    for decoder in known:
        covered = [item for item in differences if item.field in _MEANT and expression_of(decoder.covers).fullmatch(item.path)]
        if covered:
            meaning = _meaning(decoder, covered, one, other)
            found.update({item.path: meaning for item in covered})
    return found


def _meaning(decoder: Decoder, covered: Sequence[Difference], one: StackedTree, other: StackedTree) -> _Meaning:
    try:
        mine, theirs = decoder.read(one), decoder.read(other)
    except (OSError, ValueError) as error:
        return _Meaning(decoder.name, False, f"{decoder.name} cannot be read: {error}")
    if facts := tuple(_differing(mine, theirs)):
        more = (f"and {len(facts) - _MOST_FACTS} more",) if len(facts) > _MOST_FACTS else ()
        return _Meaning(decoder.name, False, f"{decoder.name} differ", (*facts[:_MOST_FACTS], *more))
    sides = {item.one == "absent" if item.field == "presence" else None for item in covered}
    if len(sides) == 1 and None not in sides:
        # What it says stands in no other file: it says nothing, and nobody needs a file for that.
        return _Meaning(decoder.name, False, f"only one tree has it, and it changes nothing of {decoder.name}")
    return _Meaning(decoder.name, True, "")


def _differing(mine: Facts, theirs: Facts) -> Iterator[str]:
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            yield f"{name}: {mine.get(name, 'absent')} → {theirs.get(name, 'absent')}"
