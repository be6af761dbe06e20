"""Documents in the OSV schema: ranges, names, severities; and the zip or tar archives that hold them."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from goldsmith.gates.advisories.describing import base_score
from goldsmith.gates.advisories.feeds.feed import moment
from goldsmith.gates.advisories.schema import Told
from goldsmith.gates.advisories.vulnerability import Severity

Json: TypeAlias = Mapping[str, object]

_WORDS: Mapping[str, Severity] = {
    "negligible": "negligible",
    "none": "negligible",
    "low": "low",
    "moderate": "medium",
    "medium": "medium",
    "important": "high",
    "high": "high",
    "critical": "critical",
}
_LARGEST_DOCUMENT = 32 << 20
_LAST_KNOWN = re.compile(r"(<=|<)\s*([^\s,]+)$")


@dataclass(frozen=True, slots=True)
class Range:
    """Versions from `introduced` until before `fixed`, or to `last`; "" is no bound."""

    introduced: str = ""
    fixed: str = ""
    last: str = ""


def documents_in(archive: Path) -> Iterator[Json]:
    """The OSV documents of a zip or a compressed tar archive, of a directory's worth each."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for name in sorted(opened.namelist()):
                if name.endswith(".json"):
                    with opened.open(name) as file:
                        yield _parsed(file.read(_LARGEST_DOCUMENT + 1), name)
        return
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".json"):
                content = tar.extractfile(member)
                assert content is not None  # a regular file
                yield _parsed(content.read(_LARGEST_DOCUMENT + 1), member.name)


def _parsed(data: bytes, name: str) -> Json:
    if len(data) > _LARGEST_DOCUMENT:
        raise ValueError(f"{name} has more than {_LARGEST_DOCUMENT} bytes")
    parsed = json.loads(data)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("id"), str):
        raise ValueError(f"{name} is no OSV document")
    return parsed


def withdrawn(document: Json) -> bool:
    """Whether its publisher took it back."""
    return bool(document.get("withdrawn"))


def affected(document: Json) -> Iterator[tuple[str, str, Json]]:
    """(ecosystem, package, entry) of each affected package."""
    for entry in items(document, "affected"):
        package = entry.get("package")
        if isinstance(package, dict):
            yield str(package["ecosystem"]), str(package["name"]), entry


def ranges(entry: Json) -> Iterator[Range]:
    """The affected ranges of a package: events in order, else its listed versions one by one."""
    found = [item for item in items(entry, "ranges") if item.get("type") in ("ECOSYSTEM", "SEMVER")]
    last_known = _last_known(entry)
    for item in found:
        yield from _of_events(items(item, "events"), last_known)
    if not found:
        for version in texts(entry, "versions"):
            yield Range(introduced=version, last=version)


def _of_events(events: Sequence[Json], last_known: Range) -> Iterator[Range]:
    introduced: str | None = None
    for event in events:
        if "introduced" in event:
            if introduced is not None:
                yield Range(introduced)
            introduced = str(event["introduced"])
        elif introduced is not None and "fixed" in event:
            yield Range(introduced, fixed=str(event["fixed"]))
            introduced = None
        elif introduced is not None and "last_affected" in event:
            yield Range(introduced, last=str(event["last_affected"]))
            introduced = None
    if introduced is not None:
        yield Range(introduced, fixed=last_known.fixed, last=last_known.last)


def _last_known(entry: Json) -> Range:
    """The upper bound that GHSA gives where no version is fixed: `<= 1.2.3`; of `< 1.2.3` the bound is no fix, but the end."""
    specific = entry.get("database_specific")
    text = str(specific.get("last_known_affected_version_range", "")) if isinstance(specific, dict) else ""
    found = _LAST_KNOWN.search(text)
    if found is None:
        return Range()
    return Range(last=found[2]) if found[1] == "<=" else Range(fixed=found[2])


def cves(document: Json) -> tuple[str, ...]:
    """The CVEs that a vendor's advisory is about."""
    names = [name for key in ("upstream", "aliases", "related") for name in texts(document, key)]
    return tuple(dict.fromkeys(name for name in names if name.startswith("CVE-")))


def told(document: Json, id: str, source: str) -> Told:
    """What a document says of its vulnerability; its severities are by `source`."""
    vectors = _vectors(document)
    own = severity_of(document)
    return Told(
        id=id,
        aliases=tuple(name for key in ("aliases", "upstream") for name in texts(document, key) if name != id),
        title=str(document.get("summary", "")),
        description=str(document.get("details", "")),
        published_s=moment(str(document.get("published", ""))),
        modified_s=moment(str(document.get("modified", ""))),
        withdrawn_s=moment(str(document.get("withdrawn", ""))),
        cvss={source: vectors[0]} if vectors else {},
        severities={source: own} if own is not None else {},
        cwe=texts(_specific(document), "cwe_ids"),
        references=tuple(str(item["url"]) for item in items(document, "references") if "url" in item),
    )


def severity_of(document: Json) -> Severity | None:
    """The severity in words that a document gives itself, else that of its CVSS vector."""
    word = str(_specific(document).get("severity", "")).lower()
    if word in _WORDS:
        return _WORDS[word]
    scores = [score for vector in _vectors(document) if (score := base_score(vector)) is not None]
    return by_score(max(scores)) if scores else None


def by_word(word: str) -> Severity | None:
    """The severity that a vendor's word means: `Important` is high, `Moderate` medium."""
    return _WORDS.get(word.strip().lower())


def by_score(score: float) -> Severity:
    """CVSS's own words for its scores."""
    if score >= 9:
        return "critical"
    if score >= 7:
        return "high"
    if score >= 4:
        return "medium"
    return "low" if score > 0 else "negligible"


def items(document: Json, name: str) -> Sequence[Json]:
    """The objects of a list in a document."""
    found = document.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(document: Json, name: str) -> tuple[str, ...]:
    """The texts of a list in a document."""
    found = document.get(name)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def _vectors(document: Json) -> Sequence[str]:
    found = [(str(item.get("type")), str(item.get("score"))) for item in items(document, "severity")]
    return [vector for kind, vector in sorted(found, reverse=True) if kind.startswith("CVSS_")]


def _specific(document: Json) -> Json:
    found = document.get("database_specific")
    return found if isinstance(found, dict) else {}
