"""Waivers: a finding is set aside only with reason, owner and a day, and comes back when the day is over."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.contract import Facts, Finding
from goldsmith.gates.judge import judge
from goldsmith.gates.waivers import DAY_S, Ignore, apply_ignores, day_of, same_package
from goldsmith.hcl.diagnostics import UserError
from goldsmith.project.project import Project, load_project

NOW = int(time.time())
CURL = "pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12"
FINDING = Finding(id="CVE-2024-1 curl", rule="cve", effect="fail", subject=CURL, aliases=("CVE-2024-1", "GHSA-1"))


def facts(*findings: Finding) -> Facts:
    return Facts(engine="test", engine_version="1", examined=1, evaluated=1, findings=findings)


def ignore(finding: str = "CVE-2024-1", days: int = 60, packages: tuple[str, ...] = ()) -> Ignore:
    day = day_of(NOW + days * DAY_S)
    return Ignore(finding=finding, reason="not reachable", owner="team-web", until=day, packages=packages)


def verdict(found: Facts) -> str:
    return judge("g", found, disk_digest="sha256:00", config_digest="sha256:00", started=0, finished=1).verdict


def test_a_live_ignore_sets_the_finding_aside_and_keeps_it_in_the_result() -> None:
    judged = apply_ignores(facts(FINDING), [ignore()], NOW)

    assert judged.findings == ()
    assert [(item.finding, item.by, item.source) for item in judged.ignored] == [(FINDING, "team-web", "ignore")]
    assert verdict(judged) == "pass"


def test_an_expired_ignore_gives_its_finding_back_and_says_whose_it_was() -> None:
    expired = ignore(days=-1)

    judged = apply_ignores(facts(FINDING), [expired], NOW)

    assert judged.ignored == ()
    assert f"ignore by team-web expired on {expired.until}" in judged.findings[0].detail
    assert verdict(judged) == "fail"


def test_two_weeks_before_its_end_an_ignore_warns() -> None:
    assert verdict(apply_ignores(facts(FINDING), [ignore(days=13)], NOW)) == "warn"
    assert verdict(apply_ignores(facts(FINDING), [ignore(days=20)], NOW)) == "pass"


def test_an_ignore_of_other_packages_changes_nothing_and_is_told() -> None:
    judged = apply_ignores(facts(FINDING), [ignore(packages=("pkg:deb/debian/wget",))], NOW)

    assert judged.findings == (FINDING,)
    assert judged.messages == ('ignore "CVE-2024-1" by team-web covers no finding',)


def test_what_a_waiver_left_is_removed_by_no_other_waiver() -> None:
    left = Finding(id="end-of-life", rule="end-of-life", effect="warn", stays=True)

    assert apply_ignores(facts(left), [ignore("end-of-life")], NOW).findings == (left,)


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("pkg:deb/debian/curl", True),
        ("pkg:deb/debian/curl@7.88.1-10", True),
        ("pkg:deb/debian/curl@7.88.1-11", False),
        ("pkg:deb/debian/curl?arch=arm64", False),
        ("pkg:deb/debian/curl?arch=amd64", True),
        ("pkg:deb/ubuntu/curl", False),
        ("pkg:rpm/debian/curl", False),
        ("curl", False),
    ],
)
def test_a_package_pattern_says_only_what_it_says(pattern: str, fits: bool) -> None:
    assert same_package(pattern, CURL) is fits


@given(st.integers(-400, 400), st.sampled_from(["fail", "warn", "info"]))
def test_a_finding_is_either_counted_or_ignored_never_lost(days: int, effect: str) -> None:
    finding = Finding(id="x", rule="x", effect=effect)  # type: ignore[arg-type]  # one of the three

    judged = apply_ignores(facts(finding), [ignore("x", days=days)], NOW)

    counted = [item for item in judged.findings if item.id == "x"]
    assert len(counted) + len(judged.ignored) == 1
    assert bool(judged.ignored) is (ignore("x", days=days).ends_s > NOW)


def project(directory: Path, body: str) -> Project:
    path = directory / "goldsmith.hcl"
    path.write_text('gate "vulnerabilities" {\n' + indent(body, "  ") + "\n}\n")
    return load_project(path)


SOON = day_of(NOW + 30 * DAY_S)
WHOLE = {"reason": "known", "owner": "me", "until": SOON}


@pytest.mark.parametrize("missing", WHOLE)
def test_an_ignore_without_reason_owner_or_until_is_a_fault_of_the_project(tmp_path: Path, missing: str) -> None:
    lines = [f'{name} = "{value}"' for name, value in WHOLE.items() if name != missing]

    with pytest.raises(UserError) as caught:
        project(tmp_path, 'ignore "CVE-2024-1" {\n' + "\n".join(lines) + "\n}")

    (fault,) = caught.value.diagnostics
    assert fault.code == "template.missing-argument"
    assert missing in fault.why
    assert fault.where is not None
    assert fault.where.start.line == 2


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("owner", " ", "may not be empty"),
        ("until", "next year", "is no day"),
        ("until", day_of(NOW + 300 * DAY_S), "more than 180 days away"),
        ("packages", ["curl"], "is no package URL"),
    ],
)
def test_an_ignore_that_says_nothing_is_a_fault_of_the_project(tmp_path: Path, name: str, value: object, told: str) -> None:
    import json

    lines = [f"{key} = {json.dumps(item)}" for key, item in {**WHOLE, name: value}.items()]

    with pytest.raises(UserError, match=told):
        project(tmp_path, 'ignore "CVE-2024-1" {\n' + "\n".join(lines) + "\n}")


def test_a_project_may_allow_longer_waivers(tmp_path: Path) -> None:
    lines = f'reason = "a"\nowner = "b"\nuntil = "{day_of(NOW + 300 * DAY_S)}"'

    read = project(tmp_path, f'max_ignore = "365d"\nignore "CVE-2024-1" {{\n{lines}\n}}')

    assert read.gates["vulnerabilities"].name == "vulnerabilities"


def test_an_ignore_has_exactly_one_label(tmp_path: Path) -> None:
    body = 'ignore {\n  reason = "a"\n  owner = "b"\n  until = "' + SOON + '"\n}'

    with pytest.raises(UserError, match="Missing finding for ignore"):
        project(tmp_path, body)
