"""What controls want to know of a booted clone, and how each fact is read inside of the guest.

The boot gate runs every command of `READINGS` in each clone, as root, by `sh`, with /usr/sbin and /sbin in PATH, after the
boot transaction has ended; and those that `AGAIN` names once more after it has rebooted a clone. The exit code does not
matter: what a command prints is the answer, and a reading without an answer in time is left out. Each clone becomes

    BootFacts(name="uefi", answers={name: output, …}, again={name: output after the reboot, …})

and `goldsmith.gates.hardening.judge_boot(config, [clone, …], declared, now_s)` judges the controls that need a boot by them.
`config` is what `Subject.settings["hardening"]` holds: without that gate in the project nothing of this is asked or judged.
The boot gate adds what comes back to its own facts, and the digest of these settings to its `data_digests`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from goldsmith.gates.hardening.scene import NotEvaluated

READINGS: Mapping[str, str] = {
    "sysctl": (
        "cd /proc/sys && grep -s . kernel/* kernel/yama/* fs/* vm/* net/core/* net/ipv4/* net/ipv4/conf/all/* "
        "net/ipv4/conf/default/* net/ipv6/conf/all/* net/ipv6/conf/default/*"
    ),
    "mounts": "cat /proc/self/mounts",
    "modules": "cut -d' ' -f1 /proc/modules",
    "modprobe": "modprobe --showconfig | grep -E '^(install|blacklist) '",
    "listeners": "ss -H -tuln",
    "failed": "systemctl list-units --failed --plain --no-legend --no-pager",
    "ssh-offer": (
        "ssh -vv -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
        "-o ConnectTimeout=20 nobody@localhost true 2>&1 </dev/null | sed -n '/peer server KEXINIT/,/first_kex_follows/p'"
    ),
    "time": (
        "systemctl is-active systemd-timesyncd.service chrony.service chronyd.service ntpsec.service; "
        "timedatectl show -p NTPSynchronized; ls /run/systemd/timesync/synchronized"
    ),
    "lockdown": "cat /sys/kernel/security/lockdown",
    "secure-boot": "od -An -t u1 -j 4 -N 1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "tpm": "ls /sys/class/tpm",
    "apparmor": "cat /sys/kernel/security/apparmor/profiles",
    "selinux": "cat /sys/fs/selinux/enforce",
    "command-line": "cat /proc/cmdline",
    "core-limit": "runuser -u nobody -- sh -c 'ulimit -H -c'",
    "audit": "systemctl is-active auditd.service; auditctl -l",
    "firewall": "nft list ruleset; iptables -S INPUT",
    "machine-id": "cat /etc/machine-id",
    "host-keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "root-size": "df --output=size -B1 / | tail -n 1",
}
"""Shell commands by the name of the fact. Where the boot gate has a probe of the same name, it is the same command."""

AGAIN = ("failed", "machine-id", "host-keys", "root-size")
"""What is read once more after a reboot: a second boot must change nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFacts:
    """One booted clone, by its answers. Each property raises `NotEvaluated` when the clone gave no answer."""

    name: str
    """The firmware that it was booted by."""
    answers: Mapping[str, str]
    again: Mapping[str, str] = field(default_factory=dict)
    """The readings of `AGAIN` after a reboot; empty when it was not rebooted."""

    def answer(self, reading: str) -> str:
        """The answer to a reading, without space around it."""
        if reading not in self.answers:
            raise NotEvaluated(f"the {self.name} clone did not answer to {reading}")
        return self.answers[reading].strip()

    @property
    def sysctl(self) -> Mapping[str, str]:
        """Values in force by dotted name; of several lines the first."""
        found: dict[str, str] = {}
        for line in self.answer("sysctl").splitlines():
            path, colon, value = line.partition(":")
            if colon:
                found.setdefault(path.replace("/", "."), " ".join(value.split()))
        return found

    @property
    def mounts(self) -> Mapping[str, frozenset[str]]:
        """Options in force by mount point; the last mount on a place counts."""
        lines = (line.split() for line in self.answer("mounts").splitlines())
        return {fields[1]: frozenset(fields[3].split(",")) for fields in lines if len(fields) >= 4}

    @property
    def modules(self) -> frozenset[str]:
        """Modules that are loaded."""
        return frozenset(self.answer("modules").split())

    @property
    def modprobe(self) -> tuple[str, ...]:
        """The lines `install …` and `blacklist …` that modprobe goes by."""
        return tuple(self.answer("modprobe").splitlines())

    @property
    def sockets(self) -> frozenset[str]:
        """Sockets that others can reach, as `tcp/22`."""
        found = set()
        for line in self.answer("listeners").splitlines():
            fields = line.split()
            address, _, port = fields[4].rpartition(":") if len(fields) >= 5 else ("127.", "", "")
            if not (address.startswith(("127.", "[::1]")) or address.endswith("%lo")):
                found.add(f"{fields[0]}/{port}")
        return frozenset(found)

    @property
    def ssh_offer(self) -> Mapping[str, tuple[str, ...]]:
        """What the ssh server offers on the wire: KexAlgorithms, Ciphers and MACs."""
        text = self.answer("ssh-offer")
        found: dict[str, tuple[str, ...]] = {}
        for name, label in (("KexAlgorithms", "KEX algorithms"), ("Ciphers", "ciphers stoc"), ("MACs", "MACs stoc")):
            match = re.search(rf"(?m)^debug2: {label}: (\S+)", text)
            if match:
                found[name] = tuple(match[1].split(","))
        if len(found) < 3:
            raise NotEvaluated(f"no ssh server answered in the {self.name} clone, or it has no ssh to ask it with")
        return found
