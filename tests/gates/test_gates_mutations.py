"""One thing wrong in an image, or in what it is judged by: exactly the right gate fails, and no other one does."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import pytest

from goldsmith.events import ignore
from goldsmith.gates.advisories.schema import Advisory
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.versions import Scheme
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.gates.contract import Declared, KnownSecret, Subject, Verdict
from goldsmith.gates.hardening import Hardening, HardeningConfig
from goldsmith.gates.judge import run_gate
from goldsmith.gates.patches import Patches, PatchesConfig
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.gates.secrets.rules import OWN
from goldsmith.gates.vulnerabilities import Vulnerabilities, VulnerabilitiesConfig
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.indexes import STAMP
from tests.gates.advisory_workbench import DAY_S, FEED, NOW, Host, advisory, exploited, package, told
from tests.gates.elf_files import crates, go_text, inline_information, program
from tests.gates.hardened_tree import make_hardened, write
from tests.gates.planting import token
from tests.gates.test_gate_inventory_java import archive, pom
from tests.gates.test_gate_patches import DAY, Place
from tests.gates.test_gate_patches import NOW as PATCHES_NOW
from tests.gates.test_gate_patches import two_keys as two_keys  # a fixture is found by its name here
from tests.gates.test_gate_secret_planting import MUTATIONS as SECRETS
from tests.gates.test_gate_secret_planting import TOKENS, known_forms
from tests.sources.archive_workbench import Keys

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the tree must belong to root")
INSTALLED = {"bash": "5.2.15-2", "curl": "7.88.1-11", "libcurl4": "7.88.1-11", "nginx": "1.22-9", "openssh-server": "9.2-2"}
HANDED_OVER = "hand-over-4711"
LANGUAGES: Mapping[str, Scheme] = {
    "pypi": "pep440",
    "npm": "semver",
    "go": "semver",
    "crates.io": "semver",
    "maven": "maven",
    "rubygems": "gem",
}
Verdicts: TypeAlias = dict[str, Verdict]


@dataclass
class Scene:
    """An image that every static gate passes, and all that it is judged by."""

    place: Place
    host: Host
    tree: Path
    other: Keys
    lists: Path | None = None
    known: tuple[KnownSecret, ...] = (KnownSecret(name="the build's", value=HANDED_OVER),)
    hardening: HardeningConfig = HardeningConfig()  # noqa: RUF009  # frozen
    vulnerabilities: VulnerabilitiesConfig = VulnerabilitiesConfig()  # noqa: RUF009  # frozen

    def install(self, name: str, version: str, source: str = "") -> None:
        packages = {**INSTALLED, name: version}
        text = "\n".join(package(item, packages[item], source if item == name else "") for item in packages)
        write(self.tree, "var/lib/dpkg/status", text)

    def offer(self, suites: Mapping[str, Mapping[str, str]], date: int = PATCHES_NOW, keys: Keys | None = None) -> Path:
        self.lists = self.place.lists(
            f"lists-{random.random()}", {name: dict(item) for name, item in suites.items()}, date, keys
        )
        return self.lists

    def verdicts(self) -> Verdicts:
        subject = Subject(
            image="t",
            disk_digest="sha256:00",
            tree=self.tree,
            disk=None,
            cache=self.host.cache,
            known_secrets=self.known,
            salt=b"salt",
            declared=Declared(services=("own.service",)),
            now_s=NOW,
        )
        dated = replace(subject, now_s=PATCHES_NOW, lists=self.lists, keyring=self.place.keys.public)
        results = (
            run_gate(Patches(), PatchesConfig(), dated, ignore, Cancellation()),
            run_gate(Vulnerabilities(), self.vulnerabilities, subject, ignore, Cancellation()),
            run_gate(Secrets(), SecretsConfig(), subject, ignore, Cancellation()),
            run_gate(Hardening(), self.hardening, subject, ignore, Cancellation()),
        )
        return {result.gate: result.verdict for result in results}


OFFERED = {"bookworm": INSTALLED, "bookworm-security": {"curl": "7.88.1-11"}}
PASSED: Verdicts = dict.fromkeys(("patches", "vulnerabilities", "secrets", "hardening"), "pass")


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory, two_keys: tuple[Keys, Keys]) -> Path:
    """The archive's signed indexes of today; signing takes half a second."""
    place = Place(tmp_path_factory.mktemp("archive"), two_keys[0])
    return place.lists("lists", {name: dict(item) for name, item in OFFERED.items()}, PATCHES_NOW)


