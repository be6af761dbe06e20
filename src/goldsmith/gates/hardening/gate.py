"""The hardening gate: which controls of a profile the sealed tree meets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version as installed_version

from goldsmith.events import Emit
from goldsmith.gates.advisories.support import published_end_s
from goldsmith.gates.contract import DataUsed, Facts, Floor, Gate, Subject
from goldsmith.gates.hardening.config import HardeningConfig
from goldsmith.gates.hardening.controls import FACTS, Check, Control
from goldsmith.gates.hardening.opinion import with_second_opinion
from goldsmith.gates.hardening.outcomes import Outcome, controls_digest, errors_of, findings_of, score_of, skipped_of
from goldsmith.gates.hardening.registered import PROBES
from goldsmith.gates.hardening.scene import Fault, NotEvaluated, Scene, Wishes
from goldsmith.gates.inventory import Stack, read_distribution
from goldsmith.gates.inventory.archive_index import index_digests
from goldsmith.gates.support import end_of_life
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.images import file_digest
from goldsmith.machines.cancellation import Cancellation

EVALUATED_SHARE = 0.9
"""The share of the applying offline controls that must be evaluated (gates.md section 7)."""

APPLYING_SHARE = 0.4
"""The share of the offline controls that must apply: fewer, and the tree is no system that they were written for."""

NEEDS_BOOT = "needs a boot: the gate boot judges it"


class Hardening(Gate[HardeningConfig]):
    """Examines the tree by the controls of a profile. What is in force at boot is judged by `judge_boot`."""

    name = "hardening"
    Config = HardeningConfig

    def examine(self, subject: Subject, config: HardeningConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Find which controls are met. Raises `MachineError` when the distribution is not known."""
        distribution = read_distribution(Stack([subject.tree]))
        waived, ended = end_of_life(distribution, published_end_s(distribution), config.ignore, subject.now_s)
        scene = Scene(subject, wishes_of(config))
        outcomes = []
        for control in config.controls():
            cancellation.check()
            outcomes.append(examined(control, scene, config))
        facts = _facts(outcomes, scene, config)
        facts = replace(facts, findings=(*facts.findings, *waived), doubts=(*facts.doubts, *ended))
        return with_second_opinion(facts, outcomes, subject, config, cancellation) if config.oscap else facts

    def data_digests(self, subject: Subject, config: HardeningConfig) -> Sequence[str]:
        """The controls, the archive's indexes that GS-082 rests on, and the content for oscap."""
        content = subject.root / config.oscap
        asked = [file_digest(content)] if config.oscap and content.is_file() else []
        return [controls_digest(), *(index_digests(subject.lists) if subject.lists is not None else ()), *asked]


def wishes_of(config: HardeningConfig) -> Wishes:
    """What the block allows."""
    return Wishes(setuid=frozenset(config.setuid), services=frozenset(config.services), ssh_groups=frozenset(config.ssh_groups))


def examined(control: Control, scene: Scene, config: HardeningConfig) -> Outcome:
    """What the tree says of a control. What cannot be read is an error, never a pass."""
    try:
        why_not = config.why_not(control) or _is_missing(control, scene)
        if why_not:
            return Outcome(control, "not applicable", reason=why_not)
        if not control.offline:
            return Outcome(control, "not evaluated", reason=NEEDS_BOOT)
        faults = tuple(
            fault for check in control.offline if check.asked in ("", *config.words) for fault in _faults(check, scene)
        )
    except NotEvaluated as error:
        return Outcome(control, "not evaluated", reason=str(error))
    except (OSError, ValueError, GoldsmithError) as error:
        return Outcome(control, "error", reason=str(error))
    return Outcome(control, "fail" if faults else "pass", faults)


def _is_missing(control: Control, scene: Scene) -> str:
    missing = next((fact for fact in control.applies if not scene.tree.glob(FACTS[fact])), None)
    return f"no {missing}: /{FACTS[missing]} is not there" if missing else ""


def _faults(check: Check, scene: Scene) -> Iterable[Fault]:
    faults = tuple(PROBES[check.probe](scene, check.arguments))
    if faults and check.alternative is not None:
        return () if not tuple(_faults(check.alternative, scene)) else faults
    return faults


def _facts(outcomes: list[Outcome], scene: Scene, config: HardeningConfig) -> Facts:
    offline = [item for item in outcomes if item.control.offline]
    applying = [item for item in offline if item.state != "not applicable"]
    told = [item for item in outcomes if item.state in ("pass", "fail")]
    score = score_of(told, config, scene.subject.now_s)
    faults = (*errors_of(outcomes), *scene.walk.faults)
    return Facts(
        engine="goldsmith-hardening",
        engine_version=installed_version("goldsmith"),
        examined=len(outcomes),
        evaluated=len(told),
        errors=len(faults),
        skipped=tuple(skipped_of(outcomes)),
        floors=(
            Floor(
                name=f'offline controls of "{config.profile}" that could be evaluated',
                wanted=math.ceil(EVALUATED_SHARE * len(applying)),
                got=sum(item.state in ("pass", "fail") for item in applying),
            ),
            Floor(
                name=f'offline controls of "{config.profile}" that apply to the image',
                wanted=max(1, math.ceil(APPLYING_SHARE * len(offline))),
                got=len(applying),
            ),
        ),
        data=(DataUsed(name="the controls", digest=controls_digest(), published=0, age_s=0),),
        findings=tuple(findings_of(outcomes, score, config)),
        messages=(*faults, f'score {score} by "{config.profile}", {config.minimum:g} wanted'),
        measures={
            "score_permille": score.permille,
            "passed": sum(item.state == "pass" for item in told),
            "failed": sum(item.state == "fail" for item in told),
            "excepted": score.excepted,
            "inodes": scene.walk.inodes,
        },
        doubts=() if score.total else ("no control was evaluated",),
    )
