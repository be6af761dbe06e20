"""The proof of a conversion: script and role run on the same parent, and every path that differs must be accounted for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.assist.compare import Difference, differences
from goldsmith.assist.divergences import Divergence
from goldsmith.assist.findings import Finding, find, task_of
from goldsmith.assist.judging import Judged, counted, judge
from goldsmith.assist.ledger import Ledger
from goldsmith.assist.noise import FixedNoise, Mask, mask_of
from goldsmith.assist.redact import Redactor
from goldsmith.assist.runs import Ground, Run, RunFailed, TaskRun, run_role, run_scripts
from goldsmith.assist.shell import Script
from goldsmith.assist.stacked import StackedTree
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tree import shown

Verdict: TypeAlias = Literal["proven", "partial", "refused"]
"""`partial`: nothing speaks against the role, but something that a proof needs is missing."""
WIDEST_MASK = 0.02
"""The share of the changed paths that two runs of the script may leave different before somebody has to answer for it."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is to be proven: that a role does what scripts do."""

    scripts: tuple[Script, ...]
    role: Path
    """The directory of a playbook.yml with its roles, or of one role."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the scripts are given."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the role is given: the same values under the names of its variables, and its secrets."""
    divergences: tuple[Divergence, ...] = ()
    ledger: Ledger | None = None
    """What a traced run of the scripts saw, to blame their lines."""


@dataclass(frozen=True, kw_only=True)
class SecondRun:
    """What the role does when it runs again on what it made."""

    changed: tuple[TaskRun, ...] = ()
    """Tasks that say that they changed something."""
    paths: tuple[Difference, ...] = ()
    """What differs all the same."""


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """What was asked of servers."""

    record: str = ""
    """`sha256:<hex>` of all answers; empty where the runs had no way to servers."""
    urls: int = 0
    missed_by_script: tuple[str, ...] = ()
    """What the script asked for in its second run and not in its first."""
    missed_by_role: tuple[str, ...] = ()
    """What the role asked for and the script did not."""

    @property
    def are_replayed(self) -> bool:
        """Whether every run got the same answers."""
        return not (self.missed_by_script or self.missed_by_role)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the runs showed."""

    verdict: Verdict
    shortcomings: tuple[str, ...]
    """Why it is not proven, in sentences; empty when it is."""
    examined: int = 0
    """Paths that were looked at."""
    judged: tuple[Judged, ...] = ()
    """Every difference between the script's tree and the role's."""
    findings: tuple[Finding, ...] = ()
    """The unexplained ones, blamed and shown."""
    mask: Mask = field(default_factory=Mask)
    second: SecondRun = field(default_factory=SecondRun)
    tasks: tuple[TaskRun, ...] = ()
    fault: Diagnostic | None = None
    """Why the role did not run to its end."""
    downloads: Downloads = field(default_factory=Downloads)

    @property
    def classes(self) -> Mapping[str, int]:
        """How many paths are equal, and how many are of each class."""
        found = counted(self.judged)
        return {"equal": self.examined - sum(found.values()), **found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """Two runs of the scripts."""

    first: Run
    again: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """All runs of a proof."""

    originals: Originals
    role: Run
    role_again: Run
    """The role again, on what it made."""


def prove(claim: Claim, ground: Ground, *, today: date | None = None, originals: Originals | None = None) -> Proof:
    """Run the scripts twice and the role twice, and compare what they leave.

    `originals` are runs of the same scripts on the same ground, when there are any. Raises `UserError` when the scripts do
    not run to their end, which leaves nothing to compare with.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="proof") as pool:
        first = originals.first if originals else _original(claim, ground, "A", records=True)
        # What the script does again and what the role does need not wait for each other.
        again = None if originals else pool.submit(_original, claim, ground, "A-again")
        try:
            role = run_role(claim.role, claim.variables, ground, "B")
            role_again = run_role(claim.role, claim.variables, ground, "B-again", role.layers)
        except RunFailed as error:
            told = f"the role does not run: {error.diagnostic.what}"
            return Proof(verdict="refused", shortcomings=(told,), fault=error.diagnostic)
        known = originals or Originals(first=first, again=again.result() if again else first)
    return weigh(claim, ground, Runs(originals=known, role=role, role_again=role_again), today)


def run_originals(claim: Claim, ground: Ground) -> Originals:
    """Run the scripts twice, for any number of roles to be held against them. Raises `UserError` as `prove` does."""
    return Originals(first=_original(claim, ground, "A", records=True), again=_original(claim, ground, "A-again"))


def _original(claim: Claim, ground: Ground, name: str, *, records: bool = False) -> Run:
    try:
        return run_scripts(claim.scripts, claim.environment, ground, name, records=records)
    except RunFailed as error:
        raise UserError(error.diagnostic) from error