@pytest.fixture
def scene(tmp_path: Path, two_keys: tuple[Keys, Keys], offered: Path) -> Scene:
    tree = make_hardened(tmp_path / "tree")
    made = Scene(place=Place(tmp_path, two_keys[0]), host=Host(tmp_path / "cache"), tree=tree, other=two_keys[1])
    made.install("bash", INSTALLED["bash"])
    made.lists = Path(shutil.copytree(offered, tmp_path / "lists"))
    advise(made)
    return made


def advise(scene: Scene, *records: Advisory, feed: FeedRow = FEED) -> Path:
    """Advisories of Debian and of languages: each has one critical vulnerability below version 2 of "trouble"."""
    scene.host.cache.mkdir(exist_ok=True)
    store = Store(scene.host.cache / "advisories")
    with Writer(store.directory) as writer:
        writer.add("debian", [advisory("CVE-2024-1", "2.0-1", source="trouble"), *records])
        writer.add("nvd", [told(f"CVE-2024-{number}", days=10 + 50 * (number == 3)) for number in (1, 3)])
        writer.add("nvd", [told("CVE-2024-2", severity="low")])
        writer.add("kev", [exploited("CVE-2024-2")])
        writer.add_feed(replace(feed, records=1))
        for eco, scheme in LANGUAGES.items():
            name = {"go": "example.com/trouble", "maven": "com.example:trouble"}.get(eco, "trouble")
            writer.add(
                f"osv-{eco}",
                [Advisory(eco=eco, package=name, vulnerability="CVE-2024-1", scheme=scheme, fixed="2.0.0", status="fixed")],
            )
            writer.add_feed(replace(feed, id=f"osv-{eco}", eco=eco, complete=False, records=1, fetched_s=NOW))
        path = writer.finish(store.signer(), NOW)
    store.point_to(path)
    return path


Break: TypeAlias = Callable[[Scene], object]


def put(path: str, content: bytes | str, mode: int | None = None) -> Break:
    """A file too many."""

    def act(scene: Scene) -> None:
        place = scene.tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        if mode is not None:
            place.chmod(mode)

    return act


# ── patches ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _altered(scene: Scene) -> None:
    assert scene.lists is not None
    next(scene.lists.glob("*security*Packages")).write_text("Package: curl\nVersion: 7.88.1-11\nArchitecture: amd64\n\n")


def _unsigned(scene: Scene) -> None:
    assert scene.lists is not None
    for path in scene.lists.glob("*_InRelease"):
        signed = path.read_text()
        path.write_text(signed.partition("\n\n")[2].partition("-----BEGIN")[0])


def _not_fetched_lately(scene: Scene) -> None:
    assert scene.lists is not None
    (scene.lists / STAMP).write_text(json.dumps({"at": PATCHES_NOW - 3 * DAY}))


def _third_party(scene: Scene) -> None:
    packages = {**INSTALLED, **{f"vendor{number}": "1-1" for number in range(5)}}
    write(scene.tree, "var/lib/dpkg/status", "\n".join(package(name, version) for name, version in packages.items()))


PATCHES: Mapping[str, Break] = {
    "a security update is pending": lambda scene: scene.offer({**OFFERED, "bookworm-security": {"curl": "7.88.1-12"}}),
    "an old package with a security update": lambda scene: old_nginx(scene),
    "a held package with a security update": lambda scene: held_curl(scene),
    "an index by another key": lambda scene: scene.offer(OFFERED, keys=scene.other),
    "an index without a signature": _unsigned,
    "a package list that nobody signed": _altered,
    "an index that was fetched three days ago": _not_fetched_lately,
    "indexes of another suite": lambda scene: scene.offer({"trixie": INSTALLED, "trixie-security": {}}),
    "too many packages that no index knows": _third_party,
    "no index at all": lambda scene: setattr(scene, "lists", None),
}


