"""Whether a version may be in a channel: pure functions over facts, never stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.source import Range
from goldsmith.registry.canonical import JSON
from goldsmith.registry.conditions import untrue
from goldsmith.registry.entities import Approval, Evidence, Version, Waiver
from goldsmith.registry.policy import Policy, Requirement

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How a version stands with the channel that must come first."""

    channel: str
    exists: bool
    longest_us: int | None
    """The longest stay that counts, or None: it was never there, or was taken back from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision rests on, read in one transaction."""

    channel: str
    """As commands take it: `web prod`."""
    version: Version
    at: int
    evidence: Mapping[str, Mapping[str, Evidence | None]]
    """The newest evidence by gate and disk."""
    waivers: tuple[Waiver, ...] = ()
    """Those that hold at that time of findings that the evidence fails by."""
    stay: Stay | None = None
    frozen: str | None = None
    """Why the channel is frozen, or None when it is open."""
    approvals: tuple[Approval, ...] = ()
    """Those of the request that asks for exactly this move."""
    requester: str = ""
    """Who asks."""
    evidence_keys: frozenset[str] = frozenset()
    """The keys that the version's evidence is signed with: who holds one of them made it."""
    rolled_back: bool = False
    """Whether the channel was rolled back from this version, and the caller does not ask for it again."""
    damaged: int = 0
    """How many of the version's blobs were found damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A demand that is not met."""

    code: str
    need: str
    found: str
    why: str
    next: str
    where: Range | None = None
    """The part of a condition that is at fault."""

    def diagnostic(self) -> Diagnostic:
        """As a user is told."""
        what = f"{self.need}: {self.found}"
        return Diagnostic(code=f"promote.{self.code}", what=what, where=self.where, why=self.why, next=self.next)

    def document(self) -> JSON:
        """As the log keeps it."""
        return {"code": self.code, "need": self.need, "found": self.found, "why": self.why, "next": self.next}


def decide(policy: Policy, facts: Facts) -> tuple[Unmet, ...]:
    """Every demand that the version does not meet at that moment; none means that it may move.

    Pure: the same facts give the same answer. What is absent, unknown or in error never counts as met.
    """
    return (*_of_channel(facts), *held_by(policy, facts), *_of_stay(policy, facts), *_of_approvals(policy, facts))


def held_by(policy: Policy, facts: Facts) -> tuple[Unmet, ...]:
    """The demands that a version must meet for as long as a channel holds it: those on itself, not on how it gets there."""
    gates = (unmet for requirement in policy.requires for unmet in list(_of_gate(policy, requirement, facts))[:1])
    return (*_of_version(facts), *gates, *_of_conditions(policy, facts))


def counting_waivers(policy: Policy, facts: Facts) -> tuple[Waiver, ...]:
    """The waivers that count for this version in this channel: signed by somebody of security whom the policy names."""
    keys = {item.key for item in policy.security}
    image, _, channel = facts.channel.partition(" ")
    return tuple(item for item in facts.waivers if item.key in keys and item.scope.covers(image, channel, facts.version.digest))


def _of_gate(policy: Policy, requirement: Requirement, facts: Facts) -> Iterator[Unmet]:
    """What is unmet for each disk."""
    for evidence in (facts.evidence.get(requirement.gate) or {"": None}).values():
        unmet = gate_unmet(policy, requirement, evidence, facts)
        if unmet is not None:
            yield unmet


def gate_unmet(policy: Policy, requirement: Requirement, evidence: Evidence | None, facts: Facts) -> Unmet | None:
    """Why the newest evidence of a gate does not count, or None. A `fail` counts when each of its findings is waived."""
    gate, ref = requirement.gate, facts.version.ref
    if evidence is None:
        why = f"{ref} has no evidence of this gate for each of its disks"
        return Unmet(
            code="no-evidence",
            need=gate,
            found="no evidence",
            why=why,
            next=f'Check that goldsmith.hcl has gate "{gate}", then run goldsmith build.',
        )
    accepted = ("pass",) if requirement.strict else ("pass", "warn")
    failing = _failing(policy, evidence, facts)
    if evidence.verdict not in accepted and not (evidence.verdict == "fail" and evidence.failing and not failing):
        return _bad_verdict(policy, gate, evidence, failing, facts)
    if requirement.config and evidence.config_digest != requirement.config:
        why = "it was made with another configuration of the gate than the channel demands now"
        return Unmet(
            code="other-config",
            need=gate,
            found=evidence.verdict.upper(),
            why=why,
            next="Run goldsmith build: it runs the gate as it is configured now.",
        )
    if requirement.signers and evidence.signer not in requirement.signers:
        why = f"it is signed by {evidence.signer}; the channel accepts {', '.join(requirement.signers)}"
        return Unmet(
            code="other-signer",
            need=gate,
            found=evidence.verdict.upper(),
            why=why,
            next="Run the gate where one of these keys signs.",
        )
    return _too_old(requirement, evidence, facts)


