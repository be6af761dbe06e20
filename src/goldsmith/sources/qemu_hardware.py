"""What a machine of `source "qemu"` is put together from for one run: disks, CDs, firmware, ports, servers beside it."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.components import Context, MachinePlace
from goldsmith.events import Warned
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.space import room_needed
from goldsmith.images.tools import run_tool
from goldsmith.machines.http_server import serving
from goldsmith.machines.qemu import OVMF_CODE, OVMF_VARS
from goldsmith.machines.qemu_process import free_port, need_program
from goldsmith.machines.swtpm import tpm
from goldsmith.machines.vm_state import MEMORY, LiveDisk, on_top_of
from goldsmith.scripts import rendered, say
from goldsmith.sources.attached_media import write_cd, write_floppy
from goldsmith.sources.qemu_command import Disk, Hardware, replaced
from goldsmith.sources.qemu_config import QemuConfig

HOST_SEEN_BY_GUEST = "10.0.2.2"
"""The address of this host in the network that QEMU makes for a machine."""
_FIRST_SCREEN = 5900
_VARIABLES = "efivars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A machine before QEMU starts."""

    work: Path
    hardware: Hardware
    image: Path
    image_format: str
    data: Mapping[str, str]
    """What boot commands and `qemuargs` may name in {{ }}."""
    generated: Mapping[str, str]
    live_disks: tuple[LiveDisk, ...]
    private_key: str = field(repr=False)
    public_key: str
    ssh_port: int
    vnc_password: str = field(repr=False, default="")


@contextmanager
def assembled(
    config: QemuConfig,
    context: Context,
    image: Path,
    accelerator: str,
    place: MachinePlace,
    keys: tuple[str, str],
    *,
    resumes: bool,
) -> Iterator[Assembly]:
    """Put a machine together in a directory of its own; it and its servers end with the block."""
    private_key, public_key = keys
    with ExitStack() as held:
        work = held.enter_context(place.journal.work_directory(context.cache / "work"))
        own = _Workbench(config, context, work, public_key)
        image_format = _format_of(image) if config.disk_image else "raw"
        with room_needed(work, "the machine's disks"):
            disks = own.disks(image, image_format, place.state)
            variables = own.variables(place.state) if config.boots_efi else None
            cds = [*([] if config.disk_image else [image]), *own.cd()]
            floppy = own.floppy()
        if "-drive" in replaced(config):
            held.enter_context(own.linked(disks, variables, place))
        web = held.enter_context(own.web())
        forwards = config.communicator != "none" and not config.net_bridge and not config.skip_nat_mapping
        ssh_port = _port_to_guest(config, context) if forwards else 0
        screen, password = own.screen()
        hardware = Hardware(
            name=config.name_in(context),
            accelerator=accelerator,
            disks=disks,
            cds=tuple(cds),
            floppy=floppy,
            variables=variables,
            code=Path(config.efi_firmware_code or OVMF_CODE) if config.boots_efi else None,
            tpm=held.enter_context(tpm(work / "tpm", place.journal, version_1=config.use_tpm1)) if config.vtpm else None,
            ssh_port=ssh_port,
            guest_port=config.port,
            vnc=screen,
            display=own.display(),
            control=work / "qmp.sock",
            serial=work / "console.log",
            memory=place.state / MEMORY if resumes and place.state is not None else None,
            from_cd=bool(cds) and not config.disk_image and place.state is None,
        )
        written = (*disks, *([variables] if variables else []))
        yield Assembly(
            work=work,
            hardware=hardware,
            image=image,
            image_format=image_format,
            data={**web, "Name": hardware.name, "OutputDir": config.directory_in(context), "SSHHostPort": str(ssh_port)},
            generated=_generated(web),
            live_disks=tuple(LiveDisk(disk.path, disk.path.name) for disk in written),
            private_key=private_key,
            public_key=public_key,
            ssh_port=ssh_port,
            vnc_password=password,
        )


