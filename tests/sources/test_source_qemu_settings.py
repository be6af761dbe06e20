"""Source `qemu`: which settings are accepted, and which arguments of QEMU come of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context, Duration
from goldsmith.sources.qemu_command import Disk, Hardware, command_line
from goldsmith.sources.qemu_config import QemuConfig, faults
from goldsmith.template import load_options, read_plan

GOOD = QemuConfig(iso_url="disk.qcow2", iso_checksum="none", disk_image=True, ssh_username="root", headless=True)
HARDWARE = Hardware(
    name="vm",
    accelerator="tcg",
    disks=(Disk(path=Path("/w/disk-0.qcow2"), format="qcow2"),),
    control=Path("/w/qmp.sock"),
    serial=Path("/w/console.log"),
    ssh_port=2222,
    vnc="127.0.0.1:0",
    display="none",
)
EVERY_FIELD = """
source "qemu" "all" {
  http_directory = ""  http_content = {}  http_port_min = 8000  http_port_max = 9000  http_bind_address = ""
  http_interface = ""  http_network_protocol = "tcp"  iso_checksum = "none"  iso_url = "x"  iso_urls = []
  iso_target_path = ""  iso_target_extension = "iso"  boot_keygroup_interval = "0s"  boot_wait = "-1s"  boot_command = []
  disable_vnc = false  boot_key_interval = "10ms"  shutdown_command = ""  shutdown_timeout = "5m"  host_port_min = 2222
  host_port_max = 4444  skip_nat_mapping = false  ssh_host_port_min = 0  ssh_host_port_max = 0  floppy_files = []
  floppy_dirs = []  floppy_content = {}  floppy_label = ""  cd_files = []  cd_content = {}  cd_label = ""  cpus = 1
  sockets = 0  cores = 0  threads = 0  efi_boot = false  efi_firmware_code = ""  efi_firmware_vars = ""
  efi_drop_efivars = false  iso_skip_cache = false  accelerator = "tcg"  disk_additional_size = ["1G"]  firmware = ""
  use_pflash = false  disk_interface = "virtio"  disk_size = "40960M"  skip_resize_disk = false  disk_cache = "writeback"
  disk_discard = "ignore"  disk_detect_zeroes = "off"  skip_compaction = false  disk_compression = false  format = "qcow2"
  headless = true  disk_image = true  use_backing_file = false  machine_type = "pc"  memory = 512  net_device = "virtio-net"
  net_bridge = ""  output_directory = ""  qemuargs = [["-cpu", "max"]]  qemu_binary = "qemu-system-x86_64"
  qmp_enable = false  qmp_socket_path = ""  use_default_display = false  vga = ""  display = ""
  vnc_bind_address = "127.0.0.1"  vnc_use_password = false  vnc_password = ""  vnc_port_min = 5900  vnc_port_max = 6000
  vm_name = ""  cdrom_interface = ""  vtpm = false  use_tpm1 = false  tpm_device_type = ""  boot_steps = []
  cpu_model = ""  run_once = false  ssh_username = "root"
  qemu_img_args {
    convert = ["-o", "cluster_size=2M"]
    create  = []
    resize  = ["--shrink"]
  }
}
build {
  sources = ["qemu.all"]
}
"""


def words(config: QemuConfig, hardware: Hardware, context: Context) -> list[str]:
    data = {"Name": "vm", "OutputDir": "output-base", "HTTPIP": "10.0.2.2", "HTTPPort": "8123", "SSHHostPort": "2222"}
    command = [*command_line(config, hardware, context, data)]
    return command[command.index("--") + 1 :]


def values(command: list[str], name: str) -> list[str]:
    return [command[at + 1] for at, word in enumerate(command) if word == name]


@pytest.fixture
def context(new_context: Callable[..., Context]) -> Context:
    return new_context()


def test_every_attribute_of_packer_is_known(tmp_path: Path, context: Context) -> None:
    (tmp_path / "all.pkr.hcl").write_text(re.sub(r"(?<=\S)  (?=\w+ = )", "\n", EVERY_FIELD))
    plan = read_plan(tmp_path / "all.pkr.hcl", load_options(cwd=tmp_path))

    config = plan.builds[0].source.config(context)

    assert isinstance(config, QemuConfig)
    assert config.boot_wait == Duration(-1)
    assert config.qemuargs == (("-cpu", "max"),)
    assert config.image_arguments.resize == ("--shrink",)
    assert [*faults(config)] == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"iso_url": ""}, "One of iso_url or iso_urls must be specified."),
        ({"iso_urls": ("a",)}, "Only one of iso_url or iso_urls may be specified."),
        ({"iso_checksum": ""}, "A checksum must be specified"),
        ({"iso_checksum": "sha256:12"}, "iso_checksum is wrong"),
        ({"format": "vmdk"}, '"vmdk" is no value of "format"'),
        ({"accelerator": "fast"}, '"fast" is no value of "accelerator"'),
        ({"disk_interface": "usb"}, '"usb" is no value of "disk_interface"'),
        ({"disk_cache": "x"}, '"x" is no value of "disk_cache"'),
        ({"disk_size": "10 G"}, 'disk_size "10 G" is no size'),
        ({"disk_additional_size": ("x",)}, 'disk_additional_size "x" is no size'),
        ({"use_backing_file": True, "format": "raw"}, "use_backing_file can only be enabled for QCOW2 images"),
        ({"skip_resize_disk": True, "disk_image": False}, "skip_resize_disk can only be used when disk_image is true"),
        ({"host_port_min": 5000}, "host_port_min must be less than host_port_max"),
        ({"http_port_max": 99999}, "http_port_min and http_port_max must be ports"),
        ({"vnc_port_min": 5000}, "vnc_port_min cannot be below 5900"),
        (
            {"http_directory": "x", "http_content": {"/a": "b"}},
            "http_content cannot be used in conjunction with http_directory",
        ),
        ({"boot_command": ("a",), "boot_steps": (("b",),)}, "boot_command and boot_steps cannot be used together"),
        ({"boot_command": ("ö",)}, "boot_command cannot be typed"),
        ({"ssh_username": ""}, "An ssh_username must be specified"),
    ],
)
def test_a_wrong_setting_is_told(changes: dict[str, object], told: str) -> None:
    assert any(told in fault.what for fault in faults(replace(GOOD, **changes)))  # type: ignore[arg-type]  # of the right types


def test_good_settings_have_no_faults() -> None:
    assert [*faults(GOOD)] == []
    assert [*faults(replace(GOOD, iso_checksum="file:http://host/SUMS", disk_size="40960"))] == []


def test_the_arguments_are_those_of_packer(context: Context) -> None:
    command = words(GOOD, HARDWARE, context)

    assert command[0] == "qemu-system-x86_64"
    assert values(command, "-name") == ["vm"]
    assert values(command, "-machine") == ["type=pc"]
    assert values(command, "-m") == ["512M"]
    assert values(command, "-boot") == ["c"]
    assert values(command, "-netdev") == ["user,id=user.0,hostfwd=tcp:127.0.0.1:2222-:22"]
    assert values(command, "-drive") == ["file=/w/disk-0.qcow2,if=virtio,cache=writeback,discard=ignore,format=qcow2"]
    assert values(command, "-device")[0].startswith("virtio-net,netdev=user.0")
    assert values(command, "-vnc") == ["127.0.0.1:0"]


def test_an_installer_boots_from_its_cd_once(context: Context) -> None:
    command = words(replace(GOOD, disk_image=False), replace(HARDWARE, cds=(Path("/i.iso"),), from_cd=True), context)

    assert values(command, "-boot") == ["once=d"]
    assert values(command, "-drive")[1] == "file=/i.iso,media=cdrom,readonly=on"


def test_an_argument_of_the_template_replaces_all_of_its_name(context: Context) -> None:
    arguments = (("-m", "2048M"), ("-drive", "file=a"), ("-drive", "file=", "b"), ("-usb",))
    command = words(replace(GOOD, qemuargs=arguments), HARDWARE, context)

    assert values(command, "-m") == ["2048M"]
    assert values(command, "-drive") == ["file=a", "file=b"]
    assert "-usb" in command


def test_devices_of_the_template_keep_a_network_card(context: Context) -> None:
    without = words(replace(GOOD, qemuargs=(("-device", "usb-tablet"),)), HARDWARE, context)
    own = words(replace(GOOD, qemuargs=(("-device", "virtio-net,netdev=user.0,mac=1"),)), HARDWARE, context)

    assert [value.split(",")[0] for value in values(without, "-device")] == ["usb-tablet", "virtio-net"]
    assert values(own, "-device") == ["virtio-net,netdev=user.0,mac=1"]


def test_arguments_of_the_template_name_what_the_build_knows(context: Context) -> None:
    text = "path={{ .OutputDir }}/{{ .Name }},url=http://{{ .HTTPIP }}:{{ .HTTPPort }}/,port={{ .SSHHostPort }}"
    command = words(replace(GOOD, qemuargs=(("-fw_cfg", text),)), HARDWARE, context)

    assert values(command, "-fw_cfg") == ["path=output-base/vm,url=http://10.0.2.2:8123/,port=2222"]


def test_without_kvm_the_template_s_wish_for_it_is_left_out(context: Context) -> None:
    wishes = (("-enable-kvm",), ("-cpu", "host,+x"), ("-machine", "type=q35,accel=kvm"))
    command = words(replace(GOOD, qemuargs=wishes), HARDWARE, context)

    assert "-enable-kvm" not in command
    assert values(command, "-cpu") == ["max,+x"]
    assert values(command, "-machine") == ["type=q35,accel=tcg"]
    assert values(command, "-accel") == []


@pytest.mark.parametrize("interface", ["ide", "virtio", "virtio-scsi", "nvme"])
def test_each_disk_is_attached(interface: str, context: Context) -> None:
    disks = tuple(Disk(path=Path(f"/w/disk,{number}"), format="qcow2") for number in range(3))
    command = words(replace(GOOD, disk_interface=interface), replace(HARDWARE, disks=disks), context)

    assert [f"file=/w/disk,,{number}" in value for number, value in enumerate(values(command, "-drive"))] == [True] * 3


def test_uefi_has_a_firmware_and_variables_of_its_own(context: Context) -> None:
    variables = Disk(path=Path("/w/vars.qcow2"), format="qcow2")
    hardware = replace(HARDWARE, code=Path("/OVMF_CODE.fd"), variables=variables)
    command = words(replace(GOOD, efi_boot=True), hardware, context)

    assert values(command, "-drive")[1:] == [
        "file=/OVMF_CODE.fd,if=pflash,unit=0,format=raw,readonly=on",
        "file=/w/vars.qcow2,if=pflash,unit=1,format=qcow2",
    ]
    assert values(command, "-boot") == []


def test_the_order_of_arguments_never_changes(context: Context) -> None:
    assert words(GOOD, HARDWARE, context) == words(GOOD, HARDWARE, context)
