"""What the answers of booted clones mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from goldsmith.gates.boot import console
from goldsmith.gates.boot.probes import COMMANDS, OPTIONAL
from goldsmith.gates.boot.record import Clone
from goldsmith.gates.boot.timings import read_timings
from goldsmith.gates.contract import Declared, Finding
from goldsmith.machines.name_server import ADDRESS, NAME
from goldsmith.machines.ssh import Completed

CLIENT_SOCKETS = frozenset({"udp/68", "udp/546", "udp/5353", "udp/323"})
"""Sockets of clients: DHCP (RFC 2131, 8415), mDNS and chrony's control socket; they serve nobody."""

STUBS = frozenset({"127.0.0.53", "127.0.0.54"})
"""Where systemd-resolved listens for its own machine (resolved.conf(5)); it asks other servers, which it lists elsewhere."""

CLOCK_WRONG_S = 30
"""How far the machine's clock may be from the host's, which its hardware clock shows."""

LEAST_FREE_BYTES, LEAST_FREE_INODES = 32 << 20, 500
"""With less, a machine cannot even log what it lacks."""

DISK_LEFT_BYTES = 64 << 20
"""What a partition may leave of its disk, for the backup table and alignment."""


def boot_fault(rule: str, tier: str, subject: str, detail: str, fix: str = "") -> Finding:
    """What is wrong with a boot. `tier` says which one showed it: the firmware of a clone, or the container."""
    return Finding(
        id=f"{rule} {subject} ({tier})",
        rule=rule,
        severity="critical",
        effect="fail",
        subject=subject,
        detail=detail,
        fix=fix,
    )


def judge_clone(clone: Clone, declared: Declared, *, grows: bool = True) -> Iterator[Finding]:
    """What is wrong with one clone. `grows`: the image has what enlarges its root file system."""
    if not clone.answered:
        yield _not_up(clone)
        return
    for line in console.complaints(clone.console, emulated=clone.accelerator == "tcg"):
        yield _fault("console", clone, line[:80], f"the kernel complained: {line[:200]}")
    if clone.refused or not clone.answers:
        return
    yield from _boot(clone, declared)
    yield from _sockets(clone, declared)
    yield from _names(clone)
    yield from _clock(clone)
    yield from _disk(clone, grows)
    yield from _free(clone)
    yield from _second_boot(clone, declared)
    if clone.down_ms == 0:
        fix = "The power button is answered by systemd-logind, which needs dbus; see also what the console ends with."
        detail = f"the machine did not go down by its power button; the console ends with: {console.tail(clone.console)}"
        yield _fault("no-shutdown", clone, "power button", detail, fix=fix)


def judge_pair(first: Clone, second: Clone) -> Iterator[Finding]:
    """What two clones must not share."""
    for name, what in (("machine-id", "machine id"), ("host-keys", "ssh host keys"), ("random-seed", "random seed")):
        left, right = (set(clone.text(name).splitlines()) - {"none", ""} for clone in (first, second))
        # One key in common is one too many.
        if left & right:
            yield Finding(
                id=f"shared {name}",
                rule="shared-identity",
                severity="critical",
                effect="fail",
                subject=name,
                detail=f"two clones have the same {what}",
                fix="It is made before the image is sealed; it has to be made at first boot.",
            )


def judge_budget(clone: Clone, budget_s: float) -> Iterator[Finding]:
    """Whether the boot took longer than it may, and by which units."""
    if not budget_s or not clone.boot_ms or clone.boot_ms <= budget_s * 1000:
        return
    timings = read_timings(clone.text("timings"))
    slowest = ", ".join(f"{unit.name} {unit.took_ms / 1000:.1f} s" for unit in timings.slowest[:3]) if timings else "not told"
    detail = f"the boot took {clone.boot_ms / 1000:.0f} s, {budget_s:.0f} s are allowed; the slowest units: {slowest}"
    yield _fault("too-slow", clone, "boot time", detail, fix="The waterfall shows which units wait for which.")


