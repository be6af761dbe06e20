"""The gate itself: inventory, matching, VEX, policy, rules, in this order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version
from pathlib import Path

from goldsmith.events import Emit
from goldsmith.gates.adapters import SCANNERS, Opinion, combined, read_report, report_files
from goldsmith.gates.advisories import Matches, Vulnerability, match
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.contract import DataUsed, Facts, Finding, Floor, Gate, Ignored, Skipped, Subject
from goldsmith.gates.inventory import Inventory, inventory_of, package_url
from goldsmith.gates.ranking import likelihoods
from goldsmith.gates.rules import RuleDoubt, RuleOutcome, apply_rules
from goldsmith.gates.support import end_of_life
from goldsmith.gates.vex import VexDocument, read_vex, vex_files
from goldsmith.gates.vulnerabilities.findings import finding_of, rule_value, surroundings, without_feed
from goldsmith.gates.vulnerabilities.policy import VulnerabilitiesConfig, effect_of, hidden_because, worse
from goldsmith.gates.vulnerabilities.vex_matching import Contents, decide, unused
from goldsmith.gates.waivers import NOTICE_S, day_of, ending, with_remarks
from goldsmith.hcl import functions
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images import file_digest
from goldsmith.machines.cancellation import Cancellation

_SAMPLE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is judged, for which project, and when."""

    image: str
    names: tuple[str, ...] = ()
    """Further names by which a VEX document may know the image: the digest of its disk."""
    root: Path = Path("/nonexistent")
    now_s: int


