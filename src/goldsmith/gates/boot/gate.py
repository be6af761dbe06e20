"""The boot gate: the tree in a container first, then two clones of the disk at once, by UEFI and by BIOS.

The container is the early tier: it fails an unfit image in a second and proves nothing. Only the clones certify.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from itertools import chain
from pathlib import Path

from goldsmith.components import Duration, attribute
from goldsmith.events import Emit, Output
from goldsmith.gates.boot.clone import BootPlan, boot_clone
from goldsmith.gates.boot.early import Early, examine_early
from goldsmith.gates.boot.probes import COMMANDS, Clone, answered, judge_clone, judge_pair, resolvers
from goldsmith.gates.contract import Facts, Finding, Floor, Gate, Subject
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images import file_digest
from goldsmith.machines.accelerator import Accelerator, probe_accelerator
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.journal import Journal

TCG_FACTOR = 5
"""How much longer a boot may take without KVM, when the gate says nothing (gates.md section 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootConfig:
    """Attributes of a `gate "boot"` block."""

    within: Duration = attribute(Duration(180), "How long the machine may take until ssh answers, with KVM.")
    within_tcg: Duration = attribute(Duration(0), "The same without KVM; 0: five times `within`.")
    memory: int = attribute(1024, "Memory of the machine, MiB.")
    cpus: int = attribute(2, "Processors of the machine.")
    accelerator: str = attribute("", "kvm or tcg; empty: what a probe finds.")


class Boot(Gate[BootConfig]):
    """Boots the sealed disk through firmware and boot loader and asks the running machine what it is."""

    name = "boot"
    is_slow = True
    Config = BootConfig

    def examine(self, subject: Subject, config: BootConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Boot the tree in a container, then two clones of the disk unless that failed already.

        The disk is read only; its digest is compared before and after.
        """
        if subject.disk is None or not subject.boot:
            raise _not_bootable(subject)
        early = examine_early(subject, Journal(subject.cache / "journal"))
        emit(Output(build=subject.image, text=f"Boot gate, {early.told}"))
        if early.findings:
            return _failed_early(subject, early)
        cancellation.check()
        plan = _plan(subject, config, emit, cancellation)
        before = file_digest(subject.disk)
        with ThreadPoolExecutor(2, thread_name_prefix="clone") as pool:
            first = pool.submit(boot_clone, subject, "uefi", "52:54:00:67:00:01", plan)
            second = pool.submit(boot_clone, subject, "bios", "52:54:00:67:00:02", plan)
            clones = (first.result(), second.result())
        findings = tuple(chain.from_iterable(judge_clone(clone, subject.declared) for clone in clones))
        findings += tuple(judge_pair(*clones))
        unchanged = file_digest(subject.disk) == before
        return _facts(subject, plan.accelerator, clones, findings, unchanged, early)


def _failed_early(subject: Subject, early: Early) -> Facts:
    return Facts(
        engine="systemd-nspawn",
        engine_version=installed_version("goldsmith"),
        examined=1,
        evaluated=1,
        findings=early.findings,
        messages=(early.told, "certifying tier: not run, the image is unfit already"),
        artefacts=_early_log(early),
        measures={"early_ms": early.boot_ms},
    )


def _early_log(early: Early) -> dict[str, Path]:
    return {"early-console.log": early.log} if early.log is not None else {}


def _plan(subject: Subject, config: BootConfig, emit: Emit, cancellation: Cancellation) -> BootPlan:
    accelerator = _accelerator(subject, config)
    within = config.within if accelerator.name == "kvm" else (config.within_tcg or config.within * TCG_FACTOR)

    def say(text: str) -> None:
        emit(Output(build=subject.image, text=f"Boot gate, {text}"))

    say(f"two clones by {accelerator.name}: {accelerator.reason}")
    return BootPlan(
        accelerator=accelerator,
        within_s=float(within),
        memory_mib=config.memory,
        cpus=config.cpus,
        journal=Journal(subject.cache / "journal"),
        cancellation=cancellation,
        say=say,
    )


def _accelerator(subject: Subject, config: BootConfig) -> Accelerator:
    if config.accelerator == "tcg":
        return Accelerator("tcg", "the gate asks for it")
    if config.accelerator == "kvm":
        return Accelerator("kvm", "the gate asks for it")
    return probe_accelerator(subject.tree / subject.boot["kernel"], subject.cache)


def _facts(
    subject: Subject,
    accelerator: Accelerator,
    clones: tuple[Clone, ...],
    findings: tuple[Finding, ...],
    unchanged: bool,
    early: Early,
) -> Facts:
    up = [clone for clone in clones if clone.answered]
    names = tuple(f"{clone.firmware}: asks {', '.join(asked)} for names" for clone in up if (asked := resolvers(clone)))
    messages = tuple(f"{clone.firmware}: {clone.refused}" for clone in clones if clone.refused)
    if not unchanged:
        messages += ("the disk's digest changed while it was booted",)
    # A machine that never came up is a FAIL by its finding; one that answers must answer everything.
    floors = tuple(
        Floor(name=f"probes that the {clone.firmware} clone answered", wanted=len(COMMANDS), got=answered(clone))
        for clone in up
    )
    return Facts(
        engine=f"qemu-{accelerator.name}",
        engine_version=installed_version("goldsmith"),
        examined=len(clones),
        evaluated=sum(answered(clone) for clone in clones),
        errors=len(messages),
        floors=floors,
        findings=findings,
        messages=(
            *messages,
            *names,
            early.told,
            f"certifying tier: {len(clones)} clones by {accelerator.name}: {accelerator.reason}",
        ),
        artefacts=dict(_artefacts(subject, clones)) | _early_log(early),
        measures={f"boot_{clone.firmware}_ms": clone.boot_ms for clone in up} | {"early_ms": early.boot_ms},
    )


def _artefacts(subject: Subject, clones: tuple[Clone, ...]) -> Iterator[tuple[str, Path]]:
    for clone in clones:
        for name in ("serial.log", "screen.png"):
            path = subject.work / clone.firmware / name
            if path.exists():
                yield f"{clone.firmware}-{name}", path


def _not_bootable(subject: Subject) -> MachineError:
    return MachineError(
        Diagnostic(
            code="boot.no-boot-loader",
            what=f"the disk of {subject.image} has no boot loader, so it cannot be booted",
            why='its source says boot = "none"',
            next='Write boot = "hybrid", or do not require the gate.',
        )
    )