def weigh(claim: Claim, ground: Ground, runs: Runs, today: date | None = None) -> Proof:
    """What runs show: every difference is judged, and what speaks against the role is named."""
    today = today or datetime.now(UTC).date()
    layers = (runs.originals.first.layers, runs.originals.again.layers, runs.role.layers, runs.role_again.layers)
    script, repeated, made, made_again = map(StackedTree, layers)
    redactor = Redactor()
    for item in claim.scripts:
        redactor.redact(item.text.decode(errors="replace"), item.path)
    passwords = [item.value for item in redactor.hidden]
    passwords += [value for value in (*claim.environment.values(), *claim.variables.values()) if value]
    mask = _mask(script, repeated, passwords, today)
    judged = judge(
        differences(script, made),
        script,
        made,
        mask=mask,
        divergences=claim.divergences,
        today=today,
        passwords=passwords,
    )
    noise = FixedNoise(made, made_again)
    repeats = SecondRun(
        changed=tuple(task for task in runs.role_again.tasks if task.changed),
        paths=tuple(item for item in differences(made, made_again) if not noise.reason(item)),
    )
    unexplained = [item for item in judged if item.verdict == "unexplained"]
    examined = len(script.entries.keys() | made.entries.keys())
    downloads = _downloads(runs, ground)
    refusals = _refusals(unexplained, repeats, runs, downloads, examined)
    lacks = [*_unanswered(mask, script, runs, claim, today), *_unsteady(downloads)]
    return Proof(
        verdict="refused" if refusals else "partial" if lacks else "proven",
        shortcomings=(*refusals, *lacks),
        examined=examined,
        judged=judged,
        findings=find(unexplained, script, made, runs.role, claim.ledger, redactor),
        mask=mask,
        second=repeats,
        tasks=runs.role.tasks,
        downloads=downloads,
    )


def _mask(script: StackedTree, repeated: StackedTree, passwords: Sequence[str], today: date) -> Mask:
    """What two runs of the script leave different, beyond what means the same or nothing."""
    found = judge(differences(script, repeated), script, repeated, mask=Mask(), today=today, passwords=passwords)
    return mask_of([item.difference for item in found if item.verdict == "unexplained"], script, repeated)


def _downloads(runs: Runs, ground: Ground) -> Downloads:
    if ground.recordings is None:
        return Downloads()
    return Downloads(
        record=ground.recordings.save(),
        urls=len({item.asked.url for item in ground.recordings.answers()}),
        missed_by_script=runs.originals.again.missed,
        missed_by_role=tuple(sorted({*runs.role.missed, *runs.role_again.missed})),
    )


def _refusals(unexplained: Sequence[Judged], repeats: SecondRun, runs: Runs, downloads: Downloads, examined: int) -> list[str]:
    found = []
    if not examined:
        found.append("no path was examined")
    if downloads.missed_by_role:
        found.append(f"the role downloads what the script does not: {_listed(downloads.missed_by_role)}")
    if not runs.role.tasks or not runs.role_again.tasks:
        found.append("the role reported no task")
    if paths := list(dict.fromkeys(item.difference.shown for item in unexplained)):
        found.append(f"{_counted(paths, 'path')} without explanation: {_listed(paths)}")
    if repeats.changed:
        names = [task.name for task in repeats.changed]
        found.append(f"the second run changes something by its own account: {_listed(names)}")
    if paths := list(dict.fromkeys(item.shown for item in repeats.paths)):
        liars = {task.name for item in repeats.paths if (task := task_of(item.path, runs.role_again)) is not None}
        told = f" by {_listed(sorted(liars))}" if liars else ""
        found.append(f"the second run changes {_counted(paths, 'path')}{told}: {_listed(paths)}")
    return found


def _unanswered(mask: Mask, script: StackedTree, runs: Runs, claim: Claim, today: date) -> list[str]:
    """A script that rarely does the same twice is proven only where somebody answers for that."""
    answers = [item for item in claim.divergences if item.expires >= today]
    masked = sorted(path for path, _ in mask.fields if not any(item.names(path) for item in answers))
    upper = os.fsencode(runs.originals.first.upper) + b"/"
    changed = sum(entry.place.startswith(upper) for entry in script.entries.values())
    if len(masked) <= WIDEST_MASK * changed:
        return []
    paths = [f"/{shown(path)}" for path in masked]
    return [
        f"two runs of the script differ in {_counted(paths, 'path')} of {changed}, more than {WIDEST_MASK:.0%}, and no "
        f"divergence answers for it: {_listed(paths)}"
    ]


def _unsteady(downloads: Downloads) -> list[str]:
    if not downloads.missed_by_script:
        return []
    return [f"the second run of the script asks for what its first did not get: {_listed(downloads.missed_by_script)}"]


def _counted(items: Sequence[str], word: str) -> str:
    return f"{len(items)} {word}" + ("" if len(items) == 1 else "s")


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")
