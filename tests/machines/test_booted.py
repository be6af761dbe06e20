"""The booted tier: a tree's own systemd, started in a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.booted import NotBooted, Reason, booted, unavailable
from goldsmith.machines.listeners import Listener
from tests.machines.machine_workbench import Said, add_failing_unit, can_make_sandboxes, make_debian, names_below


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real Debian with systemd and sshd."""
    if reason := can_make_sandboxes() or unavailable():
        pytest.skip(str(reason))
    root = tmp_path_factory.mktemp("debian") / "tree"
    make_debian(root)
    return root


def groups() -> list[Path]:
    """The groups that this process made, and has not removed."""
    return list(Path("/sys/fs/cgroup").glob(f"**/goldsmith-{os.getpid()}-*"))


def test_a_tree_without_systemd_is_told_by_its_reason(tree: Path, tmp_path: Path, journal: Journal) -> None:
    if reason := unavailable():
        pytest.skip(reason.value)
    with pytest.raises(NotBooted) as caught, booted([tree], tmp_path / "w", journal=journal):
        pass
    assert caught.value.reason is Reason.NO_SYSTEMD


def test_a_tree_whose_systemd_is_broken_is_told_and_nothing_is_left(tree: Path, tmp_path: Path, journal: Journal) -> None:
    if reason := unavailable():
        pytest.skip(reason.value)
    layer = tmp_path / "layer"
    (layer / "usr" / "lib" / "systemd").mkdir(parents=True)
    (layer / "usr" / "lib" / "systemd" / "systemd").write_text("#!/bin/sh\nexit 1\n")
    (layer / "etc").mkdir()
    (layer / "etc" / "os-release").write_text("ID=test\n")

    with pytest.raises(NotBooted) as caught, booted([tree, layer], tmp_path / "w", journal=journal):
        pass

    assert caught.value.reason is Reason.ENDED
    assert not groups()
    assert not list(journal.directory.iterdir())


@pytest.mark.slow
def test_a_debian_runs_and_its_tree_does_not_change(debian: Path, tmp_path: Path, journal: Journal) -> None:
    before = names_below(debian)
    with booted([debian], tmp_path / "w", journal=journal) as container:
        assert container.state == "running"
        assert container.failed_units == ()
        assert Listener("tcp", "0.0.0.0", 22) in container.listeners()
        assert container.run(["hostname"]).returncode in (0, 127)
        assert container.seconds < 10
        with pytest.raises(MachineError):
            container.run(["sleep", "60"], timeout_s=0.3)

    assert names_below(debian) == before
    assert (debian / "etc" / "machine-id").read_bytes() in (b"", b"uninitialized\n")
    assert not groups()
    assert not list(journal.directory.iterdir())


@pytest.mark.slow
def test_a_unit_that_fails_in_an_upper_layer_is_named(debian: Path, tmp_path: Path, journal: Journal) -> None:
    add_failing_unit(tmp_path / "layer")

    with booted([debian, tmp_path / "layer"], tmp_path / "w", journal=journal) as container:
        assert container.state == "degraded"
        assert container.failed_units == ("broken.service",)


@pytest.mark.slow
def test_packages_are_installed_in_a_sandbox_and_no_service_starts(
    debian: Path, tmp_path: Path, journal: Journal, said: Said
) -> None:
    cache = tmp_path / "cache"
    (cache / "partial").mkdir(parents=True)
    caches = {"/var/cache/apt/archives": cache}
    with Sandbox(
        [debian], tmp_path / "u", tmp_path / "w", journal=journal, network="outbound", shared_caches=caches
    ) as machine:
        assert machine.run(["apt-get", "update"], output=said) == 0, said.lines
        assert machine.run(["apt-get", "install", "-y", "--no-install-recommends", "nginx-light"], output=said) == 0, said.lines
        assert machine.run(["systemctl", "enable", "nginx"]) == 0
        assert machine.run(["systemctl", "restart", "nginx"]) == 0
        said.lines.clear()
        machine.run(["sh", "-c", "for p in /proc/[0-9]*; do cat $p/comm; done"], output=said)
        kept = names_below(machine.cache_upper("/var/cache/apt/archives"))

    assert "nginx" not in said.out
    assert any(name.startswith("nginx") for name in kept)
    assert not names_below(cache) - {"partial"}
    left = names_below(tmp_path / "u")
    assert "usr/sbin/nginx" in left
    assert not {name for name in left if name.startswith(("run", "tmp", "dev", "proc", "sys", "var/cache/apt/archives"))}
    assert not {"etc/resolv.conf", "usr/sbin/policy-rc.d"} & left
    assert journal.sweep(ignore) == []


@pytest.mark.slow
def test_what_comes_after_the_network_is_started_without_one(debian: Path, tmp_path: Path, journal: Journal) -> None:
    """Debian's nginx.service wants network-online.target, and the waiting for it would never end here."""
    units = tmp_path / "layer/etc/systemd/system"
    for name in ("network-online.target.wants", "multi-user.target.wants"):
        (units / name).mkdir(parents=True)
    wait = "network-online.target.wants/systemd-networkd-wait-online.service"
    (units / wait).symlink_to("/usr/lib/systemd/system/systemd-networkd-wait-online.service")
    (units / "multi-user.target.wants/systemd-networkd.service").symlink_to("/usr/lib/systemd/system/systemd-networkd.service")
    wanting = "[Unit]\nWants=network-online.target\nAfter=network-online.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
    (units / "site.service").write_text(wanting)
    (units / "multi-user.target.wants/site.service").symlink_to("/etc/systemd/system/site.service")

    with booted([debian, tmp_path / "layer"], tmp_path / "w", journal=journal) as container:
        assert (container.state, container.failed_units) == ("running", ())
