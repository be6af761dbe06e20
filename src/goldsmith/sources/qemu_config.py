"""The attributes of a `source "qemu"` block, and what may be written in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldsmith.components import Context, Duration, attribute, not_one_of
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.machines.accelerator import QEMU
from goldsmith.machines.boot_command import parse as parse_boot_command
from goldsmith.machines.qemu import OVMF_CODE, OVMF_VARS
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.sources.checksum import names_file
from goldsmith.sources.checksum import parse as parse_checksum
from goldsmith.sources.communicator import CommunicatorSettings

FORMATS = ("qcow2", "raw")
ACCELERATORS = ("kvm", "tcg", "xen", "hax", "hvf", "whpx", "none")
INTERFACES = ("ide", "sata", "scsi", "virtio", "virtio-scsi", "nvme", "sd", "mtd", "floppy", "pflash", "none")
CACHES = ("writethrough", "writeback", "none", "unsafe", "directsync")
DISCARDS = ("unmap", "ignore")
ZEROES = ("unmap", "on", "off")
KEYS = ("ed25519", "ecdsa", "rsa", "dsa")
_SIZE = re.compile(r"\d+[bkmgt]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuImgArgs:
    """A `qemu_img_args` block: words that are added to each call of qemu-img."""

    convert: tuple[str, ...] = attribute((), "For the conversion of the finished disk.")
    create: tuple[str, ...] = attribute((), "For the making of disks.")
    resize: tuple[str, ...] = attribute((), "For the resizing of a disk that is there already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuConfig(CommunicatorSettings):
    """Attributes of a `source "qemu"` block; names and defaults are Packer's."""

    iso_url: str = attribute("", "The image to start from, here or on a server.")
    iso_urls: tuple[str, ...] = attribute((), "Several addresses of it, tried in turn.")
    iso_checksum: str = attribute("", 'Its checksum: "sha256:…", bare digits, "file:…" with a path or URL, or "none".')
    iso_target_path: str = attribute("", "Where a download is put instead of the cache.", in_key=False)
    iso_target_extension: str = attribute("iso", "How its name ends.", in_key=False)
    iso_skip_cache: bool = attribute(False, "Accepted; a download is always kept.", in_key=False)
    disk_image: bool = attribute(False, "Whether the image is a disk to start from, and not an installer's CD.")
    use_backing_file: bool = attribute(False, "Whether the result holds only what differs from that disk.")
    disk_size: str = attribute("40960M", "The size of the disk; a plain number is MiB.")
    disk_additional_size: tuple[str, ...] = attribute((), "The sizes of further disks.")
    skip_resize_disk: bool = attribute(False, "Whether a disk image keeps its size.")
    disk_interface: str = attribute("virtio", f"How disks are attached: {', '.join(INTERFACES)}.")
    disk_cache: str = attribute("writeback", f"How writes reach the host: {', '.join(CACHES)}.")
    disk_discard: str = attribute("ignore", "Whether freed blocks are given back: unmap or ignore.")
    disk_detect_zeroes: str = attribute("off", "Whether written zeros become holes: unmap, on or off.")
    disk_compression: bool = attribute(False, "Whether the finished disk is compressed.", in_key=False)
    skip_compaction: bool = attribute(False, "Accepted; the finished disk is always written anew.", in_key=False)
    format: str = attribute("qcow2", "The format of the finished disk: qcow2 or raw.", in_key=False)
    qemu_img_args: QemuImgArgs | None = attribute(None, "Words to add to calls of qemu-img.")
    cdrom_interface: str = attribute("", "How CDs are attached; empty: as QEMU does.")
    floppy_files: tuple[str, ...] = attribute((), "Files of a floppy disk; patterns work.", names_file=False)
    floppy_dirs: tuple[str, ...] = attribute((), "Directories of the floppy disk.", names_file=True)
    floppy_content: Mapping[str, str] = attribute({}, "Texts of the floppy disk, by path.")
    floppy_label: str = attribute("packer", "Its name.")
    cd_files: tuple[str, ...] = attribute((), "Files and directories of a CD; patterns work.", names_file=False)
    cd_content: Mapping[str, str] = attribute({}, "Texts of the CD, by path.", rendered=False)
    cd_label: str = attribute("packer", 'Its name; cloud-init looks for "cidata".')
    http_directory: str = attribute("", "A directory that the machine can fetch from.", names_file=True)
    http_content: Mapping[str, str] = attribute({}, "Texts that it can fetch, by path.", rendered=False)
    http_port_min: int = attribute(8000, "The lowest port of that server.", in_key=False)
    http_port_max: int = attribute(9000, "The highest.", in_key=False)
    http_bind_address: str = attribute("", "The address it listens on; default: what only the machine reaches.", in_key=False)
    http_interface: str = attribute("", "The host's interface whose address a bridged machine is told.", in_key=False)
    http_network_protocol: str = attribute("tcp", "Accepted: tcp, tcp4 or tcp6.", in_key=False)
    boot_wait: Duration = attribute(Duration(10), "The wait before the boot command; negative for none.", in_key=False)
    boot_command: tuple[str, ...] = attribute((), "What is typed, with <keys> and <waits>.", rendered=False)
    boot_steps: tuple[tuple[str, ...], ...] = attribute((), "The same, each with a description.", rendered=False)
    boot_key_interval: Duration = attribute(Duration(0.1), "The time between two keys.", in_key=False)
    boot_keygroup_interval: Duration = attribute(Duration(0), "The time after each group of keys.", in_key=False)
    shutdown_command: str = attribute("", "What turns the machine off; default: the power button.", in_key=False)
    shutdown_timeout: Duration = attribute(Duration(300), "How long that may take.", in_key=False)
    accelerator: str = attribute("", f"One of {', '.join(ACCELERATORS)}; default: kvm where a probe finds that it works.")
    machine_type: str = attribute("pc", "The type of the machine.")
    cpu_model: str = attribute("", "Its processor.")
    cpus: int = attribute(1, "How many processors.")
    sockets: int = attribute(0, "How many sockets.")
    cores: int = attribute(0, "Cores of each socket.")
    threads: int = attribute(0, "Threads of each core.")
    memory: int = attribute(512, "Memory, MiB; fewer than 10 count as 512.")
    net_device: str = attribute("virtio-net", "The network card.")
    net_bridge: str = attribute("", "A bridge of the host to join, instead of a network of the machine's own.")
    skip_nat_mapping: bool = attribute(False, "Whether no port of the host leads to the machine.")
    host_port_min: int = attribute(2222, "The lowest port that may lead to the machine.", in_key=False)
    host_port_max: int = attribute(4444, "The highest.", in_key=False)
    ssh_host_port_min: int = attribute(0, "The old name of host_port_min.", in_key=False)
    ssh_host_port_max: int = attribute(0, "The old name of host_port_max.", in_key=False)
    efi_boot: bool = attribute(False, "Whether the machine boots by UEFI.")
    efi_firmware_code: str = attribute("", f"The firmware; default {OVMF_CODE}. Implies efi_boot.")
    efi_firmware_vars: str = attribute("", f"Its variables; default {OVMF_VARS}. Implies efi_boot.")
    efi_drop_efivars: bool = attribute(False, "Whether efivars.fd is left out of the result.", in_key=False)
    firmware: str = attribute("", "A BIOS file.")
    use_pflash: bool = attribute(False, "Whether that BIOS file is a flash device.")
    vtpm: bool = attribute(False, "Whether the machine has a TPM, by swtpm.")
    use_tpm1: bool = attribute(False, "Whether it is a TPM 1.2.")
    tpm_device_type: str = attribute("tpm-tis", "The TPM's device.")
    headless: bool = attribute(False, "Whether no window is opened.", in_key=False)
    display: str = attribute("", "QEMU's display; default gtk.", in_key=False)
    use_default_display: bool = attribute(False, "Whether QEMU chooses the display.", in_key=False)
    vga: str = attribute("", "The graphics card.")
    disable_vnc: bool = attribute(False, "Whether there is no VNC server.", in_key=False)
    vnc_bind_address: str = attribute("127.0.0.1", "The address of the VNC server.", in_key=False)
    vnc_port_min: int = attribute(5900, "Its lowest port.", in_key=False)
    vnc_port_max: int = attribute(6000, "Its highest.", in_key=False)
    vnc_use_password: bool = attribute(False, "Whether it asks for a password.", in_key=False)
    vnc_password: str = attribute("", "That password; default: one of chance.", in_key=False)
    qmp_enable: bool = attribute(False, "Accepted: QMP is always on.", in_key=False)
    qmp_socket_path: str = attribute("", "A further control socket of QEMU.", in_key=False)
    qemu_binary: str = attribute(QEMU, "The program.")
    qemuargs: tuple[tuple[str, ...], ...] = attribute(
        (), "Arguments of QEMU, which replace ours of the same name.", rendered=False
    )
    run_once: bool = attribute(False, "Accepted.", in_key=False)
    output_directory: str = attribute("", "Where the result is put; default: output- and the source's name.", in_key=False)
    vm_name: str = attribute("", "The name of the machine and its disk; default: packer- and the source's name.")

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the image."""
        return self.iso_urls or ((self.iso_url,) if self.iso_url else ())

    @property
    def boots_efi(self) -> bool:
        """Whether the machine boots by UEFI."""
        return bool(self.efi_boot or self.efi_firmware_code or self.efi_firmware_vars)

    @property
    def memory_mib(self) -> int:
        """The memory that the machine gets."""
        return self.memory if self.memory >= 10 else 512

    @property
    def host_ports(self) -> tuple[int, int]:
        """The range of ports of which one leads to the machine."""
        return self.ssh_host_port_min or self.host_port_min, self.ssh_host_port_max or self.host_port_max

    @property
    def image_arguments(self) -> QemuImgArgs:
        """Words for qemu-img."""
        return self.qemu_img_args or QemuImgArgs()

    def name_in(self, context: Context) -> str:
        """The name of the machine and of its disk."""
        return self.vm_name or f"packer-{context.name}"

    def directory_in(self, context: Context) -> str:
        """The output directory, as the template says it."""
        return self.output_directory or f"output-{context.name}"


def faults(config: QemuConfig) -> Iterator[Diagnostic]:
    """What is wrong with the settings; Packer's words where it has them."""
    yield from config.communicator_faults()
    yield from _image_faults(config)
    yield from _choice_faults(config)
    yield from _disk_faults(config)
    yield from _port_faults(config)
    yield from _boot_faults(config)


