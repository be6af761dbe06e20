"""The hardening gate on a small Debian: one thing wrong fails exactly its control, and what cannot be told never passes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.gates.contract import Result, Subject
from goldsmith.gates.hardening import Hardening, HardeningConfig
from goldsmith.gates.hardening.controls import all_controls
from goldsmith.gates.judge import run_gate
from goldsmith.machines.cancellation import Cancellation

FILES = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    "etc/passwd": "root:x:0:0::/root:/usr/sbin/nologin\nman:x:6:6::/x:/usr/sbin/nologin\n",
    "etc/shadow": "root:*:1:0:99999:7:::\nman:*:1:0:99999:7:::\n",
    "etc/group": "root:x:0:\nman:x:6:\nshadow:x:42:\n",
    "etc/machine-id": "",
    "var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nVersion: 5\nArchitecture: amd64\n",
    "usr/lib/systemd/systemd": "",
    "usr/sbin/sshd": "",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\n",
    "etc/ssh/sshd_config.d/60-x.conf": "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
    "etc/sysctl.d/60-x.conf": "kernel.randomize_va_space = 2\nnet.ipv4.conf.*.rp_filter = 1\n",
}
MUTATIONS: dict[str, dict[str, str]] = {
    "GS-001": {"etc/ssh/ssh_host_rsa_key": "k"},
    "GS-003": {"etc/machine-id": "0" * 32},
    "GS-005": {"var/lib/systemd/random-seed": "s"},
    "GS-007": {"etc/hostname": "ip-10-0-0-1\n"},
    "GS-008": {"root/.ssh/authorized_keys": "k"},
    "GS-010": {"var/lib/dhcp/eth0.leases": "l"},
    "GS-011": {"etc/shadow": "root:NP:1:0:99999:7:::\nman:*:1:0:99999:7:::\n"},
    "GS-012": {"etc/shadow": "root:*:1:0:99999:7:::\nman:$6$x:1:0:99999:7:::\n"},
    "GS-016": {"etc/passwd": "root:x:0:0::/root:/usr/sbin/nologin\nman:x:6:6::/x:/bin/sh\n"},
    "GS-018": {"root/.netrc": "m"},
    "GS-019": {"etc/group": "root:x:0:\nman:x:6:\nshadow:x:42:man\n"},
    "GS-030": {"etc/ssh/sshd_config.d/10-x.conf": "Match User root\nPermitRootLogin yes\n"},
    "GS-031": {"etc/ssh/sshd_config.d/10-x.conf": "PasswordAuthentication yes\n"},
    "GS-055": {"var/tmp/left": "x"},
    "GS-056": {"etc/sysctl.d/70-x.conf": "kernel.randomize_va_space = 1\n"},
    "GS-064": {"etc/sysctl.d/50-x.conf": "net.ipv4.conf.all.rp_filter = 0\n"},
    "GS-073": {"etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n"},
    "GS-074": {
        "var/lib/dpkg/status": "Package: telnet\nStatus: install ok installed\nVersion: 5\nArchitecture: amd64\n",
    },
    "GS-080": {"etc/apt/sources.list": "deb [trusted=yes] http://x y main\n", "usr/bin/apt-get": ""},
    "GS-092": {"etc/systemd/system/a.service": "[Service]\nEnvironment=DB_PASSWORD=hunter2\n"},
    "GS-094": {"etc/systemd/system/getty@tty1.service.d/a.conf": "ExecStart=/sbin/agetty --autologin root\n"},
}


def made(root: Path, files: dict[str, str]) -> Path:
    for name, text in (FILES | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o640 if "shadow" in name else 0o600 if "ssh" in name else 0o644)
    return root


def judged(tree: Path, config: HardeningConfig | None = None) -> Result:
    subject = Subject(image="t", disk_digest="sha256:00", tree=tree, disk=None, now_s=1_800_000_000, layers=("sha256:1",))
    return run_gate(Hardening(), config or HardeningConfig(), subject, ignore, Cancellation())


def failed(result: Result) -> set[str]:
    return {finding.id for finding in result.facts.findings if finding.id.startswith("GS-")}


def test_the_table_of_controls_is_whole() -> None:
    assert list(all_controls()) == [f"GS-{number:03}" for number in range(1, 96)]
    assert Counter(item.kind for item in all_controls().values()) == {"O": 66, "OB": 22, "B": 7}


@pytest.mark.parametrize("control", MUTATIONS)
def test_one_thing_wrong_fails_exactly_its_control(control: str, tmp_path: Path) -> None:
    clean = judged(made(tmp_path / "clean", {}))
    wrong = judged(made(tmp_path / "wrong", MUTATIONS[control]))

    assert control not in failed(clean)
    assert failed(wrong) - failed(clean) == {control}


def test_a_world_writable_and_a_setuid_file_are_found(tmp_path: Path) -> None:
    tree = made(tmp_path, {"srv/a": "", "srv/b": ""})
    (tree / "srv/a").chmod(0o666)
    (tree / "srv/b").chmod(0o4755)

    assert {"GS-048", "GS-050"} <= failed(judged(tree))
    assert "GS-050" not in failed(judged(tree, HardeningConfig(setuid=("/srv/b",))))


def test_a_must_fails_whatever_the_score(tmp_path: Path) -> None:
    result = judged(made(tmp_path, MUTATIONS["GS-003"]), HardeningConfig(minimum=0.01))

    assert (result.verdict, result.failing) == ("fail", ("GS-003",))


@pytest.mark.parametrize(
    "files",
    [
        {"etc/passwd": "broken\n"},
        {"etc/os-release": "ID=unknown\n"},
        {"etc/ssh/sshd_config": 'Banner "open\n'},
        {"var/lib/dpkg/status": ""},
    ],
)
def test_what_cannot_be_read_is_an_error(files: dict[str, str], tmp_path: Path) -> None:
    assert judged(made(tmp_path, files), HardeningConfig(minimum=0.01)).verdict == "error"


def test_an_empty_tree_is_an_error(tmp_path: Path) -> None:
    assert judged(tmp_path).verdict == "error"


def test_links_never_lead_out_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret of the host")
    tree = made(tmp_path / "tree", {})
    (tree / "etc/machine-id").unlink()
    (tree / "etc/machine-id").symlink_to(tmp_path / "outside")

    assert "GS-003" not in failed(judged(tree))


def test_a_control_that_needs_a_boot_is_never_passed_by_the_tree(tmp_path: Path) -> None:
    waiting = next(item for item in judged(made(tmp_path, {})).facts.skipped if "needs a boot" in item.reason)

    assert waiting.sample == ("GS-004", "GS-045", "GS-069", "GS-077", "GS-078", "GS-095")
