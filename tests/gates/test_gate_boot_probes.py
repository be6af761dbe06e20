"""What the answers of a booted machine mean, on answers as real machines give them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldsmith.gates.boot.probes import COMMANDS, Clone, answered, commands, judge_clone, judge_pair, listeners, resolvers
from goldsmith.gates.contract import Declared
from goldsmith.machines.ssh import Completed

DECLARED = Declared(ports=("tcp/22",), services=("ssh.service",))
SOCKETS = """udp   UNCONN 0      0      10.0.2.15%ens3:68        0.0.0.0:*
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*
tcp   LISTEN 0      4096       127.0.0.1:631       0.0.0.0:*
tcp   LISTEN 0      128             [::]:22           [::]:*
"""


def clone(**changed: str) -> Clone:
    answers = {
        "state": "running\n",
        "failed": "",
        "target": "active\n",
        "services": "active\n",
        "listeners": SOCKETS,
        "resolver": "nameserver 10.0.2.3\n",
        "machine-id": "aa\n",
        "host-keys": "ssh-ed25519 AAAA1 root@web\n",
        "random-seed": "01 /var/lib/systemd/random-seed\n",
        "root-size": "1\n",
        "uptime": "12.3\n",
    } | changed
    told = {name: Completed(0, text, "") for name, text in answers.items()}
    return Clone(firmware="uefi", accelerator="tcg", answered=True, answers=told, console="login:", boot_ms=1)


def rules(examined: Clone, declared: Declared = DECLARED) -> set[str]:
    return {finding.rule for finding in judge_clone(examined, declared)}


def test_a_machine_as_declared_has_no_findings() -> None:
    assert rules(clone()) == set()


def test_every_probe_has_an_answer_in_a_good_clone() -> None:
    assert answered(clone()) == len(COMMANDS)
    assert answered(replace(clone(), answers={"state": Completed(None, "", "timed out")})) == 0


def test_services_and_target_of_the_image_are_asked_for() -> None:
    asked = commands(Declared(services=("nginx.service",), target="graphical.target"))

    assert asked["services"] == "systemctl is-active nginx.service"
    assert asked["target"] == "systemctl is-active graphical.target"


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"failed": "nginx.service loaded failed failed A web server\n"}, "failed-unit"),
        ({"target": "inactive\n"}, "target"),
        ({"services": "failed\n"}, "service"),
        ({"listeners": SOCKETS + "tcp LISTEN 0 5 *:8080 *:*\n"}, "undeclared-socket"),
        ({"listeners": ""}, "missing-socket"),
    ],
)
def test_each_difference_from_what_is_declared_fails(changed: dict[str, str], rule: str) -> None:
    assert rules(clone(**changed)) == {rule}


@pytest.mark.parametrize(
    ("resolver", "servers"),
    [
        ("# from DHCP\nnameserver 10.0.2.3\nnameserver fec0::3\nsearch test\n", ("10.0.2.3", "fec0::3")),
        ("nameserver 127.0.0.53\noptions edns0\nnameserver 10.0.2.3\n", ("10.0.2.3",)),
        ("nameserver 127.0.0.1\n", ("127.0.0.1",)),
        ("nameserver 127.0.0.53\noptions edns0\n", ()),
        ("# nameserver 192.0.2.1\n", ()),
        ("", ()),
    ],
)
def test_a_machine_that_can_ask_nobody_for_names_is_warned_of(resolver: str, servers: tuple[str, ...]) -> None:
    asked = clone(resolver=resolver)

    assert resolvers(asked) == servers
    assert [(item.rule, item.effect) for item in judge_clone(asked, DECLARED)] == ([] if servers else [("no-resolver", "warn")])


@pytest.mark.parametrize(
    "line", ["[ 1.0] Kernel panic - not syncing: VFS", "[ 2.0] BUG: unable to handle page", "EXT4-fs error (device vda3)"]
)
def test_a_complaint_of_the_kernel_fails(line: str) -> None:
    assert rules(replace(clone(), console=line)) == {"console"}


def test_a_machine_that_never_answers_fails_with_the_end_of_its_console() -> None:
    silent = replace(clone(), answered=False, answers={}, console="GRUB loading.\nerror: no such partition.\n")

    found = list(judge_clone(silent, DECLARED))

    assert [item.rule for item in found] == ["not-up"]
    assert "no such partition" in found[0].detail


def test_clones_must_not_share_what_makes_a_machine_itself() -> None:
    other = clone(**{"machine-id": "bb\n", "host-keys": "ssh-ed25519 AAAA2 x\n", "random-seed": "02 x\n"})

    assert list(judge_pair(clone(), other)) == []
    assert len(list(judge_pair(clone(), clone()))) == 3


def test_a_clone_without_an_answer_is_not_compared() -> None:
    assert list(judge_pair(clone(), replace(clone(), answers={}))) == []


def test_sockets_are_read_in_both_families() -> None:
    assert ("tcp/22", "[::]") in list(listeners(SOCKETS))