def _image_faults(config: QemuConfig) -> Iterator[Diagnostic]:
    if not config.urls:
        yield _fault("One of iso_url or iso_urls must be specified.", "Name the image to start from.")
    if config.iso_url and config.iso_urls:
        yield _fault("Only one of iso_url or iso_urls may be specified.", "Put all addresses into iso_urls.")
    text = config.iso_checksum
    if not text:
        yield _fault("A checksum must be specified", 'Write iso_checksum = "sha256:…", or "none" to take what comes.')
    elif text != "none" and UNKNOWN_TEXT not in text and not names_file(text):
        try:
            parse_checksum(text)
        except ValueError as error:
            yield _fault(f"iso_checksum is wrong: {error}", "Write for example sha256: and 64 hexadecimal digits.")


def _choice_faults(config: QemuConfig) -> Iterator[Diagnostic]:
    choices = {
        "accelerator": ("", *ACCELERATORS),
        "format": FORMATS,
        "disk_interface": INTERFACES,
        "disk_cache": CACHES,
        "disk_discard": DISCARDS,
        "disk_detect_zeroes": ZEROES,
        "temporary_key_pair_type": ("", *KEYS),
        "http_network_protocol": ("tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix"),
    }
    for name, allowed in choices.items():
        value = getattr(config, name)
        if value not in (*allowed, UNKNOWN_TEXT):
            yield not_one_of(name, value, tuple(filter(None, allowed)))


