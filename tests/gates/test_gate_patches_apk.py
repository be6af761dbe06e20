"""The patches gate on apk: indexes that openssl signed as abuild-sign does, held against the keys of the image."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Duration
from goldsmith.gates.advisories.schema import Advisory
from goldsmith.gates.contract import Result, Subject
from goldsmith.gates.patches import Patches, PatchesConfig
from tests.gates.advisory_workbench import FEED, Host
from tests.gates.repository_workbench import DAY, HOST, ApkRepository, Image, apk_image, make_rsa

PACKAGES = {"musl": "1.2.5-r9", "busybox": "1.37.0-r12", "libcrypto3": "3.5.1-r0"}
NEWER = {**PACKAGES, "libcrypto3": "3.5.2-r0"}
WEEK = PatchesConfig(mirror="mirror", within=Duration(7 * DAY))


@pytest.fixture(scope="module")
def rsa_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("rsa")
    return make_rsa(place / "devel@test-1.rsa"), make_rsa(place / "other/devel@test-1.rsa")


@pytest.fixture
def image(tmp_path: Path, rsa_keys: tuple[Path, Path]) -> Image:
    return apk_image(Image(tmp_path), PACKAGES, rsa_keys[0])


@pytest.fixture
def repository(image: Image, rsa_keys: tuple[Path, Path]) -> ApkRepository:
    return ApkRepository(image.mirror / HOST / "alpine/v3.23/main", rsa_keys[0])


def advise(image: Image, *fixed: tuple[str, str, str]) -> None:
    """Give the host advisories of Alpine: package, vulnerability, the version that fixes it."""
    records = [
        Advisory(eco="alpine 3.23", package=package, vulnerability=id, scheme="apk", fixed=version, status="fixed")
        for package, id, version in fixed
    ]
    Host(image.cache).advise(*records, feed=replace(FEED, id="alpine", eco="alpine 3.23"))


def rules(result: Result) -> list[str]:
    return [finding.rule for finding in result.facts.findings]


@pytest.mark.parametrize("kind", ["RSA", "RSA256"])
def test_an_image_with_the_newest_packages_passes(image: Image, repository: ApkRepository, kind: str) -> None:
    repository.publish(PACKAGES, kind=kind)

    result = image.judge()

    assert (result.verdict, result.reasons) == ("pass", ())
    assert (result.facts.examined, result.facts.evaluated) == (3, 3)
    assert [data.verified for data in result.facts.data] == [True]


def test_without_advisories_each_update_may_fix_a_vulnerability(image: Image, repository: ApkRepository) -> None:
    repository.publish(NEWER)

    result = image.judge()

    assert (result.verdict, rules(result)) == ("fail", ["untold-update"])
    assert "3.5.1-r0 → 3.5.2-r0" in result.reasons[0]
    assert "apk upgrade" in result.reasons[0]


def test_advisories_tell_which_updates_fix_something(image: Image, repository: ApkRepository) -> None:
    repository.publish({**NEWER, "busybox": "1.37.0-r13"})
    advise(image, ("libcrypto3", "CVE-2025-1", "3.5.2-r0"), ("libcrypto3", "CVE-2025-2", "3.5.3-r0"))

    result = image.judge()

    assert (result.verdict, result.failing) == ("fail", ("libcrypto3 3.5.2-r0",))
    assert {finding.subject: (finding.rule, finding.aliases) for finding in result.facts.findings} == {
        "libcrypto3": ("security-update", ("CVE-2025-1",)),
        "busybox": ("update", ()),
    }


def test_alpines_advisories_say_nothing_of_other_repositories(image: Image, rsa_keys: tuple[Path, Path]) -> None:
    ApkRepository(image.mirror / HOST / "own/packages", rsa_keys[0]).publish(NEWER)
    image.write("etc/apk/repositories", f"https://{HOST}/own/packages\n")
    advise(image, ("libcrypto3", "CVE-2025-2", "3.5.3-r0"))

    assert rules(image.judge()) == ["untold-update"]


def test_an_earlier_index_of_this_host_shows_that_an_update_is_young(image: Image, repository: ApkRepository) -> None:
    repository.publish(PACKAGES, built_s=time.time() - 3 * DAY)
    assert image.judge(WEEK).verdict == "pass"
    image.forget_when_fetched(DAY + 60)
    repository.publish(NEWER)

    result = image.judge(WEEK)

    assert result.verdict == "warn"
    assert "not yet offered on" in result.reasons[0]


def test_pinned_packages_come_from_the_repository_of_their_tag_and_no_others_do(
    image: Image, repository: ApkRepository, rsa_keys: tuple[Path, Path]
) -> None:
    repository.publish(PACKAGES)
    edge = {**PACKAGES, "libcrypto3": "3.6.0-r0", "musl": "1.3.0-r0"}
    ApkRepository(image.mirror / HOST / "alpine/edge/main", rsa_keys[0]).publish(edge)
    image.write("etc/apk/repositories", f"https://{HOST}/alpine/v3.23/main\n@edge https://{HOST}/alpine/edge/main\n")
    image.write("etc/apk/world", "alpine-base\nlibcrypto3@edge\nmusl>1.2\n")

    assert image.judge().failing == ("libcrypto3 3.6.0-r0",)


def test_a_repository_without_packages_of_ours_and_one_on_a_disk_do_no_harm(
    image: Image, repository: ApkRepository, rsa_keys: tuple[Path, Path]
) -> None:
    repository.publish(PACKAGES)
    ApkRepository(image.mirror / HOST / "alpine/v3.23/community", rsa_keys[0]).publish({"htop": "3.4.1-r0"})
    image.write(
        "etc/apk/repositories",
        f"https://{HOST}/alpine/v3.23/main\nhttps://{HOST}/alpine/v3.23/community/\n/media/cdrom/apks\n",
    )

    result = image.judge()

    assert result.verdict == "pass"
    assert [item.sample for item in result.facts.skipped] == [("/media/cdrom/apks/",)]


def test_a_verdict_does_not_stand_longer_than_a_day_while_nobody_knows_the_repositories(image: Image) -> None:
    subject = Subject(image="t", disk_digest="", tree=image.tree, disk=None, now_s=20 * DAY)
    gate, config = Patches(), PatchesConfig()

    assert gate.data_digests(subject, config) == gate.data_digests(replace(subject, now_s=20 * DAY + 60), config)
    assert gate.data_digests(subject, config) != gate.data_digests(replace(subject, now_s=21 * DAY), config)


# ── what must never pass ────────────────────────────────────────────────────────────────────────────────────────────────

Spoil = Callable[[Image, ApkRepository, Path], object]


def unpacked_by_a_byte(image: Image, repository: ApkRepository, other: Path) -> None:
    repository.publish(PACKAGES)
    index = repository.index()
    index.write_bytes(index.read_bytes()[:-30])


def another_content(image: Image, repository: ApkRepository, other: Path) -> None:
    repository.publish(PACKAGES)
    signature = repository.index().read_bytes()
    repository.publish({**PACKAGES, "libcrypto3": "3.5.0-r0"}, signed=False)
    unsigned = repository.index().read_bytes()
    start = signature.index(b"\x1f\x8b", 2)
    repository.index().write_bytes(signature[:start] + unsigned)


def altered_here(image: Image, repository: ApkRepository, other: Path) -> None:
    repository.publish(PACKAGES)
    assert image.judge().verdict == "pass"
    another_content(image, repository, other)
    next(image.cache.rglob("APKINDEX.tar.gz")).write_bytes(repository.index().read_bytes())
    image.mirror.rename(image.root / "gone")


def not_fetched(image: Image, repository: ApkRepository, other: Path) -> None:
    repository.publish(PACKAGES)
    assert image.judge().verdict == "pass"
    image.forget_when_fetched(3 * DAY)
    image.mirror.rename(image.root / "gone")


def of_another_architecture(image: Image, repository: ApkRepository, other: Path) -> None:
    repository.publish(PACKAGES, architecture="aarch64")
    repository.index("aarch64").parent.rename(repository.root / "x86_64")


def with_a_login(image: Image, repository: ApkRepository, other: Path) -> None:
    repository.publish(PACKAGES)
    image.write("etc/apk/repositories", f"https://{HOST}/alpine/v3.23/main\nhttps://me:geheim@{HOST}/x\n")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda image, repository, other: repository.publish(PACKAGES, signed=False), "it has no signature"),
        (lambda image, repository, other: repository.publish(PACKAGES, key=other), "is not over this content"),
        (
            lambda image, repository, other: (image.tree / "etc/apk/keys/devel@test-1.rsa.pub").unlink(),
            "cannot be read",
        ),
        (unpacked_by_a_byte, "cannot be read"),
        (another_content, "is not over this content"),
        (altered_here, "is not over this content"),
        (not_fetched, "72 h old, 48 h allowed"),
        (of_another_architecture, "is of aarch64, and the image of x86_64"),
        (with_a_login, "its address holds a login"),
        (lambda image, repository, other: repository.publish({"musl": "1.2.5-r9"}), "packages that the indexes know: 1"),
        (
            lambda image, repository, other: repository.publish(dict.fromkeys(PACKAGES, "0.1-r0")),
            "packages that the indexes know: 0",
        ),
        (lambda image, repository, other: image.write("etc/apk/repositories", "# none\n"), "names no repository"),
    ],
    ids=[
        "unsigned",
        "another key of the same name",
        "no key",
        "cut off",
        "another content",
        "altered on this host",
        "three days old",
        "another architecture",
        "a login in the address",
        "unknown packages",
        "an index that is behind",
        "no repository",
    ],
)
def test_what_cannot_be_told_is_an_error(
    image: Image, repository: ApkRepository, rsa_keys: tuple[Path, Path], spoil: Spoil, told: str
) -> None:
    spoil(image, repository, rsa_keys[1])

    result = image.judge()

    assert result.verdict == "error", result.facts
    assert told in "; ".join(result.reasons)
    assert "geheim" not in json.dumps([*result.reasons, *result.facts.messages, str(result.facts)])
