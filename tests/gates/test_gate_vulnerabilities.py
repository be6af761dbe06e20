"""The gate `vulnerabilities`: the policy, every guard whose removal makes an ERROR, waivers, VEX and rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldsmith.gates.contract import Finding, Result
from goldsmith.gates.judge import result_as_json
from goldsmith.gates.vulnerabilities import VulnerabilitiesConfig
from goldsmith.gates.waivers import Ignore, day_of
from goldsmith.hcl.diagnostics import UserError
from goldsmith.project.project import load_project
from tests.gates.advisory_workbench import (
    CLEAN,
    DAY_S,
    FEED,
    NOW,
    RELEASE,
    Host,
    advisory,
    ends,
    exploited,
    likely,
    package,
    told,
    tree,
)

FIXED = (advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1"))
"""A critical one in curl and libcurl4, with a fix."""
SOON = day_of(NOW + 60 * DAY_S)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "cache")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tree(tmp_path / "root")


def config(**settings: Any) -> VulnerabilitiesConfig:
    return VulnerabilitiesConfig(**settings)


def of_rule(result: Result, rule: str = "vulnerability") -> list[Finding]:
    return [finding for finding in result.facts.findings if finding.rule == rule]


# ── the policy ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_image_without_known_vulnerabilities_passes(host: Host, root: Path) -> None:
    host.advise(advisory("CVE-2024-1", "7.88.1-11"), told("CVE-2024-1"))

    result = host.judge(root)

    assert (result.verdict, result.reasons) == ("pass", ())
    assert (result.facts.examined, result.facts.evaluated) == (3, 3)


def test_a_critical_one_with_a_fix_fails_and_names_package_versions_and_fix(host: Host, root: Path) -> None:
    host.advise(*FIXED)

    result = host.judge(root)

    assert (result.verdict, result.failing) == ("fail", ("CVE-2024-1 curl", "CVE-2024-1 libcurl4"))
    finding = of_rule(result)[0]
    assert finding.subject == "pkg:deb/debian/curl@7.88.1-11?arch=amd64&distro=debian-12"
    assert (finding.severity, finding.severity_source) == ("critical", "nvd")
    assert finding.fix == "Upgrade curl to 7.88.1-12."


@pytest.mark.parametrize(
    ("severity", "settings", "verdict"),
    [
        ("critical", {}, "fail"),
        ("high", {}, "pass"),
        ("high", {"fail_on": "high"}, "fail"),
        ("low", {"fail_on": "low"}, "fail"),
        ("negligible", {"fail_on": "low"}, "pass"),
        ("critical", {"fail_on": "none"}, "pass"),
        ("", {}, "warn"),
        ("", {"unknown": "fail"}, "fail"),
    ],
)
def test_severity_decides(host: Host, root: Path, severity: str, settings: dict[str, Any], verdict: str) -> None:
    host.advise(advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1", severity))

    assert host.judge(root, config(**settings)).verdict == verdict


@pytest.mark.parametrize("severity", ["critical", "low", "negligible", ""])
@pytest.mark.parametrize(("kev", "verdict"), [("fail", "fail"), ("warn", "warn")])
def test_what_is_known_to_be_exploited_counts_at_any_severity(
    host: Host, root: Path, severity: str, kev: str, verdict: str
) -> None:
    host.advise(advisory("CVE-2024-1", ""), told("CVE-2024-1", severity), exploited("CVE-2024-1"))

    assert host.judge(root, config(kev=kev)).verdict == verdict


@pytest.mark.parametrize(
    ("days", "settings", "verdict"),
    [
        (10, {}, "warn"),
        (40, {}, "fail"),
        (40, {"grace": 90 * DAY_S}, "warn"),
        (10, {"unfixed": "fail"}, "fail"),
        (40, {"unfixed": "hide"}, "pass"),
    ],
)
def test_without_a_fix_the_time_of_grace_runs(
    host: Host, root: Path, days: int, settings: dict[str, Any], verdict: str
) -> None:
    host.advise(advisory("CVE-2024-1", ""), told("CVE-2024-1", days=days))

    assert host.judge(root, config(**settings)).verdict == verdict


def test_what_is_hidden_is_counted(host: Host, root: Path) -> None:
    unfixed = (advisory("CVE-2024-1", ""), told("CVE-2024-1"))
    host.advise(*unfixed, advisory("CVE-2024-2", "7.88.1-12"), told("CVE-2024-2", "negligible"))

    result = host.judge(root, config(unfixed="hide"))

    assert of_rule(result) == []
    assert sorted((item.reason[:14], item.count) for item in result.facts.skipped) == [
        ("the distributi", 2),
        ("without a fix,", 2),
    ]


# ── every guard, removed ────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_advisories_at_all_is_an_error_that_says_how_to_get_them(host: Host, root: Path) -> None:
    result = host.judge(root)

    assert result.verdict == "error"
    assert "no advisories" in result.reasons[0]


@pytest.mark.parametrize("eco", ["debian 11", "ubuntu 22.04", ""])
def test_no_feed_of_the_distribution_is_an_error(host: Host, root: Path, eco: str) -> None:
    host.advise(*FIXED, feed=replace(FEED, eco=eco) if eco else None)

    result = host.judge(root)

    assert result.verdict == "error"
    assert "debian 12" in " ".join(result.reasons)


@pytest.mark.parametrize(
    "feed", [replace(FEED, fetched_s=NOW - 3 * DAY_S), replace(FEED, published_s=0), replace(FEED, fetched_s=NOW + DAY_S)]
)
def test_stale_advisories_are_an_error_that_still_lists_what_was_found(host: Host, root: Path, feed: Any) -> None:
    host.advise(*FIXED, feed=feed)

    result = host.judge(root)

    assert result.verdict == "error"
    assert len(of_rule(result)) == 2


def test_a_longer_max_age_accepts_older_advisories(host: Host, root: Path) -> None:
    host.advise(feed=replace(FEED, fetched_s=NOW - 3 * DAY_S))

    assert host.judge(root, config(max_age=4 * DAY_S)).verdict == "pass"


def test_a_changed_advisories_file_is_an_error(host: Host, root: Path) -> None:
    path = host.advise(*FIXED)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))

    assert host.judge(root).verdict == "error"


def test_a_release_past_its_end_is_an_error_and_with_an_ignore_a_warning(host: Host, root: Path) -> None:
    host.advise(ends(NOW - DAY_S))
    ignore = Ignore(finding="end-of-life", reason="replaced next month", owner="ops", until=SOON)

    assert host.judge(root).verdict == "error"
    assert "past its end of life" in host.judge(root).reasons[0]
    lowered = host.judge(root, config(ignore=(ignore,)))
    assert (lowered.verdict, len(of_rule(lowered, "end-of-life"))) == ("warn", 1)
    expired = replace(ignore, until=day_of(NOW - DAY_S))
    assert host.judge(root, config(ignore=(expired,))).verdict == "error"


def test_a_release_whose_end_is_ahead_passes(host: Host, root: Path) -> None:
    host.advise(ends(NOW + DAY_S))

    assert host.judge(root).verdict == "pass"


def test_an_unknown_distribution_is_an_error(host: Host, tmp_path: Path) -> None:
    host.advise()

    assert host.judge(tree(tmp_path / "other", release="ID=plan9\n")).verdict == "error"


def test_an_empty_package_database_is_an_error(host: Host, tmp_path: Path) -> None:
    host.advise()

    assert host.judge(tree(tmp_path / "empty", ())).verdict == "error"


def test_a_package_record_that_cannot_be_read_is_an_error(host: Host, tmp_path: Path) -> None:
    host.advise()

    assert host.judge(tree(tmp_path / "odd", (*CLEAN, package("odd", "what is this")))).verdict == "error"


def test_an_advisory_that_cannot_be_read_is_an_error(host: Host, root: Path) -> None:
    host.advise(advisory("CVE-2024-9", "not a version!"))

    result = host.judge(root)

    assert result.verdict == "error"
    assert "CVE-2024-9" in " ".join(result.reasons)


# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def project(directory: Path, body: str) -> VulnerabilitiesConfig:
    (directory / "goldsmith.hcl").write_text(f'gate "vulnerabilities" {{\n{body}\n}}\n')
    read = load_project(directory / "goldsmith.hcl").gates["vulnerabilities"].config
    assert isinstance(read, VulnerabilitiesConfig)
    return read


LIKELY = """rule "likely-exploited" {
  when    = finding.epss >= 0.5 && finding.fixed != ""
  effect  = "fail"
  message = "${finding.id} is likely exploited and has a fix"
}"""


def test_a_rule_raises_the_effect_of_the_findings_that_it_is_true_of(host: Host, root: Path, tmp_path: Path) -> None:
    host.advise(
        *(advisory(name, "7.88.1-12") for name in ("CVE-2024-1", "CVE-2024-2")),
        *(told(name, "low") for name in ("CVE-2024-1", "CVE-2024-2")),
        likely("CVE-2024-1", 0.7, 0.99),
        likely("CVE-2024-2", 0.1, 0.2),
    )

    result = host.judge(root, project(tmp_path, LIKELY))

    assert (result.verdict, result.failing) == ("fail", ("CVE-2024-1 curl", "CVE-2024-1 libcurl4"))
    assert "CVE-2024-1 is likely exploited and has a fix" in of_rule(result)[0].detail


def test_without_epss_data_a_rule_on_it_is_an_error_and_no_pass(host: Host, root: Path, tmp_path: Path) -> None:
    host.advise(advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1", "low"))

    result = host.judge(root, project(tmp_path, LIKELY))

    assert result.verdict == "error"
    assert "goldsmith.hcl line 3" in result.reasons[0]
    assert "finding.epss >= 0.5" in result.reasons[0]


@pytest.mark.parametrize(
    ("when", "verdict"),
    [
        ("counts.findings > 5", "pass"),
        ("counts.findings > 1", "warn"),
        ('length([for f in findings : f if f.severity == "low"]) == 2', "warn"),
        ('image.distribution == "debian" && data[0].age_s < 60 * 60', "warn"),
        ('finding.package == "curl"', "warn"),
        ("finding.age_days > 5", "warn"),
        ('finding.severitty == "low"', "error"),
        ("counts.findings", "error"),
        ("null", "error"),
        ("nobody.knows", "error"),
    ],
)
def test_rules_are_strict_about_names_and_types(host: Host, root: Path, tmp_path: Path, when: str, verdict: str) -> None:
    host.advise(advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1", "low"))

    assert host.judge(root, project(tmp_path, f'rule "r" {{\n when = {when}\n effect = "warn"\n}}')).verdict == verdict


@pytest.mark.parametrize("effect", ["info", "pass", "hide"])
def test_a_rule_cannot_lower_anything(tmp_path: Path, effect: str) -> None:
    with pytest.raises(UserError, match="none of fail, warn"):
        project(tmp_path, f'rule "r" {{\n when = true\n effect = "{effect}"\n}}')


# ── waivers and VEX ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_ignore_by_cve_covers_it_in_the_packages_that_it_names(host: Host, root: Path) -> None:
    host.advise(*FIXED)
    ignore = Ignore(finding="CVE-2024-1", packages=("pkg:deb/debian/curl",), reason="fixed arguments", owner="web", until=SOON)

    result = host.judge(root, config(ignore=(ignore,)))

    assert result.failing == ("CVE-2024-1 libcurl4",)
    assert [item.finding.id for item in result.facts.ignored] == ["CVE-2024-1 curl"]


def vex(directory: Path, product: str, status: str = "not_affected", days: int = 1, **more: object) -> None:
    statement = {
        "vulnerability": {"name": "CVE-2024-1"},
        "products": [{"@id": product, **more}],
        "status": status,
        "impact_statement": "never called",
    }
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "Security",
        "timestamp": f"{day_of(NOW - days * DAY_S)}T00:00:00Z",
        "statements": [statement],
    }
    (directory / "vex.json").write_text(json.dumps(document))


CURL = "pkg:deb/debian/curl@7.88.1-11"


@pytest.mark.parametrize(
    ("product", "parts", "failing"),
    [
        (CURL, (), ("CVE-2024-1 libcurl4",)),
        ("web", (), ()),
        ("sha256:00", ("pkg:deb/debian/libcurl4",), ("CVE-2024-1 curl",)),
        ("db", ("pkg:deb/debian/libcurl4",), ("CVE-2024-1 curl", "CVE-2024-1 libcurl4")),
        ("pkg:deb/debian/wget", (), ("CVE-2024-1 curl", "CVE-2024-1 libcurl4")),
        ("pkg:deb/debian/curl@7.88.1-10", (), ("CVE-2024-1 curl", "CVE-2024-1 libcurl4")),
    ],
)
def test_vex_counts_for_the_product_that_it_names_and_no_other(
    host: Host, root: Path, tmp_path: Path, product: str, parts: tuple[str, ...], failing: tuple[str, ...]
) -> None:
    host.advise(*FIXED)
    vex(tmp_path, product, subcomponents=[{"@id": part} for part in parts])

    result = host.judge(root, config(vex=("vex.json",)), project=tmp_path)

    assert result.failing == failing
    unused = [message for message in result.facts.messages if "not used" in message]
    assert len(unused) == (1 if len(failing) == 2 else 0)


@pytest.mark.parametrize(
    ("status", "days", "verdict", "told"),
    [
        ("not_affected", 1, "pass", ""),
        ("fixed", 1, "pass", ""),
        ("not_affected", 170, "warn", "ends on"),
        ("not_affected", 181, "fail", "lapsed on"),
        ("affected", 1, "fail", "VEX of Security: affected"),
        ("under_investigation", 1, "fail", "under investigation"),
    ],
)
def test_vex_lapses_and_only_some_statuses_set_aside(
    host: Host, root: Path, tmp_path: Path, status: str, days: int, verdict: str, told: str
) -> None:
    host.advise(*FIXED)
    vex(tmp_path, "web", status, days)

    result = host.judge(root, config(vex=("vex.json",)), project=tmp_path)

    assert result.verdict == verdict
    assert told in " ".join(result.reasons)
    assert all(item.by == "Security" and item.source == "vex.json" for item in result.facts.ignored)


def test_a_malformed_vex_document_is_an_error(host: Host, root: Path, tmp_path: Path) -> None:
    host.advise(*FIXED)
    (tmp_path / "vex.json").write_text("{")

    assert host.judge(root, config(vex=("vex.json",)), project=tmp_path).verdict == "error"


def test_the_sealed_result_is_json_without_floats(host: Host, root: Path) -> None:
    host.advise(*FIXED, likely("CVE-2024-1", 0.7, 0.99))

    text = json.dumps(result_as_json(host.judge(root)))

    assert json.loads(text, parse_float=pytest.fail)["verdict"] == "fail"


def test_the_release_is_that_of_the_image(host: Host, tmp_path: Path) -> None:
    host.advise(*FIXED)
    other = tree(tmp_path / "other", release=RELEASE.replace('"12"', '"11"'))

    assert host.judge(other).verdict == "error"