def answered(clone: Clone) -> int:
    """How many of the gate's own probes have an answer. A boot that does not end is a finding, no missing answer."""
    return sum(name in clone.answers and clone.answers[name].code not in (None, 127) for name in COMMANDS.keys() - OPTIONAL)


def wanted() -> int:
    """How many must have one."""
    return len(COMMANDS.keys() - OPTIONAL)


def listeners(text: str) -> Iterator[tuple[str, str]]:
    """(`tcp/22`, address) of each listening socket in the output of `ss -H -tuln`."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5:
            address, _, port = fields[4].rpartition(":")
            yield f"{fields[0]}/{port}", address


def resolvers(clone: Clone) -> tuple[str, ...]:
    """The addresses where a booted machine asks for names."""
    named = re.findall(r"(?m)^nameserver\s+(\S+)", clone.text("resolver"))
    return tuple(dict.fromkeys(address for address in named if address not in STUBS))


def _not_up(clone: Clone) -> Finding:
    why = console.past_help(clone.console)
    reason = f"its console says: {why}" if why else f"nothing answered within {clone.within_s} s"
    detail = f"the disk does not come up by {clone.firmware}: {reason}; the console ends with: {console.tail(clone.console)}"
    return _fault("not-up", clone, "disk", detail)


def _boot(clone: Clone, declared: Declared) -> Iterator[Finding]:
    state = clone.answers.get("state")
    waiting = [line.split()[1] for line in clone.text("jobs").splitlines() if len(line.split()) >= 4 and "running" in line]
    if state is not None and state.code is None:
        units = ", ".join(waiting) or "no unit"
        detail = f"the boot had not ended after {clone.within_s} s: {units} still starting; the console ends with: "
        yield _fault("hanging-boot", clone, ", ".join(waiting), detail + console.tail(clone.console))
        return
    yield from _units(clone, declared, clone.text("failed"), clone.text("why-failed"))


def _units(clone: Clone, declared: Declared, failed: str, why: str, when: str = "") -> Iterator[Finding]:
    reasons = dict(line.partition(": ")[::2] for line in why.splitlines())
    broken = set()
    for line in failed.splitlines():
        unit = line.split()[0] if line.split() else ""
        if unit:
            broken.add(unit)
            said = f": {reasons[unit].strip('/')}" if reasons.get(unit) else ""
            yield _fault(
                "failed-unit", clone, unit, f"the unit {unit} failed{when}{said}", fix=f"journalctl -u {unit} in the image"
            )
    answers = clone.again if when else clone.answers
    if "target" in answers and answers["target"].output.strip() != "active":
        yield _fault("target", clone, declared.target, f"{declared.target} was not reached{when}")
    states = answers["services"].output.split() if "services" in answers else []
    for service, state in zip(declared.services, states, strict=False):
        if state != "active" and service not in broken:
            yield _fault("service", clone, service, f"the declared service {service} is {state}{when}")


def _sockets(clone: Clone, declared: Declared) -> Iterator[Finding]:
    if "listeners" not in clone.answers or clone.answers["listeners"].code == 127:
        return
    outward = {name for name, address in listeners(clone.text("listeners")) if not _is_loopback(address)}
    for name in sorted(outward - set(declared.ports) - CLIENT_SOCKETS):
        fix = f'Declare it (ports = ["{name}"]) or disable what listens.'
        yield _fault("undeclared-socket", clone, name, f"{name} listens and is not declared", fix=fix)
    for name in sorted(set(declared.ports) - outward):
        yield _fault("missing-socket", clone, name, f"{name} is declared and nothing listens there")


def _names(clone: Clone) -> Iterator[Finding]:
    if "resolver" not in clone.answers:
        return
    servers = resolvers(clone)
    lookup = clone.answers.get("lookup")
    if not servers:
        detail = "no name resolves: the network offers a server, and /etc/resolv.conf names none"
        fix = "Add systemd-resolved, or make /etc/resolv.conf a link to where the servers are named."
        yield replace(_fault("no-resolver", clone, "/etc/resolv.conf", detail, fix=fix), severity="medium", effect="warn")
    elif clone.names_server and lookup is not None and lookup.code != 127 and ADDRESS not in lookup.output:
        said = " ".join(lookup.output.split()) or "nothing"
        detail = f"the machine could not look up {NAME}, which its network knows, by {', '.join(servers)}: it found {said}"
        yield _fault("name-lookup", clone, "resolver", detail, fix="Look at /etc/nsswitch.conf, /etc/resolv.conf and resolved.")


def _clock(clone: Clone) -> Iterator[Finding]:
    text = clone.text("clock").strip()
    before, after = clone.asked_s
    if text.isdigit() and before and not before - CLOCK_WRONG_S <= int(text) <= after + CLOCK_WRONG_S:
        off = int(text) - before
        detail = (
            f"the machine's clock is {abs(off)} s {'ahead of' if off > 0 else 'behind'} the host's, which its hardware shows"
        )
        yield _fault("clock", clone, "clock", detail, fix="The hardware clock is in UTC; look at /etc/adjtime.")


def _disk(clone: Clone, grows: bool) -> Iterator[Finding]:
    numbers = [int(word) for word in clone.text("disk").split() if word.isdigit()]
    if len(numbers) != 5:
        return  # no partition of a plain disk: what grows there is not known
    _, start, size, disk, file_system = numbers
    left = (disk - start - size) * 512
    small = file_system < size * 512 * 0.85
    if left <= DISK_LEFT_BYTES and not small:
        return
    what = f"leaves {left >> 20} MiB of its disk" if left > DISK_LEFT_BYTES else "is larger than its file system"
    fix = "Look at goldsmith-grow.service, or at cloud-init's growpart; it needs systemd-repart, or sfdisk and resize2fs."
    found = _fault("not-grown", clone, "/", f"the disk is larger than the image, and the root partition {what}", fix=fix)
    yield found if grows else replace(found, severity="low", effect="warn")


def _free(clone: Clone) -> Iterator[Finding]:
    for answers, when in ((clone.answers, ""), (clone.again, " after a reboot")):
        numbers = "\n".join(_text(answers, "free")).split()
        if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
            continue
        room, inodes = (int(number) for number in numbers)
        # A file system without a table of inodes says 0 of them (btrfs).
        if room < LEAST_FREE_BYTES or 0 < inodes < LEAST_FREE_INODES:
            detail = f"the root file system is full{when}: {room >> 20} MiB and {inodes} inodes are left"
            yield _fault("full-disk", clone, "/", detail, fix="Look at what the machine writes while it boots.")
            return


def _second_boot(clone: Clone, declared: Declared) -> Iterator[Finding]:
    if clone.reboot_ms is None:
        return
    if clone.reboot_ms == 0:
        detail = f"the machine did not come back from a reboot; the console ends with: {console.tail(clone.console)}"
        yield _fault("no-reboot", clone, "reboot", detail)
        return
    for name, what in (("machine-id", "machine id"), ("host-keys", "ssh host keys")):
        if name in clone.again and clone.again[name].output != clone.text(name):
            detail = f"a reboot changed the {what}"
            yield _fault("not-idempotent", clone, name, detail, fix="What makes it may run at the first boot only.")
    again = clone.again
    known = {line.split()[0] for line in clone.text("failed").splitlines() if line.split()}
    fresh = "\n".join(line for line in _text(again, "failed") if line.split() and line.split()[0] not in known)
    if clone.text("target").strip() == "active":
        yield from _units(clone, declared, fresh, "\n".join(_text(again, "why-failed")), " after a reboot")


def _text(answers: Mapping[str, Completed], name: str) -> list[str]:
    answer = answers.get(name)
    return answer.output.splitlines() if answer is not None else []


def _is_loopback(address: str) -> bool:
    return address.startswith(("127.", "[::1]")) or address.endswith("%lo")


def _fault(rule: str, clone: Clone, subject: str, detail: str, fix: str = "") -> Finding:
    return boot_fault(rule, clone.firmware, subject, detail, fix)
