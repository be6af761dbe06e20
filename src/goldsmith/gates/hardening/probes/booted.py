"""Probes of booted clones: whether what the files say is also in force."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from goldsmith.gates.contract import Declared
from goldsmith.gates.hardening.boot_facts import AGAIN, BootFacts
from goldsmith.gates.hardening.scene import Arguments, Fault, NotEvaluated, holds

CLIENT_SOCKETS = frozenset({"udp/68", "udp/546", "udp/5353", "udp/323"})
"""Sockets of clients: DHCP (RFC 2131, 8415), mDNS and chrony's control socket; they serve nobody."""

_WEAK = re.compile(r"sha1(?!\d)|sha1-|md5|umac-64|-cbc|3des|arcfour|group1-|group14-sha1")


def booted_sysctl(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """Each parameter of `values` is in force as wanted."""
    found = clone.sysctl
    for name, wanted in arguments.table("values").items():
        if not holds(found.get(name, ""), wanted):
            yield Fault(f"{name} is {found.get(name, 'not there')}, {wanted} is wanted")


def booted_mounts(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """Each of `paths` is a mount of its own, with all of `options`."""
    for path in arguments.texts("paths"):
        options = clone.mounts.get(path)
        missing = set(arguments.texts("options")) - (options or frozenset())
        if options is None:
            yield Fault(f"{path} is no mount of its own")
        elif missing:
            yield Fault(f"{path} is mounted without {', '.join(sorted(missing))}")


def not_loaded(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """None of `modules` is loaded."""
    for name in arguments.texts("modules"):
        if name.replace("-", "_") in clone.modules:
            yield Fault(f"the module {name} is loaded")


def modprobe_refuses(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """modprobe itself says that it blocks each of `modules`, by name and by alias."""
    lines = [line.split() for line in clone.modprobe]
    blocked = {line[1].replace("-", "_") for line in lines if line[0] == "install" and line[2:3] and _refuses(line[2])}
    listed = {line[1].replace("-", "_") for line in lines if line[0] == "blacklist" and line[1:]}
    for name in arguments.texts("modules"):
        if name.replace("-", "_") not in blocked & listed:
            yield Fault(f"modprobe loads the module {name}")


def _refuses(command: str) -> bool:
    return command.rpartition("/")[2] in ("false", "true")


def sockets_declared(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """What listens is what the project declares, no more and no less."""
    for name in sorted(clone.sockets - set(declared.ports) - CLIENT_SOCKETS):
        yield Fault(f"{name} listens and is not declared")
    for name in sorted(set(declared.ports) - clone.sockets):
        yield Fault(f"{name} is declared and nothing listens there")


def no_failed_unit(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """No unit has failed."""
    for line in clone.answer("failed").splitlines():
        yield Fault(f"{line.split()[0]} has failed")


def host_keys_made(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """The clone has host keys of its own, and keeps them."""
    if not clone.answer("host-keys"):
        yield Fault("the clone has no ssh host key")


def clones_differ(clones: Sequence[BootFacts], arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """No two clones share a machine id or a host key."""
    if len(clones) < 2:
        raise NotEvaluated("it needs two clones")
    seen = [{clone.answer("machine-id"), *clone.answer("host-keys").splitlines()} - {""} for clone in clones]
    if not all(seen):
        raise NotEvaluated("a clone has neither an id nor a key")
    shared = set.intersection(*seen)
    if shared:
        yield Fault(f"the clones share {len(shared)} ids or keys")


def ssh_offers(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """The server offers no algorithm that is known to be weak."""
    for name, offered in clone.ssh_offer.items():
        weak = [item for item in offered if _WEAK.search(item)]
        if weak:
            yield Fault(f"the server offers {', '.join(weak)} as {name}")


def time_in_sync(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """Something keeps the time. Whether it is in sync can be told only where a time server is in reach."""
    lines = clone.answer("time").splitlines()
    if "active" not in lines:
        yield Fault("nothing keeps the time: no service of time synchronisation is active")
    elif "NTPSynchronized=yes" not in lines and "/run/systemd/timesync/synchronized" not in lines:
        raise NotEvaluated("the service is active, and no time server was in reach")


def kernel_locked(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """The kernel is locked down; the firmware's secure boot and the TPM are told with it."""
    match = re.search(r"\[(\w+)\]", clone.answer("lockdown"))
    mode = match[1] if match else "not built in"
    if mode not in ("integrity", "confidentiality"):
        secure = "on" if clone.answers.get("secure-boot", "").strip() == "1" else "off"
        tpm = clone.answers.get("tpm", "").split()
        yield Fault(f"lockdown is {mode}, secure boot {secure}, TPM {tpm[0] if tpm else 'none'}")


def core_limit(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """A process of a user may leave no memory dump."""
    limit = clone.answer("core-limit")
    if limit != "0":
        yield Fault(f"a user's process may leave a dump: the hard limit is {limit or 'not told'}")


def audit_runs(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """auditd is active, and the kernel has rules."""
    state, *rules = clone.answer("audit").splitlines() or [""]
    if state != "active":
        yield Fault("auditd is not active")
    elif not any(line.startswith(("-a", "-w")) for line in rules):
        yield Fault("auditd has no rules")


def access_control(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """AppArmor has profiles that enforce, or SELinux enforces."""
    if "(enforce)" in clone.answer("apparmor") or clone.answers.get("selinux", "").strip() == "1":
        return
    yield Fault("neither AppArmor nor SELinux enforces anything")


def started_with(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """The kernel was started with each of `words`, and with none of `never`."""
    found = set(clone.answer("command-line").split())
    for word in arguments.texts("words"):
        if word not in found:
            yield Fault(f"the kernel was started without {word}")
    for word in arguments.texts("never"):
        if word in found:
            yield Fault(f"the kernel was started with {word}")


def firewall_denies(clone: BootFacts, arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """What comes in is dropped unless a rule lets it in."""
    text = clone.answer("firewall")
    if not re.search(r"hook input[^}]*policy drop", text) and not re.search(r"(?m)^-P INPUT (DROP|REJECT)", text):
        yield Fault("no chain of the hook input has the policy drop")


def second_boot_changes_nothing(clones: Sequence[BootFacts], arguments: Arguments, declared: Declared) -> Iterator[Fault]:
    """After a reboot of at least one clone nothing has failed, and id, host keys and size of the root are as before."""
    rebooted = [clone for clone in clones if clone.again]
    if not rebooted:
        raise NotEvaluated("no clone was rebooted")
    for clone in rebooted:
        for name in AGAIN:
            if name not in clone.again:
                raise NotEvaluated(f"the {clone.name} clone did not answer to {name} after its reboot")
            after = clone.again[name].strip()
            if name == "failed" and after:
                yield Fault(f"{after.split()[0]} failed at the second boot (of {clone.name})")
            elif name != "failed" and after != clone.answer(name):
                yield Fault(f"the second boot changed {name} (of {clone.name})")
