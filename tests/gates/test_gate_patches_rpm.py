"""The patches gate on rpm: real packages in a real database, repositories by createrepo_c, signatures by gpg."""

from __future__ import annotations

import gzip
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from goldsmith.components import Duration
from goldsmith.gates.contract import Result
from goldsmith.gates.patches import PatchesConfig
from tests.gates.repository_workbench import DAY, HOST, Built, Image, RpmRepository, build, is_able, notice, rpm_image
from tests.sources.archive_workbench import Keys, make_keys

pytestmark = pytest.mark.skipif(not is_able(), reason="needs rpm, createrepo-c and gpg: ./bootstrap tests")

BASH, CURL, GLIBC = Built("bash", "4.4-1.el8", "noarch"), Built("curl", "1:7.61-1.el8"), Built("glibc", "2.28-1.el8")
NODE = Built("nodejs", "1:16.1-1.module_el8", module="nodejs:16:8:c0")
KERNEL_OLD, KERNEL = Built("kernel-core", "4.18-1.el8"), Built("kernel-core", "4.18-2.el8")
INSTALLED = (BASH, CURL, GLIBC, NODE, KERNEL_OLD, KERNEL)
CURL_2, CURL_3, CURL_9 = Built("curl", "1:7.61-2.el8"), Built("curl", "1:7.61-3.el8"), Built("curl", "1:7.61-9.el9")
NODE_2, NODE_18 = Built("nodejs", "1:16.2-1.module_el8"), Built("nodejs", "1:18.1-1.module_el8")
BASH_ARCH = Built("bash", "4.4-2.el8")
ARM = Built("glibc", "2.28-2.el8", "aarch64")
OTHERS = (CURL_2, CURL_3, CURL_9, NODE_2, NODE_18, BASH_ARCH, ARM)
WEEK = PatchesConfig(mirror="mirror", within=Duration(7 * DAY))
MODULES = """---
document: modulemd
version: 2
data:
  name: nodejs
  stream: "{stream}"
  version: 8
  context: c0
  arch: x86_64
  artifacts:
    rpms:
{rpms}
...
"""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Built, Path]:
    return build(tmp_path_factory.mktemp("rpms") / "built", (*INSTALLED, *OTHERS))


@pytest.fixture(scope="module")
def rpm_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, Keys]]:
    made = make_keys(tmp_path_factory.mktemp("k")), make_keys(tmp_path_factory.mktemp("o"))
    yield made
    for keys in made:
        subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, stock: Mapping[Built, Path], rpm_keys: tuple[Keys, Keys]) -> Image:
    return rpm_image(Image(tmp_path_factory.mktemp("installed")), stock, INSTALLED, rpm_keys[0])


@pytest.fixture
def image(tmp_path: Path, installed: Image) -> Image:
    subprocess.run(["cp", "-a", str(installed.tree), str(tmp_path / "tree")], check=True)
    return Image(tmp_path)


@pytest.fixture
def repository(image: Image, stock: Mapping[Built, Path], rpm_keys: tuple[Keys, Keys]) -> RpmRepository:
    return RpmRepository(image.mirror / HOST / "alma/8/x86_64/os", rpm_keys[0], stock)


def ids(result: Result) -> list[str]:
    return [finding.id for finding in result.facts.findings]


def modules(**streams: Built) -> str:
    texts = []
    for stream, package in streams.items():
        epoch, _, version = package.version.rpartition(":")
        rpms = f"    - {package.name}-{epoch or 0}:{version}.{package.architecture}"
        texts.append(MODULES.format(stream=stream.lstrip("_"), rpms=rpms))
    return "".join(texts)


def test_an_image_with_the_newest_packages_passes(image: Image, repository: RpmRepository) -> None:
    repository.publish(INSTALLED, modules=modules(_16=NODE))

    result = image.judge()

    assert (result.verdict, result.reasons) == ("pass", ())
    assert (result.facts.examined, result.facts.evaluated) == (5, 5)
    assert {item.reason: item.count for item in result.facts.skipped} == {
        "older than another installed version of the same package": 1
    }
    (data,) = result.facts.data
    assert (data.name, data.verified, data.max_age_s) == ("the index of baseos", True, 2 * DAY)


