"""Records of public advisory databases, one a language, shortened to what matching and reports read.

GitHub Advisory Database (CC BY 4.0), Go vulnerability database (BSD), RustSec (CC0), PyPA advisory database (CC BY 4.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Record = Mapping[str, object]


def _affected(ecosystem: str, package: str, *bounds: tuple[str, str]) -> Record:
    events = [event for low, high in bounds for event in ({"introduced": low}, {"fixed": high})]
    kind = "SEMVER" if ecosystem in ("Go", "crates.io") else "ECOSYSTEM"
    return {"package": {"ecosystem": ecosystem, "name": package}, "ranges": [{"type": kind, "events": events}]}


def _github(id: str, cve: str, title: str, day: str, vector: str, severity: str, *affected: Record) -> Record:
    return {
        "id": id,
        "aliases": [cve],
        "summary": title,
        "published": f"{day}T00:00:00Z",
        "modified": f"{day}T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": f"CVSS:3.1/{vector}"}],
        "affected": list(affected),
        "database_specific": {"severity": severity, "github_reviewed": True},
    }


FLASK = _github(
    "GHSA-m2qf-hxjv-5gpq",
    "CVE-2023-30861",
    "Flask vulnerable to possible disclosure of permanent session cookie due to missing Vary: Cookie header",
    "2023-05-01",
    "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
    "HIGH",
    _affected("PyPI", "flask", ("2.3.0", "2.3.2")),
    _affected("PyPI", "flask", ("0", "2.2.5")),
)
FLASK_PYSEC: Record = {
    "id": "PYSEC-2023-62",
    "aliases": ["CVE-2023-30861", "GHSA-m2qf-hxjv-5gpq"],
    "details": "Flask is a lightweight WSGI web application framework.",
    "published": "2023-05-02T18:15:00Z",
    "modified": "2023-06-05T01:12:52.229549Z",
    "affected": [_affected("PyPI", "flask", ("0", "2.2.5"), ("2.3.0", "2.3.2"))],
}
LODASH = _github(
    "GHSA-35jh-r3h4-6jhm",
    "CVE-2021-23337",
    "Command Injection in lodash",
    "2021-05-06",
    "AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H",
    "HIGH",
    _affected("npm", "lodash", ("0", "4.17.21")),
    _affected("npm", "lodash-es", ("0", "4.17.21")),
)
LOG4J = _github(
    "GHSA-jfh8-c2jp-5v3q",
    "CVE-2021-44228",
    "Remote code injection in Log4j",
    "2021-12-10",
    "AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
    "CRITICAL",
    _affected("Maven", "org.apache.logging.log4j:log4j-core", ("2.13.0", "2.15.0")),
    _affected("Maven", "org.apache.logging.log4j:log4j-core", ("0", "2.3.1")),
    _affected("Maven", "org.apache.logging.log4j:log4j-core", ("2.4", "2.12.2")),
)
REXML = _github(
    "GHSA-8cr8-4vfw-mr7h",
    "CVE-2021-28965",
    "REXML round-trip instability",
    "2021-04-30",
    "AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N",
    "HIGH",
    _affected("RubyGems", "rexml", ("0", "3.2.5")),
)
HPACK: Record = {
    "id": "GO-2023-1571",
    "aliases": ["CVE-2022-41723", "GHSA-vvpx-j8f3-3w6h"],
    "details": "A maliciously crafted HTTP/2 stream could cause excessive CPU consumption in the HPACK decoder.",
    "published": "2023-02-16T22:31:36Z",
    "modified": "2023-06-12T18:45:41Z",
    "affected": [
        _affected("Go", "stdlib", ("0", "1.19.6"), ("1.20.0", "1.20.1")),
        _affected("Go", "golang.org/x/net", ("0", "0.7.0")),
    ],
}
SMALLVEC: Record = {
    "id": "RUSTSEC-2021-0003",
    "aliases": ["CVE-2021-25900", "GHSA-43w2-9j62-hq99"],
    "summary": "Buffer overflow in SmallVec::insert_many",
    "published": "2021-01-08T12:00:00Z",
    "modified": "2023-06-13T13:10:24Z",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [_affected("crates.io", "smallvec", ("0.6.3", "0.6.14"), ("1.0.0", "1.6.1"))],
}

EXPORTS: Mapping[str, Sequence[Record]] = {
    "PyPI": (FLASK, FLASK_PYSEC),
    "npm": (LODASH,),
    "Go": (HPACK,),
    "crates.io": (SMALLVEC,),
    "Maven": (LOG4J,),
    "RubyGems": (REXML,),
}
"""By the name of the ecosystem."""