def old_nginx(scene: Scene) -> None:
    scene.install("nginx", "1.22-8")
    scene.offer({**OFFERED, "bookworm-security": {"nginx": "1.22-9"}})


def held_curl(scene: Scene) -> None:
    scene.offer({**OFFERED, "bookworm-security": {"curl": "7.88.1-12"}})
    path = scene.tree / "var/lib/dpkg/status"
    path.write_text(path.read_text().replace("Package: curl\nStatus: install", "Package: curl\nStatus: hold"))


# ── vulnerabilities ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _forged(scene: Scene) -> None:
    path = Store(scene.host.cache / "advisories").current()
    assert path is not None
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _half_written(scene: Scene) -> None:
    path = Store(scene.host.cache / "advisories").current()
    assert path is not None
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size // 2)


def _without_statement(scene: Scene) -> None:
    for path in (scene.host.cache / "advisories").glob("*.sigstore.json"):
        path.unlink()


GO = inline_information("go1.25.1", go_text("path own/tool", "mod own/tool v1.0.0", "dep example.com/trouble v1.0.0 h1:a="))
RUST = crates(
    {"name": "tool", "version": "0.1.0", "source": "local", "root": True},
    {"name": "trouble", "version": "1.0.0", "source": "crates.io"},
)
DIST = "usr/local/lib/python3.11/dist-packages/trouble-1.0.dist-info"
VULNERABILITIES: Mapping[str, Break] = {
    "a vulnerable Debian package": lambda scene: with_trouble(scene, "1.0-1"),
    "a Debian package of a vulnerable source": lambda scene: with_trouble(scene, "9", source="trouble (1.0-1)"),
    "a low one that is known to be exploited": lambda scene: with_trouble(
        scene, "2.0-1", advisory("CVE-2024-2", "3.0-1", source="trouble")
    ),
    "one without a fix, beyond the grace": lambda scene: with_trouble(
        scene, "2.0-1", advisory("CVE-2024-3", "", source="trouble")
    ),
    "a vulnerable Python package": put(f"{DIST}/METADATA", "Metadata-Version: 2.1\nName: trouble\nVersion: 1.0\n"),
    "a vulnerable npm package": put("opt/a/node_modules/trouble/package.json", '{"name": "trouble", "version": "1.0.0"}'),
    "a vulnerable Ruby gem": put(
        "usr/local/lib/ruby/gems/3.1.0/specifications/trouble-1.0.0.gemspec",
        'Gem::Specification.new do |s|\n  s.name = "trouble".freeze\n  s.version = "1.0.0"\nend\n',
    ),
    "a vulnerable Java library": put("opt/a/lib/trouble.jar", archive(pom("com.example", "trouble", "1.0.0"))),
    "a vulnerable Java library within another": put(
        "opt/a/app.war",
        archive(pom("org.own", "app", "9") | {"WEB-INF/lib/trouble.jar": archive(pom("com.example", "trouble", "1.0.0"))}),
    ),
    "a vulnerable module in a Go program": put("usr/local/bin/tool", program({".go.buildinfo": GO}), 0o755),
    "a vulnerable crate in a Rust program": put("usr/local/bin/tool", program({".dep-v0": RUST}), 0o755),
    "advisories of three days ago": lambda scene: advise(scene, feed=replace(FEED, fetched_s=NOW - 3 * DAY_S)),
    "forged advisories": _forged,
    "half-written advisories": _half_written,
    "advisories that nobody signed": _without_statement,
    "no advisories of this release": lambda scene: advise(scene, feed=replace(FEED, eco="debian 11")),
}