def _failing(policy: Policy, evidence: Evidence, facts: Facts) -> tuple[str, ...]:
    """The findings that nobody has waived."""
    waived = {item.finding for item in counting_waivers(policy, facts)}
    return tuple(item for item in evidence.failing if item not in waived)


def _bad_verdict(policy: Policy, gate: str, evidence: Evidence, failing: Sequence[str], facts: Facts) -> Unmet:
    ref = facts.version.ref
    waived = len(evidence.failing) - len(failing)
    shown = ", ".join(failing[:5]) + (f" and {len(failing) - 5} more" if len(failing) > 5 else "")
    reasons = {
        "fail": f"the gate found {shown or 'what must not be there'}" + (f"; {waived} are waived" if waived else ""),
        "error": "the gate could not tell, and that is never a pass",
        "warn": "the channel is strict: a warning does not count",
    }
    mend = {
        "error": f"goldsmith show {ref} shows what stopped it; mend that, then run {_again(gate, ref)}",
        "warn": f"goldsmith show {ref} shows what it warns of; mend the image, then run goldsmith build.",
    }
    next = mend.get(evidence.verdict, f"goldsmith show {ref} shows the evidence; mend the image, then run goldsmith build.")
    if evidence.verdict == "fail" and failing and policy.security:
        names = ", ".join(item.name for item in policy.security)
        next += f' Or {names} may waive it: goldsmith waive "{failing[0]}" {ref} -reason=WHY -until=TIME -key=FILE'
    return Unmet(code="verdict", need=gate, found=evidence.verdict.upper(), why=reasons[evidence.verdict], next=next)


def _again(gate: str, ref: str) -> str:
    """The commands that make evidence of a gate anew."""
    return f"goldsmith advisories update, then: goldsmith rescan {ref}" if gate == "vulnerabilities" else "goldsmith build"


def _of_conditions(policy: Policy, facts: Facts) -> Iterator[Unmet]:
    if not policy.conditions:
        return
    plain = _plain(facts)
    for number, text in enumerate(policy.conditions, 1):
        place = f"condition {number} of {facts.channel.replace(' ', '@')}"
        found = untrue(text, place, plain)
        if found is not None:
            next = (
                f"goldsmith show {facts.version.ref} shows what is known of it; mend that, or the condition in goldsmith.hcl."
            )
            yield Unmet(code="condition", need=place, found=found.found, why=found.why, next=next, where=found.where)


_WORST = ("error", "fail", "none", "warn", "pass")


def _plain(facts: Facts) -> Mapping[str, object]:
    """What conditions see. A gate has the worst verdict of all disks; `none` when one of them was not examined."""
    image, _, channel = facts.channel.partition(" ")
    version = facts.version
    return {
        "version": {
            "image": version.image,
            "number": version.number,
            "digest": version.digest,
            "parent": version.parent,
            "builder": version.builder,
            "age_s": (facts.at - version.created_at) // SECOND_US,
        },
        "channel": {"image": image, "name": channel},
        "evidence": {gate: _plain_gate(list(by_disk.values()), facts.at) for gate, by_disk in facts.evidence.items()},
    }


