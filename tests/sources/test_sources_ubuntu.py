"""Ubuntu's layout of archives: its suites, components and servers, from packages signed here. Ubuntu's own packages are not
within reach of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.sources.bootstrap import Bootstrap, BootstrapConfig, resolve
from tests.sources.archive_workbench import Keys, Pinned, Repository
from tests.sources.distribution_workbench import Proxy, PublicArchive, proxy

MAIN, SECURITY = "http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"
PORTS = "http://ports.ubuntu.com/ubuntu-ports"
COMPONENTS = ("main", "universe")


@pytest.fixture
def noble(repository: Repository, tmp_path: Path, two_keys: tuple[Keys, Keys]) -> PublicArchive:
    """noble with a package in universe, an update of it, and a security fix of a library."""
    archive = PublicArchive(tmp_path / "ubuntu", two_keys[0])
    for name in ("essential-thing", "apt", "libthing"):
        archive.put(next(repository.root.glob(f"pool/{name}_*.deb")), "main")
    archive.put(next(repository.root.glob("pool/tool_*.deb")), "universe")
    archive.publish("noble", COMPONENTS)
    archive.put(repository.add("tool", "1.1", Depends="libthing (>= 1.0)"), "universe")
    archive.publish("noble-updates", COMPONENTS)
    archive.put(repository.add("libthing", "1.2-3+deb12u2"), "main")
    archive.publish("noble-security", COMPONENTS)
    return archive


@pytest.fixture
def servers(noble: PublicArchive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Ubuntu's servers, as this host reaches them."""
    for name in ("UBUNTU", "UBUNTU_SECURITY", "UBUNTU_PORTS"):
        monkeypatch.delenv(f"GOLDSMITH_MIRROR_{name}", raising=False)
    made = proxy({MAIN: noble.root, SECURITY: noble.root})
    monkeypatch.setenv("http_proxy", made.url)
    yield made
    made.stop()


@pytest.fixture
def config(noble: PublicArchive) -> BootstrapConfig:
    return BootstrapConfig(
        distribution="ubuntu", release="noble", packages=("tool",), keyring=str(noble.keys.public), architecture="amd64"
    )


def test_packages_come_from_universe_from_updates_and_from_the_security_server(
    config: BootstrapConfig, servers: Proxy, new_context: Callable[..., Context]
) -> None:
    lock = resolve(config, new_context())

    assert {package.name: package.version for package in lock.packages} == {
        "apt": "2:2.6",
        "essential-thing": "1.0",
        "libthing": "1.2-3+deb12u2",
        "tool": "1.1",
    }
    urls = {package.name: package.url for package in lock.packages}
    assert urls["tool"] == f"{MAIN}/pool/universe/tool_1.1_amd64.deb"
    assert urls["libthing"].startswith(f"{SECURITY}/pool/main/")
    assert [(item.url, item.suite) for item in lock.suites] == [
        (MAIN, "noble"),
        (MAIN, "noble-updates"),
        (SECURITY, "noble-security"),
    ]


def test_without_universe_its_packages_are_unknown(
    config: BootstrapConfig, servers: Proxy, new_context: Callable[..., Context]
) -> None:
    with pytest.raises(UserError) as caught:
        resolve(replace(config, components=("main",)), new_context())

    assert caught.value.diagnostics[0].code == "archive.unknown-package"


def test_the_archives_own_keys_are_demanded_when_none_are_given(new_context: Callable[..., Context], tmp_path: Path) -> None:
    if Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg").exists():
        pytest.skip("ubuntu-keyring is installed here")

    with pytest.raises(UserError) as caught:
        resolve(BootstrapConfig(distribution="ubuntu", release="noble"), new_context())

    assert caught.value.diagnostics[0].code == "archive.keyring-missing"
    assert caught.value.diagnostics[0].next.endswith("ubuntu-keyring")


