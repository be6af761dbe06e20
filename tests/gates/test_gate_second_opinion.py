"""Reports of trivy, grype and osv-scanner in the gate: their findings by our policy, differences told, guards that hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldsmith.evidence import load_or_create_signer, load_public_key, public_path
from goldsmith.gates.adapters import combined, read_report
from goldsmith.gates.advisories import match, open_database
from goldsmith.gates.contract import Result
from goldsmith.gates.inventory import Distribution, Inventory, Package
from goldsmith.gates.vulnerabilities import VulnerabilitiesConfig
from goldsmith.hcl.diagnostics import UserError
from tests.gates.advisory_workbench import DAY_S, NOW, Host, advisory, exploited, told, tree
from tests.gates.foreign_reports import grype, osv_scanner, trivy
from tests.gates.trivy_fixtures import PLACE, expected, images, inventory, write_database

CRITICAL = ("CVE-2024-1", "curl", "7.88.1-12", "CRITICAL")
SCANNERS: dict[str, Callable[..., Any]] = {"trivy": trivy, "grype": grype, "osv-scanner": osv_scanner}
JOINED = VulnerabilitiesConfig(reports=("report.json",))
ALONE = VulnerabilitiesConfig(reports=("report.json",), own=False)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "cache")


def judged(host: Host, report: Any, config: VulnerabilitiesConfig = JOINED) -> Result:
    project = host.cache.parent
    (project / "report.json").write_text(report if isinstance(report, str) else json.dumps(report))
    root = project / "root"
    return host.judge(root if root.exists() else tree(root), config, project)


@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_finding_that_only_another_scanner_has_counts_by_our_policy(host: Host, scanner: str) -> None:
    host.advise()

    result = judged(host, SCANNERS[scanner](CRITICAL))

    assert (result.verdict, set(result.failing)) >= ("fail", {"CVE-2024-1 curl"})
    assert f"{scanner} (report.json) reports" in " ".join(result.facts.messages)
    assert any(data.name == f"the feed {scanner} (report.json)" for data in result.facts.data)
    assert result.facts.findings[0].fix.endswith("to 7.88.1-12.")


@pytest.mark.parametrize("scanner", SCANNERS)
def test_without_our_own_matching_a_report_stands_alone(host: Host, scanner: str) -> None:
    assert judged(host, SCANNERS[scanner](), ALONE).verdict == "pass"
    assert judged(host, SCANNERS[scanner](CRITICAL), ALONE).verdict == "fail"
    assert judged(host, SCANNERS[scanner]((*CRITICAL[:3], "LOW")), ALONE).verdict == ("fail" if "osv" in scanner else "pass")


def test_what_we_have_and_a_scanner_has_not_is_told(host: Host) -> None:
    host.advise(advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1"))

    result = judged(host, trivy())

    assert result.verdict == "fail"
    told_of = " ".join(result.facts.messages)
    assert "we report 2 that trivy (report.json) does not: CVE-2024-1 in curl 7.88.1-11, CVE-2024-1 in libcurl4" in told_of


def test_what_both_have_is_one_finding(host: Host) -> None:
    host.advise(advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1"))

    result = judged(host, trivy(CRITICAL, ("CVE-2024-1", "libcurl4", "7.88.1-12", "CRITICAL")))

    assert sorted(item.id for item in result.facts.findings) == ["CVE-2024-1 curl", "CVE-2024-1 libcurl4"]
    assert "trivy (report.json) reports the same 2 as we do" in result.facts.messages


def test_exploitation_that_a_report_does_not_know_counts(host: Host) -> None:
    host.advise(exploited("CVE-2024-9"))

    result = judged(host, trivy(("CVE-2024-9", "curl", "", "LOW")))

    assert result.failing == ("CVE-2024-9 curl",)


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (trivy(made=NOW - 3 * DAY_S), "the feed trivy (report.json) is 72 h old"),
        (grype(built=NOW - 3 * DAY_S), "the feed grype (report.json) is 72 h old"),
        (trivy(made=NOW + 2 * DAY_S), "the age of the feed trivy (report.json) is not known"),
        (trivy(release="11.2"), "is about debian 11.2, and the image is debian 12"),
        (trivy(("CVE-2024-1", "wget", "2", "CRITICAL")), "it is of another image"),
        ({**trivy(), "Results": [], "Metadata": {}}, "only 0 were looked at"),
        ({**trivy(packages=False), "Results": None}, "only 0 were looked at"),
        (osv_scanner(CRITICAL, all_packages=False), "of 3 packages of the distribution only 2 were looked at"),
        ({**trivy(), "Metadata": {"OS": {"Family": "debian", "Name": "12.5", "EOSL": True}}}, "past its end of life"),
    ],
    ids=["old", "old data", "future", "release", "other image", "nothing", "no results", "vulnerable only", "past support"],
)
def test_a_report_that_proves_nothing_is_an_error(host: Host, report: Any, why: str) -> None:
    result = judged(host, report, ALONE)

    assert result.verdict == "error"
    assert why in " ".join(result.reasons)


def test_osv_scanner_without_a_date_is_as_old_as_its_file(host: Host) -> None:
    project = host.cache.parent
    (project / "report.json").write_text(json.dumps(osv_scanner()))
    os.utime(project / "report.json", (NOW - 3 * DAY_S, NOW - 3 * DAY_S))

    result = host.judge(tree(project / "root"), ALONE, project)

    assert "72 h old" in " ".join(result.reasons)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"SchemaVersion": 2,\n "ArtifactName": }', "line 2, column 18"),
        ("[]", "line 1, column 1"),
        ("", "line 1, column 1"),
        ("{}", "it is of none of trivy"),
        ("[" * 100_000, "it is no JSON"),
        (json.dumps({**trivy(), "SchemaVersion": 1}), "at SchemaVersion"),
        (json.dumps({**trivy(), "CreatedAt": "yesterday"}), "yesterday"),
        (
            json.dumps({**trivy(), "Results": [{"Vulnerabilities": [{"VulnerabilityID": "CVE-1"}]}]}),
            "Results[0].Vulnerabilities[0]",
        ),
        (json.dumps({**trivy(("CVE-1", "curl", "", "TERRIBLE"))}), "Results[0].Vulnerabilities[0].Severity"),
        (json.dumps({**grype(), "matches": [{"artifact": {}}]}), "matches[0].vulnerability"),
        (json.dumps({**grype(), "matches": None}), "at matches"),
        (json.dumps({"results": [{"packages": [{"package": {}, "groups": [{}]}]}]}), "results[0].packages[0].groups[0].ids"),
    ],
)
def test_a_malformed_report_is_told_with_its_place(tmp_path: Path, content: str, place: str) -> None:
    (tmp_path / "report.json").write_text(content)

    with pytest.raises(UserError) as caught:
        read_report(tmp_path / "report.json")

    assert caught.value.diagnostics[0].code == "report.unreadable"
    assert place in caught.value.diagnostics[0].why


def test_a_report_that_is_not_there_is_an_error(host: Host) -> None:
    host.advise()

    result = host.judge(tree(host.cache.parent / "root"), JOINED, host.cache.parent)

    assert result.verdict == "error"
    assert "there is no such file" in result.reasons[0]


def test_the_name_of_the_image_stands_in_the_pattern(host: Host) -> None:
    host.advise()
    (host.cache.parent / "web.trivy.json").write_text(json.dumps(trivy(CRITICAL)))
    (host.cache.parent / "base.trivy.json").write_text(json.dumps(trivy()))
    config = replace(JOINED, reports=("{image}.trivy.json",))

    assert host.judge(tree(host.cache.parent / "root"), config, host.cache.parent).failing == ("CVE-2024-1 curl",)


def test_nothing_that_finds_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves nothing"):
        VulnerabilitiesConfig(own=False)


def test_of_two_copies_of_a_package_the_one_at_the_named_place_is_meant(tmp_path: Path) -> None:
    copies = [
        Package(kind="npm", name="left-pad", version="1.3.0", path=f"opt/{place}/node_modules/left-pad/package.json")
        for place in ("a", "b")
    ]
    system = Distribution(id="debian", family="debian", release="12")
    report = trivy()
    found = {
        "VulnerabilityID": "CVE-2024-5",
        "PkgName": "left-pad",
        "PkgPath": "opt/b/node_modules/left-pad/package.json",
        "InstalledVersion": "1.3.0",
        "FixedVersion": "1.3.1, 2.0.0",
        "Severity": "CRITICAL",
    }
    report["Results"] = [{"Target": "Node.js", "Class": "lang-pkgs", "Type": "node-pkg", "Vulnerabilities": [found]}]
    (tmp_path / "report.json").write_text(json.dumps(report))

    opinion = combined(
        None, [read_report(tmp_path / "report.json")], Inventory(distribution=system, packages=tuple(copies)), NOW
    )

    assert [(item.package, item.fixed) for item in opinion.matches.vulnerabilities] == [(copies[1], "1.3.1")]


@pytest.mark.skipif(not images(), reason="Trivy's known answers are not at hand (GOLDSMITH_CONFORMANCE)")
@pytest.mark.parametrize("image", images())
def test_trivys_own_reports_are_read_and_differ_in_nothing(tmp_path: Path, image: str) -> None:
    key = tmp_path / "a.key"
    path = write_database(tmp_path / "advisories", load_or_create_signer(key))
    report = read_report(PLACE / "reports" / f"{image}.json")
    packages = inventory(image)
    with open_database(path, [load_public_key(public_path(key))]) as database:
        opinion = combined(match(packages, database), [report], packages, NOW)

    assert {(item.id, item.package.name) for item in opinion.matches.vulnerabilities} == {
        (id, name) for id, name, *_ in expected(image)
    }
    assert not [told for told in opinion.differences if "that we do not" in told or "we report" in told]
    assert opinion.matches.faults == ()
