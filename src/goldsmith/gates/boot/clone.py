"""Boots one copy of the disk, asks it everything, reboots it and shuts it down."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.gates.boot import asking, console
from goldsmith.gates.boot.probes import AGAIN, STATE, commands
from goldsmith.gates.boot.record import Clone
from goldsmith.gates.boot.ways_in import WayIn, choose
from goldsmith.gates.contract import Subject
from goldsmith.gates.hardening import READINGS
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.accelerator import Accelerator
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.journal import Journal
from goldsmith.machines.qemu import DirectKernel, Firmware, VmSpec
from goldsmith.machines.ssh import Completed, Login, new_key, offered, run_commands, wait_for_banner
from goldsmith.machines.vm import Vm, running

GRACE_S = 60.0
"""How long the machine may take to go down after the power button, with KVM."""

GROW_BYTES = 1 << 30
"""How much larger than its image a clone's disk is: the root file system has to fill it."""

_EACH_S = 60
_POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BootPlan:
    """How clones are booted."""

    accelerator: Accelerator
    within_s: float
    slowness: float
    """How much longer things may take than with KVM."""
    memory_mib: int
    cpus: int
    journal: Journal
    cancellation: Cancellation
    say: Callable[[str], None]
    reboot: bool
    checks: Mapping[str, str] = field(default_factory=dict)
    """Further commands for the first clone: the user's checks."""
    run_tests: Callable[[Login], None] | None = None
    """The user's tests, run while the first clone is up."""


def boot_clone(subject: Subject, firmware: Firmware, mac: str, plan: BootPlan, *, whole: bool) -> Clone:
    """Boot a clone. Its console and screen stay in `subject.work`; nothing of the machine is left running.

    Only a `whole` clone runs the user's tests, is rebooted and shut down; of any other, the identity is wanted.
    """
    private, public = new_key()
    work = subject.work / firmware
    work.mkdir(parents=True, exist_ok=True)
    way = choose(subject, firmware, public, work)
    questions = commands(subject.declared)
    if "hardening" in subject.settings:
        questions = {**{name: text for name, text in READINGS.items() if name != "ssh-offer"}, **questions}
    if whole or firmware == "direct":
        questions = {**questions, **plan.checks}
    visit = _Visit(subject, plan, way, questions, private)
    spec = _spec(subject, firmware, mac, plan, way, visit.write_script(work))
    with running(spec, plan.accelerator, work, plan.journal) as vm:
        clone = visit.make(vm, firmware)
        if clone.answered and whole:
            clone = visit.go_on(vm, clone)
        _keep_screen(vm, work / "screen.png")
        if clone.answered and whole:
            began = time.monotonic()
            went = vm.power_down(GRACE_S * plan.slowness)
            clone = replace(clone, down_ms=_since(began) if went else 0)
        return replace(clone, console=console.readable(vm.console()))


