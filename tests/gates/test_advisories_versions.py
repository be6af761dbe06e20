"""Sort keys of versions, held against the programs and libraries that define the order."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cmp_to_key
from itertools import pairwise
from pathlib import Path

import pytest
from debian.debian_support import version_compare
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from univers.gem import GemVersion
from univers.maven import Version as MavenVersion
from univers.rpm import compare_rpm_versions
from univers.versions import AlpineLinuxVersion, SemverVersion

from goldsmith.gates.advisories.versions import Scheme, sort_key
from goldsmith.hcl.diagnostics import UserError


def order(scheme: Scheme, left: str, right: str) -> int:
    a, b = sort_key(scheme, left), sort_key(scheme, right)
    return (a > b) - (a < b)


def as_by(make: Callable[[str], object], left: str, right: str) -> int:
    a, b = make(left), make(right)
    return int(a > b) - int(a < b)  # type: ignore[operator]  # versions of foreign libraries are ordered


DPKG_PARTS = st.from_regex(r"[0-9][A-Za-z0-9.+~]{0,8}", fullmatch=True)
DPKG = st.builds(
    lambda epoch, upstream, revision: f"{epoch}{upstream}{revision}",
    st.sampled_from(["", "0:", "1:", "10:"]),
    DPKG_PARTS,
    st.one_of(st.just(""), st.from_regex(r"-[A-Za-z0-9.+~]{1,6}", fullmatch=True)),
)


@settings(max_examples=1000)
@given(DPKG, DPKG)
def test_debian_versions_are_ordered_as_by_python_debian(left: str, right: str) -> None:
    expected = version_compare(left, right)

    assert order("dpkg", left, right) == (expected > 0) - (expected < 0), (left, right)


def test_installed_debian_versions_are_ordered_as_by_python_debian() -> None:
    paragraphs = Path("/var/lib/dpkg/status").read_text().split("\n")
    versions = sorted({line.split(": ")[1] for line in paragraphs if line.startswith("Version: ")})

    assert sorted(versions, key=lambda item: sort_key("dpkg", item)) == sorted(versions, key=cmp_to_key(version_compare))


@settings(max_examples=30)
@given(st.lists(DPKG, min_size=2, max_size=8))
def test_debian_versions_are_ordered_as_by_dpkg(versions: list[str]) -> None:
    for left, right in pairwise(sorted(versions, key=lambda item: sort_key("dpkg", item))):
        relation = "eq" if sort_key("dpkg", left) == sort_key("dpkg", right) else "lt"
        assert subprocess.run(["dpkg", "--compare-versions", left, relation, right], check=False).returncode == 0, (left, right)


RPM = st.from_regex(r"([0-9]:)?[A-Za-z0-9][A-Za-z0-9._+~^]{0,8}(-[A-Za-z0-9][A-Za-z0-9._+~^]{0,6})?", fullmatch=True)


@settings(max_examples=1000)
@given(RPM, RPM)
def test_rpm_versions_are_ordered_as_by_univers(left: str, right: str) -> None:
    assert order("rpm", left, right) == compare_rpm_versions(left, right), (left, right)


@pytest.mark.skipif(shutil.which("rpm") is None, reason="rpm is not installed")
@settings(max_examples=30)
@given(st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~^]{0,8}", fullmatch=True), min_size=2, max_size=8))
def test_rpm_versions_are_ordered_as_by_rpm(versions: list[str]) -> None:
    pairs = list(pairwise(versions))
    code = "; ".join(f"print(rpm.vercmp('{left}', '{right}'), ' ')" for left, right in pairs)
    done = subprocess.run(["rpm", "--eval", f"%{{lua:{code}}}"], capture_output=True, text=True, check=True)

    assert [order("rpm", left, right) for left, right in pairs] == list(map(int, done.stdout.split()))


APK_NUMBER = r"(0|[1-9][0-9]{0,2})"
APK = st.from_regex(rf"{APK_NUMBER}(\.{APK_NUMBER}){{0,3}}[a-c]?(_(alpha|beta|pre|rc|p)[1-9])?-r[1-9][0-9]?", fullmatch=True)
"""Univers reads them by Gentoo's rules, which have no `_git`, and take `-r0` for nothing."""