def test_a_security_update_tells_its_notice_its_cves_and_how_long_it_is_out(image: Image, repository: RpmRepository) -> None:
    first, second = time.time() - 20 * DAY, time.time() - DAY
    notices = [notice("ALSA-2024:1111", [CURL_2], first), notice("ALSA-2024:2222", [CURL_3], second)]
    repository.publish((*INSTALLED, CURL_2, CURL_3), notices, modules=modules(_16=NODE))

    result = image.judge(WEEK)

    assert (result.verdict, result.failing) == ("fail", ("curl 1:7.61-3.el8",))
    (finding,) = result.facts.findings
    assert (finding.rule, finding.severity) == ("security-update", "high")
    assert finding.aliases == ("CVE-2024-1111", "CVE-2024-2222", "ALSA-2024:1111", "ALSA-2024:2222")
    day = time.strftime("%Y-%m-%d", time.gmtime(first))
    assert "security update pending: 1:7.61-1.el8 → 1:7.61-3.el8 in baseos" in finding.detail
    assert f"(ALSA-2024:1111, ALSA-2024:2222), of {day}; it fixes CVE-2024-1111, CVE-2024-2222" in finding.detail


def test_a_security_update_of_this_week_warns(image: Image, repository: RpmRepository) -> None:
    repository.publish((*INSTALLED, CURL_2), [notice("ALSA-2024:1111", [CURL_2], time.time() - DAY)], modules=modules(_16=NODE))

    assert image.judge(WEEK).verdict == "warn"
    assert image.judge().verdict == "fail"


@pytest.mark.parametrize("issued_s", [0, 4_000_000_000])
def test_a_notice_of_no_believable_day_makes_nothing_young(image: Image, repository: RpmRepository, issued_s: int) -> None:
    repository.publish((*INSTALLED, CURL_2), [notice("ALSA-2024:1111", [CURL_2], issued_s)], modules=modules(_16=NODE))

    assert image.judge(WEEK).verdict == "fail"


def test_a_bug_fix_is_no_security_update(image: Image, repository: RpmRepository) -> None:
    repository.publish(
        (*INSTALLED, CURL_2), [notice("ALBA-2024:1111", [CURL_2], time.time(), kind="bugfix")], modules=modules(_16=NODE)
    )

    result = image.judge()

    assert (result.verdict, [finding.rule for finding in result.facts.findings]) == ("warn", ["update"])
    assert image.judge(PatchesConfig(mirror="mirror", other="fail")).verdict == "fail"


def test_a_repository_that_announces_nothing_leaves_open_what_an_update_fixes(image: Image, repository: RpmRepository) -> None:
    repository.publish((*INSTALLED, CURL_2), None, modules=modules(_16=NODE))

    result = image.judge()

    assert (result.verdict, [finding.rule for finding in result.facts.findings]) == ("fail", ["untold-update"])
    assert "update that may fix a vulnerability pending" in result.reasons[0]


def test_an_earlier_index_of_this_host_shows_that_an_update_is_young(image: Image, repository: RpmRepository) -> None:
    repository.publish(INSTALLED, None, modules=modules(_16=NODE), revision=int(time.time()) - 3 * DAY)
    assert image.judge(WEEK).verdict == "pass"
    image.forget_when_fetched(DAY + 60)
    repository.publish((*INSTALLED, CURL_2), None, modules=modules(_16=NODE))

    result = image.judge(WEEK)

    assert (result.verdict, ids(result)) == ("warn", ["curl 1:7.61-2.el8"])
    assert "not yet offered on" in result.reasons[0]
    assert any(item.name == "an earlier index of baseos" for item in result.facts.data)
    assert image.judge(PatchesConfig(mirror="mirror", within=Duration(2 * DAY))).verdict == "fail"


def test_a_package_of_a_module_is_held_against_its_own_stream(image: Image, repository: RpmRepository) -> None:
    security = [notice("ALSA-2024:1111", [NODE_2], time.time()), notice("ALSA-2024:2222", [NODE_18], time.time())]
    repository.publish((*INSTALLED, NODE_2, NODE_18), security, modules=modules(_16=NODE, _18=NODE_18) + modules(_16=NODE_2))

    result = image.judge()

    assert ids(result) == ["nodejs 1:16.2-1.module_el8"]
    assert result.facts.findings[0].aliases == ("CVE-2024-1111", "ALSA-2024:1111")


