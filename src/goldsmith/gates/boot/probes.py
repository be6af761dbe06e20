"""What a booted machine is asked, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from goldsmith.gates.contract import Declared, Finding
from goldsmith.machines.ssh import Completed

COMMANDS: Mapping[str, str] = {
    "state": "systemctl is-system-running --wait",
    "failed": "systemctl list-units --failed --plain --no-legend --no-pager",
    "target": "systemctl is-active {target}",
    "services": "systemctl is-active {services}",
    "listeners": "ss -H -tuln",
    "resolver": "cat /etc/resolv.conf; ! grep -q '127.0.0.5[34]' /etc/resolv.conf || cat /run/systemd/resolve/resolv.conf",
    "machine-id": "cat /etc/machine-id",
    "host-keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "random-seed": "sha256sum /var/lib/systemd/random-seed 2>/dev/null || echo none",
    "root-size": "df --output=size -B1 / | tail -n 1",
    "uptime": "cut -d' ' -f1 /proc/uptime",
}
"""Shell commands by name, in the order they are run; the first waits until the boot has ended."""

CLIENT_SOCKETS = frozenset({"udp/68", "udp/546", "udp/5353", "udp/323"})
"""Sockets of clients: DHCP (RFC 2131, 8415), mDNS and chrony's control socket; they serve nobody."""

STUBS = frozenset({"127.0.0.53", "127.0.0.54"})
"""Where systemd-resolved listens for its own machine (resolved.conf(5)); it asks other servers, which it lists elsewhere."""

_OOPS = re.compile(r"(Kernel panic|BUG: |Oops: |general protection fault|EXT4-fs error|UNEXPECTED INCONSISTENCY)[^\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """One booted copy of the disk and what it answered."""

    firmware: str
    accelerator: str
    answered: bool
    """Whether ssh gave its banner in time."""
    answers: Mapping[str, Completed]
    console: str
    boot_ms: int
    """From the start of QEMU to the end of the boot transaction; 0 when it was not reached."""
    refused: str = ""
    """Why nobody could log in."""


def commands(declared: Declared) -> Mapping[str, str]:
    """The probes for an image."""
    services = " ".join(declared.services) or declared.target
    return {name: text.format(target=declared.target, services=services) for name, text in COMMANDS.items()}


def judge_clone(clone: Clone, declared: Declared) -> Iterator[Finding]:
    """What is wrong with one clone."""
    if not clone.answered:
        tail = " / ".join(line for line in clone.console.splitlines()[-3:] if line.strip()) or "the console stayed empty"
        detail = f"the disk does not come up by {clone.firmware}: ssh never answered; the console ends with: {tail}"
        yield _fault("not-up", clone, "disk", detail)
        return
    for match in _OOPS.finditer(clone.console):
        yield _fault("console", clone, match[0][:80], f"the kernel complained: {match[0][:200]}")
    if clone.refused:
        return
    yield from _units(clone, declared)
    yield from _sockets(clone, declared)
    if not resolvers(clone):
        detail = "no name resolves: the network offers a server, and /etc/resolv.conf names none"
        fix = "Add systemd-resolved, or make /etc/resolv.conf a link to where the servers are named."
        yield replace(_fault("no-resolver", clone, "/etc/resolv.conf", detail, fix=fix), severity="medium", effect="warn")


def judge_pair(first: Clone, second: Clone) -> Iterator[Finding]:
    """What two clones must not share."""
    for name, what in (
        ("machine-id", "the machine id"),
        ("host-keys", "the ssh host keys"),
        ("random-seed", "the random seed"),
    ):
        left, right = (clone.answers.get(name) for clone in (first, second))
        if left is None or right is None or left.output.strip() == "none":
            continue
        if left.output == right.output:
            detail = f"two clones have the same {what.removeprefix('the ')}"
            yield Finding(id=f"shared {name}", rule="shared-identity", severity="critical", effect="fail", detail=detail)


def answered(clone: Clone) -> int:
    """How many probes have an answer."""
    return sum(answer.code is not None for answer in clone.answers.values())


def listeners(text: str) -> Iterator[tuple[str, str]]:
    """(`tcp/22`, address) of each listening socket in the output of `ss -H -tuln`."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5:
            address, _, port = fields[4].rpartition(":")
            yield f"{fields[0]}/{port}", address


def resolvers(clone: Clone) -> tuple[str, ...]:
    """The addresses where a booted machine asks for names."""
    answer = clone.answers.get("resolver")
    named = re.findall(r"(?m)^nameserver\s+(\S+)", answer.output) if answer is not None else []
    return tuple(dict.fromkeys(address for address in named if address not in STUBS))


def _units(clone: Clone, declared: Declared) -> Iterator[Finding]:
    for line in clone.answers["failed"].output.splitlines():
        unit = line.split()[0] if line.split() else ""
        if unit:
            yield _fault("failed-unit", clone, unit, f"the unit {unit} failed", fix=f"journalctl -u {unit} in the image")
    if clone.answers["target"].output.strip() != "active":
        yield _fault("target", clone, declared.target, f"{declared.target} was not reached")
    states = clone.answers["services"].output.split()
    for service, state in zip(declared.services, states, strict=False):
        if state != "active":
            yield _fault("service", clone, service, f"the declared service {service} is {state}")


def _sockets(clone: Clone, declared: Declared) -> Iterator[Finding]:
    outward = {name for name, address in listeners(clone.answers["listeners"].output) if not _is_loopback(address)}
    for name in sorted(outward - set(declared.ports) - CLIENT_SOCKETS):
        fix = f'Declare it (ports = ["{name}"]) or disable what listens.'
        yield _fault("undeclared-socket", clone, name, f"{name} listens and is not declared", fix=fix)
    for name in sorted(set(declared.ports) - outward):
        yield _fault("missing-socket", clone, name, f"{name} is declared and nothing listens there")


def _is_loopback(address: str) -> bool:
    return address.startswith(("127.", "[::1]")) or address.endswith("%lo")


def _fault(rule: str, clone: Clone, subject: str, detail: str, fix: str = "") -> Finding:
    return Finding(
        id=f"{rule} {subject} ({clone.firmware})",
        rule=rule,
        severity="critical",
        effect="fail",
        subject=subject,
        detail=detail,
        fix=fix,
    )