class Vulnerabilities(Gate[VulnerabilitiesConfig]):
    """Matches the packages of the sealed tree with the advisories of this host."""

    name = "vulnerabilities"
    Config = VulnerabilitiesConfig

    def __init__(self, inventory: Inventory | None = None) -> None:
        """`inventory` stands for the subject's tree: what a bill of materials tells."""
        self.inventory = inventory
        self.matches: Matches | None = None
        """What was found, after `examine`: reports tell more of a vulnerability than a finding holds."""

    def examine(self, subject: Subject, config: VulnerabilitiesConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Find vulnerable packages. Raises `UserError` without a good advisories file, or for VEX that is not to be used."""
        self.inventory = inventory = self.inventory or inventory_of(subject)
        cancellation.check()
        opinion = _found(inventory, subject, config)
        self.matches = opinion.matches
        occasion = Occasion(image=subject.image, names=(subject.disk_digest,), root=subject.root, now_s=subject.now_s)
        facts = assess(inventory, opinion.matches, config, occasion)
        return replace(facts, messages=(*facts.messages, *opinion.differences))

    def check_files(self, config: VulnerabilitiesConfig, root: Path) -> None:
        """Read the VEX documents."""
        faults: list[Diagnostic] = []
        for path in vex_files(root, config.vex):
            try:
                read_vex(path, int(time.time()))
            except UserError as error:
                faults += error.diagnostics
        if faults:
            raise UserError(*faults)

    def data_digests(self, subject: Subject, config: VulnerabilitiesConfig) -> Sequence[str]:
        """The advisories file, the VEX documents, and the day: waivers end and data grows old while nothing else changes."""
        documents = (file_digest(path) for path in vex_files(subject.root, config.vex))
        reports = (file_digest(path) for path in report_files(subject.root, config.reports, subject.image))
        current = Store(subject.cache / "advisories").current() if config.own else None
        return (current.stem if current is not None else "none", *documents, *reports, day_of(int(time.time())))


def _found(inventory: Inventory, subject: Subject, config: VulnerabilitiesConfig) -> Opinion:
    """What the advisories of this host and the reports of other scanners find, as far as the gate asks for them."""
    reports = [read_report(path) for path in report_files(subject.root, config.reports, subject.image)]
    if not config.own:
        return combined(None, reports, inventory, subject.now_s)
    with Store(subject.cache / "advisories").open() as database:
        own = match(inventory, database, now_s=subject.now_s)
        return combined(own, reports, inventory, subject.now_s, database.exploitation)


def assess(inventory: Inventory, matches: Matches, config: VulnerabilitiesConfig, occasion: Occasion) -> Facts:
    """Matches as the facts of the gate: the policy gives each finding its effect, rules may raise it, VEX sets some aside.

    Raises `UserError` for a VEX document that is not to be used.
    """
    documents = tuple(read_vex(path, occasion.now_s) for path in vex_files(occasion.root, config.vex))
    purls = {id(item): package_url(item.package, inventory.distribution) for item in matches.vulnerabilities}
    judged = [finding_of(item, purls[id(item)], effect_of(item, config, occasion.now_s)) for item in matches.vulnerabilities]
    ruled = _ask_rules(judged, inventory, matches, config, occasion)
    shown, hidden = _shown(ruled.findings, matches.vulnerabilities, config)
    every = tuple(package_url(package, inventory.distribution) for package in inventory.packages) if documents else ()
    contents = Contents(names=(occasion.image, *occasion.names), purls=every)
    counted, ignored, notices = _set_aside(shown, documents, contents, occasion.now_s)
    ended, doubts = end_of_life(inventory.distribution, matches.end_of_life_s, config.ignore, occasion.now_s)
    return Facts(
        engine="goldsmith-vulnerabilities",
        engine_version=installed_version("goldsmith"),
        examined=len(inventory.packages) + len(inventory.faults),
        evaluated=matches.evaluated,
        errors=len(inventory.faults) + len(matches.faults),
        skipped=(*inventory.skipped, *matches.skipped, *hidden),
        floors=_floors(inventory, matches),
        data=_data(matches, documents, config),
        findings=(*counted, *ruled.others, *notices, *ended, *without_feed(matches)),
        messages=(*inventory.faults, *matches.faults, *unused(documents, shown, contents)),
        ignored=ignored,
        doubts=(*doubts, *ruled.doubts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruled:
    """What the project's rules made of the findings."""

    findings: tuple[Finding, ...]
    others: tuple[Finding, ...]
    """What rules say about the image as a whole."""
    doubts: tuple[str, ...]


def _ask_rules(
    findings: Sequence[Finding], inventory: Inventory, matches: Matches, config: VulnerabilitiesConfig, occasion: Occasion
) -> _Ruled:
    """Rules only raise: what sets a finding aside is a person's decision with an end, an `ignore` or VEX."""
    changed, others, doubts = list(findings), [], []
    if config.rule:
        likely = likelihoods(matches.vulnerabilities)
        pairs = zip(matches.vulnerabilities, findings, likely, strict=True)
        values = [rule_value(item, finding, chance, occasion.now_s) for item, finding, chance in pairs]
        around = surroundings(values, matches.vulnerabilities, inventory, matches, occasion.image)
        for outcome in apply_rules(config.rule, values, around, functions(occasion.root, occasion.now_s)):
            if isinstance(outcome, RuleDoubt):
                doubts.append(outcome.why)
            elif outcome.finding is None:
                others.append(_of_rule(outcome))
            else:
                raised = replace(changed[outcome.finding], effect=worse(changed[outcome.finding].effect, outcome.rule.effect))
                changed[outcome.finding] = with_remarks(raised, [outcome.message])
    return _Ruled(findings=tuple(changed), others=tuple(others), doubts=tuple(doubts))


def _of_rule(outcome: RuleOutcome) -> Finding:
    name = outcome.rule.name
    return Finding(
        id=f"rule {name}",
        rule="rule",
        severity="unknown",
        effect=outcome.rule.effect,
        detail=f"{outcome.message} (rule {name})",
    )


def _shown(
    findings: Sequence[Finding], items: Sequence[Vulnerability], config: VulnerabilitiesConfig
) -> tuple[tuple[Finding, ...], tuple[Skipped, ...]]:
    """The findings that are told one by one; the others are counted with their reason."""
    reasons = [hidden_because(item, finding.effect, config) for item, finding in zip(items, findings, strict=True)]
    pairs = list(zip(findings, reasons, strict=True))
    counts = Counter(reason for reason in reasons if reason)
    hidden = tuple(
        Skipped(reason=reason, count=count, sample=tuple(finding.id for finding, why in pairs if why == reason)[:_SAMPLE])
        for reason, count in sorted(counts.items())
    )
    return tuple(finding for finding, reason in pairs if not reason), hidden


def _set_aside(
    findings: Sequence[Finding], documents: Sequence[VexDocument], contents: Contents, now_s: int
) -> tuple[tuple[Finding, ...], tuple[Ignored, ...], tuple[Finding, ...]]:
    """The findings that still count, those that VEX sets aside, and warnings of statements that are about to lapse."""
    counted: list[Finding] = []
    ignored: list[Ignored] = []
    notices: dict[str, Finding] = {}
    for finding in findings:
        decision = decide(finding, documents, contents, now_s)
        statement = decision.waived_by
        if statement is None:
            counted.append(with_remarks(finding, decision.remarks))
            continue
        ignored.append(
            Ignored(
                finding=finding,
                by=statement.author,
                until=statement.lapses_s,
                reason=f"{statement.status.replace('_', ' ')}{f': {statement.why}' if statement.why else ''}",
                source=statement.document,
            )
        )
        if statement.lapses_s - now_s <= NOTICE_S:
            notices[finding.id] = ending(finding.id, statement.author, statement.lapses_s)
    return tuple(counted), tuple(ignored), tuple(notices.values())


def _floors(inventory: Inventory, matches: Matches) -> tuple[Floor, ...]:
    distribution = inventory.distribution
    return (
        Floor(name=f"feeds with advisories of {distribution.id} {distribution.release}", wanted=1, got=len(matches.feeds)),
        Floor(name="packages that were compared", wanted=1, got=matches.evaluated),
    )


def _data(matches: Matches, documents: Sequence[VexDocument], config: VulnerabilitiesConfig) -> tuple[DataUsed, ...]:
    feeds = (
        DataUsed(
            name=f"the feed {feed.id} ({feed.eco})",
            digest=f"sha256:{feed.sha256}" if feed.sha256 else matches.digest,
            published=feed.published_s,
            age_s=feed.age_s,
            max_age_s=int(config.max_age),
            renew=f"make {feed.eco} anew" if feed.id in SCANNERS else "goldsmith advisories update, or import",
        )
        for feed in matches.feeds
    )
    file = DataUsed(name="the advisories file", digest=matches.digest, published=0, age_s=0)
    return (file, *feeds, *(DataUsed(name=item.name, digest=item.digest, published=0, age_s=0) for item in documents))