def test_debians_keys_do_not_open_ubuntus_archive(
    config: BootstrapConfig, servers: Proxy, new_context: Callable[..., Context], two_keys: tuple[Keys, Keys]
) -> None:
    with pytest.raises(UserError) as caught:
        resolve(replace(config, keyring=str(two_keys[1].public)), new_context())

    assert caught.value.diagnostics[0].code == "archive.wrong-key"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"release": "bookworm"}, "bootstrap.other-distribution"),
        ({"distribution": "debian"}, "bootstrap.other-distribution"),
        ({"architecture": "i386"}, "source.invalid-value"),
        ({"architecture": "x86_64"}, "source.invalid-value"),
        ({"architecture": "arm64"}, "disk.no-loader"),
        ({"architecture": "arm64", "boot": "none", "snapshot": "20260301T000000Z"}, "bootstrap.snapshot-of-ports"),
        ({"snapshot": "20260301T000000Z", "mirrors": ("http://x.test/ubuntu",)}, "bootstrap.snapshot-and-mirrors"),
        ({"snapshot": "20260301T000000Z", "security_mirror": "http://x.test/u"}, "bootstrap.snapshot-and-mirrors"),
    ],
)
def test_what_cannot_go_together_is_refused_before_anything_starts(
    new_context: Callable[..., Context], servers: Proxy, settings: dict[str, object], code: str
) -> None:
    given = {"distribution": "ubuntu", "release": "noble", "architecture": "amd64", **settings}

    with pytest.raises(UserError) as caught:
        Bootstrap().base(BootstrapConfig(**given), new_context(Pinned()), None)  # type: ignore[arg-type]  # no lookup here

    assert [(item.code, bool(item.why and item.next)) for item in caught.value.diagnostics] == [(code, True)]
    assert servers.asked == []


def test_another_architecture_is_refused_where_its_programs_cannot_run(
    config: BootstrapConfig, new_context: Callable[..., Context], servers: Proxy
) -> None:
    if Path("/proc/sys/fs/binfmt_misc/qemu-s390x").exists():
        pytest.skip("programs of s390x run here")
    with pytest.raises(MachineError) as caught:
        Bootstrap().base(replace(config, architecture="s390x", boot="none"), new_context(Pinned()), None)  # type: ignore[arg-type]

    assert "qemu-user-static" in caught.value.diagnostics[0].next
    assert servers.asked == []


def packed_as_ubuntu_does(deb: Path, place: Path) -> Path:
    """The same package in zstd."""
    tree, packed = place / "unpacked", place / deb.name
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(tree)], check=True, capture_output=True)
    subprocess.run(["dpkg-deb", "--build", "-Zzstd", str(tree), str(packed)], check=True, capture_output=True)
    return packed


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mmdebstrap") is None, reason="needs root and mmdebstrap")
def test_a_system_is_made_of_real_packages_in_ubuntus_layout(
    tmp_path: Path, new_context: Callable[..., Context], two_keys: tuple[Keys, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's packages, in the place of Ubuntu's; one is packed as Ubuntu packs all of its own."""
    debian = BootstrapConfig(release="bookworm", packages=("ca-certificates",), architecture="amd64")
    pins = Pinned()
    context = new_context(pins)
    try:
        base = Bootstrap().base(debian, context, None)  # type: ignore[arg-type]  # this source looks up no image
    except MachineError as error:
        pytest.skip(f"the Debian archive cannot be used here: {error}")
    assert base.step is not None and pins.lock is not None
    first = tmp_path / "first"
    first.mkdir()
    base.step.make(first)
    archive = PublicArchive(tmp_path / "ubuntu", two_keys[0])
    assert base.packages_cache is not None
    for deb in base.packages_cache.glob("*.deb"):
        if deb.name.startswith("ca-certificates_"):
            archive.put(packed_as_ubuntu_does(deb, tmp_path), "universe")
        else:
            archive.put(deb, "main")
    for suite in ("noble", "noble-updates", "noble-security"):
        archive.publish(suite, COMPONENTS)
    servers = proxy({MAIN: archive.root, SECURITY: archive.root})
    monkeypatch.setenv("http_proxy", servers.url)
    ubuntu = BootstrapConfig(
        distribution="ubuntu",
        release="noble",
        packages=("ca-certificates",),
        keyring=str(two_keys[0].public),
        architecture="amd64",
    )
    tree = tmp_path / "tree"
    tree.mkdir()

    made = Bootstrap().base(ubuntu, new_context(Pinned(), cache="another"), None)  # type: ignore[arg-type]
    assert made.step is not None
    made.step.make(tree)
    servers.stop()

    sources = (tree / "etc/apt/sources.list.d/ubuntu.sources").read_text()
    assert f"URIs: {MAIN}\nSuites: noble noble-updates\nComponents: main universe\n" in sources
    assert f"URIs: {SECURITY}\nSuites: noble-security\n" in sources
    assert "Signed-By: /etc/apt/keyrings/ubuntu.gpg\n" in sources
    assert (tree / "etc/apt/keyrings/ubuntu.gpg").read_bytes() == two_keys[0].public.read_bytes()
    assert (tree / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100_000
    assert (tree / "var/lib/dpkg/status").read_text().count("Status: install ok installed") > 80
