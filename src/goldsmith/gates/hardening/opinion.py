"""What oscap says beside our controls, and where the two disagree about the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from goldsmith.gates.contract import DataUsed, Facts, Subject
from goldsmith.gates.hardening.config import HardeningConfig
from goldsmith.gates.hardening.oscap import second_opinion
from goldsmith.gates.hardening.outcomes import Outcome
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images import file_digest
from goldsmith.machines.cancellation import Cancellation

BOOT_ONLY = ("sysctl_", "mount_option_", "partition_for_", "service_")
"""Beginnings of rules that read the running kernel, its mounts or its services: in a sandbox those are the host's, or none."""

_TOLD = ("pass", "fail")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rules could be compared, and how the two differ."""

    compared: int
    stricter: tuple[str, ...]
    """We fail what oscap passes: `GS-046 file_permissions_etc_shadow`."""
    laxer: tuple[str, ...]
    """We pass what oscap fails."""
    evaluated: int
    """Rules that oscap passed or failed."""
    told: int
    """Rules that it had a result for."""

    @property
    def differ(self) -> int:
        """How many of them disagree."""
        return len(self.stricter) + len(self.laxer)

    def sentences(self) -> Iterator[str]:
        """For people."""
        agree = self.compared - self.differ
        yield f"oscap: {self.evaluated} of {self.told} rules evaluated; {self.compared} are ours too, {agree} of them agree"
        if self.stricter:
            yield f"we fail what oscap passes: {', '.join(self.stricter)}"
        if self.laxer:
            yield f"we pass what oscap fails: {', '.join(self.laxer)}"


def with_second_opinion(
    facts: Facts, outcomes: Sequence[Outcome], subject: Subject, config: HardeningConfig, cancellation: Cancellation
) -> Facts:
    """The facts with what oscap says too. It changes no verdict by what it finds; that it could not tell is a doubt."""
    content = subject.root / config.oscap
    try:
        opinion = second_opinion(subject, content, config.oscap_profile, cancellation)
    except MachineError as error:
        return replace(facts, doubts=(*facts.doubts, str(error)))
    comparison = compare(outcomes, opinion.results)
    none = f"oscap evaluated none of {comparison.told} rules: its content is of another release, or the profile is empty"
    return replace(
        facts,
        messages=(*facts.messages, *comparison.sentences()),
        doubts=facts.doubts if comparison.evaluated else (*facts.doubts, none),
        data=(
            *facts.data,
            DataUsed(name=f"{content.name} for oscap {opinion.version}", digest=file_digest(content), published=0, age_s=0),
        ),
        artefacts={**facts.artefacts, "oscap-arf.xml": opinion.report},
        measures={**facts.measures, "oscap_compared": comparison.compared, "oscap_differ": comparison.differ},
    )


def compare(outcomes: Iterable[Outcome], results: Mapping[str, str]) -> Comparison:
    """Compare controls with the rules that they name. What either could not tell is left out."""
    stricter: list[str] = []
    laxer: list[str] = []
    compared = 0
    for outcome in outcomes:
        for rule in outcome.control.ssg:
            theirs = results.get(rule, "")
            if outcome.state not in _TOLD or theirs not in _TOLD or rule.startswith(BOOT_ONLY):
                continue
            compared += 1
            if outcome.state != theirs:
                (stricter if outcome.state == "fail" else laxer).append(f"{outcome.control.id} {rule}")
    told = sum(result in _TOLD for result in results.values())
    return Comparison(compared, tuple(stricter), tuple(laxer), told, len(results))
