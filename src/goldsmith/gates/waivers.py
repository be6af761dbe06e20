"""`ignore` blocks: a person takes a finding upon themselves, with a reason, by name, until a day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from goldsmith.components import REQUIRED, Period, attribute
from goldsmith.gates.contract import Facts, Finding, Ignored

DAY_S = 86_400
NOTICE_S = 14 * DAY_S
"""How long before its end a waiver is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """An `ignore "ID"` block of a gate."""

    finding: str = attribute(REQUIRED, "The id of a finding, one of its aliases, or its fingerprint.", label=True)
    packages: tuple[str, ...] = attribute((), "Only in these packages: purls, with or without a version.")
    reason: str = attribute(REQUIRED, "Why the finding does not count.")
    owner: str = attribute(REQUIRED, "Who answers for that.")
    until: str = attribute(REQUIRED, 'The day on which it counts again (UTC): "2026-03-01".')

    def __post_init__(self) -> None:
        for name in ("finding", "reason", "owner"):
            if not getattr(self, name).strip():
                raise ValueError(f'ignore "{self.finding}": "{name}" may not be empty')
        try:
            date.fromisoformat(self.until)
        except ValueError as error:
            raise ValueError(f'ignore "{self.finding}": until = "{self.until}" is no day; write "2026-03-01"') from error
        for pattern in self.packages:
            _check_purl(pattern)

    @property
    def ends_s(self) -> int:
        """The moment from which the finding counts again: seconds since 1970."""
        day = date.fromisoformat(self.until)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

    def covers(self, finding: Finding) -> bool:
        """Whether this block is about a finding, expired or not."""
        named = self.finding in (finding.id, finding.fingerprint, *finding.aliases)
        return named and (not self.packages or any(same_package(pattern, finding.subject) for pattern in self.packages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waivable:
    """What a gate's `Config` has whose findings may be ignored: a base of it."""

    ignore: tuple[Ignore, ...] = attribute((), "Findings that do not count, each with reason, owner and until.")
    max_ignore: Period = attribute(Period(180 * DAY_S), "How far away the until of an ignore may be.")

    def __post_init__(self) -> None:
        latest = time.time() + self.max_ignore
        for item in self.ignore:
            if item.ends_s > latest:
                days = int(self.max_ignore // DAY_S)
                raise ValueError(
                    f'ignore "{item.finding}": until = "{item.until}" is more than {days} days away; '
                    "decide for a shorter time, or raise max_ignore"
                )


def apply_ignores(facts: Facts, ignores: Sequence[Ignore], now_s: int) -> Facts:
    """The facts with findings that a live `ignore` covers set aside.

    An expired one puts its finding back and says so there; one that ends within 14 days is a warning of its own; one that
    covers nothing is told.
    """
    kept: list[Finding] = []
    ignored: list[Ignored] = []
    used: set[int] = set()
    for finding in facts.findings:
        covering = [item for item in ignores if item.covers(finding)]
        used |= {id(item) for item in covering}
        if finding.stays:
            kept.append(finding)
            continue
        live = max((item for item in covering if item.ends_s > now_s), key=lambda item: item.ends_s, default=None)
        if live is not None:
            ignored.append(
                Ignored(finding=finding, by=live.owner, until=live.ends_s, reason=live.reason, source="ignore"),
            )
        else:
            kept.append(with_remarks(finding, [f"ignore by {item.owner} expired on {item.until}" for item in covering]))
    live_used = [item for item in ignores if id(item) in used and item.ends_s > now_s]
    unused = [item for item in ignores if id(item) not in used]
    return replace(
        facts,
        findings=(*kept, *(ending(item.finding, item.owner, item.ends_s) for item in live_used if _is_near(item, now_s))),
        ignored=(*facts.ignored, *ignored),
        messages=(*facts.messages, *(f'ignore "{item.finding}" by {item.owner} covers no finding' for item in unused)),
    )


def live_ignore(ignores: Sequence[Ignore], name: str, now_s: int) -> Ignore | None:
    """The `ignore` of this name that still holds, or None."""
    return next((item for item in ignores if item.finding == name and item.ends_s > now_s), None)


def ending(finding: str, owner: str, ends_s: int) -> Finding:
    """The warning that a waiver is about to end."""
    return Finding(
        id=f"waiver-ends {finding}",
        rule="waiver-ends",
        severity="low",
        effect="warn",
        subject=finding,
        detail=f"the waiver of {finding} by {owner} ends on {day_of(ends_s)}",
        fix="Fix what it is about, or decide anew.",
        stays=True,
    )


def with_remarks(finding: Finding, remarks: Sequence[str]) -> Finding:
    """The finding with further sentences in its detail."""
    told = "; ".join((finding.detail or finding.id, *remarks))
    return replace(finding, detail=told, remarks=(*finding.remarks, *remarks)) if remarks else finding


def same_package(pattern: str, purl: str) -> bool:
    """Whether a purl fits a pattern: type, namespace and name; version and qualifiers as far as the pattern has any."""
    from packageurl import PackageURL

    try:
        wanted, found = PackageURL.from_string(pattern), PackageURL.from_string(purl)
    except ValueError:
        return False
    if (wanted.type, wanted.namespace, wanted.name) != (found.type, found.namespace, found.name):
        return False
    return wanted.version in (None, found.version) and _pairs(wanted.qualifiers) <= _pairs(found.qualifiers)


def day_of(seconds: int) -> str:
    """The day of a moment, in UTC: 2026-03-01."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _is_near(item: Ignore, now_s: int) -> bool:
    return item.ends_s - now_s <= NOTICE_S


def _pairs(qualifiers: object) -> set[tuple[str, str]]:
    return {(str(name), str(value)) for name, value in dict(qualifiers or {}).items()}  # type: ignore[call-overload]  # a mapping or a text, by the library's own types


def _check_purl(pattern: str) -> None:
    from packageurl import PackageURL

    try:
        PackageURL.from_string(pattern)
    except ValueError as error:
        raise ValueError(f'"{pattern}" is no package URL: write for example "pkg:deb/debian/curl"') from error