class _Workbench:
    """Makes the parts of one machine in its work directory."""

    def __init__(self, config: QemuConfig, context: Context, work: Path, public_key: str) -> None:
        self.config, self.context, self.work, self.public_key = config, context, work, public_key

    def disks(self, image: Path, image_format: str, state: Path | None) -> tuple[Disk, ...]:
        """The disks: on top of a state, of the image, or empty ones; qcow2 unless the template attaches raw ones itself."""
        config = self.config
        format = config.format if "-drive" in replaced(config) else "qcow2"
        paths = [self.work / f"disk-{number}.{format}" for number in range(1 + len(config.disk_additional_size))]
        for number, path in enumerate(paths):
            if state is not None:
                on_top_of(state / path.name, "qcow2", path)
            elif number == 0 and config.disk_image:
                self._from_image(image, image_format, path, format)
            else:
                size = (config.disk_size, *config.disk_additional_size)[number]
                arguments = config.image_arguments.create
                self._run(["qemu-img", "create", *arguments, "-q", "-f", format, str(path), _size(size)])
        return tuple(Disk(path=path, format=format) for path in paths)

    def _from_image(self, image: Path, image_format: str, path: Path, format: str) -> None:
        if format == "qcow2":
            on_top_of(image.resolve(), image_format, path)
        else:
            self._run(["qemu-img", "convert", "-f", image_format, "-O", format, str(image), str(path)])
        if self.config.skip_resize_disk:
            return
        say(self.context, "Resizing hard drive...")
        arguments = self.config.image_arguments.resize
        self._run(["qemu-img", "resize", *arguments, "-q", "-f", format, str(path), _size(self.config.disk_size)])

    def variables(self, state: Path | None) -> Disk:
        """The firmware's variables: fresh ones, or those of a state. Of the format that allows to keep them."""
        format = "raw" if "-drive" in replaced(self.config) else "qcow2"
        path = self.work / f"{_VARIABLES}.{format}"
        original = Path(self.config.efi_firmware_vars or OVMF_VARS)
        need_program(str(original), "ovmf")
        if state is not None:
            on_top_of(state / path.name, "qcow2", path)
        else:
            self._run(["qemu-img", "convert", "-f", "raw", "-O", format, str(original), str(path)])
        return Disk(path=path, format=format)

    def cd(self) -> Iterator[Path]:
        """The CD of the template's files and texts."""
        config = self.config
        if config.cd_files or config.cd_content:
            say(self.context, "Creating CD disk...")
            path = self.work / "cd.iso"
            texts = {name: self._text("cd_content", text) for name, text in config.cd_content.items()}
            write_cd(path, config.cd_label, config.cd_files, texts, self.context.cwd)
            yield path

    def floppy(self) -> Path | None:
        """The floppy disk of the template's files and texts."""
        config = self.config
        if not (config.floppy_files or config.floppy_dirs or config.floppy_content):
            return None
        say(self.context, "Creating floppy disk...")
        path = self.work / "floppy.img"
        files = (*config.floppy_files, *config.floppy_dirs)
        write_floppy(path, config.floppy_label, files, config.floppy_content, self.context)
        return path

    @contextmanager
    def web(self) -> Iterator[Mapping[str, str]]:
        """The HTTP server, and what the machine is told of it; nothing without one."""
        config, context = self.config, self.context
        content: Path | Mapping[str, str]
        if config.http_directory:
            content = context.cwd / config.http_directory
        elif config.http_content:
            content = {name: self._text("http_content", text) for name, text in config.http_content.items()}
        else:
            yield {"HTTPIP": self._own_address(), "HTTPPort": "0", "HTTPDir": ""}
            return
        # QEMU's own network leads to the loopback: nobody else on the host's networks needs to see answer files.
        address = config.http_bind_address or ("0.0.0.0" if config.net_bridge else "127.0.0.1")
        with serving(content, address, (config.http_port_min, config.http_port_max), self._log) as port:
            say(context, f"Starting HTTP server on port {port}")
            yield {"HTTPIP": self._own_address(), "HTTPPort": str(port), "HTTPDir": config.http_directory}

    def screen(self) -> tuple[str, str]:
        """The VNC server as QEMU takes it, and its password; both empty without one."""
        config, context = self.config, self.context
        if config.disable_vnc:
            return "", ""
        address = config.vnc_bind_address
        say(context, f"Looking for available port between {config.vnc_port_min} and {config.vnc_port_max} on {address}")
        port = free_port(config.vnc_port_min, config.vnc_port_max, address)
        if port is None:
            raise _no_port("vnc_port", config.vnc_port_min, config.vnc_port_max)
        password = config.vnc_password or (secrets.token_hex(4) if config.vnc_use_password else "")
        if config.headless:
            secured = f"with the password: {password}" if password else "without a password"
            say(
                context, "The VM will be run headless, without a GUI. If you want to view the screen of the VM, connect via VNC"
            )
            say(context, f"{secured} to vnc://{address}:{port}")
        return f"{address}:{port - _FIRST_SCREEN}" + (",password=on" if password else ""), password

    def display(self) -> str:
        """QEMU's display: a window only where there is a screen to open it on."""
        config = self.config
        if config.use_default_display:
            return ""
        if config.headless:
            return "none"
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and config.display in ("", "gtk", "sdl"):
            text = "headless is not set, but there is no screen here: the machine runs without a window"
            self.context.emit(Warned(build=self.context.build, text=text, next="Set headless = true."))
            return "none"
        return config.display or "gtk"

    @contextmanager
    def linked(self, disks: tuple[Disk, ...], variables: Disk | None, place: MachinePlace) -> Iterator[None]:
        """Names of the disks in the output directory, where a template that attaches them itself looks for them."""
        directory = self.context.cwd / self.config.directory_in(self.context)
        name = self.config.name_in(self.context)
        links = {directory / (f"{name}-{number}" if number else name): disk.path for number, disk in enumerate(disks)}
        if variables is not None:
            links[directory / "efivars.fd"] = variables.path
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            for link, target in links.items():
                link.unlink(missing_ok=True)
                held.enter_context(place.journal.take("file", str(link)))
                link.symlink_to(target)
            yield
        if not any(directory.iterdir()):
            directory.rmdir()

    def _own_address(self) -> str:
        config = self.config
        if config.http_bind_address not in ("", "0.0.0.0", "127.0.0.1", "::"):
            return config.http_bind_address
        if not config.net_bridge:
            return HOST_SEEN_BY_GUEST
        return _address_of(config.http_interface or config.net_bridge)

    def _text(self, name: str, text: str) -> str:
        return rendered(text, name, self.context, {"SSHPublicKey": self.public_key})

    def _log(self, text: str) -> None:
        say(self.context, text)

    def _run(self, command: list[str]) -> None:
        run_tool(command, cancellation=self.context.cancellation)


