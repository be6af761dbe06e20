"""Boots one copy of the disk, asks it everything, and shuts it down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from goldsmith.gates.boot.probes import Clone, commands
from goldsmith.gates.contract import Subject
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.accelerator import Accelerator
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.journal import Journal
from goldsmith.machines.ssh import Completed, Login, new_key, run_commands, wait_for_banner
from goldsmith.machines.vm import Vm, VmSpec, running

GRACE_S = 60.0
"""How long the machine may take to go down after the power button."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootPlan:
    """How clones are booted."""

    accelerator: Accelerator
    within_s: float
    memory_mib: int
    cpus: int
    journal: Journal
    cancellation: Cancellation
    say: Callable[[str], None]


def boot_clone(subject: Subject, firmware: Literal["uefi", "bios"], mac: str, plan: BootPlan) -> Clone:
    """Boot a clone. Its console and screen stay in `subject.work`; nothing of the machine is left running."""
    assert subject.disk is not None
    private, public = new_key()
    work = subject.work / firmware
    spec = VmSpec(
        name=f"{subject.image}-{firmware}",
        disk=subject.disk,
        disk_format=subject.disk_format,
        firmware=firmware,
        memory_mib=plan.memory_mib,
        cpus=plan.cpus,
        mac=mac,
        credentials={f"ssh.authorized_keys.{subject.declared.login}": public},
    )
    with running(spec, plan.accelerator, work, plan.journal) as vm:
        up = _wait(vm, plan)
        answers: Mapping[str, Completed] = {}
        refused, boot_ms = "", 0
        if up:
            plan.say(f"{firmware}: ssh answers after {time.monotonic() - vm.started:.0f} s")
            login = Login(host="127.0.0.1", port=vm.ssh_port, user=subject.declared.login, private_key=private)
            try:
                answers, boot_ms = _ask(vm, login, subject, plan)
            except MachineError as error:
                refused = str(error)
        _keep_screen(vm, work / "screen.png")
        vm.power_down(GRACE_S if up else 0.0)
        return Clone(
            firmware=firmware,
            accelerator=plan.accelerator.name,
            answered=up,
            answers=answers,
            console=vm.console(),
            boot_ms=boot_ms,
            refused=refused,
        )


def _wait(vm: Vm, plan: BootPlan) -> bool:
    until = vm.started + plan.within_s
    return wait_for_banner("127.0.0.1", vm.ssh_port, until, lambda: vm.is_running, plan.cancellation)


def _ask(vm: Vm, login: Login, subject: Subject, plan: BootPlan) -> tuple[Mapping[str, Completed], int]:
    wanted = dict(commands(subject.declared))
    left = max(30.0, plan.within_s - (time.monotonic() - vm.started))
    first = {"state": wanted.pop("state")}
    answers = dict(run_commands(login, first, left))
    boot_ms = int((time.monotonic() - vm.started) * 1000)
    answers |= run_commands(login, wanted, left)
    return answers, boot_ms


def _keep_screen(vm: Vm, path: Path) -> None:
    try:
        vm.screendump(path)
    except (MachineError, OSError):
        path.unlink(missing_ok=True)
