"""The boot half of hardening: a clone that is as it should be passes, one wrong answer fails exactly its control."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from goldsmith.gates.contract import Declared
from goldsmith.gates.hardening import AGAIN, READINGS, BootFacts, HardeningConfig, judge_boot
from goldsmith.gates.hardening.controls import all_controls

NOW_S = 1_800_000_000
DECLARED = Declared(ports=("tcp/22",))
STRICT = HardeningConfig(profile="strict", minimum=0.01, asks=("partitions",))
MODULES = ("cramfs", "freevxfs", "hfs", "hfsplus", "jffs2", "udf", "usb_storage", "dccp", "sctp", "rds", "tipc")


def wanted_parameters() -> Mapping[str, str]:
    """A value that meets each sysctl control."""
    found: dict[str, str] = {}
    for control in all_controls().values():
        if control.boot is not None and control.boot.probe == "booted_sysctl":
            for name, wanted in control.boot.arguments.table("values").items():
                found[name] = re.split(r"\.\.|\|", wanted)[0]
    return found


GOOD: Mapping[str, str] = {
    "sysctl": "".join(f"{name.replace('.', '/')}:{value}\n" for name, value in wanted_parameters().items()),
    "mounts": "".join(
        f"x {place} ext4 rw,nodev,nosuid,noexec 0 0\n"
        for place in ["/tmp", "/var/tmp", "/dev/shm", "/var", "/var/log", "/home"]
    ),
    "modules": "ext4\nvirtio_net\n",
    "modprobe": "".join(f"install {name} /bin/false\nblacklist {name}\n" for name in MODULES),
    "listeners": "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\nudp UNCONN 0 0 127.0.0.1:323 0.0.0.0:*\n",
    "failed": "",
    "ssh-offer": (
        "debug2: peer server KEXINIT proposal\ndebug2: KEX algorithms: curve25519-sha256,kex-strict-s-v00@openssh.com\n"
        "debug2: ciphers ctos: aes256-gcm@openssh.com\ndebug2: ciphers stoc: aes256-gcm@openssh.com\n"
        "debug2: MACs stoc: hmac-sha2-512-etm@openssh.com\n"
    ),
    "time": "active\ninactive\nNTPSynchronized=yes\n",
    "lockdown": "none [integrity] confidentiality\n",
    "secure-boot": "   1\n",
    "tpm": "tpm0\n",
    "apparmor": "/usr/bin/man (enforce)\n",
    "selinux": "",
    "command-line": "BOOT_IMAGE=/boot/vmlinuz root=LABEL=root ro audit=1\n",
    "core-limit": "0\n",
    "audit": "active\n-w /etc/passwd -p wa -k identity\n",
    "firewall": "table inet filter {\n chain input {\n  type filter hook input priority filter; policy drop;\n }\n}\n",
    "machine-id": "a\n",
    "host-keys": "ssh-ed25519 A\n",
    "root-size": "10\n",
}
SECOND = {**GOOD, "machine-id": "b\n", "host-keys": "ssh-ed25519 B\n"}


def with_parameter(name: str, value: str) -> Mapping[str, str]:
    line = f"{name.replace('.', '/')}:"
    return {"sysctl": re.sub(rf"(?m)^{line}.*$", f"{line}{value}", GOOD["sysctl"])}


MUTATIONS: Mapping[str, Mapping[str, str]] = {
    "GS-002": {"host-keys": ""},
    "GS-004": {"machine-id": "b\n"},
    "GS-045": {"ssh-offer": GOOD["ssh-offer"].replace("hmac-sha2-512-etm", "hmac-sha1-etm")},
    "GS-053": {"core-limit": "unlimited\n"},
    "GS-056": with_parameter("kernel.randomize_va_space", "1"),
    "GS-058": with_parameter("kernel.kptr_restrict", "0"),
    "GS-062": with_parameter("net.ipv4.ip_forward", "1"),
    "GS-063": with_parameter("net.ipv6.conf.all.accept_redirects", "1"),
    "GS-068": {"modules": "ext4\nusb_storage\n"},
    "GS-069": {"modprobe": GOOD["modprobe"].replace("blacklist cramfs\n", "")},
    "GS-070": {"lockdown": "[none] integrity confidentiality\n"},
    "GS-071": {"mounts": GOOD["mounts"].replace("/dev/shm ext4 rw,nodev", "/dev/shm ext4 rw")},
    "GS-072": {"mounts": GOOD["mounts"].replace("x /home ", "x /house ")},
    "GS-077": {"listeners": GOOD["listeners"] + "tcp LISTEN 0 5 [::]:23 [::]:*\n"},
    "GS-078": {"failed": "nginx.service loaded failed failed A\n"},
    "GS-079": {"time": "inactive\ninactive\nNTPSynchronized=no\n"},
    "GS-085": {"audit": "active\nNo rules\n"},
    "GS-087": {"apparmor": "/usr/bin/man (complain)\n"},
    "GS-088": {"command-line": "ro quiet\n"},
    "GS-089": {
        "firewall": "table inet filter {\n chain input {\n  type filter hook input priority filter; policy accept;\n }\n}\n"
    },
}


def clone(answers: Mapping[str, str], name: str = "uefi", again: Mapping[str, str] | None = None) -> BootFacts:
    return BootFacts(
        name=name, answers=answers, again=again or {**{reading: answers[reading] for reading in AGAIN}, "failed": ""}
    )


def failed(first: BootFacts, config: HardeningConfig = STRICT) -> set[str]:
    return {item.id for item in judge_boot(config, [first, clone(SECOND, "bios")], DECLARED, NOW_S).findings}


def test_every_boot_control_passes_on_a_clone_that_is_as_it_should_be() -> None:
    told = judge_boot(STRICT, [clone(GOOD), clone(SECOND, "bios")], DECLARED, NOW_S)

    assert (told.evaluated, told.findings, told.permille) == (29, (), 1000)
    assert set(GOOD) == set(READINGS)


@pytest.mark.parametrize("control", MUTATIONS)
def test_one_wrong_answer_fails_exactly_its_control(control: str) -> None:
    assert failed(clone({**GOOD, **MUTATIONS[control]})) == {control}


def test_a_second_boot_that_changes_something_is_told() -> None:
    again = {reading: GOOD[reading] for reading in AGAIN}

    assert failed(clone(GOOD, again={**again, "machine-id": "c\n"})) == {"GS-095"}
    assert failed(clone(GOOD, again={**again, "failed": "growroot.service loaded failed failed G\n"})) == {"GS-095"}


def test_one_clone_that_was_rebooted_is_enough() -> None:
    second = BootFacts(name="bios", answers=SECOND)
    told = judge_boot(STRICT, [clone(GOOD), second], DECLARED, NOW_S)

    assert (told.evaluated, told.findings) == (29, ())
    waiting = judge_boot(STRICT, [BootFacts(name="uefi", answers=GOOD), second], DECLARED, NOW_S)
    assert [item.sample for item in waiting.skipped] == [("GS-095",)]


@pytest.mark.parametrize("reading", READINGS)
def test_a_reading_without_an_answer_passes_no_control(reading: str) -> None:
    answers = {name: text for name, text in GOOD.items() if name != reading}
    first = BootFacts(name="uefi", answers=answers, again={name: GOOD[name] for name in AGAIN})
    told = judge_boot(STRICT, [first, clone(SECOND, "bios")], DECLARED, NOW_S)

    assert told.evaluated < 29 or reading in ("secure-boot", "tpm", "selinux")


def test_without_clones_nothing_is_evaluated() -> None:
    told = judge_boot(STRICT, [], DECLARED, NOW_S)

    assert (told.evaluated, told.permille) == (0, 0)
    assert sum(item.count for item in told.skipped) == 29


def test_time_without_a_server_in_reach_is_neither_passed_nor_failed() -> None:
    told = judge_boot(STRICT, [clone({**GOOD, "time": "active\nNTPSynchronized=no\n"}), clone(SECOND, "bios")], DECLARED, NOW_S)

    assert told.findings == ()
    assert any(item.sample == ("GS-079",) for item in told.skipped)


def test_the_score_of_the_boot_half_has_the_same_minimum() -> None:
    answers = {**GOOD, **MUTATIONS["GS-071"], **MUTATIONS["GS-077"], **MUTATIONS["GS-056"]}

    assert "score" in failed(clone(answers), HardeningConfig(profile="strict", minimum=0.9))
