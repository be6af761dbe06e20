"""What a vulnerability means for an image, by the settings of the gate alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from goldsmith.components import Period, attribute
from goldsmith.gates.advisories import Severity, Vulnerability
from goldsmith.gates.advisories.vulnerability import SEVERITIES
from goldsmith.gates.contract import Effect
from goldsmith.gates.rules import Rule
from goldsmith.gates.waivers import DAY_S, Waivable

UNIMPORTANT = "the distribution calls it unimportant"
WITHOUT_FIX = 'without a fix, and the gate says unfixed = "hide"'


@dataclass(frozen=True, slots=True, kw_only=True)
class VulnerabilitiesConfig(Waivable):
    """Attributes of a `gate "vulnerabilities"` block."""

    fail_on: Literal["critical", "high", "medium", "low", "none"] = attribute(
        "critical", "Findings of this severity and above fail when there is a fix: critical, high, medium, low or none."
    )
    kev: Literal["fail", "warn", "info"] = attribute(
        "fail", "What a vulnerability means that is known to be exploited, at any severity: fail, warn or info."
    )
    unfixed: Literal["warn", "fail", "hide"] = attribute(
        "warn", "What a finding of `fail_on` and above means when there is no fix: warn, fail or hide."
    )
    grace: Period = attribute(Period(30 * DAY_S), "One without a fix that is published for longer than this fails.")
    unknown: Literal["warn", "fail"] = attribute("warn", "What a finding without a severity means: warn or fail.")
    max_age: Period = attribute(Period(48 * 3600), "How old the advisories may be.")
    vex: tuple[str, ...] = attribute((), "VEX documents (OpenVEX, CycloneDX): names and patterns from the project's directory.")
    reports: tuple[str, ...] = attribute(
        (), "Results of trivy, grype or osv-scanner as JSON: names and patterns; `{image}` in them is the image's name."
    )
    own: bool = attribute(True, "Match by the advisories of this host too; false: only `reports` count.")
    rule: tuple[Rule, ...] = attribute((), "Conditions of the project's own.")

    def __post_init__(self) -> None:
        # `super()` would be of the class before `slots` made another one of it.
        Waivable.__post_init__(self)
        if not self.own and not self.reports:
            raise ValueError("own = false leaves nothing that finds vulnerabilities; name the results of a scanner in reports")


_WEIGHT: Mapping[Effect, int] = {"info": 0, "warn": 1, "fail": 2}


def worse(one: Effect, other: Effect) -> Effect:
    """The heavier of two effects."""
    return one if _WEIGHT[one] >= _WEIGHT[other] else other


def effect_of(item: Vulnerability, config: VulnerabilitiesConfig, now_s: int) -> Effect:
    """The effect of a finding; what is known to be exploited is judged by that, however small it is said to be."""
    exploited: Effect = config.kev if item.kev else "info"
    if item.severity == "unknown":
        return worse(exploited, config.unknown)
    if not reaches(item.severity, config.fail_on):
        return exploited
    return worse(exploited, "fail" if item.fixed else _without_fix(item, config, now_s))


def reaches(severity: Severity, threshold: str) -> bool:
    """Whether a severity is at a threshold or above it; nothing reaches `none`."""
    ranks = {name: place for place, name in enumerate(SEVERITIES)}
    return threshold != "none" and ranks[severity] >= ranks[_severity(threshold)]


def hidden_because(item: Vulnerability, effect: Effect, config: VulnerabilitiesConfig) -> str:
    """Why a finding is counted only and not shown, or an empty text. What has an effect is always shown."""
    if effect != "info" or item.kev:
        return ""
    if item.severity == "negligible":
        return UNIMPORTANT
    return WITHOUT_FIX if config.unfixed == "hide" and not item.fixed else ""


def _without_fix(item: Vulnerability, config: VulnerabilitiesConfig, now_s: int) -> Effect:
    if config.unfixed == "hide":
        return "info"
    # Without a date nobody can tell how long it has been known: it goes on warning.
    is_old = 0 < item.published_s < now_s - config.grace
    return "fail" if config.unfixed == "fail" or is_old else "warn"


def _severity(text: str) -> Severity:
    return next(name for name in SEVERITIES if name == text)
