"""A small Debian image tree and the advisories of a host, made for tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.gates.advisories.schema import Advisory, EndOfLife, Exploited, Likelihood, Record, Told
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.gates.contract import Result, Subject
from goldsmith.gates.judge import run_gate
from goldsmith.gates.vulnerabilities import Vulnerabilities, VulnerabilitiesConfig
from goldsmith.machines.cancellation import Cancellation

NOW = int(time.time())
DAY_S = 86_400
FEED = FeedRow(
    id="debian", eco="debian 12", name="Debian", url="https://example.com", published_s=NOW, fetched_s=NOW, complete=True
)
RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'


def package(name: str, version: str, source: str = "") -> str:
    """A record of dpkg's status file."""
    told = f"Source: {source}\n" if source else ""
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n{told}"


CLEAN = (
    package("bash", "5.2.15-2+b2", "bash (5.2.15-2)"),
    package("curl", "7.88.1-11"),
    package("libcurl4", "7.88.1-11", "curl"),
)


def tree(path: Path, packages: Sequence[str] = CLEAN, release: str = RELEASE) -> Path:
    """An image tree with these packages."""
    (path / "etc").mkdir(parents=True)
    (path / "etc/os-release").write_text(release)
    (path / "var/lib/dpkg").mkdir(parents=True)
    (path / "var/lib/dpkg/status").write_text("\n".join(packages))
    return path


def advisory(name: str, fixed: str, source: str = "curl", severity: str = "", status: str = "affected") -> Advisory:
    """curl below `fixed` has this vulnerability."""
    found = Advisory(eco="debian 12", package=source, vulnerability=name, scheme="dpkg", fixed=fixed, status=status)  # type: ignore[arg-type]  # one of the statuses
    return replace(found, severity=severity) if severity else found  # type: ignore[arg-type]  # one of the severities


def told(name: str, severity: str = "critical", days: int = 10, **more: object) -> Told:
    """What NVD says of it."""
    severities = {"nvd": severity} if severity else {}
    return Told(id=name, title=f"{name} in curl", published_s=NOW - days * DAY_S, severities=severities, **more)  # type: ignore[arg-type]  # as the test says


def exploited(name: str) -> Exploited:
    """An entry of the catalogue of exploited vulnerabilities."""
    return Exploited(vulnerability=name, added_s=NOW - DAY_S, due_s=NOW, ransomware=False)


def likely(name: str, score: float, percentile: float) -> Likelihood:
    """An EPSS score."""
    return Likelihood(vulnerability=name, score=score, percentile=percentile, model="v4", date_s=NOW)


def ends(date_s: int) -> EndOfLife:
    """When Debian 12 ends."""
    return EndOfLife(eco="debian 12", date_s=date_s, source="test")


@dataclass(frozen=True)
class Host:
    """A host with a cache directory."""

    cache: Path

    def advise(self, *records: Record, feed: FeedRow | None = FEED) -> Path:
        """Give it an advisories file with these records."""
        store = Store(self.cache / "advisories")
        signer = store.signer()
        with Writer(store.directory) as writer:
            advisories = [item for item in records if isinstance(item, Advisory)]
            writer.add("debian", advisories)
            writer.add("nvd", [item for item in records if isinstance(item, Told)])
            writer.add("kev", [item for item in records if isinstance(item, Exploited)])
            writer.add("epss", [item for item in records if isinstance(item, Likelihood)])
            writer.add("eol", [item for item in records if isinstance(item, EndOfLife)])
            if feed is not None:
                writer.add_feed(replace(feed, records=len(advisories)))
            path = writer.finish(signer, NOW)
        store.point_to(path)
        return path

    def judge(self, root: Path, config: VulnerabilitiesConfig | None = None, project: Path = Path("/nonexistent")) -> Result:
        """Run the gate over a tree."""
        subject = Subject(image="web", disk_digest="sha256:00", tree=root, disk=None, cache=self.cache, root=project, now_s=NOW)
        return run_gate(Vulnerabilities(), config or VulnerabilitiesConfig(), subject, lambda event: None, Cancellation())