def _plain_gate(evidence: Sequence[Evidence | None], at: int) -> Mapping[str, object]:
    there = [item for item in evidence if item is not None]
    verdicts = ["none" if item is None else item.verdict for item in evidence]
    return {
        "verdict": min(verdicts, key=_WORST.index),
        "failing": sorted({finding for item in there for finding in item.failing}),
        "signers": sorted({item.signer for item in there}),
        "age_s": max(((at - item.issued_at) // SECOND_US for item in there), default=None),
    }


def _too_old(requirement: Requirement, evidence: Evidence, facts: Facts) -> Unmet | None:
    age_s = (facts.at - evidence.issued_at) // SECOND_US
    again = f"Run {_again(requirement.gate, facts.version.ref)}"
    if evidence.expires_at is not None and evidence.expires_at <= facts.at:
        found = f"expired {spoken((facts.at - evidence.expires_at) // SECOND_US)} ago"
        return Unmet(
            code="expired-evidence", need=requirement.gate, found=found, why="the evidence says how long it holds", next=again
        )
    if requirement.max_age_s and age_s > requirement.max_age_s:
        why = f"{spoken(requirement.max_age_s)} are allowed"
        return Unmet(
            code="stale-evidence", need=requirement.gate, found=f"the evidence is {spoken(age_s)} old", why=why, next=again
        )
    return None


def _of_channel(facts: Facts) -> list[Unmet]:
    unmet = []
    if facts.frozen is not None:
        why = facts.frozen or "no reason was given"
        unmet.append(
            Unmet(
                code="frozen",
                need="an open channel",
                found="it is frozen",
                why=why,
                next="Only a rollback or a revocation moves it.",
            )
        )
    if facts.rolled_back:
        why = f"the channel was rolled back from {facts.version.ref}"
        next = f"If it is fit after all: goldsmith promote -again -reason=WHY {facts.channel} {facts.version.ref}"
        unmet.append(
            Unmet(code="rolled-back", need="a version that was not rolled back", found=facts.version.ref, why=why, next=next)
        )
    return unmet


def _of_version(facts: Facts) -> list[Unmet]:
    version = facts.version
    unmet = []
    if version.revoked:
        next = "Build a new version without the fault."
        unmet.append(
            Unmet(code="revoked", need="a fit version", found=f"{version.ref} is revoked", why=version.revoked, next=next)
        )
    if version.storage != "present":
        why = {"expiring": "retention has marked it for deletion"}.get(version.storage, "its bytes were deleted")
        next = "Build it again: the same inputs give the same version, and its bytes come back."
        unmet.append(
            Unmet(
                code="absent", need="the bytes of the version", found=f"{version.ref} is {version.storage}", why=why, next=next
            )
        )
    if facts.damaged:
        why = "reading them again has found other bytes than were registered, or none"
        next = (
            "goldsmith registry scrub -repair -from=STORE mends them; or build it again: the same inputs give the same bytes."
        )
        found = f"{facts.damaged} blobs of {version.ref} are damaged"
        unmet.append(Unmet(code="damaged", need="the bytes of the version", found=found, why=why, next=next))
    return unmet


def _of_stay(policy: Policy, facts: Facts) -> list[Unmet]:
    stay = facts.stay
    if not policy.after or stay is None:
        return []
    image, ref = facts.version.image, facts.version.ref
    first = f"goldsmith promote {image} {policy.after} {ref}"
    need = f"after {policy.after}"
    if not stay.exists:
        why = f"the image has no channel {policy.after}"
        return [
            Unmet(code="after", need=need, found="never there", why=why, next=f'Declare channel "{policy.after}", then {first}')
        ]
    if stay.longest_us is None:
        why = f"{ref} was never in {policy.after}, or was taken back from there"
        return [Unmet(code="after", need=need, found="not there", why=why, next=first)]
    missing_s = policy.soak_s - stay.longest_us // SECOND_US
    if missing_s > 0:
        found = f"{spoken(stay.longest_us // SECOND_US)} of {spoken(policy.soak_s)}"
        next = f"Keep {ref} in {policy.after} for {spoken(missing_s)} more."
        return [
            Unmet(code="soak", need=f"soak in {policy.after}", found=found, why="it must prove itself there first", next=next)
        ]
    return []


def _of_approvals(policy: Policy, facts: Facts) -> list[Unmet]:
    """People and keys are both counted: one person with two keys, or two with one, are one."""
    if not policy.approvals:
        return []
    judged = [(item, why_not_counted(item.approver, item.key, policy, facts)) for item in facts.approvals]
    counted = [item for item, why_not in judged if not why_not]
    found = min(len({item.approver for item in counted}), len({item.key for item in counted}))
    if found >= policy.approvals:
        return []
    reasons = [f"{item.approver}'s does not count: {why_not}" for item, why_not in judged if why_not]
    names = ", ".join(item.name for item in policy.approvers)
    image, channel = facts.channel.split(" ")
    why = "; ".join(reasons) or (f"these may: {names}" if names else f"{image}@{channel} has no approver")
    next = (
        f"goldsmith promote {facts.channel} {facts.version.ref} asks for them when all else is met; then: goldsmith approve"
        if names
        else 'Add approver "NAME" { key = "keys/NAME.pub" } to goldsmith.hcl.'
    )
    return [Unmet(code="approvals", need="approvals", found=f"{found} of {policy.approvals}", why=why, next=next)]


def why_not_counted(approver: str, key: str, policy: Policy, facts: Facts) -> str:
    """Why somebody's approval of a version does not count, or an empty string."""
    known = next((item for item in policy.approvers if item.name == approver), None)
    if known is None or known.key != key:
        return f"{approver} with this key is no approver of {facts.channel.replace(' ', '@')}"
    if known.user == facts.requester:
        return f"{known.user} asks for the promotion"
    if known.user == facts.version.builder or key in facts.evidence_keys:
        return f"{approver} built {facts.version.ref} or signed its evidence"
    return ""


def spoken(seconds: int) -> str:
    """A length of time for people: 90 s, 12 min, 61 h, 9 d."""
    for size, unit in ((172_800, "d"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'d': 86_400, 'h': 3_600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"