def _disk_faults(config: QemuConfig) -> Iterator[Diagnostic]:
    sizes = [("disk_size", config.disk_size), *(("disk_additional_size", size) for size in config.disk_additional_size)]
    for name, size in sizes:
        if not _SIZE.fullmatch(size) and UNKNOWN_TEXT not in size:
            yield _fault(f'{name} "{size}" is no size', "Write digits and one of b, k, m, g and t, such as 10G.")
    if config.use_backing_file and not (config.disk_image and config.format == "qcow2"):
        yield _fault(
            "use_backing_file can only be enabled for QCOW2 images and when disk_image is true", "Remove use_backing_file."
        )
    if config.skip_resize_disk and not config.disk_image:
        yield _fault("skip_resize_disk can only be used when disk_image is true", "Remove skip_resize_disk.")


def _port_faults(config: QemuConfig) -> Iterator[Diagnostic]:
    ranges = {
        "host_port": config.host_ports,
        "http_port": (config.http_port_min, config.http_port_max),
        "vnc_port": (config.vnc_port_min, config.vnc_port_max),
    }
    for name, (first, last) in ranges.items():
        if first > last:
            yield _fault(f"{name}_min must be less than {name}_max", f"They are {first} and {last}.")
        if not 0 < first <= 65535 or last > 65535:
            yield _fault(f"{name}_min and {name}_max must be ports", f"They are {first} and {last}.")
    if config.vnc_port_min < 5900:
        yield _fault("vnc_port_min cannot be below 5900", "QEMU counts its screens from there.")
    if config.http_directory and config.http_content:
        yield _fault(
            "http_content cannot be used in conjunction with http_directory",
            "Use the file function to serve a file's text with http_content.",
        )


def _boot_faults(config: QemuConfig) -> Iterator[Diagnostic]:
    if config.boot_command and config.boot_steps:
        yield _fault("boot_command and boot_steps cannot be used together", "Keep one of them.")
    if any(len(step) not in (1, 2) for step in config.boot_steps):
        yield _fault("each of boot_steps is a command and a description", 'Write ["<enter>", "starts the installer"].')
    if config.temporary_key_pair_type == "ecdsa" and config.temporary_key_pair_bits not in (0, 256, 384, 521):
        yield _fault("temporary_key_pair_bits of an ecdsa key is 256, 384 or 521", "Leave it out.")
    if any(not argument for argument in config.qemuargs):
        yield _fault("each of qemuargs begins with the name of an argument", 'Write for example ["-cpu", "max"].')
    if "{{" in "".join(config.boot_command):
        return
    try:
        parse_boot_command("".join(config.boot_command))
    except ValueError as error:
        yield _fault(f"boot_command cannot be typed: {error}", "Let the machine fetch such texts from http_content.")


def _fault(what: str, next: str) -> Diagnostic:
    return Diagnostic(code="qemu.settings", what=what, next=next)
