"""The boot gate: the tree in a container first, then two clones of the disk at once.

The container is the early tier: it fails an unfit image in a second and proves nothing. Only the clones certify. The first one
comes up through UEFI firmware and boot loader, answers everything, runs the user's tests, is rebooted and shut down; the second
comes up by BIOS (or its kernel is loaded directly), and shows that two machines made from the image are two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from itertools import chain
from pathlib import Path

from goldsmith.components import Duration, attribute
from goldsmith.events import Emit, Output
from goldsmith.gates.boot import console
from goldsmith.gates.boot.clone import BootPlan, boot_clone
from goldsmith.gates.boot.early import Early, examine_early
from goldsmith.gates.boot.judging import answered, judge_budget, judge_clone, judge_pair, resolvers, wanted
from goldsmith.gates.boot.record import Clone
from goldsmith.gates.boot.timings import read_timings
from goldsmith.gates.boot.user_tests import (
    Outcome,
    UserTests,
    every_tests,
    judge_checks,
    named_tests,
    need_testinfra,
    read_tests,
    run_pytest,
    together,
)
from goldsmith.gates.boot.waterfall import draw
from goldsmith.gates.boot.ways_in import choose
from goldsmith.gates.contract import Facts, Finding, Floor, Gate, Skipped, Subject
from goldsmith.gates.hardening import AGAIN, BootFacts, BootJudged, HardeningConfig, judge_boot
from goldsmith.gates.judge import config_digest
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images import file_digest
from goldsmith.images.firstboot import can_grow
from goldsmith.machines.accelerator import Accelerator, probe_accelerator
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.journal import Journal
from goldsmith.machines.qemu import Firmware
from goldsmith.machines.ssh import Login

TCG_FACTOR = 5
"""How much longer a boot may take without KVM, when the gate says nothing (gates.md section 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootConfig:
    """Attributes of a `gate "boot"` block."""

    within: Duration = attribute(Duration(180), "How long the machine may take until it is up, with KVM; then it fails.")
    within_tcg: Duration = attribute(Duration(0), "The same without KVM; 0: five times `within`.")
    budget: Duration = attribute(Duration(0), "How long the whole boot may take, with KVM; as `within`, more without; 0: any.")
    tests: str = attribute("", "A directory or file with tests of the booted machine, beside the project file.")
    reboot: bool = attribute(True, "Whether the first clone is rebooted.")
    second: str = attribute("bios", "How the second clone is booted: bios, or direct for a kernel that QEMU loads itself.")
    memory: int = attribute(1024, "Memory of the machine, MiB.")
    cpus: int = attribute(2, "Processors of the machine.")
    accelerator: str = attribute("", "kvm or tcg; empty: what a probe finds.")

    def __post_init__(self) -> None:
        if self.second not in ("bios", "direct"):
            raise ValueError(f'second = "{self.second}": write "bios" or "direct"')
        if self.accelerator not in ("", "kvm", "tcg"):
            raise ValueError(f'accelerator = "{self.accelerator}": write "kvm" or "tcg", or leave it out')


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
        if "kernel" not in subject.boot:
            raise _no_kernel(subject)
        tests = read_tests(subject.root, named_tests(config.tests, subject.image))
        if tests.python:
            need_testinfra()
        early = examine_early(subject, Journal(subject.cache / "journal"), tests.checks)
        emit(Output(build=subject.image, text=f"Boot gate, {early.told}"))
        if early.findings:
            return _failed_early(subject, early)
        cancellation.check()
        session = _Session(subject, config, tests, emit, cancellation)
        before = file_digest(subject.disk)
        session.boot_clones()
        unchanged = file_digest(subject.disk) == before
        return session.facts(early, unchanged)

    def check_files(self, config: BootConfig, root: Path) -> None:
        """Read the user's tests; those in Python are not run, and need not be able to run here."""
        for name in every_tests(root, config.tests):
            read_tests(root, name)

    def data_digests(self, subject: Subject, config: BootConfig) -> Sequence[str]:
        """What the user's tests and the settings of the hardening gate are: when they change, the image is booted again."""
        found = [read_tests(subject.root, named_tests(config.tests, subject.image)).digest] if config.tests else []
        hardening = subject.settings.get("hardening")
        return [*found, config_digest(hardening)] if hardening is not None else found


class _Session:
    """One examination: the two clones, and what became of the user's tests."""

    def __init__(self, subject: Subject, config: BootConfig, tests: UserTests, emit: Emit, cancellation: Cancellation) -> None:
        self.subject, self.config, self.tests = subject, config, tests
        self.cancellation, self.emit = cancellation, emit
        self.accelerator = _accelerator(subject, config)
        self.clones: tuple[Clone, ...] = ()
        self.notes: list[str] = []
        self._outcomes: list[Outcome] = []
        self._stalls: list[str] = []

    def boot_clones(self) -> None:
        """Boot both clones, at once."""
        plan = self._plan()
        plan.say(f"two clones by {self.accelerator.name}: {self.accelerator.reason}")
        first, second = self._starters()
        with ThreadPoolExecutor(2, thread_name_prefix="clone") as pool:
            whole = pool.submit(self._boot, first, "52:54:00:67:00:01", plan, True)
            other = pool.submit(self._boot, second, "52:54:00:67:00:02", plan, False)
            self.clones = (whole.result(), other.result())

    def _starters(self) -> tuple[Firmware, Firmware]:
        """What starts the clones. A disk that a machine wrote has the boot loader of that machine's firmware, and no other."""
        only = self.subject.boot.get("firmware", "")
        if only:
            return ("bios" if only == "bios" else "uefi"), "direct"
        return "uefi", "direct" if self._needs_report() or self.config.second == "direct" else "bios"

    def facts(self, early: Early, unchanged: bool) -> Facts:
        """All that was found."""
        findings = tuple(self._findings())
        tests = together([*self._outcomes])
        hardening = self._hardening()
        up = [clone for clone in self.clones if clone.answered]
        faults = tuple(f"{clone.firmware}: {clone.refused}" for clone in self.clones if clone.refused)
        if not unchanged:
            faults += ("the disk's digest changed while it was booted",)
        names = tuple(f"{clone.firmware}: asks {', '.join(asked)} for names" for clone in up if (asked := resolvers(clone)))
        ways = tuple(f"{clone.firmware}: way in: {clone.way}{f' ({clone.why})' if clone.why else ''}" for clone in self.clones)
        certifying = f"certifying tier: {len(self.clones)} clones by {self.accelerator.name}: {self.accelerator.reason}"
        return Facts(
            engine=f"qemu-{self.accelerator.name}",
            engine_version=installed_version("goldsmith"),
            examined=len(self.clones),
            evaluated=sum(answered(clone) for clone in self.clones)
            + len(tests.cases)
            + (hardening.evaluated if hardening is not None else 0),
            errors=len(faults),
            floors=tuple(
                Floor(name=f"probes that the {clone.firmware} clone answered", wanted=wanted(), got=answered(clone))
                for clone in up
                if clone.way != "console"
            ),
            findings=findings + tuple(tests.findings) + (hardening.findings if hardening is not None else ()),
            skipped=self._skipped() + (hardening.skipped if hardening is not None else ()),
            doubts=(*tests.doubts, *self._doubts()),
            messages=(
                *faults,
                *names,
                *ways,
                *self.notes,
                *(hardening.messages if hardening is not None else ()),
                early.told,
                certifying,
            ),
            artefacts={**dict(self._artefacts()), **(tests.reports or {}), **_early_log(early)},
            measures={f"boot_{clone.firmware}_ms": clone.boot_ms for clone in up}
            | {f"reboot_{clone.firmware}_ms": clone.reboot_ms for clone in up if clone.reboot_ms}
            | {f"down_{clone.firmware}_ms": clone.down_ms for clone in up if clone.down_ms}
            | ({"hardening_permille": hardening.permille} if hardening is not None else {})
            | {"early_ms": early.boot_ms},
        )

    def _boot(self, firmware: Firmware, mac: str, plan: BootPlan, whole: bool) -> Clone:
        clone = boot_clone(self.subject, firmware, mac, plan, whole=whole)
        is_lost = not clone.answered or clone.refused or clone.reboot_ms == 0
        if not (is_lost and clone.accelerator == "tcg" and console.has_stalled(clone.console)):
            return clone
        # A processor of the emulator that stands still says nothing of the image.
        note = f"{firmware}: the emulated processor stood still, so the clone was booted a second time"
        self.notes.append(note)
        plan.say(note)
        self.cancellation.check()
        if whole:
            self._outcomes.clear()
        again = boot_clone(self.subject, firmware, mac, plan, whole=whole)
        if console.has_stalled(again.console):
            self._stalls.append(f"{firmware}: the emulated processor stood still twice: nothing is known of the image")
        return again

    def _plan(self) -> BootPlan:
        config, kvm = self.config, self.accelerator.name == "kvm"
        within = config.within if kvm else (config.within_tcg or config.within * TCG_FACTOR)

        def say(text: str) -> None:
            self.emit(Output(build=self.subject.image, text=f"Boot gate, {text}"))

        return BootPlan(
            accelerator=self.accelerator,
            within_s=float(within),
            slowness=max(1.0, within / config.within) if config.within else TCG_FACTOR,
            memory_mib=config.memory,
            cpus=config.cpus,
            journal=Journal(self.subject.cache / "journal"),
            cancellation=self.cancellation,
            say=say,
            reboot=config.reboot,
            checks={f"check-{number}": check.command for number, check in enumerate(self.tests.checks)},
            run_tests=self._run_pytest if self.tests.python else None,
        )

    def _run_pytest(self, login: Login) -> None:
        within = self.config.within * TCG_FACTOR
        outcome = run_pytest(
            self.tests,
            login,
            self.subject.work / "tests",
            within_s=within,
            journal=Journal(self.subject.cache / "journal"),
            stop=self.cancellation,
        )
        self._outcomes.append(outcome)

    def _needs_report(self) -> bool:
        """Whether nobody can log in: then the second clone's kernel is told to report, which only a direct one can be."""
        place = self.subject.work / "way"
        place.mkdir(exist_ok=True)
        return not choose(self.subject, "uefi", "", place).is_ssh

    def _findings(self) -> Iterator[Finding]:
        grows = can_grow(self.subject.tree)
        slowness = self._plan().slowness
        yield from chain.from_iterable(judge_clone(clone, self.subject.declared, grows=grows) for clone in self.clones)
        yield from judge_pair(*self.clones)
        yield from judge_budget(self.clones[0], self.config.budget * slowness)
        if self.clones[0].answers and self.tests.checks:
            answers = {
                int(name.removeprefix("check-")): (answer.code, answer.output)
                for name, answer in self.clones[0].answers.items()
                if name.startswith("check-")
            }
            self._outcomes.append(judge_checks(self.tests, answers, self.subject.work / "tests"))

    def _doubts(self) -> Iterator[str]:
        yield from self._stalls
        first, second = self.clones
        asked = [clone for clone in self.clones if clone.answers]
        for clone in self.clones:
            if clone.answered and clone.way == "console":
                yield f"{clone.firmware}: {wanted()} probes have no answer, because nobody can log in: {clone.why}"
        if first.answered and second.answered and not asked:
            yield "no clone could be asked anything: only consoles were read"
        elif first.answered and second.answered and len(asked) < 2:
            silent = ", ".join(f"{clone.firmware} ({clone.way})" for clone in self.clones if clone not in asked)
            yield f"that two clones differ is not shown: nothing could be asked of {silent}"
        if self.config.tests and first.answered and not first.answers:
            yield f"the tests need someone who can log in: the way in is {first.way}"

    def _skipped(self) -> tuple[Skipped, ...]:
        console_only = [clone.firmware for clone in self.clones if clone.answered and clone.way == "console"]
        found = [
            Skipped(reason="only its console was read: nobody can log in", count=len(console_only), sample=tuple(console_only))
        ]
        if not self.config.reboot:
            found.append(Skipped(reason="no reboot: the gate says reboot = false", count=1))
        elif self.clones[0].reboot_ms is None:
            found.append(Skipped(reason="no reboot: it needs a clone that someone can log in to", count=1))
        return tuple(item for item in found if item.count)

    def _hardening(self) -> BootJudged | None:
        config = self.subject.settings.get("hardening")
        if not isinstance(config, HardeningConfig):
            return None
        facts = [
            BootFacts(
                name=clone.firmware,
                answers={name: answer.output for name, answer in clone.answers.items() if answer.code is not None},
                again={name: answer.output for name, answer in clone.again.items() if name in AGAIN},
            )
            for clone in self.clones
            if clone.answers
        ]
        return judge_boot(config, facts, self.subject.declared, self.subject.now_s)

    def _artefacts(self) -> Iterator[tuple[str, Path]]:
        for clone in self.clones:
            work = self.subject.work / clone.firmware
            probes = work / "probes.json"
            probes.write_text(json.dumps({**clone.as_json(), "console": ""}, indent=1, sort_keys=True) + "\n")
            for name in ("serial.log", "screen.png", "probes.json"):
                if (work / name).exists():
                    yield f"{clone.firmware}-{name}", work / name
            timings = read_timings(clone.text("timings"))
            if timings is not None:
                title = f"{self.subject.image} by {clone.firmware}, {clone.accelerator}: {clone.boot_ms / 1000:.1f} s"
                (work / "waterfall.svg").write_text(draw(timings, title))
                (work / "timings.json").write_text(json.dumps(timings.as_json(), indent=1) + "\n")
                yield f"{clone.firmware}-waterfall.svg", work / "waterfall.svg"
                yield f"{clone.firmware}-timings.json", work / "timings.json"


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


def _early_log(early: Early) -> Mapping[str, Path]:
    return {"early-console.log": early.log} if early.log is not None else {}


def _accelerator(subject: Subject, config: BootConfig) -> Accelerator:
    if config.accelerator == "tcg":
        return Accelerator("tcg", "the gate asks for it")
    if config.accelerator == "kvm":
        return Accelerator("kvm", "the gate asks for it")
    return probe_accelerator(subject.tree / subject.boot["kernel"], subject.cache)


def _not_bootable(subject: Subject) -> MachineError:
    return MachineError(
        Diagnostic(
            code="boot.no-boot-loader",
            what=f"the disk of {subject.image} has no boot loader, so it cannot be booted",
            why='its source says boot = "none"',
            next='Write boot = "hybrid", or do not require the gate.',
        )
    )


def _no_kernel(subject: Subject) -> MachineError:
    return MachineError(
        Diagnostic(
            code="boot.no-kernel",
            what=f"no second clone of {subject.image} can be started: no kernel was found on its disk",
            why="a disk that a machine wrote has one boot loader; the other clone gets /boot/vmlinuz-* from QEMU",
            next="Keep the kernel in /boot of the root file system, or do not require the gate.",
        )
    )
