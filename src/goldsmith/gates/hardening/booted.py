"""Judges the controls that need a boot, by the facts of booted clones: the half of hardening that the boot gate reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldsmith.gates.contract import Declared, Finding, Skipped
from goldsmith.gates.hardening.boot_facts import BootFacts
from goldsmith.gates.hardening.config import HardeningConfig
from goldsmith.gates.hardening.controls import Check, Control
from goldsmith.gates.hardening.outcomes import Outcome, findings_of, score_of, skipped_of
from goldsmith.gates.hardening.registered import CLONE_PROBES, CLONES_PROBES
from goldsmith.gates.hardening.scene import Fault, NotEvaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class BootJudged:
    """What the boot gate adds to its own facts."""

    evaluated: int
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    messages: tuple[str, ...]
    permille: int
    """The score of the boot controls by themselves; the block's `minimum` holds for it as for the offline half."""


def judge_boot(config: HardeningConfig, clones: Sequence[BootFacts], declared: Declared, now_s: int) -> BootJudged:
    """Judge the boot controls of the profile. What no clone answered is skipped with its reason, never passed."""
    outcomes = [_judged(item, config, clones, declared) for item in config.controls() if item.boot is not None]
    score = score_of(outcomes, config, now_s)
    told = sum(item.state in ("pass", "fail") for item in outcomes)
    return BootJudged(
        evaluated=told,
        findings=tuple(findings_of(outcomes, score, config)),
        skipped=tuple(skipped_of(outcomes)),
        messages=(f'{told} boot controls of "{config.profile}": score {score}, {config.minimum:g} wanted',),
        permille=score.permille,
    )


def _judged(control: Control, config: HardeningConfig, clones: Sequence[BootFacts], declared: Declared) -> Outcome:
    assert control.boot is not None
    if why_not := config.why_not(control):
        return Outcome(control, "not applicable", reason=why_not)
    try:
        if not clones:
            raise NotEvaluated("no clone answered")
        faults = tuple(_faults(control.boot, clones, declared))
    except NotEvaluated as error:
        return Outcome(control, "not evaluated", reason=str(error))
    return Outcome(control, "fail" if faults else "pass", faults)


def _faults(check: Check, clones: Sequence[BootFacts], declared: Declared) -> Iterator[Fault]:
    if check.probe in CLONES_PROBES:
        yield from CLONES_PROBES[check.probe](clones, check.arguments, declared)
        return
    for clone in clones:
        for fault in CLONE_PROBES[check.probe](clone, check.arguments, declared):
            yield Fault(f"{fault.detail} (booted by {clone.name})", fault.path, fault.line)
