"""What is known of a vulnerability under all its names: texts, scores, severities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.gates.advisories.database import Candidate, Database, Description
from goldsmith.gates.advisories.vulnerability import Score, Severity

_MOST_NAMES = 50
"""Names that are followed: real ones have three or four."""


@dataclass(frozen=True, slots=True)
class Described:
    """Descriptions of one vulnerability, those of the asking feed first."""

    id: str
    names: tuple[str, ...]
    parts: tuple[Description, ...]
    withdrawn: bool

    @property
    def title(self) -> str:
        """The first title that there is."""
        return next((part.title for part in self.parts if part.title), "")

    @property
    def description(self) -> str:
        """The first text that there is."""
        return next((part.description for part in self.parts if part.description), "")

    @property
    def cwe(self) -> tuple[str, ...]:
        """All CWE ids."""
        return tuple(dict.fromkeys(item for part in self.parts for item in part.cwe))

    @property
    def references(self) -> tuple[str, ...]:
        """All addresses."""
        return tuple(dict.fromkeys(item for part in self.parts for item in part.references))

    @property
    def published_s(self) -> int:
        """When it first became known."""
        return min((part.published_s for part in self.parts if part.published_s), default=0)

    @property
    def modified_s(self) -> int:
        """When anything about it last changed."""
        return max((part.modified_s for part in self.parts), default=0)

    def scores(self) -> tuple[Score, ...]:
        """CVSS vectors by source; a malformed vector is left out."""
        vectors = {(source, vector) for part in self.parts for source, vector in part.cvss.items()}
        return tuple(
            Score(source=source, vector=vector, score=score)
            for source, vector in sorted(vectors)
            if (score := base_score(vector)) is not None
        )

    def severities(self) -> Mapping[str, Severity]:
        """By source; of two that one source gives, that of the first description."""
        found: dict[str, Severity] = {}
        for part in self.parts:
            for source, severity in part.severities.items():
                found.setdefault(source, severity)
        return found

    def severities_with(self, candidate: Candidate) -> Mapping[str, Severity]:
        """All severities by source, the vendor's own for this package among them."""
        named = {source: severity for source, severity in self.severities().items() if source}
        if candidate.severity is not None:
            named[candidate.feed] = candidate.severity
        return dict(sorted(named.items()))

    def severity_for(self, candidate: Candidate) -> tuple[Severity, str]:
        """The severity and its source: the vendor's for the package, the vendor's, GHSA's, NVD's, the record's own."""
        if candidate.severity is not None:
            return candidate.severity, candidate.feed
        found = self.severities()
        ghsa = "ghsa" if any(part.id.startswith("GHSA-") for part in self.parts) else ""
        for source in (candidate.feed, ghsa, "nvd"):
            if source and source in found:
                return found[source], source
        return found.get("", "unknown"), ""


def describe(id: str, feed: str, database: Database, also: Sequence[Described] = ()) -> Described:
    """Gather what feeds tell of a vulnerability. Other names are followed until a CVE is reached."""
    names = [id]
    parts: list[Description] = [part for item in also for part in item.parts]
    for name in names:
        found = database.descriptions([name])[name]
        parts += [part for part in found if part not in parts]
        if is_cve(name) or len(names) > _MOST_NAMES:
            continue
        names += [alias for part in found for alias in part.aliases if alias not in names]
    own = [part for part in parts if part.id == id and part.feed == feed]
    others = [part for part in parts if part not in own]
    aliases = {alias for part in parts if part.id == id for alias in part.aliases if not is_cve(alias) or not is_cve(id)}
    return Described(id, tuple(sorted({*names, *aliases})), (*own, *others), any(part.withdrawn_s for part in own))


def names_of(described: Described) -> tuple[str, ...]:
    """The names of a vulnerability, that by which it is told first: CVE, GHSA, then the alphabet."""
    if is_cve(described.id):
        return (described.id, *(name for name in described.names if name != described.id))
    return tuple(sorted(described.names, key=lambda name: (not is_cve(name), not name.startswith("GHSA-"), name)))


def is_cve(name: str) -> bool:
    """Whether a name is one of the common list."""
    return name.startswith("CVE-")


def base_score(vector: str) -> float | None:
    """The base score of a CVSS 2, 3 or 4 vector; None when it is none."""
    from cvss import CVSS2, CVSS3, CVSS4
    from cvss.exceptions import CVSSError

    kind = CVSS4 if vector.startswith("CVSS:4") else CVSS3 if vector.startswith("CVSS:3") else CVSS2
    try:
        return float(kind(vector).base_score)
    except CVSSError:
        return None
