"""The order of fixes: tiers by fix, exploitation and exposure; what is not known lowers nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.advisories import FeedUsed, Severity, Vulnerability
from goldsmith.gates.advisories.vulnerability import SEVERITIES
from goldsmith.gates.exposure import Exposure
from goldsmith.gates.inventory import Distribution, Package
from goldsmith.gates.ranking import Occurrence, Tier, likelihoods, rank, tier_of

DEBIAN = Distribution(id="debian", family="debian", release="12")
FEED = FeedUsed(
    id="debian",
    name="Debian",
    url="",
    eco="debian 12",
    published_s=1,
    fetched_s=1,
    age_s=1,
    records=1,
    sha256="",
    complete=True,
)
CURL = Package(kind="deb", name="curl", version="7.88.1-11", source_name="curl", source_version="7.88.1-11")
FOUND = Vulnerability(
    id="CVE-2024-1",
    aliases=(),
    vendor_ids=(),
    package=CURL,
    fixed="7.88.1-12",
    status="fixed",
    severity="critical",
    severity_source="nvd",
    vendor_severities={},
    title="",
    description="",
    cvss=(),
    cwe=(),
    references=(),
    published_s=0,
    modified_s=0,
    fix_date_s=0,
    kev=False,
    ransomware=False,
    epss=None,
    epss_percentile=None,
    source=FEED,
)


def occurrence(item: Vulnerability = FOUND, image: str = "web", exposure: Exposure = Exposure.INSTALLED) -> Occurrence:
    return Occurrence(image=image, vulnerability=item, distribution=DEBIAN, exposure=exposure)


@pytest.mark.parametrize(
    ("item", "exposure", "tier"),
    [
        (replace(FOUND, kev=True, fixed="", severity="negligible"), Exposure.INSTALLED, Tier.ACT),
        (FOUND, Exposure.NETWORK, Tier.ACT),
        (FOUND, Exposure.UNKNOWN, Tier.ACT),
        (FOUND, Exposure.SERVICE, Tier.PLAN),
        (replace(FOUND, severity="high"), Exposure.NETWORK, Tier.ATTEND),
        (replace(FOUND, severity="high"), Exposure.INSTALLED, Tier.PLAN),
        (replace(FOUND, severity="low", epss=0.5, epss_percentile=0.95), Exposure.INSTALLED, Tier.ATTEND),
        (replace(FOUND, severity="low", epss=0.5, epss_percentile=0.94), Exposure.INSTALLED, Tier.PLAN),
        (replace(FOUND, fixed=""), Exposure.NETWORK, Tier.WATCH),
        (replace(FOUND, severity="negligible"), Exposure.NETWORK, Tier.NOISE),
    ],
)
def test_the_tier_follows_from_what_is_known(item: Vulnerability, exposure: Exposure, tier: Tier) -> None:
    (chance,) = likelihoods([item])

    assert tier_of(occurrence(item, exposure=exposure), chance) is tier
    assert tier_of(replace(occurrence(item, exposure=exposure), is_set_aside=True), chance) is Tier.NOISE


def test_binary_packages_of_one_source_are_one_fix_to_the_highest_version() -> None:
    library = replace(CURL, name="libcurl4")
    found = [
        occurrence(FOUND),
        occurrence(replace(FOUND, package=library, id="CVE-2024-2", fixed="7.88.1-9+deb12u10")),
        occurrence(replace(FOUND, package=library, id="CVE-2024-3", fixed="7.88.1-9+deb12u9"), image="db"),
    ]

    (fix,) = rank(found)

    assert (fix.to, fix.packages, fix.images) == ("7.88.1-12", ("curl", "libcurl4"), ("db", "web"))
    assert fix.leverage == 6


def test_without_a_score_of_its_own_a_vulnerability_has_the_median_of_its_severity() -> None:
    scored = [replace(FOUND, epss=value, epss_percentile=value) for value in (0.1, 0.2, 0.9)]

    chances = likelihoods([*scored, FOUND])

    assert chances[3] is not None
    assert (chances[3].epss, chances[3].is_estimated) == (0.2, True)
    assert likelihoods([FOUND]) == [None]


def made(number: int, severity: Severity, fixed: str, kev: bool) -> Occurrence:
    package = replace(CURL, source_name=f"p{number % 5}")
    return occurrence(replace(FOUND, id=f"CVE-{number}", severity=severity, fixed=fixed, kev=kev, package=package))


items = st.builds(
    made, st.integers(0, 20), st.sampled_from(SEVERITIES), st.sampled_from(["", "7.88.1-12", "7.88.1-13"]), st.booleans()
)


@given(st.lists(items, max_size=12, unique_by=lambda item: item.vulnerability.id))
def test_every_vulnerability_is_in_exactly_one_fix_and_tiers_come_in_order(found: list[Occurrence]) -> None:
    fixes = rank(found)

    assert [fix.tier for fix in fixes] == sorted(fix.tier for fix in fixes)
    assert {name for fix in fixes for name in fix.vulnerabilities} == {item.vulnerability.id for item in found}
    assert [fix.order for fix in rank(list(reversed(found)))] == [fix.order for fix in fixes]
