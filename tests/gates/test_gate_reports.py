"""Reports: Trivy's own answers for the same packages and advisories, and forms that other programs read."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from goldsmith.components import Period
from goldsmith.evidence import load_or_create_signer, load_public_key, public_path
from goldsmith.gates.advisories import match, open_database
from goldsmith.gates.judge import judge
from goldsmith.gates.reports import FORMATS, ScanReport
from goldsmith.gates.vulnerabilities import Occasion, VulnerabilitiesConfig, assess
from tests.gates import trivy_fixtures

Json = Any  # foreign data


@pytest.fixture(scope="module")
def alpine(tmp_path_factory: pytest.TempPathFactory) -> ScanReport:
    if "alpine-310" not in trivy_fixtures.images():
        pytest.skip("Trivy's known answers are not here")
    return report_of("alpine-310", tmp_path_factory.mktemp("db"))


def report_of(image: str, directory: Path) -> ScanReport:
    signer = load_or_create_signer(directory / "a.key")
    path = trivy_fixtures.write_database(directory, signer)
    inventory = trivy_fixtures.inventory(image)
    now_s = int(time.time())
    with open_database(path, [load_public_key(public_path(directory / "a.key"))]) as database:
        matches = match(inventory, database, now_s=now_s)
    facts = assess(inventory, matches, VulnerabilitiesConfig(max_age=Period(10**10)), Occasion(image=image, now_s=now_s))
    result = judge("vulnerabilities", facts, disk_digest="sha256:00", config_digest="sha256:00", started=0, finished=1)
    return ScanReport(
        name="testdata/fixtures/images/alpine-310.tar.gz",
        kind="directory",
        inventory=inventory,
        matches=matches,
        results=(result,),
        created_s=now_s,
        version="1",
    )


def golden(name: str) -> Json:
    return json.loads((trivy_fixtures.PLACE / "reports" / name).read_text())


def test_trivys_json_has_what_trivy_says(alpine: ScanReport) -> None:
    names = (
        *("VulnerabilityID", "PkgID", "PkgName", "InstalledVersion", "FixedVersion", "Status", "Severity", "SeveritySource"),
        *("Title", "Description", "CweIDs", "VendorSeverity"),
    )
    expected = golden("alpine-310.json")
    ours = json.loads(FORMATS["trivy"](alpine))

    def told(document: Json) -> list[Json]:
        (result,) = document["Results"]
        return sorted(({name: item.get(name) for name in names} for item in result["Vulnerabilities"]), key=str)

    assert told(ours) == told(expected)
    assert {key: ours["Results"][0][key] for key in ("Target", "Class", "Type")} == {
        key: expected["Results"][0][key] for key in ("Target", "Class", "Type")
    }
    assert (ours["SchemaVersion"], ours["Metadata"]["OS"]["Family"]) == (2, "alpine")
    scores = {item["VulnerabilityID"]: item["CVSS"]["nvd"]["V3Score"] for item in ours["Results"][0]["Vulnerabilities"]}
    for item in expected["Results"][0]["Vulnerabilities"]:
        assert scores[item["VulnerabilityID"]] == item["CVSS"]["nvd"]["V3Score"]


def test_sarif_has_the_alerts_of_trivys(alpine: ScanReport) -> None:
    (ours,), (expected,) = json.loads(FORMATS["sarif"](alpine))["runs"], golden("alpine-310.sarif")["runs"]

    def alerts(run: Json) -> list[Json]:
        places = [(item["ruleId"], item["ruleIndex"], item["level"], item["locations"]) for item in run["results"]]
        return sorted(places, key=str)

    def rules(run: Json) -> list[Json]:
        return [
            (
                item["id"],
                item["name"],
                item["shortDescription"],
                item["fullDescription"],
                item["defaultConfiguration"],
                item["properties"]["security-severity"],
                item["properties"]["tags"],
            )
            for item in run["tool"]["driver"]["rules"]
        ]

    assert alerts(ours) == alerts(expected)
    assert rules(ours) == rules(expected)


def test_an_error_in_sarif_is_a_run_that_did_not_succeed(alpine: ScanReport) -> None:
    from dataclasses import replace

    broken = replace(alpine, results=(replace(alpine.results[0], verdict="error", reasons=("the data is old",)),))

    (run,) = json.loads(FORMATS["sarif"](broken))["runs"]

    assert run["invocations"][0]["executionSuccessful"] is False
    assert "the data is old" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


class Page(HTMLParser):
    """Notes every tag and every address of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag in ("script", "img", "link", "iframe", "object", "video"):
            self.loads.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_loads_nothing(alpine: ScanReport) -> None:
    from dataclasses import replace

    page = Page()
    page.feed(FORMATS["html"](replace(alpine, name="<script>alert(1)</script>")))

    assert (page.open, page.loads) == ([], [])
    assert "CVE-2019-1549" in page.text
    assert "<script>alert(1)</script>" in page.text


def test_the_table_names_what_matters(alpine: ScanReport) -> None:
    text = FORMATS["table"](alpine)

    assert "CVE-2019-1549" in text
    assert "1.1.1d-r0" in text
    assert "vulnerabilities: " in text


def test_our_json_holds_the_result_and_every_vulnerability(alpine: ScanReport) -> None:
    document = json.loads(FORMATS["json"](alpine))

    findings = document["results"][0]["facts"]["findings"]
    assert document["verdict"] == alpine.verdict
    assert {item["fingerprint"] for item in findings if item["rule"] == "vulnerability"} <= set(document["vulnerabilities"])
