"""Sealing rules: each has a tree that it changes, and virt-sysprep's list is covered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.normalise import Removed, normalise, refuse
from goldsmith.images.rules import RULES
from tests.images.image_workbench import EPOCH, times, write

RESIDUE: dict[str, str] = {
    "etc/machine-id": "identity",
    "var/lib/dbus/machine-id": "identity-copies",
    "etc/ssh/ssh_host_ed25519_key": "host-keys",
    "etc/ssh/ssh_host_ed25519_key.pub": "host-keys",
    "etc/ssl/private/ssl-cert-snakeoil.key": "service-keys",
    "etc/salt/pki/minion/minion.pem": "service-keys",
    "var/lib/systemd/random-seed": "seeds",
    "boot/efi/loader/random-seed": "seeds",
    "root/.bash_history": "histories",
    "home/ann/.psql_history": "histories",
    "srv/bob/.lesshst": "histories",
    "root/.ssh/known_hosts": "histories",
    "root/.cache": "home-caches",
    "home/ann/.ansible": "home-caches",
    "var/log/dpkg.log": "package-logs",
    "var/log/apt/history.log": "package-logs",
    "var/log/journal/0123": "journals",
    "var/log/nginx/access.log.2.gz": "journals",
    "var/log/wtmp": "logs",
    "var/log/nginx/access.log": "logs",
    "var/cache/apt/pkgcache.bin": "package-caches",
    "var/lib/apt/lists/some_InRelease": "package-caches",
    "var/cache/dnf/x": "package-caches",
    "var/lib/rpm/__db.001": "package-caches",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap": "builder-configuration",
    "etc/shadow-": "backups",
    "var/lib/dpkg/status-old": "backups",
    "var/cache/debconf/config.dat-old": "backups",
    "var/cache/ldconfig/aux-cache": "caches",
    "var/lib/dhcp/dhclient.eth0.leases": "leases",
    "etc/udev/rules.d/70-persistent-net.rules": "leases",
    "var/lib/cloud/instance": "cloud-instance",
    "var/lib/cloud/instances/i-1": "cloud-instance",
    "var/mail/root": "spools",
    "var/crash/x.crash": "spools",
    "var/spool/cron/atjobs/a1": "spools",
    "tmp/x": "temporary",
    "run/x": "temporary",
    "root/install.log": "left-behind",
    "usr/share/.nfs0001": "left-behind",
    "opt/core.1234": "left-behind",
}

VIRT_SYSPREP: dict[str, str] = {
    "abrt-data": "var/crash/x.crash",
    "backup-files": "etc/shadow-",
    "bash-history": "root/.bash_history",
    "crash-data": "var/crash/x.crash",
    "cron-spool": "var/spool/cron/atjobs/a1",
    "dhcp-client-state": "var/lib/dhcp/dhclient.eth0.leases",
    "logfiles": "var/log/nginx/access.log",
    "machine-id": "etc/machine-id",
    "mail-spool": "var/mail/root",
    "package-manager-cache": "var/cache/apt/pkgcache.bin",
    "random-seed": "var/lib/systemd/random-seed",
    "rpm-db": "var/lib/rpm/__db.001",
    "ssh-hostkeys": "etc/ssh/ssh_host_ed25519_key",
    "tmp-files": "tmp/x",
    "udev-persistent-net": "etc/udev/rules.d/70-persistent-net.rules",
    "utmp": "var/log/wtmp",
}
"""Operations of virt-sysprep, and a path of each that our rules treat."""


def planted(tree: Path) -> Path:
    write(tree, dict.fromkeys(RESIDUE, "residue"))
    write(tree, {"etc/passwd": "root:x:0:0::/root:/bin/sh\nbob:x:1001:1001::/srv/bob:/bin/sh\n", "usr/bin/core.sh": "kept"})
    return tree


def test_each_kind_of_residue_is_removed_and_named(tmp_path: Path) -> None:
    removed = normalise(planted(tmp_path), EPOCH)

    assert {item.path.lstrip("/"): item.rule for item in removed} == RESIDUE
    assert refuse(tmp_path) == []
    assert (tmp_path / "usr/bin/core.sh").read_text() == "kept"


def test_every_rule_has_residue_in_the_test() -> None:
    assert {rule.name for rule in RULES} == set(RESIDUE.values())


@pytest.mark.parametrize("operation", VIRT_SYSPREP)
def test_what_virt_sysprep_removes_is_removed(operation: str, tmp_path: Path) -> None:
    path = VIRT_SYSPREP[operation]
    write(tmp_path, {path: "residue"})

    normalise(tmp_path, EPOCH)

    assert not (tmp_path / path).exists() or (tmp_path / path).read_bytes() == b""


def test_normalising_twice_removes_nothing_more(tmp_path: Path) -> None:
    normalise(planted(tmp_path), EPOCH)

    assert normalise(tmp_path, EPOCH) == []


def test_an_emptied_log_keeps_its_owner_and_mode(tmp_path: Path) -> None:
    write(tmp_path, {"var/log/btmp": "x"})
    os.chown(tmp_path / "var/log/btmp", 0, 43)
    (tmp_path / "var/log/btmp").chmod(0o660)

    normalise(tmp_path, EPOCH)

    status = (tmp_path / "var/log/btmp").stat()
    assert (status.st_size, status.st_gid, status.st_mode & 0o777) == (0, 43, 0o660)


def test_a_layer_keeps_what_a_later_step_may_use(tmp_path: Path) -> None:
    write(tmp_path, {"tmp/script": "x", "root/.cache/x": "x", "var/log/dpkg.log": "x"})

    assert normalise(tmp_path, EPOCH, "layer") == [Removed("/var/log/dpkg.log", "package-logs")]


def test_files_shared_with_a_layer_are_never_written_into(tmp_path: Path) -> None:
    write(tmp_path, {"layer/log": "a line\n", "tree/etc/x": "x"})
    (tmp_path / "tree/var/log").mkdir(parents=True)
    os.link(tmp_path / "layer/log", tmp_path / "tree/var/log/messages")
    before = (tmp_path / "layer/log").stat()

    normalise(tmp_path / "tree", EPOCH)

    assert (tmp_path / "tree/var/log/messages").read_text() == ""
    assert (tmp_path / "layer/log").read_text() == "a line\n"
    assert (tmp_path / "layer/log").stat().st_mtime_ns == before.st_mtime_ns


def test_the_day_of_a_password_is_that_of_the_epoch(tmp_path: Path) -> None:
    write(tmp_path, {"etc/shadow": "old:*:19000:0:::::\nnew:!:40000:0:::::\nnone:!::::::\n"})
    (tmp_path / "etc/shadow").chmod(0o640)

    removed = normalise(tmp_path, EPOCH)

    assert removed == [Removed("/etc/shadow", "password-days")]
    assert (tmp_path / "etc/shadow").read_text() == f"old:*:19000:0:::::\nnew:!:{EPOCH // 86400}:0:::::\nnone:!::::::\n"
    assert (tmp_path / "etc/shadow").stat().st_mode & 0o777 == 0o640


def test_directories_keep_their_time_when_something_in_them_is_removed(tmp_path: Path) -> None:
    write(tmp_path, {"var/crash/x": "x"})
    os.utime(tmp_path / "var/crash", (1_000, 1_000))

    normalise(tmp_path, EPOCH)

    assert times(tmp_path)[b"var/crash"] == 1_000


def test_a_link_for_etc_does_not_lead_to_the_host(tmp_path: Path) -> None:
    write(tmp_path, {"host/shadow": "new:!:40000:0:::::\n"})
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/etc").symlink_to(tmp_path / "host")

    with pytest.raises(UserError, match='"/etc" of the image is a link'):
        normalise(tmp_path / "tree", EPOCH)

    assert "40000" in (tmp_path / "host/shadow").read_text()


REFUSED: dict[str, str] = {
    "etc/ssh/ssh_host_rsa_key": "host-keys",
    "etc/machine-id": "identity",
    "usr/sbin/policy-rc.d": "builder-policy",
    "usr/bin/.wh.x": "reserved-name",
    "usr/bin/x.dpkg-new": "half-installed",
    "proc/1": "kernel-file-system",
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_may_not_be_in_an_image_is_found(path: str, tmp_path: Path) -> None:
    write(tmp_path, {path: "x", "usr/bin/fine": "x"})

    assert [(finding.path, finding.rule) for finding in refuse(tmp_path)] == [("/" + path, REFUSED[path])]


def test_a_host_key_under_another_name_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"etc/ssh/mine": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"})

    assert [finding.rule for finding in refuse(tmp_path)] == ["host-keys"]