def _format_of(image: Path) -> str:
    output = run_tool(["qemu-img", "info", "-U", "--output=json", str(image)])
    format = json.loads(output)["format"]
    assert isinstance(format, str)
    return format


def _size(text: str) -> str:
    """A size as qemu-img takes it: a plain number is MiB in a template, and bytes there."""
    return f"{text}M" if text.isdigit() else text.upper().removesuffix("B") if text[-1] in "bB" else text


def _port_to_guest(config: QemuConfig, context: Context) -> int:
    first, last = config.host_ports
    port = free_port(first + secrets.randbelow(last - first + 1), last) or free_port(first, last)
    if port is None:
        raise _no_port("host_port", first, last)
    say(context, f"Found port for communicator (SSH, WinRM, etc): {port}.")
    return port


def _no_port(name: str, first: int, last: int) -> MachineError:
    return MachineError(
        Diagnostic(
            code="qemu.no-port",
            what=f"every port from {first} to {last} is taken",
            next=f"Free one, or set {name}_min and {name}_max.",
        )
    )


def _generated(web: Mapping[str, str]) -> Mapping[str, str]:
    ip, port = web["HTTPIP"], web["HTTPPort"]
    return {"PackerHTTPIP": ip, "PackerHTTPPort": port, "PackerHTTPAddr": f"{ip}:{port}"}


def _address_of(interface: str) -> str:
    """The IPv4 address of an interface of this host. Raises `MachineError` when it has none."""
    import fcntl
    import struct

    siocgifaddr = 0x8915
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, siocgifaddr, struct.pack("256s", interface.encode()[:15]))
        except OSError as error:
            what = f'the interface "{interface}" has no address that a machine could reach'
            raise MachineError(Diagnostic(code="qemu.no-address", what=what, next="Set http_interface.")) from error
    return socket.inet_ntoa(answer[20:24])