def test_what_belongs_to_a_module_is_not_offered_to_a_package_of_none(image: Image, repository: RpmRepository) -> None:
    repository.publish((*INSTALLED, CURL_3), modules=modules(_16=NODE, _99=CURL_3))

    assert image.judge().verdict == "pass"


def test_a_package_without_architecture_may_be_replaced_by_one_with(image: Image, repository: RpmRepository) -> None:
    repository.publish((*INSTALLED, BASH_ARCH), modules=modules(_16=NODE))

    assert ids(image.judge()) == ["bash 4.4-2.el8"]


def test_a_repository_of_worse_priority_does_not_count_for_what_a_better_one_has(
    image: Image, repository: RpmRepository, stock: Mapping[Built, Path]
) -> None:
    repository.publish(INSTALLED, modules=modules(_16=NODE))
    RpmRepository(image.mirror / HOST / "extra", repository.keys, stock).publish((CURL_2,))
    extra = f"[extra]\nbaseurl=https://{HOST}/extra\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-test\npriority={{}}\n"

    image.write("etc/yum.repos.d/extra.repo", extra.format(200))
    assert image.judge().verdict == "pass"
    image.write("etc/yum.repos.d/extra.repo", extra.format(99))
    assert image.judge().verdict == "warn"


# ── what must never pass ────────────────────────────────────────────────────────────────────────────────────────────────

Spoil = Callable[[Image, RpmRepository, Keys], object]


def publish(repository: RpmRepository, **more: object) -> None:
    repository.publish(INSTALLED, modules=modules(_16=NODE), **more)  # type: ignore[arg-type]  # as the test says


def altered(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository)
    path = repository.part("primary")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"7.61", b"7.60")))


def unsigned_table(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository)
    repository.repomd.write_text(repository.repomd.read_text() + "<!-- -->")


def weak(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository, options=("--checksum", "sha1"))


def another_release(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository, options=("--distro", "cpe:/o:almalinux:almalinux:9,AlmaLinux 9"))


def another_architecture(image: Image, repository: RpmRepository, other: Keys) -> None:
    repository.publish((BASH, ARM))


def kept_but_altered(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository)
    assert image.judge().verdict == "pass"
    path = next(image.cache.rglob("primary.xml.gz"))
    path.write_bytes(gzip.compress(b"<metadata></metadata>"))
    image.mirror.rename(image.root / "gone")


def without_key(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository)
    (image.tree / "etc/pki/rpm-gpg/RPM-GPG-KEY-test").unlink()


def not_fetched(image: Image, repository: RpmRepository, other: Keys) -> None:
    publish(repository)
    assert image.judge().verdict == "pass"
    image.forget_when_fetched(3 * DAY)
    image.mirror.rename(image.root / "gone")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda image, repository, other: publish(repository, signed=False), "no good signature: it has no signature"),
        (lambda image, repository, other: publish(repository, keys=other), "a key that is not among those of the image"),
        (unsigned_table, "its signature is not over this content"),
        (altered, "is not the list that its repomd.xml names"),
        (weak, "only the digest sha"),
        (without_key, "the image has no key for it"),
        (another_release, "the index of baseos is of release 9, and the image of 8.10"),
        (another_architecture, "the index of baseos is of aarch64, and the image of x86_64"),
        (kept_but_altered, "is not the list that its repomd.xml names"),
        (not_fetched, "72 h old, 48 h allowed"),
        (lambda image, repository, other: None, "cannot be read"),
        (lambda image, repository, other: repository.publish((CURL, GLIBC)), "packages that the indexes know: 2"),
        (lambda image, repository, other: (image.tree / "etc/yum.repos.d/test.repo").unlink(), "names no repository"),
    ],
    ids=[
        "unsigned",
        "another key",
        "another table",
        "an altered list",
        "a weak digest",
        "no key",
        "another release",
        "another architecture",
        "altered on this host",
        "three days old",
        "nothing answers",
        "unknown packages",
        "no repository",
    ],
)
def test_what_cannot_be_told_is_an_error(
    image: Image, repository: RpmRepository, rpm_keys: tuple[Keys, Keys], spoil: Spoil, told: str
) -> None:
    spoil(image, repository, rpm_keys[1])

    result = image.judge()

    assert result.verdict == "error", result.facts
    assert told in "; ".join(result.reasons)


