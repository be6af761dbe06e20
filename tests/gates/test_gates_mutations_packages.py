"""One thing wrong in an image of rpm or Alpine, or in what it is judged by: exactly the right gate fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import pytest

from goldsmith.events import ignore
from goldsmith.gates.advisories.schema import Advisory
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.gates.contract import Declared, KnownSecret, Subject, Verdict
from goldsmith.gates.hardening import Hardening, HardeningConfig
from goldsmith.gates.judge import run_gate
from goldsmith.gates.patches import Patches
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.gates.vulnerabilities import Vulnerabilities, VulnerabilitiesConfig
from goldsmith.machines.cancellation import Cancellation
from tests.gates.advisory_workbench import FEED, NOW, exploited, told
from tests.gates.hardened_tree import make_hardened
from tests.gates.repository_workbench import (
    DAY,
    HOST,
    ApkRepository,
    Built,
    Image,
    RpmRepository,
    apk_image,
    build,
    is_able,
    make_rsa,
    notice,
    rpm_image,
)
from tests.sources.archive_workbench import Keys, make_keys

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the tree must belong to root"),
    pytest.mark.skipif(not is_able(), reason="needs rpm, createrepo-c and gpg: ./bootstrap tests"),
]
Family: TypeAlias = Literal["rpm", "apk"]
CURL, BASH = Built("curl", "1:7.61-2.el8"), Built("bash", "4.4-2.el8", "noarch")
NODE = Built("nodejs", "1:16.2-1.module_el8", module="nodejs:16:8:c0")
OLD = {CURL: Built("curl", "1:7.61-1.el8"), NODE: Built("nodejs", "1:16.1-1.module_el8", module="nodejs:16:8:c0")}
TELNET, VENDOR = Built("telnet-server", "0.17-1.el8"), Built("vendor", "1.0-1")
CLEAN = (CURL, BASH, NODE)
MODULES = """---
document: modulemd
version: 2
data:
  name: nodejs
  stream: "16"
  artifacts:
    rpms: [nodejs-1:16.2-1.module_el8.x86_64, nodejs-1:16.1-1.module_el8.x86_64]
...
"""
APK = {"curl": "8.14.1-r2", "bash": "5.2.37-r0", "musl": "1.2.5-r10"}
ECOS: Mapping[Family, str] = {"rpm": "alma 8", "apk": "alpine 3.23"}


@dataclass(frozen=True)
class Shop:
    """What all scenes are made of: packages, keys, and images into which rpm has installed them."""

    root: Path
    built: Mapping[Built, Path]
    keys: Keys
    other: Keys
    rsa: Path
    other_rsa: Path

    def image(self, family: Family, packages: Sequence[Built]) -> Path:
        """The tree of a hardened image with these packages; made once."""
        place = self.root / f"{family}-{'-'.join(f'{item.name}{item.version}' for item in packages)}".replace(":", "_")
        if not place.exists():
            tree = make_hardened(place / "tree")
            shutil.rmtree(tree / "var/lib/dpkg")
            shutil.rmtree(tree / "etc/apt")
            (tree / "usr/bin/apt-get").unlink()
            image = Image(place)
            if family == "rpm":
                rpm_image(image, self.built, packages, self.keys)
            else:
                apk_image(image, APK, self.rsa)
        return place / "tree"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("shop")
    keys = make_keys(root / "k"), make_keys(root / "o")
    yield Shop(
        root=root / "images",
        built=build(root / "built", (*CLEAN, *OLD.values(), TELNET, VENDOR)),
        keys=keys[0],
        other=keys[1],
        rsa=make_rsa(root / "a/devel-1.rsa"),
        other_rsa=make_rsa(root / "b/devel-1.rsa"),
    )
    for item in keys:
        subprocess.run(["gpgconf", "--homedir", str(item.home), "--kill", "all"], check=True)


@dataclass
class Scene:
    """An image that every static gate passes, and all that it is judged by."""

    family: Family
    shop: Shop
    image: Image
    reasons: Sequence[str] = ()

    def install(self, *packages: Built) -> None:
        """Another image: with these packages."""
        shutil.rmtree(self.image.tree, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.shop.image(self.family, packages)), str(self.image.tree)], check=True)

    @property
    def rpms(self) -> RpmRepository:
        return RpmRepository(self.image.mirror / HOST / "alma/8/x86_64/os", self.shop.keys, self.shop.built)

    @property
    def apks(self) -> ApkRepository:
        return ApkRepository(self.image.mirror / HOST / "alpine/v3.23/main", self.shop.rsa)

    def offer(self, *packages: Built, notices: Sequence[str] | None = (), **more: object) -> None:
        """Publish the repository of today."""
        self.rpms.publish(packages or CLEAN, notices, modules=MODULES, **more)  # type: ignore[arg-type]  # as the case says

    def advise(self, *records: Advisory, feed: FeedRow = FEED) -> None:
        """Advisories of the distribution: curl and the module's nodejs had a critical hole once."""
        eco = ECOS[self.family]
        store = Store(self.image.cache / "advisories")
        self.image.cache.mkdir(exist_ok=True)
        fixed = {"rpm": ("1:7.61-1.el8", "nodejs:16::nodejs", "1:16.2-1.module_el8"), "apk": ("8.14.1-r1", "none", "1")}
        curl, node, node_fixed = fixed[self.family]
        with Writer(store.directory) as writer:
            writer.add("own", [self.hole("curl", "CVE-2024-1", curl), self.hole(node, "CVE-2024-3", node_fixed), *records])
            writer.add("nvd", [told("CVE-2024-1"), told("CVE-2024-3"), told("CVE-2024-2", severity="low")])
            writer.add("kev", [exploited("CVE-2024-2")])
            writer.add_feed(replace(feed, id="own", eco=feed.eco if feed.eco != FEED.eco else eco, records=2))
            path = writer.finish(store.signer(), NOW)
        store.point_to(path)

    def hole(self, package: str, id: str, fixed: str) -> Advisory:
        """A vulnerability of this distribution."""
        scheme = self.family
        return Advisory(eco=ECOS[scheme], package=package, vulnerability=id, scheme=scheme, fixed=fixed, status="fixed")

    def verdicts(self) -> dict[str, Verdict]:
        work = self.image.root / "work"
        work.mkdir(exist_ok=True)
        subject = Subject(
            image="t",
            disk_digest="sha256:00",
            tree=self.image.tree,
            disk=None,
            cache=self.image.cache,
            root=self.image.root,
            work=work,
            known_secrets=(KnownSecret(name="the build's", value="hand-over-4711"),),
            salt=b"salt",
            declared=Declared(services=("own.service",)),
            now_s=int(time.time()),
        )
        results = (
            run_gate(Patches(), self.image.config, subject, ignore, Cancellation()),
            run_gate(Vulnerabilities(), VulnerabilitiesConfig(), subject, ignore, Cancellation()),
            run_gate(Secrets(), SecretsConfig(), subject, ignore, Cancellation()),
            run_gate(Hardening(), HardeningConfig(failed="fail"), subject, ignore, Cancellation()),
        )
        self.reasons = [reason for result in results for reason in result.reasons]
        return {result.gate: result.verdict for result in results}