def with_trouble(scene: Scene, version: str, *records: Advisory, source: str = "") -> None:
    if records:
        advise(scene, *records)
    scene.install("trouble", version, source)
    scene.offer({**OFFERED, "bookworm": {**INSTALLED, "trouble": version}})


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _planted() -> Iterator[tuple[str, Break]]:
    for name, (path, content) in SECRETS.items():
        if name in ("known-password", "known-secret"):
            continue
        # What hardening keeps beside the secret stays: the gate that is asked here is another one.
        before = {"etc/shadow": "ops:!:1:0:99999:7:::\ndaemon:*:1:0:99999:7:::\n"}.get(path, "").encode()
        yield name, put(path, content + before, 0o640 if path in ("etc/shadow", "etc/gshadow") else 0o600)
    chance = random.Random(77)
    rules = {str(rule["id"]): rule for rule in tomllib.loads(OWN.read_text())["rules"]}
    for name in TOKENS:
        yield f"{name} in a configuration", put(f"srv/app/{name}.conf", f"setting: '{token(rules[name], chance)}'\n", 0o600)
    yield "a private key that everybody may read", put("srv/app/tls.key", SECRETS["private-key"][1], 0o644)


def _known(form: str) -> Break:
    def act(scene: Scene) -> None:
        value, files = known_forms(random.Random("known"))
        scene.known = (KnownSecret(name="the build's", value=value),)
        put("srv/app/data", files[form], 0o600)(scene)

    return act


def _password_of_the_build(scene: Scene) -> None:
    command = ["openssl", "passwd", "-6", HANDED_OVER]
    hashed = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    text = (scene.tree / "etc/shadow").read_text()
    (scene.tree / "etc/shadow").write_text(text.replace("ops:!:", f"ops:{hashed}:"))


SECRET: Mapping[str, Break] = {
    **dict(_planted()),
    **{f"the build's secret as {form}": _known(form) for form in known_forms(random.Random("known"))[1]},
    "the build's password in the shadow": _password_of_the_build,
}

# ── hardening, whose own list has each control ──────────────────────────────────────────────────────────────────────────

HARDENING: Mapping[str, Break] = {
    "a world-writable file": lambda scene: (scene.tree / "etc/issue.net").chmod(0o666),
    "a program with setuid": put("usr/local/bin/helper", "x", 0o4755),
    "root may log in by ssh": lambda scene: write(scene.tree, "etc/ssh/sshd_config.d/10-x.conf", "PermitRootLogin yes\n"),
    "packets are forwarded": lambda scene: write(scene.tree, "etc/sysctl.d/90-x.conf", "net.ipv4.ip_forward = 1\n"),
    "a second user with the number of root": lambda scene: write(
        scene.tree, "etc/passwd", (scene.tree / "etc/passwd").read_text() + "toor:x:0:0::/root:/bin/bash\n"
    ),
    "the shadow is for everybody": lambda scene: (scene.tree / "etc/shadow").chmod(0o644),
}
BOTH = {"ssh-host-key", "machine-id", "authorized-keys", "login-hash", "the build's password in the shadow"}
"""What two gates are about: a secret that gives access, and a control of hardening that no image may miss."""
STRICT = HardeningConfig(failed="fail")
CASES: Mapping[str, Mapping[str, Break]] = {
    "patches": PATCHES,
    "vulnerabilities": VULNERABILITIES,
    "secrets": SECRET,
    "hardening": HARDENING,
}


def test_the_clean_image_passes_every_gate(scene: Scene) -> None:
    assert scene.verdicts() == PASSED
    scene.hardening = STRICT
    assert scene.verdicts() == PASSED
    assert sum(len(cases) for cases in CASES.values()) >= 40


@pytest.mark.parametrize(
    ("gate", "wrong"), [pytest.param(gate, name, id=f"{gate}: {name}") for gate, cases in CASES.items() for name in cases]
)
def test_one_thing_wrong_fails_exactly_the_right_gate(scene: Scene, gate: str, wrong: str) -> None:
    scene.hardening = STRICT if gate == "hardening" else scene.hardening
    CASES[gate][wrong](scene)

    verdicts = scene.verdicts()

    failed = {name for name, verdict in verdicts.items() if verdict in ("fail", "error")}
    assert failed == ({gate, "hardening"} if wrong in BOTH else {gate})