@settings(max_examples=1000)
@given(APK, APK)
def test_alpine_versions_are_ordered_as_by_univers(left: str, right: str) -> None:
    assert order("apk", left, right) == as_by(AlpineLinuxVersion, left, right), (left, right)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        # apk-tools' own comparison of numbers with leading zeros, of hashes, and of suffixes
        ("1.001", "1.01"),
        ("1.01", "1.1"),
        ("1.0", "1.01"),
        ("1.09", "1.10"),
        ("1.0_rc1", "1.0"),
        ("1.0", "1.0-r0"),
        ("1.0-r9", "1.0-r10"),
        ("1.0-r1", "1.0_p1"),
        ("1.0_p", "1.0_p1"),
        ("1.0_p1", "1.0a"),
        ("1.0a", "1.0.1"),
        ("1.0_alpha2", "1.0_beta1"),
        ("1.0_git20200101", "1.0_p1"),
        ("1.0-r5", "1.0~1234abcd-r0"),
        ("3.1.2-r0", "3.1.10-r0"),
    ],
)
def test_alpine_versions_of_known_order(lower: str, higher: str) -> None:
    assert sort_key("apk", lower) < sort_key("apk", higher)


PEP440 = st.from_regex(
    r"([1-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc)[0-9]{1,2})?(\.post[0-9])?(\.dev[0-9])?(\+[a-z0-9]{1,3}(\.[a-z0-9]{1,3})?)?",
    fullmatch=True,
)


@settings(max_examples=1000)
@given(PEP440, PEP440)
def test_python_versions_are_ordered_as_by_packaging(left: str, right: str) -> None:
    assert order("pep440", left, right) == as_by(Version, left, right), (left, right)


SEMVER = st.from_regex(
    r"(0|[1-9][0-9]?)\.(0|[1-9][0-9]?)\.(0|[1-9][0-9]?)(-(0|[1-9][0-9]?|[a-z]{1,4})(\.(0|[1-9]|[a-z]{1,3}))?)?", fullmatch=True
)


@settings(max_examples=1000)
@given(SEMVER, SEMVER)
def test_semantic_versions_are_ordered_as_by_univers(left: str, right: str) -> None:
    assert order("semver", left, right) == as_by(SemverVersion, left, right), (left, right)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.0.0-alpha", "1.0.0-alpha.1"),
        ("1.0.0-alpha.1", "1.0.0-alpha.beta"),
        ("1.0.0-beta.2", "1.0.0-beta.11"),
        ("1.0.0-rc.1", "1.0.0"),
        ("v0.0.0-20190101000000-abcdefabcdef", "v0.0.0-20200101000000-abcdefabcdef"),
        ("go1.22rc1", "go1.22.0"),
        ("go1.21.9", "1.22.0"),
        ("1.21.0-0", "go1.21rc2"),
        ("v1.9.0", "v1.10.0+incompatible"),
    ],
)
def test_semantic_versions_of_known_order(lower: str, higher: str) -> None:
    assert sort_key("semver", lower) < sort_key("semver", higher)


MAVEN = st.from_regex(
    r"[1-9][0-9]?(\.[0-9]{1,2}){0,3}(-(ga|final)|-(alpha|beta|milestone|rc|snapshot|sp)(-[1-9])?|-[1-9])?",
    fullmatch=True,
)
"""No number after `ga` or `final`: Maven's published order drops a nothing before a hyphen, its code (and univers) nests it."""


@settings(max_examples=1000)
@given(MAVEN, MAVEN)
def test_maven_versions_are_ordered_as_by_univers(left: str, right: str) -> None:
    assert order("maven", left, right) == as_by(MavenVersion, left, right), (left, right)


GEM = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,3}(\.(a|b|pre|rc)[0-9]?){0,2}(-[a-z]{1,3})?", fullmatch=True)


@settings(max_examples=1000)
@given(GEM, GEM)
def test_ruby_versions_are_ordered_as_by_univers(left: str, right: str) -> None:
    assert order("gem", left, right) == as_by(GemVersion, left, right), (left, right)


@pytest.mark.parametrize(
    ("scheme", "version"),
    [
        *[("dpkg", version) for version in ("", "a:1", "1:", ":1", "1.0 beta", "1_0", "-1")],
        *[("rpm", version) for version in ("", "1 2", ":1", "1-2-3", "1-")],
        *[("apk", version) for version in ("", "a", "1.0_", "1.0_foo1", "1.0-r", "1..2", "1.0-1")],
        *[("pep440", version) for version in ("", "one", "1.0-x-y")],
        *[("semver", version) for version in ("", "latest", "1.x", "devel go1.23", "(devel)")],
        *[("maven", version) for version in ("", " ")],
        *[("gem", version) for version in ("", "a.1", "1 2")],
        ("dpkg", "1" * 2000),
    ],
)
def test_what_is_no_version_has_no_key(scheme: Scheme, version: str) -> None:
    with pytest.raises(UserError, match="is no version"):
        sort_key(scheme, version)
