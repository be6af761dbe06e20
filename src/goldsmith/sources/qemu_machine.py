"""The machine of a `source "qemu"`: started or gone on with, reached, kept after steps, and turned into finished disks."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from goldsmith.components import Context, MachinePlace
from goldsmith.events import Warned
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError
from goldsmith.images.tools import run_tool
from goldsmith.machines.boot_command import parse, type_into
from goldsmith.machines.machine import Machine
from goldsmith.machines.qemu_process import QemuProcess, started
from goldsmith.machines.remote import Remote
from goldsmith.machines.ssh import new_key
from goldsmith.machines.ssh_access import Door
from goldsmith.machines.vm_state import MEMORY, LiveDisk, go_on, keep_state
from goldsmith.machines.winrm import WinRm
from goldsmith.scripts import rendered, say
from goldsmith.sources.communicator import connected, generated
from goldsmith.sources.no_machine import NoMachine
from goldsmith.sources.qemu_command import command_line
from goldsmith.sources.qemu_config import QemuConfig
from goldsmith.sources.qemu_hardware import Assembly, assembled
from goldsmith.sources.qemu_renewal import may_renew, renew
from goldsmith.sources.temporary_key import forget_key
from goldsmith.sources.winrm_communicator import connected_by_winrm, generated_for_winrm, winrm_access

RECORD = "machine.json"
_GRACE_S, _SYNC_S = 60.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a kept state must tell whoever goes on from it. Its file is as secret as the memory beside it."""

    private_key: str
    public_key: str
    host_key: str


class _Running:
    """See `RunningMachine`."""

    def __init__(
        self, config: QemuConfig, context: Context, assembly: Assembly, qemu: QemuProcess, machine: Machine, door: Door | None
    ) -> None:
        self.machine = machine
        self.generated: Mapping[str, str] = {}
        self._config, self._context, self._assembly = config, context, assembly
        self._qemu, self._door = qemu, door
        self._disks = list(assembly.live_disks)
        self._keeps_memory: bool | None = None
        """None: not known yet."""

    def keep(self, directory: Path) -> None:
        assembly = self._assembly
        with_memory = self._may_keep_memory()
        if not with_memory:
            # Whoever boots from these disks finds them as after a power cut: what was written must be on them.
            self.machine.run(["sync"], timeout_s=_SYNC_S, cancellation=self._context.cancellation)
        why = keep_state(self._qemu, self._disks, directory, self._context.cancellation, with_memory=with_memory)
        if why:
            self._keeps_memory = False
            self._warn(f"The memory of the machine is not kept, so a later build boots from its disks: {why}")
        remembered = Remembered(
            private_key=assembly.private_key,
            public_key=assembly.public_key,
            host_key=self._door.host_key if self._door is not None else "",
        )
        record = directory / RECORD
        record.touch(mode=0o600)
        record.write_text(json.dumps(asdict(remembered)))

    def _may_keep_memory(self) -> bool:
        """A machine that goes on needs its clock set: without the right to do that, it is booted instead."""
        if self._keeps_memory is None:
            assert isinstance(self.machine, Remote)
            self._keeps_memory = may_renew(self.machine, self._config, self._context)
            if not self._keeps_memory:
                user = self._config.ssh_username
                self._warn(f'"{user}" may not set the clock (sudo asks for a password), so later builds boot from kept disks')
        return self._keeps_memory

    def _warn(self, text: str) -> None:
        self._context.emit(Warned(build=self._context.build, text=text))

    def export(self, directory: Path) -> Mapping[str, Path]:
        if isinstance(self.machine, Remote):
            forget_key(self.machine, self._assembly.private_key, self._context)
        self._turn_off()
        say(self._context, "Converting hard drive...")
        return dict(_exported(self._config, self._context, self._assembly, self._disks, directory))

    def _turn_off(self) -> None:
        config, context = self._config, self._context
        if config.shutdown_command and isinstance(self.machine, Remote | WinRm):
            say(context, "Gracefully halting virtual machine...")
            say(context, f"Executing shutdown command: {config.shutdown_command}")
            # It may take the connection, and with it the answer, away.
            shell = ["sh", "-c"] if isinstance(self.machine, Remote) else []
            self.machine.run([*shell, config.shutdown_command], cancellation=context.cancellation)
        elif config.communicator == "none":
            say(context, "Waiting for shutdown...")
        else:
            say(context, "Halting the virtual machine...")
            if not self._qemu.power_down(min(_GRACE_S, config.shutdown_timeout)):
                text = f"The machine did not go down within {_GRACE_S:g} s of the power button, and was switched off"
                context.emit(Warned(build=context.build, text=text, next="Write a shutdown_command."))
                self._qemu.stop()
        self._wait_until_off()

    def _wait_until_off(self) -> None:
        until = time.monotonic() + self._config.shutdown_timeout
        while self._qemu.is_running:
            self._context.cancellation.wait(0.05)
            if time.monotonic() > until:
                raise MachineError(
                    Diagnostic(
                        code="qemu.stays-on",
                        what="Timeout while waiting for machine to shut down.",
                        why=f"it still runs {self._config.shutdown_timeout:g} s after it was told to turn off",
                        next="Check shutdown_command: what it says, and whether the user may; or raise shutdown_timeout.",
                    )
                )


