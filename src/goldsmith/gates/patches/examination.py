"""The comparison of what is installed with what its archives offer now; each update is judged by its age."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version as installed_version

from goldsmith.gates.advisories.support import published_end_s
from goldsmith.gates.contract import Effect, Facts, Finding, Floor, Skipped, Subject
from goldsmith.gates.inventory import inventory_of, kind_of
from goldsmith.gates.patches.comparison import Comparison, Update
from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.gates.patches.debian import compare_with_suites
from goldsmith.gates.patches.repositories import compare_with_repositories
from goldsmith.gates.support import end_of_life
from goldsmith.machines.cancellation import Cancellation

KNOWN_SHARE = 0.9
"""The share of packages that some index must know: below it the indexes are of another image."""
_RULES = {"security": "security-update", "untold": "untold-update", "other": "update"}
_WORDS = {"security": "security update", "untold": "update that may fix a vulnerability", "other": "update"}
_SAMPLE = 10


def compare_with_archives(subject: Subject, config: PatchesConfig, cancellation: Cancellation) -> Facts:
    """Find packages that are behind. Raises `MachineError` when there is nothing to compare with."""
    inventory = inventory_of(subject)
    distribution = inventory.distribution
    ended, doubts = end_of_life(distribution, published_end_s(distribution), config.ignore, subject.now_s)
    compare = compare_with_suites if kind_of(distribution) == "deb" else compare_with_repositories
    found = compare(subject, inventory, config, cancellation)
    known = found.installed - len(found.unknown) - len(found.ahead)
    return Facts(
        engine="goldsmith-patches",
        engine_version=installed_version("goldsmith"),
        examined=found.installed,
        evaluated=known,
        errors=len(inventory.faults),
        skipped=(
            *_skipped("in no index of the archive", found.unknown),
            *_skipped("newer than what the archive offers", found.ahead),
            *found.skipped,
        ),
        floors=(
            Floor(
                name="packages that the indexes know",
                wanted=math.ceil(KNOWN_SHARE * found.installed),
                got=known,
            ),
        ),
        data=found.data,
        findings=(*(_finding(update, found, config) for update in found.updates), *found.findings, *ended),
        doubts=(*doubts, *found.doubts),
        messages=inventory.faults + found.messages,
    )


def _skipped(reason: str, names: Sequence[str]) -> tuple[Skipped, ...]:
    return (Skipped(reason=reason, count=len(names), sample=tuple(names[:_SAMPLE])),) if names else ()


def _finding(update: Update, found: Comparison, config: PatchesConfig) -> Finding:
    package = update.package
    effect: Effect = config.effect_of_others
    if update.kind != "other":
        effect = "warn" if update.is_young else "fail"
    named = f" ({', '.join(update.notices)})" if update.notices else ""
    fixes = f"; it fixes {', '.join(update.cves)}" if update.cves else ""
    told = f"{named}{update.since}{fixes}"
    return Finding(
        id=f"{package.name} {update.version}",
        rule=_RULES[update.kind],
        severity=update.severity or ("low" if update.kind == "other" else "high"),
        effect=effect,
        subject=package.name,
        layer=package.layer,
        aliases=(*update.cves, *update.notices),
        fix=found.fix,
        detail=f"{_WORDS[update.kind]} pending: {package.version} → {update.version} in {update.place}{told}",
    )
