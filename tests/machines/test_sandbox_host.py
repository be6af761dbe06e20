"""The host after a hostile script: as it was before."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Sandbox
from goldsmith.machines.listeners import listeners
from tests.machines.machine_workbench import MakeSandbox, Said

HOSTILE = (
    "iptables -P INPUT DROP",
    "nft flush ruleset",
    "ufw --force enable",
    "mount -t tmpfs x /mnt",
    "mount --bind /etc /mnt",
    "mount -o remount,rw /sys",
    "umount -l /proc",
    "sysctl -w net.ipv4.ip_forward=1",
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "echo 99 > /proc/sys/kernel/panic",
    "echo pwned > /proc/sys/kernel/core_pattern",
    "echo pwned > /proc/sys/kernel/hostname",
    "hostname pwned",
    "echo b > /proc/sysrq-trigger",
    "echo 1000 > /proc/1/oom_score_adj",
    "echo mem > /sys/power/state",
    "reboot -f",
    "poweroff -f",
    "halt -f",
    "date -s 2001-01-01",
    "hwclock --systohc",
    "rmmod overlay",
    "modprobe dummy",
    "swapoff -a",
    "dmesg -c",
    "chroot /proc/1/root touch /pwned-by-test",
    "ip link delete eth0",
    "ip route flush table all",
    "renice -20 1",
    "(setsid nc -l -p 4444 &)",
    "cd /; rm -rf /etc",
    "kill -9 -1",
)


def host() -> dict[str, object]:
    """Everything of the host that a script could have changed, and that stays the same while tests run."""
    network = (path for path in Path("/proc/sys/net").rglob("*") if "conf" in path.parts or "forward" in path.name)
    kernel = {path: _read(path) for path in sorted(Path("/proc/sys/kernel").glob("*")) if path.name in STABLE}
    return {
        "net settings": {path: _read(path) for path in network if path.is_file()},
        "kernel settings": kernel,
        "mounts": sorted(line.split(maxsplit=3)[3] for line in _read(Path("/proc/self/mountinfo")).splitlines()),
        "rules": [_said("nft", "list", "ruleset"), _uncommented(_said("iptables-save"))],
        "listening on 4444": [found for found in listeners(os.getpid()) if found.port == 4444],
        "links": _said("ip", "-o", "link", "show", "eth0"),
        "routes": _said("ip", "route"),
        "name": os.uname().nodename,
        "root": sorted(path.name for path in Path("/").iterdir()),
        "etc": sorted(path.name for path in Path("/etc").iterdir()),
    }


STABLE = ("core_pattern", "hostname", "panic", "modprobe", "randomize_va_space", "printk", "sysrq")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        return str(error.errno)


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _uncommented(text: str) -> list[str]:
    """Its comments tell the time."""
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("network", ["none", "outbound"])
def test_the_host_is_the_same_after_a_hostile_script(make_sandbox: MakeSandbox, network: str) -> None:
    before = host()
    innocent = subprocess.Popen(["sleep", "300"])
    began = time.time()
    try:
        machine = make_sandbox(network=network)
        for command in HOSTILE:
            machine.run(["sh", "-c", command], timeout_s=10)
        machine.__exit__(None, None, None)

        assert innocent.poll() is None
        assert host() == before
        assert abs(time.time() - began) < 300  # the clock was not set
    finally:
        innocent.kill()
        innocent.wait()


def test_a_setting_of_the_sandbox_s_own_network_can_be_changed(sandbox: Sandbox, said: Said) -> None:
    mine = Path("/proc/sys/net/ipv4/conf/lo/forwarding").read_text()
    sandbox.run(["sh", "-c", "sysctl -w net.ipv4.conf.lo.forwarding=1; cat /proc/sys/net/ipv4/conf/lo/forwarding"], output=said)

    assert said.out[-1] == "1"
    assert Path("/proc/sys/net/ipv4/conf/lo/forwarding").read_text() == mine


def test_a_device_node_can_be_made_but_not_opened(sandbox: Sandbox, tmp_path: Path, said: Said) -> None:
    disk = Path("/").stat().st_dev
    node = f"b {os.major(disk)} {os.minor(disk)}"
    script = f"for d in / /dev /tmp /run; do mknod $d/disk {node} || exit 9; head -c 1 $d/disk > /tmp/got && exit 8; done; true"

    assert sandbox.run(["sh", "-c", script], output=said) == 0
    assert all("Permission denied" in line for line in said.err)


def test_the_ordinary_devices_work(sandbox: Sandbox) -> None:
    script = (
        "head -c 8 /dev/urandom > /dev/null && head -c 8 /dev/zero | wc -c | grep 8 && test -c /dev/ptmx && test -d /dev/shm"
    )
    assert sandbox.run(["sh", "-c", script]) == 0


def test_files_of_other_owners_and_set_user_id_programs_work(sandbox: Sandbox, said: Said) -> None:
    sandbox.put(b"root:x:0:0::/:/bin/sh\nbob:x:1000:1000::/:/bin/sh\n", "/etc/passwd")
    script = "chown 1000:1000 /etc/passwd; chmod 4755 /bin/busybox; su bob -c 'id -u'; stat -c '%u %a' /etc/passwd"
    assert sandbox.run(["sh", "-c", script], output=said) == 0
    assert said.out[-1] == "1000 644"


def test_sync_succeeds_without_waiting_for_the_disk(sandbox: Sandbox) -> None:
    script = "for i in $(seq 50); do dd if=/dev/zero of=/etc/d$i bs=64k count=4 conv=fsync 2>/dev/null || exit 1; sync; done"
    began = time.monotonic()
    assert sandbox.run(["sh", "-c", script]) == 0
    assert time.monotonic() - began < 5


def test_the_rights_that_reach_the_host_are_gone(sandbox: Sandbox, said: Said) -> None:
    sandbox.run(["sh", "-c", "grep -E 'Cap(Eff|Bnd|Prm)' /proc/self/status"], output=said)
    for line in said.out:
        held = int(line.split()[1], 16)
        for number in (16, 17, 21, 22, 25, 19, 2):  # MODULE, RAWIO, ADMIN, BOOT, TIME, PTRACE, DAC_READ_SEARCH
            assert not held >> number & 1


def test_a_fork_bomb_ends_at_the_sandbox(sandbox: Sandbox) -> None:
    from goldsmith.machines.cgroup import parent_group

    if parent_group() is None:
        pytest.skip("this host lets nobody limit processes")
    bomb = "f() { f & f & wait; }; f"
    # The first shell may be the one that cannot fork, and then it ends before its time.
    with suppress(MachineError):
        assert sandbox.run(["sh", "-c", bomb], timeout_s=1.5) != 0
    assert subprocess.run(["true"], check=False).returncode == 0
    assert sandbox.run(["true"]) == 0


def test_no_process_of_a_sandbox_is_left_when_it_closes(make_sandbox: MakeSandbox) -> None:
    machine = make_sandbox(network="outbound")
    machine.run(["sh", "-c", "for i in 1 2 3; do setsid sleep 86399 & done"])
    machine.__exit__(None, None, None)

    commands = [_read(path / "cmdline") for path in Path("/proc").iterdir() if path.name.isdigit()]
    assert not [command for command in commands if "86399" in command]
