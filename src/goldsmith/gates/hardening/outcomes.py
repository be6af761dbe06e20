"""What became of each control, and what a result says of it: findings with their fix, the score, and what was skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from goldsmith.gates.contract import Finding, Skipped
from goldsmith.gates.hardening.config import HardeningConfig
from goldsmith.gates.hardening.controls import Control, all_controls
from goldsmith.gates.hardening.scene import Fault
from goldsmith.gates.waivers import live_ignore

State: TypeAlias = Literal["pass", "fail", "not applicable", "not evaluated", "error"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one control."""

    control: Control
    state: State
    faults: tuple[Fault, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """The weight of the controls that passed, by that of those that passed or failed; excepted ones count in neither."""

    passed: int
    total: int
    excepted: int

    @property
    def permille(self) -> int:
        """Cut, never rounded up: 0.8999 is not 0.9."""
        return self.passed * 1000 // self.total if self.total else 0

    def meets(self, minimum: float) -> bool:
        """Whether the share of the weight is at least `minimum`; nothing evaluated meets nothing."""
        return bool(self.total) and self.passed >= minimum * self.total

    def __str__(self) -> str:
        return f"{self.permille / 1000:.3f}" if self.total else "none"


def score_of(outcomes: Iterable[Outcome], config: HardeningConfig, now_s: int) -> Score:
    """The score of outcomes by the weights of their controls."""
    passed = total = excepted = 0
    for item in outcomes:
        if item.state not in ("pass", "fail"):
            continue
        if live_ignore(config.ignore, item.control.id, now_s):
            excepted += 1
            continue
        total += item.control.weight
        passed += item.control.weight if item.state == "pass" else 0
    return Score(passed, total, excepted)


def findings_of(outcomes: Sequence[Outcome], score: Score, config: HardeningConfig) -> Iterator[Finding]:
    """A finding for each control that failed, and one for a score that is too low."""
    for item in outcomes:
        if item.state == "fail":
            yield _failed(item, config)
    if score.total and not score.meets(config.minimum):
        yield _too_low(score, config)


def skipped_of(outcomes: Iterable[Outcome]) -> Iterator[Skipped]:
    """The controls that told nothing, by reason."""
    reasons: dict[str, list[str]] = {}
    for item in outcomes:
        if item.state in ("not applicable", "not evaluated"):
            reasons.setdefault(f"{item.state}: {item.reason}", []).append(item.control.id)
    for reason, ids in sorted(reasons.items()):
        yield Skipped(reason=reason, count=len(ids), sample=tuple(ids))


def errors_of(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """What could not be read, in sentences."""
    return tuple(f"{item.control.id}: {item.reason}" for item in outcomes if item.state == "error")


def controls_digest() -> str:
    """`sha256:<hex>` of all controls: evidence counts for the controls that it was made with."""
    text = repr([asdict(item) for item in all_controls().values()])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _failed(outcome: Outcome, config: HardeningConfig) -> Finding:
    control, first = outcome.control, outcome.faults[0]
    more = f" (and {len(outcome.faults) - 1} more)" if len(outcome.faults) > 1 else ""
    return Finding(
        id=control.id,
        rule=control.id,
        severity=control.severity,
        severity_source="goldsmith",
        effect=config.effect_of(control),
        subject=control.title,
        path=first.path,
        line=first.line,
        detail=f"{control.id} {control.title}: {first.detail}{more}",
        fix=control.fix,
        aliases=control.ssg,
    )


def _too_low(score: Score, config: HardeningConfig) -> Finding:
    return Finding(
        id="score",
        rule="score",
        severity="high",
        effect="fail",
        subject=config.profile,
        detail=f'the score by "{config.profile}" is {score}, at least {config.minimum:g} is wanted',
        fix="Apply the role goldsmith.image.hardening, or except single controls with reason, owner and day.",
        stays=True,
    )