@contextmanager
def running_machine(
    config: QemuConfig, context: Context, image: Path, accelerator: str, place: MachinePlace
) -> Iterator[_Running]:
    """A machine that is up and reached.

    One that is to go on from a state and does not is booted from the state's disks instead. When a machine cannot be
    reached, its screen, its console and what QEMU said are kept in `place.logs`.
    """
    with ExitStack() as held:
        running = None
        if place.state is not None and (place.state / MEMORY).is_file():
            with ExitStack() as attempt:
                try:
                    running = attempt.enter_context(_attempt(config, context, image, accelerator, place, resumes=True))
                    held.push(attempt.pop_all())
                except MachineError as error:
                    text = f"The machine did not go on from its kept state, and is booted from its disks: {error}"
                    context.emit(Warned(build=context.build, text=text))
        if running is None:
            running = held.enter_context(_attempt(config, context, image, accelerator, place, resumes=False))
        yield running


@contextmanager
def _attempt(
    config: QemuConfig, context: Context, image: Path, accelerator: str, place: MachinePlace, *, resumes: bool
) -> Iterator[_Running]:
    before = _remembered(place.state)
    with ExitStack() as held:
        keys = new_key(config.temporary_key_pair_type or "ed25519", config.temporary_key_pair_bits)
        assembly = held.enter_context(assembled(config, context, image, accelerator, place, keys, resumes=resumes))
        command = command_line(config, assembly.hardware, context, assembly.data)
        qemu = held.enter_context(started(command, assembly.work, place.journal))
        held.enter_context(_watched(qemu, assembly, context, place))
        if resumes:
            go_on(qemu, context.cancellation)
        else:
            _set_vnc_password(qemu, assembly)
            if place.state is None:
                _type_boot_command(config, context, qemu, assembly)
        if config.communicator == "none":
            running = _Running(config, context, assembly, qemu, NoMachine("qemu"), None)
        elif config.communicator == "winrm":
            access = winrm_access(config, config.winrm_host or "127.0.0.1", assembly.ssh_port or config.port)
            way = connected_by_winrm(config, access, context, lambda: qemu.is_running, "vm")
            running = _Running(config, context, assembly, qemu, held.enter_context(way), None)
            running.generated = {**assembly.generated, **generated_for_winrm(access, "VM", context.run_uuid)}
        else:
            door = _door(config, context, assembly, qemu, before, resumes=resumes)
            machine = held.enter_context(connected(config, door, context, "vm"))
            if before is not None:
                renew(machine, config, context, before.public_key, assembly.public_key, resumed=resumes)
            running = _Running(config, context, assembly, qemu, machine, door)
            running.generated = {**assembly.generated, **generated(config, door.access, "VM", context.run_uuid)}
            running.generated |= {"SSHPublicKey": assembly.public_key, "SSHPrivateKey": assembly.private_key}
        yield running


def _remembered(state: Path | None) -> Remembered | None:
    return Remembered(**json.loads((state / RECORD).read_bytes())) if state is not None else None


def _door(
    config: QemuConfig, context: Context, assembly: Assembly, qemu: QemuProcess, before: Remembered | None, *, resumes: bool
) -> Door:
    """How to log in. A machine that goes on still knows the key of the build that it comes from, and has its host key."""
    from dataclasses import replace

    access = config.access(context, config.ssh_host or "127.0.0.1", assembly.ssh_port or config.ssh_port)
    own_keys = (assembly.private_key,) if before is None else (before.private_key, assembly.private_key)
    access = replace(access, private_keys=(*access.private_keys, *own_keys))
    timeout_s = min(60.0, config.timeout_s) if resumes else config.timeout_s
    return Door(access, timeout_s, lambda: qemu.is_running, host_key=before.host_key if before is not None else "")