def test_indexes_that_are_behind_the_image_are_of_another_release(image: Image, repository: RpmRepository) -> None:
    older = [Built(package.name, "0:0.1-1") for package in INSTALLED]
    stock = build(image.root / "older", older)
    RpmRepository(repository.root, repository.keys, stock).publish(older)

    result = image.judge()

    assert result.verdict == "error"
    assert {item.reason: item.count for item in result.facts.skipped}["newer than what the archive offers"] == 4


def test_an_unsigned_index_counts_only_when_the_project_says_so_and_warns(image: Image, repository: RpmRepository) -> None:
    publish(repository, signed=False)
    config = PatchesConfig(mirror="mirror", unsigned="warn")

    result = image.judge(config)

    assert (result.verdict, ids(result)) == ("warn", ["unsigned baseos"])
    assert "only https vouches for it" in result.reasons[0]


def test_a_signature_that_does_not_fit_is_never_made_good_by_https(
    image: Image, repository: RpmRepository, rpm_keys: tuple[Keys, Keys]
) -> None:
    publish(repository, keys=rpm_keys[1])

    assert image.judge(PatchesConfig(mirror="mirror", unsigned="warn")).verdict == "error"


def test_a_mirror_that_lags_behind_does_not_bring_back_an_older_index(image: Image, repository: RpmRepository) -> None:
    repository.publish((*INSTALLED, CURL_2), [notice("ALSA-2024:1111", [CURL_2], time.time())], modules=modules(_16=NODE))
    assert image.judge().verdict == "fail"
    image.forget_when_fetched(DAY + 60)
    publish(repository, revision=int(time.time()) - 10 * DAY)

    result = image.judge()

    assert (result.verdict, ids(result)) == ("fail", ["curl 1:7.61-2.el8"])
    assert any("older than the one that this host has seen" in message for message in result.facts.messages)


def test_a_repository_that_cannot_be_reached_for_a_day_is_judged_by_what_is_here(
    image: Image, repository: RpmRepository
) -> None:
    publish(repository)
    assert image.judge().verdict == "pass"
    image.forget_when_fetched(DAY + 60)
    image.mirror.rename(image.root / "gone")

    result = image.judge()

    assert result.verdict == "pass"
    assert any("cannot be read" in message for message in result.facts.messages)


@pytest.mark.parametrize(("setting", "word"), [("unsigned", "ignore"), ("other", "nothing")])
def test_a_word_that_the_block_does_not_know_is_told(image: Image, repository: RpmRepository, setting: str, word: str) -> None:
    publish(repository, signed=False)
    repository.publish((*INSTALLED, CURL_2), modules=modules(_16=NODE), signed=False)

    result = image.judge(PatchesConfig(mirror="mirror", **{setting: word}))  # type: ignore[arg-type]  # as the test says

    assert result.verdict == "error"
    assert f'has {setting} = "{word}"' in result.reasons[0]


def test_what_was_spoilt_on_this_host_is_fetched_again(image: Image, repository: RpmRepository) -> None:
    publish(repository)
    assert image.judge().verdict == "pass"
    path = next(image.cache.rglob("primary.xml.gz"))
    path.write_bytes(b"")

    assert image.judge().verdict == "pass"
    assert path.stat().st_size


def test_a_signature_that_comes_late_counts_at_once(
    image: Image, repository: RpmRepository, rpm_keys: tuple[Keys, Keys]
) -> None:
    publish(repository, signed=False)
    assert image.judge().verdict == "error"

    repository.sign(rpm_keys[0])
    assert image.judge().verdict == "pass"


def test_held_packages_count_as_pending(image: Image, repository: RpmRepository) -> None:
    image.write("etc/dnf/plugins/versionlock.list", "curl-1:7.61-1.el8.*\n")
    image.write("etc/dnf/dnf.conf", "[main]\nexclude=curl\n")
    repository.publish((*INSTALLED, CURL_2), [notice("ALSA-2024:1111", [CURL_2], time.time())], modules=modules(_16=NODE))

    assert image.judge().failing == ("curl 1:7.61-2.el8",)


def test_an_image_past_its_end_of_life_is_an_error_here_too(image: Image, repository: RpmRepository) -> None:
    publish(repository)

    result = image.judge(later_s=4 * 365 * DAY)

    assert result.verdict == "error"
    assert any("end of life" in reason for reason in result.reasons)
