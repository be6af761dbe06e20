"""What a model adds to the list of fixes: words, and an order inside of a tier. The list itself stays as it was computed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.assist.filling import fill
from goldsmith.assist.model import Desk, ask
from goldsmith.assist.model_settings import ModelSettings
from goldsmith.assist.prompts import Library
from goldsmith.assist.redact import Redactor
from goldsmith.assist.shapes import Json
from goldsmith.gates.ranking import Fix
from goldsmith.gates.reports.fixes import reasons, sentence

MOST_FIXES = 60
"""Fixes that a model is shown; those behind them stand in their own order."""
_CLAIM = re.compile(r"(?i)\b(?:CVE-\d{4}-\d{4,}|[A-Z]{3,5}-[0-9a-z-]{6,}\d[0-9a-z-]*|v?\d+(?:[.:]\d+)+[^\s,;)]*|\d+ ?%)")
"""Ids, versions and shares: what a sentence may say only when the fix says it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedFix:
    """A fix with a model's words for it; without any where it gave none that hold."""

    fix: Fix
    why: str = ""
    action: str = ""
    effort: str = ""

    @property
    def document(self) -> Mapping[str, Json]:
        """For programs."""
        return {"fix": sentence(self.fix), "why": self.why, "action": self.action, "effort": self.effort}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All fixes, in their tiers."""

    summary: str
    origin: str
    """The model."""
    fixes: tuple[ExplainedFix, ...]


def explain(fixes: Sequence[Fix], settings: ModelSettings, desk: Desk, library: Library) -> Explanation:
    """Have a model phrase and order fixes. None is lost or added, none leaves its tier. Raises as `ask` does."""
    shown = fixes[:MOST_FIXES]
    ids = {f"fix-{number}": fix for number, fix in enumerate(shown, 1)}
    findings = [{"id": id, **_document(fix)} for id, fix in ids.items()]
    filled = fill(library.get("scan-explain"), {"findings": findings}, Redactor(desk.known), hides=settings.level == "redacted")
    draft = ask(filled, settings, desk, purpose="explain")
    given = draft.value.get("items")
    said: dict[str, Mapping[str, Json]] = {}
    for item in given if isinstance(given, Sequence) else ():
        if isinstance(item, Mapping):
            said.setdefault(str(item.get("finding")), item)
    place = {id: number for number, id in enumerate(said)}
    # A stable order: inside of a tier first what the model named, as it named it, then the rest as it was ranked.
    ordered = sorted(ids, key=lambda id: (shown[int(id.removeprefix("fix-")) - 1].tier, place.get(id, len(ids))))
    explained = [_explained(ids[id], said.get(id, {})) for id in ordered]
    known = "\n".join(_text(fix) for fix in shown)
    summary = str(draft.value.get("summary", ""))
    return Explanation(
        summary=summary if _holds(summary, known) else "",
        origin=draft.origin,
        fixes=(*explained, *(ExplainedFix(fix=fix) for fix in fixes[MOST_FIXES:])),
    )


def _explained(fix: Fix, said: Mapping[str, Json]) -> ExplainedFix:
    why = str(said.get("why", ""))
    return ExplainedFix(
        fix=fix,
        why=why if _holds(why, _text(fix)) else "",
        action=str(said.get("action", "")),
        effort=str(said.get("effort", "")),
    )


def _holds(text: str, known: str) -> bool:
    """Whether every id, version and share of a sentence stands in what is known."""
    return all(claim[0].rstrip(".") in known for claim in _CLAIM.finditer(text))


def _text(fix: Fix) -> str:
    return "\n".join((sentence(fix), *reasons(fix), *fix.vulnerabilities, *fix.exploited))


def _document(fix: Fix) -> dict[str, Json]:
    return {
        "tier": fix.tier.name,
        "action": fix.action,
        "package": fix.package,
        "installed": fix.installed,
        "to": fix.to,
        "layer": fix.layer,
        "images": list(fix.images),
        "vulnerabilities": list(fix.vulnerabilities)[:20],
        "reasons": list(reasons(fix)),
    }