def _set_vnc_password(qemu: QemuProcess, assembly: Assembly) -> None:
    if assembly.vnc_password:
        with qemu.control() as qmp:
            qmp.execute("set_password", {"protocol": "vnc", "password": assembly.vnc_password})


def _type_boot_command(config: QemuConfig, context: Context, qemu: QemuProcess, assembly: Assembly) -> None:
    if config.boot_wait > 0 and (config.boot_command or config.boot_steps):
        say(context, f"Waiting {config.boot_wait:g}s for boot...")
        context.cancellation.wait(config.boot_wait)
    steps = config.boot_steps or ((("".join(config.boot_command),),) if config.boot_command else ())
    if not steps:
        return
    say(context, "Typing the boot command...")
    data = {"HTTPIP": "", "HTTPPort": "", **assembly.data, "SSHPublicKey": assembly.public_key}
    for text, *description in steps:
        if description:
            say(context, f"Typing boot step: {description[0]}")
        try:
            actions = parse(rendered(text, "boot_command", context, data))
        except ValueError as error:
            raise MachineError(
                Diagnostic(code="qemu.boot-command", what="boot_command cannot be typed", why=str(error))
            ) from error
        with qemu.control() as qmp:
            type_into(qmp, actions, config.boot_key_interval, config.boot_keygroup_interval, context.cancellation)


@contextmanager
def _watched(qemu: QemuProcess, assembly: Assembly, context: Context, place: MachinePlace) -> Iterator[None]:
    """Keep what a machine shows when the work with it fails; what QEMU says of its own end comes first."""
    try:
        yield
    except GoldsmithError as error:
        kept = _keep_signs(qemu, assembly, context, place.logs)
        try:
            qemu.check_alive()
        except MachineError as broken:
            raise MachineError(*broken.diagnostics, *error.diagnostics) from error
        told = Diagnostic(
            code="qemu.signs",
            what="what the machine showed is kept",
            why=", ".join(str(path) for path in kept),
            next="Look at its screen and its console.",
        )
        raise type(error)(*error.diagnostics, *([told] if kept else [])) from error


def _keep_signs(qemu: QemuProcess, assembly: Assembly, context: Context, logs: Path) -> list[Path]:
    logs.mkdir(parents=True, exist_ok=True)
    stem = f"{context.run_uuid[:8]}-{context.build}".replace("/", "_").replace(" ", "-")
    screen = logs / f"{stem}-screen.png"
    with suppress(MachineError, OSError):
        qemu.screendump(screen)
    kept = [screen] if screen.exists() else []
    for source, name in ((assembly.hardware.serial, "console.log"), (qemu.log, "qemu.log")):
        if source.exists() and source.stat().st_size:
            kept.append(logs / f"{stem}-{name}")
            shutil.copyfile(source, kept[-1])
    return kept


def _exported(
    config: QemuConfig, context: Context, assembly: Assembly, live: Sequence[LiveDisk], directory: Path
) -> Iterator[tuple[str, Path]]:
    hardware = assembly.hardware
    for number, (disk, now) in enumerate(zip(hardware.disks, live, strict=False)):
        kind = config.format if number == 0 else f"disk-{number}"
        target = directory / (kind if number == 0 else f"disk-{number}.{config.format}")
        command = ["qemu-img", "convert", *config.image_arguments.convert, "-O", config.format]
        if config.disk_compression and config.format == "qcow2":
            command.append("-c")
        if config.use_backing_file and number == 0:
            command += ["-B", str(assembly.image), "-F", assembly.image_format]
        run_tool([*command, "-f", disk.format, str(now.path), str(target)], cancellation=context.cancellation)
        yield kind, target
    if hardware.variables is not None and not config.efi_drop_efivars:
        target = directory / "efivars.fd"
        command = ["qemu-img", "convert", "-f", hardware.variables.format, "-O", "raw"]
        run_tool([*command, str(live[-1].path), str(target)], cancellation=context.cancellation)
        yield "efivars", target
