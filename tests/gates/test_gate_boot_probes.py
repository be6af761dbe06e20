"""What the answers of a booted machine mean, on answers as real machines give them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest

from goldsmith.gates.boot import asking
from goldsmith.gates.boot.judging import answered, judge_budget, judge_clone, judge_pair, listeners, resolvers, wanted
from goldsmith.gates.boot.probes import commands
from goldsmith.gates.boot.record import Clone, read_clone
from goldsmith.gates.contract import Declared
from goldsmith.gates.hardening import AGAIN, READINGS
from goldsmith.machines.ssh import Completed

DECLARED = Declared(ports=("tcp/22",), services=("ssh.service",))
SOCKETS = """udp   UNCONN 0      0      10.0.2.15%ens3:68        0.0.0.0:*
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*
tcp   LISTEN 0      4096       127.0.0.1:631       0.0.0.0:*
tcp   LISTEN 0      128             [::]:22           [::]:*
"""
SOUND = {
    "state": "running\n",
    "boot-id": "11\n",
    "jobs": "",
    "failed": "",
    "why-failed": "",
    "target": "active\n",
    "services": "active\n",
    "listeners": SOCKETS,
    "resolver": "nameserver 10.0.2.3\n",
    "lookup": "192.0.2.53      STREAM boot-gate.test\n",
    "machine-id": "aa\n",
    "host-keys": "ssh-ed25519 AAAA1 root@web\n",
    "random-seed": "01 /var/lib/systemd/random-seed\n",
    "root-size": "1577058304\n",
    "disk": "3\n198656\n3076063\n3274752\n1520000000\n",
    "free": "1100000000\n90000\n",
    "clock": "1795650751\n",
    "timings": "",
    "uptime": "12.3\n",
}


def told(texts: Mapping[str, str]) -> dict[str, Completed]:
    return {name: Completed(0, text, "") for name, text in texts.items()}


def clone(**changed: str) -> Clone:
    return Clone(
        firmware="uefi",
        accelerator="kvm",
        way="credentials",
        answered=True,
        answers=told(SOUND | changed),
        console="web login: ",
        boot_ms=12_000,
        asked_s=(1795650750, 1795650755),
        within_s=180,
        names_server=True,
    )


def rules(examined: Clone, declared: Declared = DECLARED) -> set[str]:
    return {finding.rule for finding in judge_clone(examined, declared)}


def test_a_machine_as_declared_has_no_findings() -> None:
    assert rules(clone()) == set()


def test_every_probe_has_an_answer_in_a_good_clone() -> None:
    assert answered(clone()) == wanted()
    assert answered(replace(clone(), answers={"state": Completed(None, "", "timed out")})) == 0
    assert answered(replace(clone(), answers=told(SOUND) | {"listeners": Completed(127, "", "")})) < wanted()


def test_services_and_target_of_the_image_are_asked_for() -> None:
    asked = commands(Declared(services=("nginx.service",), target="graphical.target"))

    assert asked["services"] == "systemctl is-active nginx.service"
    assert asked["target"] == "systemctl is-active graphical.target"


def test_hardening_asks_by_the_same_name_the_same_question() -> None:
    own = commands(Declared())

    assert {name for name in own.keys() & READINGS.keys() if own[name] != READINGS[name]} == set()
    assert set(AGAIN) <= set(own)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"failed": "nginx.service loaded failed failed A web server\n"}, "failed-unit"),
        ({"target": "inactive\n"}, "target"),
        ({"services": "failed\n"}, "service"),
        ({"listeners": SOCKETS + "tcp LISTEN 0 5 *:8080 *:*\n"}, "undeclared-socket"),
        ({"listeners": ""}, "missing-socket"),
        ({"lookup": ""}, "name-lookup"),
        ({"clock": "1795650000\n"}, "clock"),
        ({"disk": "3\n198656\n978944\n3274752\n470000000\n"}, "not-grown"),
        ({"disk": "3\n198656\n3076063\n3274752\n470000000\n"}, "not-grown"),
        ({"free": "1024\n90000\n"}, "full-disk"),
        ({"free": "1100000000\n3\n"}, "full-disk"),
    ],
)
def test_each_difference_from_what_is_wanted_fails(changed: dict[str, str], rule: str) -> None:
    assert rules(clone(**changed)) == {rule}


def test_an_image_that_cannot_grow_is_only_warned_of() -> None:
    (found,) = judge_clone(clone(disk="3\n198656\n978944\n3274752\n470000000\n"), DECLARED, grows=False)

    assert (found.rule, found.effect) == ("not-grown", "warn")


def test_a_failed_unit_is_told_with_its_last_words_and_not_as_a_service_too() -> None:
    failed = clone(failed="ssh.service loaded failed failed x\n", services="failed\n")
    said = replace(failed, answers={**failed.answers, **told({"why-failed": "ssh.service: no such key/\n"})})

    (found,) = judge_clone(said, DECLARED)

    assert (found.rule, found.subject) == ("failed-unit", "ssh.service")
    assert "no such key" in found.detail


def test_a_boot_that_does_not_end_names_the_units_that_it_waits_for() -> None:
    hanging = clone(jobs="12 hang.service start running\n13 multi-user.target start waiting\n", target="inactive\n")
    hanging = replace(hanging, answers={**hanging.answers, "state": Completed(None, "", "")})

    found = [item for item in judge_clone(hanging, DECLARED) if item.rule == "hanging-boot"]

    assert [item.subject for item in found] == ["hang.service"]
    assert answered(hanging) == wanted()
    assert "target" not in rules(hanging)


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


def test_a_name_that_the_network_does_not_know_is_not_asked_of_the_machine() -> None:
    assert rules(replace(clone(lookup=""), names_server=False)) == set()


def test_clones_must_not_share_what_makes_a_machine_itself() -> None:
    other = clone(**{"machine-id": "bb\n", "host-keys": "ssh-ed25519 AAAA2 x\n", "random-seed": "02 x\n"})

    assert list(judge_pair(clone(), other)) == []
    assert len(list(judge_pair(clone(), clone()))) == 3


def test_one_host_key_in_common_is_one_too_many() -> None:
    first = clone(**{"host-keys": "ssh-rsa OLD x\nssh-ed25519 A x\n"})
    second = clone(**{"host-keys": "ssh-rsa OLD x\nssh-ed25519 B x\n", "machine-id": "bb\n", "random-seed": "none\n"})

    assert [item.subject for item in judge_pair(first, second)] == ["host-keys"]


def test_a_clone_without_an_answer_is_not_compared() -> None:
    assert list(judge_pair(clone(), replace(clone(), answers={}))) == []


def test_sockets_are_read_in_both_families() -> None:
    assert ("tcp/22", "[::]") in list(listeners(SOCKETS))


AGAIN_SOUND = {name: SOUND[name] for name in AGAIN} | {"boot-id": "22\n"}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"machine-id": "cc\n"}, "not-idempotent"),
        ({"host-keys": "ssh-ed25519 NEW x\n"}, "not-idempotent"),
        ({"failed": "grow.service loaded failed failed x\n"}, "failed-unit"),
        ({"free": "1024\n90000\n"}, "full-disk"),
    ],
)
def test_a_second_boot_must_change_nothing(changed: dict[str, str], rule: str) -> None:
    rebooted = replace(clone(), reboot_ms=20_000)

    assert rules(replace(rebooted, again=told(AGAIN_SOUND))) == set()
    assert rules(replace(rebooted, again=told(AGAIN_SOUND | changed))) == {rule}


def test_a_machine_that_does_not_come_back_or_go_down_fails() -> None:
    assert rules(replace(clone(), reboot_ms=0)) == {"no-reboot"}
    assert rules(replace(clone(), down_ms=0)) == {"no-shutdown"}
    assert rules(replace(clone(), down_ms=3_000)) == set()


def test_a_boot_over_its_budget_names_the_slowest_units() -> None:
    timings = "FinishTimestampMonotonic=12000000\nUserspaceTimestampMonotonic=2000000\n\n" + "\n".join(
        f"Id={name}\nInactiveExitTimestampMonotonic=3000000\nActiveEnterTimestampMonotonic={end}\n"
        for name, end in (("quick.service", 3100000), ("slow.service", 9000000))
    )

    assert list(judge_budget(clone(timings=timings), 20)) == []
    assert list(judge_budget(clone(timings=timings), 0)) == []
    (found,) = judge_budget(clone(timings=timings), 10)
    assert "slow.service 6.0 s, quick.service 0.1 s" in found.detail


def test_a_record_can_be_written_down_and_read_again() -> None:
    first = replace(clone(), again=told(AGAIN_SOUND), reboot_ms=3)

    assert read_clone(first.as_json()) == first


def test_answers_of_one_script_are_told_apart_whatever_they_print() -> None:
    wanted = {
        "plain": "echo one",
        "no line end": "printf two",
        "nothing": "true",
        "quotes": """echo "it's" '$HOME'""",
        "failing": "echo three; exit 7",
        "reading": "cat",
        "marks": "echo; echo @other begin x; echo",
        "errors": "echo four; echo five >&2",
        "slow": "echo six; sleep 30",
        "path": "command -v sbin-program || echo $PATH | grep -c /usr/sbin",
    }
    script = asking.script(wanted, "@token", each_s=1)

    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    found = asking.parsed(done.stdout, "@token")

    assert {name: (answer.code, answer.output) for name, answer in found.items()} == {
        "plain": (0, "one\n"),
        "no line end": (0, "two"),
        "nothing": (0, ""),
        "quotes": (0, "it's $HOME\n"),
        "failing": (7, "three\n"),
        "reading": (0, ""),
        "marks": (0, "\n@other begin x\n\n"),
        "errors": (0, "four\n"),
        "slow": (None, "six\n"),
        "path": (0, "1\n"),
    }
    assert asking.is_whole(done.stdout, "@token")
    assert asking.parsed(done.stdout.replace("\n", "\r\n"), "@token") == found
