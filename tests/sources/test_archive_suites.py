"""Which suites a request means, where they are reached, and what an image is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.sources.apt import list_prefix
from goldsmith.sources.archive import (
    ArchiveRequest,
    ArchiveSuite,
    fetchable,
    host_architecture,
    require_runnable,
    runtime_sources,
    suites,
    translated,
)


@pytest.fixture
def no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose package manager has no sources."""
    for name in ("DEBIAN", "DEBIAN_SECURITY", "UBUNTU", "UBUNTU_SECURITY"):
        monkeypatch.delenv(f"GOLDSMITH_MIRROR_{name}", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def named(chosen: tuple[ArchiveSuite, ...]) -> list[tuple[str, str, str]]:
    return [(item.suite, item.recorded, item.reached) for item in chosen]


def test_debian_takes_updates_and_security_fixes_by_default(no_host: Path) -> None:
    (chosen,) = suites(ArchiveRequest(distribution="debian", release="bookworm"), no_host)

    main, security = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
    assert named(chosen) == [
        ("bookworm", main, main),
        ("bookworm-updates", main, main),
        ("bookworm-security", security, security),
    ]
    assert {item.components for item in chosen} == {("main",)}


def test_security_can_be_left_out_on_purpose(no_host: Path) -> None:
    (chosen,) = suites(ArchiveRequest(distribution="debian", release="bookworm", security=False), no_host)

    assert [item.suite for item in chosen] == ["bookworm", "bookworm-updates"]


def test_a_release_without_security_suite_has_none(no_host: Path) -> None:
    (chosen,) = suites(ArchiveRequest(distribution="debian", release="sid"), no_host)

    assert [item.suite for item in chosen] == ["sid"]


def test_an_ubuntu_mirror_serves_its_security_suite(no_host: Path) -> None:
    request = ArchiveRequest(distribution="ubuntu", release="noble", mirrors=("http://mirror.test/ubuntu",))

    (chosen,) = suites(request, no_host)

    assert {item.recorded for item in chosen} == {"http://mirror.test/ubuntu"}
    assert chosen[-1].suite == "noble-security"


def test_the_hosts_own_mirror_is_reached_and_the_public_one_recorded(no_host: Path) -> None:
    (no_host / "sources.list").write_text("# nothing\n")
    (no_host / "sources.list.d/debian.sources").write_text(
        "Types: deb deb-src\nURIs: http://mirror.lan/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://mirror.lan/debian-security\nSuites: bookworm-security\nComponents: main\n"
    )

    (chosen,) = suites(ArchiveRequest(distribution="debian", release="trixie"), no_host)

    assert named(chosen) == [
        ("trixie", "http://deb.debian.org/debian", "http://mirror.lan/debian"),
        ("trixie-updates", "http://deb.debian.org/debian", "http://mirror.lan/debian"),
        ("trixie-security", "http://deb.debian.org/debian-security", "http://mirror.lan/debian-security"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor.test/linux/debian bookworm main\n",
        "# deb http://mirror.lan/debian bookworm main\n",
        "deb-src http://mirror.lan/debian bookworm main\n",
        "deb http://mirror.lan/ubuntu noble main\n",
    ],
)
def test_other_archives_of_the_host_are_no_mirrors(no_host: Path, line: str) -> None:
    (no_host / "sources.list.d/other.list").write_text(line)

    (chosen,) = suites(ArchiveRequest(distribution="debian", release="bookworm"), no_host)

    assert chosen[0].reached == "http://deb.debian.org/debian"


def test_a_source_that_is_switched_off_is_no_mirror(no_host: Path) -> None:
    (no_host / "sources.list.d/off.sources").write_text(
        "Enabled: no\nTypes: deb\nURIs: http://mirror.lan/debian\nSuites: bookworm\nComponents: main\n"
    )

    (chosen,) = suites(ArchiveRequest(distribution="debian", release="bookworm"), no_host)

    assert chosen[0].reached == "http://deb.debian.org/debian"


def test_the_environment_goes_before_the_hosts_sources(no_host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_host / "sources.list.d/x.list").write_text("deb http://mirror.lan/debian bookworm main\n")
    monkeypatch.setenv("GOLDSMITH_MIRROR_DEBIAN", "http://ci.test/debian")

    (chosen,) = suites(ArchiveRequest(distribution="debian", release="bookworm"), no_host)

    assert chosen[0].reached == "http://ci.test/debian"


def test_declared_mirrors_are_tried_in_order_and_recorded_as_the_first(no_host: Path) -> None:
    request = ArchiveRequest(
        distribution="debian", release="bookworm", suites=("bookworm",), mirrors=("http://one.test/d", "http://two.test/d")
    )

    tries = suites(request, no_host)

    assert [named(chosen) for chosen in tries] == [
        [("bookworm", "http://one.test/d", "http://one.test/d")],
        [("bookworm", "http://one.test/d", "http://two.test/d")],
    ]


def test_a_snapshot_is_recorded_with_its_time(no_host: Path) -> None:
    request = ArchiveRequest(distribution="debian", release="bookworm", snapshot="20260301T000000Z")

    (chosen,) = suites(request, no_host)
    text = runtime_sources(chosen, "/keys.gpg", past=True)

    assert "URIs: http://snapshot.debian.org/archive/debian/20260301T000000Z\n" in text
    assert text.count("Check-Valid-Until: no\n") == 2


def test_runtime_sources_group_the_suites_of_an_archive(no_host: Path) -> None:
    (chosen,) = suites(ArchiveRequest(distribution="debian", release="bookworm", components=("main", "contrib")), no_host)

    assert runtime_sources(chosen, "/usr/share/keyrings/debian-archive-keyring.gpg", past=False) == (
        "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        "\n"
        "Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\nComponents: main contrib\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


def test_a_packages_address_moves_between_mirror_and_record() -> None:
    chosen = [
        ArchiveSuite(recorded="http://public/debian", reached="file:///srv/debian", suite="x", components=("main",)),
        ArchiveSuite(recorded="http://public/debian-security", reached="http://lan/sec", suite="y", components=("main",)),
    ]

    recorded = translated("copy:/srv/debian/pool/a.deb", chosen, to_recorded=True)

    assert recorded == "http://public/debian/pool/a.deb"
    assert translated(recorded, chosen, to_recorded=False) == "copy:/srv/debian/pool/a.deb"
    assert translated("http://public/debian-security/pool/b.deb", chosen, to_recorded=False) == "http://lan/sec/pool/b.deb"
    assert fetchable("file:/srv/x") == "copy:/srv/x"


def test_lists_are_named_as_apt_names_them() -> None:
    item = ArchiveSuite(recorded="", reached="", suite="bookworm", components=("main",))

    assert list_prefix(item, "http://user@host.test:80/a_b/~c") == "host.test:80_a%5fb_%7ec_dists_bookworm_"
    assert list_prefix(item, "copy:/srv/debian/") == "_srv_debian_dists_bookworm_"


def test_a_foreign_architecture_needs_an_emulator(tmp_path: Path) -> None:
    foreign = "riscv64" if host_architecture() != "riscv64" else "amd64"
    emulator = "riscv64" if foreign == "riscv64" else "x86_64"

    with pytest.raises(MachineError) as caught:
        require_runnable(foreign, tmp_path)
    assert "qemu-user-static" in caught.value.diagnostics[0].next

    registration = tmp_path / f"qemu-{emulator}"
    registration.write_text("enabled\ninterpreter /usr/bin/qemu\nflags: \n")
    with pytest.raises(MachineError, match="without the flag F"):
        require_runnable(foreign, tmp_path)

    registration.write_text("disabled\ninterpreter /usr/bin/qemu\nflags: POCF\n")
    with pytest.raises(MachineError):
        require_runnable(foreign, tmp_path)

    registration.write_text("enabled\ninterpreter /usr/bin/qemu\nflags: POCF\n")
    require_runnable(foreign, tmp_path)
    require_runnable(host_architecture(), tmp_path / "none")


def test_ubuntus_other_architectures_are_in_an_archive_of_their_own(no_host: Path) -> None:
    (no_host / "sources.list").write_text(
        "deb http://mirror.lan/ubuntu noble main\ndeb http://mirror.lan/ubuntu-ports noble main\n"
    )

    (ports,) = suites(ArchiveRequest(distribution="ubuntu", release="noble", ports=True), no_host)
    (main,) = suites(ArchiveRequest(distribution="ubuntu", release="noble"), no_host)

    public = "http://ports.ubuntu.com/ubuntu-ports"
    assert named(ports)[0] == ("noble", public, "http://mirror.lan/ubuntu-ports")
    assert named(ports)[2] == ("noble-security", public, public)
    assert named(main)[0] == ("noble", "http://archive.ubuntu.com/ubuntu", "http://mirror.lan/ubuntu")
