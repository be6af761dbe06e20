"""A tree that meets every control, and one thing broken at a time: exactly the control that is about it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.gates.contract import Declared, Result, Subject
from goldsmith.gates.hardening import Hardening, HardeningConfig
from goldsmith.gates.hardening.controls import all_controls
from goldsmith.gates.judge import run_gate
from goldsmith.gates.waivers import Ignore
from goldsmith.machines.cancellation import Cancellation
from tests.gates.hardened_tree import FILES, give, make_hardened, write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files that belong to root need root")

ASKS = tuple(sorted({word for item in all_controls().values() for word in item.asks} - {"router"}))
CONFIG = HardeningConfig(profile="strict", minimum=0.01, asks=ASKS, ssh_groups=("ops",))
Break = Callable[[Path], None]


def says(name: str, text: str) -> Break:
    return lambda root: write(root, name, text)


def adds(name: str, text: str) -> Break:
    return lambda root: write(root, name, FILES[name] + text)


def swaps(name: str, old: str, new: str) -> Break:
    assert old in FILES[name]
    return lambda root: write(root, name, FILES[name].replace(old, new))


def lacks(name: str) -> Break:
    return lambda root: (root / name).unlink()


def has_mode(name: str, mode: int) -> Break:
    return lambda root: (root / name).chmod(mode)


def links(name: str, target: str) -> Break:
    return lambda root: (root / name).symlink_to(target)


def both(first: Break, second: Break) -> Break:
    def broken(root: Path) -> None:
        first(root)
        second(root)

    return broken


def also_installs(name: str) -> Break:
    return adds("var/lib/dpkg/status", f"\nPackage: {name}\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n")


def disables(unit: str) -> Break:
    return lacks(f"etc/systemd/system/multi-user.target.wants/{unit}")


SSHD, SYSCTL, PASSWD = "etc/ssh/sshd_config.d/50-a.conf", "etc/sysctl.d/60-a.conf", "etc/passwd"
FIRST = "etc/ssh/sshd_config.d/10-first.conf"
MUTATIONS: list[tuple[str, str, Break]] = [
    ("GS-001", "a host key", says("etc/ssh/ssh_host_rsa_key", "k")),
    ("GS-003", "an id of D-Bus", says("var/lib/dbus/machine-id", "0" * 32)),
    ("GS-005", "a random seed", says("var/lib/systemd/random-seed", "s")),
    ("GS-006", "state of cloud-init", says("var/lib/cloud/instance", "i")),
    ("GS-007", "a name of one machine", says("etc/hostname", "ip-10-0-0-1\n")),
    ("GS-008", "a key that lets in", says("srv/app/.ssh/authorized_keys", "k")),
    ("GS-009", "a sudo rule by an alias", says("etc/sudoers.d/build", "User_Alias MAKERS = packer\n")),
    ("GS-010", "a lease", says("var/lib/dhcp/dhclient.eth0.leases", "l")),
    ("GS-011", "root with an odd password", swaps("etc/shadow", "root:*", "root:NP")),
    ("GS-012", "a person with a hash", swaps("etc/shadow", "ops:!", "ops:$y$j9T$x$y")),
    ("GS-014", "two groups of one number", adds("etc/group", "twin:x:1000:\n")),
    ("GS-015", "a password in passwd", swaps(PASSWD, "daemon:x:", "daemon:*:")),
    ("GS-016", "a shell for a service", swaps(PASSWD, "/usr/sbin:/usr/sbin/nologin", "/usr/sbin:/bin/sh")),
    ("GS-017", "an open home", has_mode("home/ops", 0o755)),
    ("GS-018", "a login for others", says("root/.netrc", "m")),
    ("GS-019", "a reader of shadow", swaps("etc/group", "shadow:x:42:", "shadow:x:42:ops")),
    ("GS-020", "an open umask", swaps("etc/login.defs", "UMASK 027", "UMASK 022")),
    ("GS-021", "passwords that never end", adds("etc/login.defs", "PASS_MAX_DAYS 99999\n")),
    ("GS-021", "short passwords", swaps("etc/pam.d/common-password", "minlen=14", "minlen=6")),
    ("GS-022", "no lockout", swaps("etc/pam.d/common-auth", "auth requisite pam_faillock.so preauth\n", "")),
    ("GS-023", "su for everybody", swaps("etc/pam.d/su", "auth required pam_wheel.so use_uid\n", "")),
    ("GS-024", "shells without end", says("etc/profile.d/z.sh", "TMOUT=0\n")),
    ("GS-025", "empty passwords by PAM", swaps("etc/pam.d/common-auth", "pam_unix.so", "pam_unix.so nullok")),
    ("GS-026", "sudo without a terminal of its own", says("etc/sudoers.d/z", "Defaults !use_pty\n")),
    ("GS-027", "sudo without log", lacks("etc/sudoers.d/log")),
    ("GS-028", "a rule without password", says("etc/sudoers.d/z", "ops ALL=(ALL) \\\n  NOPASSWD: ALL\n")),
    ("GS-028", "a rule by uid", says("etc/sudoers.d/z", "#1000 ALL=(ALL) NOPASSWD: ALL\n")),
    ("GS-029", "sudoers that others may read", has_mode("etc/sudoers", 0o444)),
    ("GS-030", "root by ssh in a scope", says(FIRST, "Match Address 10.0.0.0/8\nPermitRootLogin yes\n")),
    ("GS-031", "passwords by an earlier file", says(FIRST, "PasswordAuthentication yes\n")),
    ("GS-032", "empty passwords by ssh", adds(SSHD, "PermitEmptyPasswords yes\n")),
    ("GS-033", "many tries", says(FIRST, "MaxAuthTries=6\n")),
    ("GS-034", "grace without end", says(FIRST, "LoginGraceTime 0\n")),
    ("GS-034", "grace of two minutes", says(FIRST, "LoginGraceTime 1m60s\n")),
    ("GS-035", "dead sessions", says(FIRST, "ClientAliveInterval 0\n")),
    ("GS-036", "a flood of openings", says(FIRST, "MaxStartups 100\n")),
    ("GS-037", "trust in hosts", says(FIRST, "HostbasedAuthentication yes\n")),
    ("GS-038", "an environment of the user's", says(FIRST, "PermitUserEnvironment yes\n")),
    ("GS-039", "an old cipher", says(FIRST, "Ciphers aes256-gcm@openssh.com,aes128-cbc\n")),
    ("GS-040", "the client's display", says(FIRST, "X11Forwarding yes\n")),
    ("GS-041", "a group of strangers", says(FIRST, "AllowGroups guests\n")),
    ("GS-042", "a banner without text", says("etc/issue.net", "\n")),
    ("GS-043", "no log of logins", says(FIRST, "LogLevel QUIET\n")),
    ("GS-044", "a configuration that others write", has_mode("etc/ssh/sshd_config", 0o664)),
    ("GS-046", "a shadow that others read", has_mode("etc/shadow", 0o644)),
    ("GS-047", "open jobs", has_mode("etc/cron.d", 0o755)),
    ("GS-047", "jobs for everybody", lacks("etc/cron.allow")),
    ("GS-048", "a file that everybody writes", both(says("srv/a", ""), has_mode("srv/a", 0o666))),
    ("GS-048", "a directory that is not sticky", has_mode("var/tmp", 0o777)),
    ("GS-049", "a file of nobody", both(says("srv/a", ""), lambda root: give(root, "srv/a", 4242))),
    (
        "GS-050",
        "one more setuid program",
        both(says("usr/bin/own", ""), has_mode("usr/bin/own", 0o4755)),
    ),
    ("GS-051", "another program", says("usr/sbin/sshd", "somebody else's")),
    (
        "GS-051",
        "a link to another program",
        both(lacks("usr/sbin/sshd"), links("usr/sbin/sshd", "/srv/x")),
    ),
    ("GS-052", "no password of the boot loader", says("boot/grub/grub.cfg", "set timeout=5\n")),
    ("GS-053", "dumps", says("etc/security/limits.conf", "")),
    ("GS-054", "a log that everybody reads and writes", has_mode("var/log/wtmp", 0o674)),
    ("GS-055", "something left behind", says("var/tmp/.hidden", "x")),
    ("GS-056", "addresses that stay", says("etc/sysctl.d/70-b.conf", "kernel.randomize_va_space = 1\n")),
    ("GS-057", "neighbours that read", swaps(SYSCTL, "kernel.yama.ptrace_scope = 1\n", "")),
    ("GS-058", "pointers in sight", swaps(SYSCTL, "kptr_restrict = 2", "kptr_restrict = 0")),
    ("GS-059", "dumps of the privileged", swaps(SYSCTL, "suid_dumpable = 0", "suid_dumpable = 2")),
    ("GS-060", "free links", swaps(SYSCTL, "protected_symlinks = 1", "protected_symlinks = 0")),
    ("GS-061", "bpf for everybody", swaps(SYSCTL, "bpf_disabled = 1", "bpf_disabled = 0")),
    ("GS-062", "a router", says("etc/sysctl.d/99-sysctl.conf", "net.ipv4.ip_forward = 1\n")),
    ("GS-063", "another way", says("etc/sysctl.d/10-b.conf", "net.ipv4.conf.all.accept_redirects = 1\n")),
    ("GS-064", "forged senders", swaps(SYSCTL, "net.ipv4.conf.*.rp_filter", "net.*.rp_filter")),
    ("GS-065", "no cookies", swaps(SYSCTL, "tcp_syncookies = 1", "tcp_syncookies = 0")),
    ("GS-066", "no word of martians", swaps(SYSCTL, "log_martians = 1", "log_martians = 0")),
    ("GS-067", "neighbours as routers", swaps(SYSCTL, "accept_ra = 0", "accept_ra = 1")),
    ("GS-068", "a module that is only blacklisted", swaps("etc/modprobe.d/a.conf", "install udf /bin/false\n", "")),
    ("GS-068", "a file that hides ours", says("etc/modprobe.d/a.conf", "")),
    ("GS-071", "programs in /dev/shm", swaps("etc/fstab", "/dev/shm tmpfs nodev,nosuid,noexec", "/dev/shm tmpfs nodev,nosuid")),
    ("GS-072", "homes on the root", swaps("etc/fstab", "LABEL=home /home", "LABEL=home /house")),
    ("GS-073", "a disk by its place", swaps("etc/fstab", "LABEL=root", "/dev/vda1")),
    ("GS-074", "telnet", also_installs("telnet")),
    ("GS-075", "a compiler", also_installs("gcc-12")),
    (
        "GS-076",
        "one more service",
        links("etc/systemd/system/multi-user.target.wants/cups.service", "/x"),
    ),
    ("GS-076", "a script of System V", says("etc/rc2.d/S01old", "")),
    ("GS-079", "no time", disables("chrony.service")),
    ("GS-080", "an archive without signature", says("etc/apt/sources.list.d/b.sources", "Types: deb\nTrusted: yes\n")),
    ("GS-080", "apt that takes anything", says("etc/apt/apt.conf", 'Acquire::AllowInsecureRepositories "true";\n')),
    ("GS-081", "no updates by itself", swaps("etc/apt/apt.conf.d/20auto", 'Unattended-Upgrade "1"', 'Unattended-Upgrade "0"')),
    ("GS-083", "a release that is past its end", says("etc/os-release", 'ID=debian\nVERSION_ID="10"\n')),
    ("GS-084", "a log that is lost", says("etc/systemd/journald.conf.d/b.conf", "[Journal]\nStorage=auto\n")),
    ("GS-085", "audit without rules", lacks("etc/audit/rules.d/a.rules")),
    ("GS-086", "logs that stay here", lacks("etc/rsyslog.d/a.conf")),
    ("GS-087", "no AppArmor", disables("apparmor.service")),
    ("GS-088", "no audit from the start", swaps("etc/default/grub", "audit=1", "quiet")),
    ("GS-089", "a firewall that lets in", swaps("etc/nftables.conf", "policy drop", "policy accept")),
    ("GS-090", "no record", lacks("usr/bin/aide")),
    ("GS-091", "an own unit without limits", says("etc/systemd/system/own.service", "[Service]\nExecStart=/usr/bin/own\n")),
    ("GS-092", "a secret in a unit", adds("etc/systemd/system/own.service", "Environment=DB_PASSWORD=hunter2\n")),
    ("GS-093", "any datasource", says("etc/cloud/cloud.cfg", "users: []\n")),
    (
        "GS-094",
        "a console that logs in",
        says("etc/systemd/system/serial-getty@ttyS0.service.d/a.conf", "[Service]\nExecStart=-/sbin/agetty --autologin root\n"),
    ),
]


def judged(tree: Path, config: HardeningConfig = CONFIG) -> Result:
    subject = Subject(
        image="t",
        disk_digest="sha256:00",
        tree=tree,
        disk=None,
        now_s=1_790_000_000,
        declared=Declared(services=("own.service",)),
    )
    return run_gate(Hardening(), config, subject, ignore, Cancellation())


def failed(result: Result) -> list[str]:
    return [finding.id for finding in result.facts.findings]


def test_the_hardened_tree_meets_every_offline_control_of_strict(tmp_path: Path) -> None:
    result = judged(make_hardened(tmp_path))

    assert (result.verdict, failed(result)) == ("pass", [])
    assert result.facts.measures["score_permille"] == 1000
    assert sum(item.count for item in result.facts.skipped if item.reason.startswith("not applicable")) == 0
    waiting = {id for item in result.facts.skipped for id in item.sample}
    assert waiting == {"GS-082", *(item.id for item in all_controls().values() if item.kind == "B")}


@pytest.mark.parametrize(("control", "broken"), [pytest.param(id, act, id=f"{id} {told}") for id, told, act in MUTATIONS])
def test_one_thing_broken_fails_exactly_its_control(control: str, broken: Break, tmp_path: Path) -> None:
    tree = make_hardened(tmp_path)
    broken(tree)
    result = judged(tree)

    assert failed(result) == [control], result.reasons
    assert result.facts.findings[0].fix


def test_a_release_past_its_end_is_an_error_until_somebody_answers_for_it(tmp_path: Path) -> None:
    tree = make_hardened(tmp_path)
    write(tree, "etc/os-release", 'ID=debian\nVERSION_ID="10"\n')

    assert judged(tree).verdict == "error"
    waiver = Ignore(finding="end-of-life", reason="it is replaced next week", owner="team-ops", until="2026-12-01")
    assert judged(tree, HardeningConfig(profile="strict", asks=ASKS, ignore=(waiver,))).verdict == "warn"


def test_a_value_of_the_project_takes_the_place_of_the_controls(tmp_path: Path) -> None:
    tree = make_hardened(tmp_path)
    write(tree, FIRST, "MaxAuthTries 6\n")

    assert failed(judged(tree, HardeningConfig(profile="strict", asks=ASKS, values={"MaxAuthTries": "1..6"}))) == []
    with pytest.raises(ValueError, match="MaxAuthTries"):
        HardeningConfig(values={"MaxAuthTrys": "3"})
