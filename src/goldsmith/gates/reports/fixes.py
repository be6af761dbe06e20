"""The ordered list of fixes, as text, JSON and HTML: what to do, what it clears, and every input of its place in the order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from goldsmith.gates.exposure import Exposure
from goldsmith.gates.ranking import Fix
from goldsmith.gates.reports.html import cells, page
from goldsmith.gates.waivers import day_of

_SHOWN = 8
_EXPOSURES: Mapping[Exposure, str] = {
    Exposure.NETWORK: "likely reachable from the network",
    Exposure.SERVICE: "likely reachable from an enabled service",
    Exposure.INSTALLED: "installed",
    Exposure.UNKNOWN: "exposure not looked at, taken as reachable",
}


def sentence(fix: Fix) -> str:
    """What to do and what that clears."""
    count = len(fix.vulnerabilities)
    exploited = f" ({len(fix.exploited)} known to be exploited)" if fix.exploited else ""
    cleared = f"{count} {'vulnerability' if count == 1 else 'vulnerabilities'}{exploited}"
    layer = f" in layer {fix.layer.removeprefix('sha256:')[:12]}" if fix.layer else ""
    where = f"{layer}{f' ({fix.path})' if fix.path else ''}"
    images = f"{len(fix.images)} {'image' if len(fix.images) == 1 else 'images'}: {', '.join(fix.images)}"
    if fix.action == "upgrade":
        return f"upgrade {fix.package} {fix.installed} → {fix.to}{where}: clears {cleared} in {images}"
    return f"no fix yet for {fix.package} {fix.installed}{where}: {cleared} in {images}"


def reasons(fix: Fix) -> tuple[str, ...]:
    """The inputs of the order, each with its source."""
    source = f" (by {fix.severity_source})" if fix.severity_source else ""
    likely = fix.likelihood
    told = "no EPSS data" if likely is None else f"EPSS {likely.epss:.3f}, percentile {likely.percentile:.2f}"
    estimated = ", the median of its severity: no score of its own yet" if likely is not None and likely.is_estimated else ""
    exploited = f"exploited: {', '.join(fix.exploited)}{' (ransomware)' if fix.ransomware else ''}" if fix.exploited else ""
    since = f"fixed since {day_of(fix.fixed_since_s)}" if fix.fixed_since_s else ""
    parts = (
        exploited,
        f"{fix.severity}{source}",
        told + estimated,
        _EXPOSURES[fix.exposure] + (f": {fix.way}" if fix.way else ""),
        f"leverage {fix.leverage}",
        since,
    )
    return tuple(part for part in parts if part)


def fixes_text(fixes: Sequence[Fix]) -> str:
    """Plain text, what matters most first."""
    return "\n".join(_lines(fixes)) + "\n"


def fixes_json(fixes: Sequence[Fix]) -> str:
    """JSON: a list in order."""
    return json.dumps({"schema": "https://goldsmith.dev/fixes/v1", "fixes": [_as_json(fix) for fix in fixes]}, indent=2) + "\n"


def fixes_html(fixes: Sequence[Fix]) -> str:
    """A page that loads nothing."""
    rows = [
        (
            f'<span class="{fix.tier.name.lower()}">{fix.tier.name}</span>',
            escape(sentence(fix)),
            escape("; ".join(reasons(fix))),
            escape(", ".join(fix.vulnerabilities)),
        )
        for fix in fixes
    ]
    return page("What to fix first", cells(rows, ("", "Do", "Why here", "Clears")))


FIX_FORMATS = {"text": fixes_text, "json": fixes_json, "html": fixes_html}


def _lines(fixes: Sequence[Fix]) -> Iterator[str]:
    if not fixes:
        yield "Nothing to fix: no known vulnerability."
    for fix in fixes:
        yield f"{fix.tier.name:<6}  {sentence(fix)}"
        yield f"        {'; '.join(reasons(fix))}"
        more = f" and {len(fix.vulnerabilities) - _SHOWN} more" if len(fix.vulnerabilities) > _SHOWN else ""
        yield f"        {', '.join(fix.vulnerabilities[:_SHOWN])}{more}"


def _as_json(fix: Fix) -> Mapping[str, object]:
    likely = fix.likelihood
    return {
        "tier": fix.tier.name,
        "action": fix.action,
        "package": fix.package,
        "packages": list(fix.packages),
        "installed": fix.installed,
        "to": fix.to,
        "layer": fix.layer,
        "path": fix.path,
        "images": list(fix.images),
        "vulnerabilities": list(fix.vulnerabilities),
        "exploited": list(fix.exploited),
        "ransomware": fix.ransomware,
        "severity": fix.severity,
        "severity_source": fix.severity_source,
        "epss": likely.epss if likely is not None else None,
        "epss_percentile": likely.percentile if likely is not None else None,
        "epss_is_estimated": likely.is_estimated if likely is not None else None,
        "exposure": fix.exposure.name.lower(),
        "reached_by": fix.way,
        "leverage": fix.leverage,
        "fixed_since_s": fix.fixed_since_s,
        "sentence": sentence(fix),
    }