def made(family: Family, shop: Shop, root: Path) -> Scene:
    scene = Scene(family, shop, Image(root))
    scene.install(*(CLEAN if family == "rpm" else ()))
    if family == "rpm":
        scene.offer()
    else:
        scene.apks.publish(APK)
    scene.advise()
    return scene


Break: TypeAlias = Callable[[Scene], object]


def old(package: Built) -> Break:
    """The image was made before a security update that came ten days ago; nobody wrote an advisory."""

    def act(scene: Scene) -> None:
        scene.install(*(OLD.get(item, item) if item is package else item for item in CLEAN))
        scene.offer(notices=[notice("ALSA-2024:9", [package], time.time() - 10 * DAY)])
        if package is NODE:
            Scene.advise(scene)

    return act


def altered(scene: Scene) -> None:
    path = scene.rpms.part("primary")
    path.write_bytes(path.read_bytes() + b"\0")


def old_indexes(scene: Scene) -> None:
    scene.verdicts()
    scene.image.forget_when_fetched(3 * DAY)
    scene.image.mirror.rename(scene.image.root / "gone")


def damaged(scene: Scene) -> None:
    path = scene.image.tree / "var/lib/rpm/rpmdb.sqlite"
    os.truncate(path, path.stat().st_size // 2)


def vulnerable(scene: Scene, id: str = "CVE-2024-1") -> None:
    """No update is out yet, so that it is no matter of patches."""
    version = {"rpm": "1:7.61-9.el8", "apk": "8.14.1-r9"}[scene.family]
    scene.advise(scene.hole("curl", id, version))


def then(*acts: Break) -> Break:
    """One after the other."""

    def act(scene: Scene) -> None:
        for each in acts:
            each(scene)

    return act


def without_repositories(scene: Scene) -> None:
    for place in ("etc/yum.repos.d/test.repo", "etc/apk/repositories"):
        (scene.image.tree / place).unlink(missing_ok=True)


def put(path: str, text: str, mode: int = 0o600) -> Break:
    return lambda scene: scene.image.write(path, text).chmod(mode)


KEY = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 12 + "-----END PRIVATE KEY-----\n"
COMMON: Mapping[str, tuple[Break, set[str]]] = {
    "a vulnerable package without an update": (vulnerable, {"vulnerabilities"}),
    "a low one that is known to be exploited": (lambda scene: vulnerable(scene, "CVE-2024-2"), {"vulnerabilities"}),
    "no advisories of this release": (
        lambda scene: scene.advise(feed=replace(FEED, eco="another 1")),
        {"vulnerabilities"},
    ),
    "indexes of three days ago": (old_indexes, {"patches"}),
    "no repository": (without_repositories, {"patches"}),
    "a private key": (put("srv/app/tls.key", KEY), {"secrets"}),
    "the build's secret": (put("srv/app/note", "hand-over-4711\n"), {"secrets"}),
    "a world-writable file": (put("etc/issue.net", "x", 0o666), {"hardening"}),
    "a distribution that nobody knows": (
        put("etc/os-release", "ID=strange\nVERSION_ID=1\n", 0o644),
        {"patches", "vulnerabilities", "hardening"},
    ),
}
RPM: Mapping[str, tuple[Break, set[str]]] = {
    **COMMON,
    "a security update is pending": (old(CURL), {"patches"}),
    "a module with a security update": (old(NODE), {"patches", "vulnerabilities"}),
    "an update that nobody explains": (
        then(lambda scene: scene.install(OLD[CURL], BASH, NODE), lambda scene: scene.offer(notices=None)),
        {"patches"},
    ),
    "an index by another key": (lambda scene: scene.offer(keys=scene.shop.other), {"patches"}),
    "an index without a signature": (lambda scene: scene.offer(signed=False), {"patches"}),
    "a list that nobody signed": (altered, {"patches"}),
    "an index of another release": (
        lambda scene: scene.offer(options=("--distro", "cpe:/o:almalinux:almalinux:9,x")),
        {"patches"},
    ),
    "packages that no index knows": (lambda scene: scene.install(*CLEAN, VENDOR), {"patches"}),
    "a server for telnet": (
        then(lambda scene: scene.install(*CLEAN, TELNET), lambda scene: scene.offer(*CLEAN, TELNET)),
        {"hardening"},
    ),
    "a damaged package database": (damaged, {"patches", "vulnerabilities", "hardening"}),
}
ALPINE: Mapping[str, tuple[Break, set[str]]] = {
    **COMMON,
    "an update that nobody explains": (
        then(
            lambda scene: shutil.rmtree(scene.image.cache / "advisories"),
            lambda scene: scene.advise(feed=replace(FEED, fetched_s=NOW - 3 * DAY)),
            lambda scene: scene.apks.publish({**APK, "curl": "8.14.1-r3"}),
        ),
        {"patches", "vulnerabilities"},
    ),
    "a security update is pending": (
        then(
            lambda scene: scene.advise(scene.hole("musl", "CVE-2024-2", "1.2.5-r11")),
            lambda scene: scene.apks.publish({**APK, "musl": "1.2.5-r11"}),
        ),
        {"patches", "vulnerabilities"},
    ),
    "an index by another key": (lambda scene: scene.apks.publish(APK, key=scene.shop.other_rsa), {"patches"}),
    "an index without a signature": (lambda scene: scene.apks.publish(APK, signed=False), {"patches"}),
    "packages that no index knows": (lambda scene: scene.apks.publish({"musl": "1.2.5-r10"}), {"patches"}),
    "a server for telnet": (
        then(
            lambda scene: scene.image.write(
                "lib/apk/db/installed",
                "".join(f"P:{name}\nV:{version}\nA:x86_64\n\n" for name, version in {**APK, "telnetd": "1-r0"}.items()),
            ),
            lambda scene: scene.apks.publish({**APK, "telnetd": "1-r0"}),
        ),
        {"hardening"},
    ),
    "a package database that is cut off": (
        lambda scene: os.truncate(scene.image.tree / "lib/apk/db/installed", 30),
        {"patches", "vulnerabilities", "hardening"},
    ),
}
CASES: Mapping[Family, Mapping[str, tuple[Break, set[str]]]] = {"rpm": RPM, "apk": ALPINE}


@pytest.mark.parametrize("family", CASES)
def test_the_clean_image_passes_every_gate(family: Family, shop: Shop, tmp_path: Path) -> None:
    scene = made(family, shop, tmp_path)
    assert set(scene.verdicts().values()) == {"pass"}, scene.reasons


@pytest.mark.parametrize(
    ("family", "wrong"),
    [pytest.param(family, name, id=f"{family}: {name}") for family, cases in CASES.items() for name in cases],
)
def test_one_thing_wrong_fails_exactly_the_right_gate(family: Family, wrong: str, shop: Shop, tmp_path: Path) -> None:
    scene = made(family, shop, tmp_path)
    act, expected = CASES[family][wrong]
    act(scene)

    verdicts = scene.verdicts()

    assert {name for name, verdict in verdicts.items() if verdict in ("fail", "error")} == expected, scene.reasons
