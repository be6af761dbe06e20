"""The hardening gate: which controls an image meets, its score, and what fails it whatever the score."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed_version
from typing import Literal, TypeAlias

from goldsmith.components import REQUIRED, attribute
from goldsmith.events import Emit
from goldsmith.gates.contract import DataUsed, Effect, Facts, Finding, Floor, Gate, Skipped, Subject
from goldsmith.gates.hardening.booted import judge_booted
from goldsmith.gates.hardening.controls import FACTS, PROFILES, Check, Control, all_controls
from goldsmith.gates.hardening.registered import PROBES
from goldsmith.gates.hardening.scene import Fault, NotEvaluated, Scene, Wishes
from goldsmith.gates.inventory import Stack, read_distribution
from goldsmith.gates.waivers import Waivable, live_ignore
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.machines.cancellation import Cancellation

EVALUATED_SHARE = 0.9
"""The share of the applying offline controls that must be evaluated (gates.md section 7)."""

APPLYING_SHARE = 0.4
"""The share of the offline controls that must apply: fewer, and the tree is no system that they were written for."""

State: TypeAlias = Literal["pass", "fail", "not applicable", "not evaluated", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A `custom "NAME"` block: a profile of the project's own."""

    name: str = attribute(REQUIRED, "What `profile` calls it.", label=True)
    extends: str = attribute("", "The profile that it starts from: baseline or strict; empty: from none.")
    add: tuple[str, ...] = attribute((), "Ids of controls that it has besides.")
    remove: tuple[str, ...] = attribute((), "Ids of controls that it has not.")
    must: tuple[str, ...] = attribute((), "Ids that fail the image whatever the score, besides the fixed ones.")

    def __post_init__(self) -> None:
        if self.extends not in ("", *PROFILES):
            raise ValueError(f'custom "{self.name}": extends = "{self.extends}"; there are {" and ".join(PROFILES)}')
        for id in (*self.add, *self.remove, *self.must):
            if id not in all_controls():
                raise ValueError(f'custom "{self.name}": there is no control "{id}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class HardeningConfig(Waivable):
    """Attributes of a `gate "hardening"` block."""

    profile: str = attribute("baseline", "Which controls count: baseline, strict, or the name of a custom block.")
    minimum: float = attribute(0.9, "The least score: the weight of passed controls by that of passed and failed ones.")
    failed: str = attribute("warn", "What a failed control means while the score is met: fail, warn or info.")
    asks: tuple[str, ...] = attribute((), "What is wanted besides: banner, ssh-allow-list, partitions, router, …")
    setuid: tuple[str, ...] = attribute((), "Paths that may be setuid, setgid or have capabilities, besides the known ones.")
    services: tuple[str, ...] = attribute((), "Units that may be enabled, besides declared and known ones.")
    custom: tuple[Custom, ...] = attribute((), "Profiles of the project's own.")

    def __post_init__(self) -> None:
        # Not super(): slots make a new class, of which the closure does not know.
        Waivable.__post_init__(self)
        if not 0 < self.minimum <= 1:
            raise ValueError(f"minimum = {self.minimum}: write a share above 0 and at most 1, such as 0.9")
        if self.failed not in ("fail", "warn", "info"):
            raise ValueError(f'failed = "{self.failed}": write "fail", "warn" or "info"')
        names = (*PROFILES, *(item.name for item in self.custom))
        if self.profile not in names:
            raise ValueError(f'profile = "{self.profile}": there are {", ".join(names)}')
        words = {word for item in all_controls().values() for word in (item.asked, item.unless) if word}
        for word in self.asks:
            if word not in words:
                raise ValueError(f'asks has "{word}": there are {", ".join(sorted(words))}')
        for item in self.ignore:
            if item.finding.startswith("GS-") and item.finding not in all_controls():
                raise ValueError(f'ignore "{item.finding}": there is no such control')

    def controls(self) -> tuple[Control, ...]:
        """The controls of the profile."""
        own = next((item for item in self.custom if item.name == self.profile), None)
        if own is None:
            return tuple(item for item in all_controls().values() if self.profile in item.profiles)
        return tuple(
            item
            for item in all_controls().values()
            if (item.id in own.add or own.extends in item.profiles) and item.id not in own.remove
        )

    def must(self) -> frozenset[str]:
        """Ids that fail the image whatever the score."""
        own = next((item.must for item in self.custom if item.name == self.profile), ())
        return frozenset((*own, *(item.id for item in self.controls() if item.must)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one control."""

    control: Control
    state: State
    faults: tuple[Fault, ...] = ()
    reason: str = ""
    needs_boot: bool = False
    """The tree says pass or nothing; the effect at boot is not evaluated."""


class Hardening(Gate[HardeningConfig]):
    """Examines the tree, and the answers of booted clones as far as there are any, by the controls of a profile."""

    name = "hardening"
    Config = HardeningConfig

    def examine(self, subject: Subject, config: HardeningConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Find which controls are met. Raises `MachineError` when the distribution is not known."""
        read_distribution(Stack([subject.tree]))
        scene = Scene(subject, wishes_of(config))
        outcomes = []
        for control in config.controls():
            cancellation.check()
            outcomes.append(examined(control, scene))
        return _facts(outcomes, scene, config)


def wishes_of(config: HardeningConfig) -> Wishes:
    """What the block allows and asks for."""
    return Wishes(asks=frozenset(config.asks), setuid=frozenset(config.setuid), services=frozenset(config.services))


def examined(control: Control, scene: Scene) -> Outcome:
    """What the tree, and the booted clones if any, say of a control. What cannot be read is an error, never a pass."""
    try:
        why_not = _does_not_apply(control, scene)
        if why_not:
            return Outcome(control, "not applicable", reason=why_not)
        faults = tuple(fault for check in control.offline for fault in _faults(check, scene))
        answers = scene.subject.booted.get(control.id, ())
        needs_boot = control.boot is not None and not answers
        if control.boot is not None and answers:
            faults += tuple(judge_booted(control.boot, answers, scene.subject.declared))
    except NotEvaluated as error:
        return Outcome(control, "not evaluated", reason=str(error))
    except (OSError, ValueError, GoldsmithError) as error:
        return Outcome(control, "error", reason=str(error))
    if faults:
        return Outcome(control, "fail", faults, needs_boot=needs_boot)
    if needs_boot and not control.offline:
        return Outcome(control, "not evaluated", reason="needs a boot", needs_boot=True)
    return Outcome(control, "pass", needs_boot=needs_boot)


def _does_not_apply(control: Control, scene: Scene) -> str:
    if control.asked and control.asked not in scene.wishes.asks:
        return f'the project does not ask for "{control.asked}"'
    if control.unless and control.unless in scene.wishes.asks:
        return f'the project asks for "{control.unless}"'
    missing = next((fact for fact in control.applies if not scene.tree.glob(FACTS[fact])), None)
    return f"no {missing}: /{FACTS[missing]} is not there" if missing else ""


def _faults(check: Check, scene: Scene) -> Iterable[Fault]:
    faults = tuple(PROBES[check.probe](scene, check.arguments))
    if faults and check.alternative is not None:
        return () if not tuple(_faults(check.alternative, scene)) else faults
    return faults


def _facts(outcomes: list[Outcome], scene: Scene, config: HardeningConfig) -> Facts:
    excepted = {item.control.id for item in outcomes if live_ignore(config.ignore, item.control.id, scene.subject.now_s)}
    offline = [item for item in outcomes if item.control.offline]
    applying = [item for item in offline if item.state != "not applicable"]
    told = [item for item in outcomes if item.state in ("pass", "fail")]
    counted = [item for item in told if item.control.id not in excepted]
    passed, total = _weight(item for item in counted if item.state == "pass"), _weight(counted)
    errors = [item for item in outcomes if item.state == "error"]
    faults = (*(f"{item.control.id}: {item.reason}" for item in errors), *scene.walk.faults)
    findings = [_finding(item, config) for item in outcomes if item.state == "fail"]
    if total and passed < config.minimum * total:
        findings.append(_too_low(passed, total, config))
    waiting = tuple(item.control.id for item in outcomes if item.needs_boot)
    return Facts(
        engine="goldsmith-hardening",
        engine_version=installed_version("goldsmith"),
        examined=len(outcomes),
        evaluated=len(told),
        errors=len(faults),
        skipped=tuple(_skipped(outcomes, waiting)),
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
        findings=tuple(findings),
        messages=(*faults, f'score {_share(passed, total)} by "{config.profile}", {config.minimum:g} wanted'),
        measures={
            "score_permille": passed * 1000 // total if total else 0,
            "passed": sum(item.state == "pass" for item in told),
            "failed": sum(item.state == "fail" for item in told),
            "excepted": len(excepted),
            "inodes": scene.walk.inodes,
        },
        doubts=() if total else ("no control was evaluated",),
    )


def _finding(outcome: Outcome, config: HardeningConfig) -> Finding:
    control, first = outcome.control, outcome.faults[0]
    more = f" (and {len(outcome.faults) - 1} more)" if len(outcome.faults) > 1 else ""
    effects: Mapping[str, Effect] = {"fail": "fail", "warn": "warn", "info": "info"}
    return Finding(
        id=control.id,
        rule=control.id,
        severity=control.severity,
        severity_source="goldsmith",
        effect="fail" if control.id in config.must() else effects[config.failed],
        subject=control.title,
        path=first.path,
        line=first.line,
        detail=f"{control.id} {control.title}: {first.detail}{more}",
        fix=control.fix,
        aliases=control.ssg,
    )


def _too_low(passed: int, total: int, config: HardeningConfig) -> Finding:
    return Finding(
        id="score",
        rule="score",
        severity="high",
        effect="fail",
        subject=config.profile,
        detail=f'the score by "{config.profile}" is {_share(passed, total)}, at least {config.minimum:g} is wanted',
        fix="Apply the hardening role, or except single controls with reason, owner and day.",
        stays=True,
    )


def _share(passed: int, total: int) -> str:
    """Cut, never rounded up: 0.8999 is not 0.9."""
    return f"{(passed * 1000 // total) / 1000:.3f}" if total else "none"


def _weight(outcomes: Iterable[Outcome]) -> int:
    return sum(item.control.weight for item in outcomes)


def _skipped(outcomes: list[Outcome], waiting: tuple[str, ...]) -> Iterator[Skipped]:
    reasons: dict[str, list[str]] = {}
    for item in outcomes:
        if item.state in ("not applicable", "not evaluated") and item.control.id not in waiting:
            reasons.setdefault(f"{item.state}: {item.reason}", []).append(item.control.id)
    for reason, ids in sorted(reasons.items()):
        yield Skipped(reason=reason, count=len(ids), sample=tuple(ids))
    if waiting:
        yield Skipped(reason="not evaluated at boot: no clone was asked", count=len(waiting), sample=waiting)


def controls_digest() -> str:
    """`sha256:<hex>` of all controls: evidence counts for the controls that it was made with."""
    text = repr([asdict(item) for item in all_controls().values()])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