class _Visit:
    """One clone's boot, from the first sign of life to the last question."""

    def __init__(self, subject: Subject, plan: BootPlan, way: WayIn, questions: Mapping[str, str], private: str) -> None:
        self.subject, self.plan, self.way, self.questions = subject, plan, way, questions
        self.private = private
        self.token = f"@{secrets.token_hex(6)}"

    def write_script(self, work: Path) -> Path | None:
        """The script of a machine that reports on its second serial line; None when it is asked by ssh."""
        if self.way.name != "command line":
            return None
        text = asking.script(self.questions, self.token, each_s=_EACH_S)
        # The target of the image is not started by itself when the command line names a command to run.
        wait = (
            f"systemctl start --no-block {self.subject.declared.target}; timeout {int(self.plan.within_s)} {STATE}; sleep 1\n"
        )
        report = f"exec >/dev/ttyS1 2>&1\n{wait}{text}\nexit 0\n"
        path = work / "script"
        path.write_text(report + "\n" * (-len(report.encode()) % 512))
        return path

    def make(self, vm: Vm, firmware: Firmware) -> Clone:
        """Wait until the machine is up, and ask it."""
        clone = Clone(
            firmware=firmware,
            accelerator=self.plan.accelerator.name,
            way=self.way.name,
            why=self.way.why,
            answered=False,
            within_s=int(self.plan.within_s),
            names_server=vm.answers_names,
        )
        if not self._wait(vm, vm.started + self.plan.within_s):
            vm.check_alive()
            return clone
        clone = replace(clone, answered=True, ready_ms=_since(vm.started))
        self.plan.say(f"{firmware}: up after {clone.ready_ms // 1000} s, way in: {self.way.name}")
        try:
            return self._ask(vm, clone)
        except MachineError as error:
            return replace(clone, refused=str(error))

    def go_on(self, vm: Vm, clone: Clone) -> Clone:
        """Run the user's tests and reboot, when someone can log in."""
        if not self.way.is_ssh or clone.refused:
            return clone
        if self.plan.run_tests is not None:
            self.plan.run_tests(self._login(vm))
        return self._reboot(vm, clone) if self.plan.reboot else clone

    def _ask(self, vm: Vm, clone: Clone) -> Clone:
        before = int(time.time())
        boot_ms = 0
        if self.way.is_ssh:
            left = max(30.0, self.plan.within_s - (time.monotonic() - vm.started))
            state = self._run(vm, {"state": STATE}, left)
            boot_ms = _since(vm.started) if state["state"].code is not None else 0
            before = int(time.time())
            answers = {**state, **self._offer(vm), **self._script(vm, self.questions)}
        elif self.way.name == "command line":
            answers = dict(asking.parsed(vm.report.read_text(errors="replace"), self.token))
            boot_ms = _since(vm.started)
        else:
            answers = {}
        return replace(clone, answers=answers, boot_ms=boot_ms, asked_s=(before, int(time.time())))

    def _reboot(self, vm: Vm, clone: Clone) -> Clone:
        began = time.monotonic()
        until = began + self.plan.within_s
        with suppress(MachineError):
            # Without a bus, systemd takes the wish as a signal (systemd(1), SIGRTMIN+5); the answer may be lost on the way.
            self._run(vm, {"reboot": "systemctl reboot || kill -s RTMIN+5 1"}, 10.0 * self.plan.slowness)
        first = clone.text("boot-id").strip()
        while time.monotonic() < until and self._wait(vm, until):
            try:
                boot = self._run(vm, {"boot-id": "cat /proc/sys/kernel/random/boot_id"}, 20.0)["boot-id"].output.strip()
                if boot and boot != first:
                    reboot_ms = _since(began)
                    self._run(vm, {"state": STATE}, max(30.0, until - time.monotonic()))
                    again = self._script(vm, {name: self.questions[name] for name in AGAIN})
                    return replace(clone, reboot_ms=reboot_ms, again=again)
            except MachineError:
                pass  # it goes down, or comes up and lets nobody in yet
            time.sleep(_POLL_S)
        return replace(clone, reboot_ms=0)

    def _wait(self, vm: Vm, until: float) -> bool:
        """Whether the machine is up by then; ends early when its console says that it never will be."""
        seen = len(vm.console()) if time.monotonic() - vm.started > 5 else 0

        def is_alive() -> bool:
            text = console.readable(vm.console()[seen:])
            stalled = self.plan.accelerator.name == "tcg" and console.has_stalled(text)
            return vm.is_running and not stalled and not console.past_help(text)

        if self.way.is_ssh:
            return wait_for_banner("127.0.0.1", vm.ssh_port, until, is_alive, self.plan.cancellation)
        while time.monotonic() < until and is_alive():
            self.plan.cancellation.check()
            if self.way.name == "command line" and asking.is_whole(_report(vm), self.token):
                return True
            if self.way.name == "console" and console.asks_for_login(console.readable(vm.console())):
                return True
            time.sleep(_POLL_S)
        return False

    def _script(self, vm: Vm, questions: Mapping[str, str]) -> Mapping[str, Completed]:
        text = asking.script(questions, self.token, each_s=_EACH_S)
        whole = self._run(vm, {"script": text}, _EACH_S * 5.0)["script"]
        return asking.parsed(whole.output, self.token)

    def _run(self, vm: Vm, wanted: Mapping[str, str], timeout_s: float) -> Mapping[str, Completed]:
        login = self._login(vm)
        if login.user != "root":
            wanted = {name: f"sudo -n sh -c {shlex.quote(text)}" for name, text in wanted.items()}
        return run_commands(login, wanted, timeout_s)

    def _offer(self, vm: Vm) -> Mapping[str, Completed]:
        """The algorithms of the ssh server, told as OpenSSH's client tells them."""
        labels = {"KexAlgorithms": "KEX algorithms", "HostKeyAlgorithms": "host key algorithms"}
        labels |= {"Ciphers": "ciphers stoc", "MACs": "MACs stoc"}
        try:
            found = offered("127.0.0.1", vm.ssh_port)
        except (OSError, ValueError):
            return {}
        lines = (f"debug2: {labels[name]}: {','.join(values)}\n" for name, values in found.items())
        return {"ssh-offer": Completed(0, "".join(lines), "")}

    def _login(self, vm: Vm) -> Login:
        return Login(host="127.0.0.1", port=vm.ssh_port, user=self.subject.declared.login, private_key=self.private)


def _spec(subject: Subject, firmware: Firmware, mac: str, plan: BootPlan, way: WayIn, script: Path | None) -> VmSpec:
    assert subject.disk is not None
    direct = None
    if firmware == "direct":
        initrd = subject.boot.get("initrd")
        direct = DirectKernel(
            kernel=subject.tree / subject.boot["kernel"],
            initrd=subject.tree / initrd if initrd else None,
            arguments=f"{subject.boot['cmdline']} {way.arguments}".strip(),
        )
    return VmSpec(
        name=f"{subject.image}-{firmware}",
        disk=subject.disk,
        disk_format=subject.disk_format,
        firmware=firmware,
        direct=direct,
        memory_mib=plan.memory_mib,
        cpus=plan.cpus,
        mac=mac,
        grow_bytes=GROW_BYTES,
        credentials=way.credentials,
        seed=way.seed,
        script=script,
    )


def _report(vm: Vm) -> str:
    return vm.report.read_text(errors="replace") if vm.report.exists() else ""


def _keep_screen(vm: Vm, path: Path) -> None:
    try:
        vm.screendump(path)
    except (MachineError, OSError):
        path.unlink(missing_ok=True)


def _since(moment: float) -> int:
    return max(1, int((time.monotonic() - moment) * 1000))
