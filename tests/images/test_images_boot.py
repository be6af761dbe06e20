"""Real disks of a real Debian, booted by BIOS and by UEFI: they reach their login, grow, and each gets its own identity."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.images import DiskConfig, LayerStore, SealedImage
from tests.images.image_workbench import EPOCH, Workbench

pytestmark = pytest.mark.slow

PACKAGES = (
    "linux-image-cloud-amd64,systemd-sysv,openssh-server,udev,dbus,iproute2,initramfs-tools,ca-certificates,fdisk,ssl-cert"
)
OVMF = Path("/usr/share/OVMF")
WITHIN_S = 400
GROWN_BYTES = 3 << 30


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SealedImage]]:
    """The sealed disks of a real root tree, and of a layer on it without systemd-repart, as Debian 13 is installed.

    The first is made twice: the bytes must be the same.
    """
    for program in ("mmdebstrap", "qemu-system-x86_64"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    directory = tmp_path_factory.mktemp("boot")
    sources = [
        path for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")) if path.is_file()
    ]
    tree = directory / "tree"
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", tree, *sources[:1]],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    if made.returncode:
        pytest.skip(f"no Debian archive is reachable: {made.stderr.strip()[-300:]}")
    workbench = Workbench(LayerStore(directory / "store"), directory)
    image, _ = workbench.make(tree, DiskConfig(formats=("qcow2",)), "reference")
    again, _ = workbench.image(image.layers, DiskConfig(formats=("qcow2",)), "reference")
    assert (again.disk_digest, again.file_digests) == (image.disk_digest, image.file_digests)
    (directory / "upper/usr/bin").mkdir(parents=True)
    os.mknod(directory / "upper/usr/bin/systemd-repart", stat.S_IFCHR)
    layer = workbench.store.adopt(directory / "upper", [workbench.store.path(image.layers[0])], EPOCH)
    second, _ = workbench.image((*image.layers, layer.diff_id), DiskConfig(formats=("qcow2",)), "reference")
    yield {"bios": image, "uefi": second}
    shutil.rmtree(directory)


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_a_disk_boots_grows_and_gets_its_own_identity(firmware: str, disks: dict[str, SealedImage], tmp_path: Path) -> None:
    if firmware == "uefi" and not (OVMF / "OVMF_CODE_4M.fd").is_file():
        pytest.skip("ovmf is not installed")

    console = boot_and_power_off(disks[firmware].files["qcow2"], firmware, tmp_path)

    assert "localhost login:" in console
    assert "FAILED" not in console
    root = root_of_clone(tmp_path)
    keys = debugfs(root, "ls -p /etc/ssh")
    assert "ssh_host_ed25519_key/" in keys
    assert "ssh_host_ecdsa_key/" in keys
    assert "ssl-cert-snakeoil.key/" in debugfs(root, "ls -p /etc/ssl/private")
    assert len(debugfs(root, "cat /etc/machine-id").strip()) == 32
    blocks = next(line for line in debugfs(root, "show_super_stats -h").splitlines() if line.startswith("Block count:"))
    assert int(blocks.split()[-1]) * 4096 > GROWN_BYTES - (200 << 20)
    subprocess.run(["e2fsck", "-fn", root], check=True, capture_output=True)


def test_two_clones_have_nothing_of_their_identity_in_common(disks: dict[str, SealedImage], tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        directory = tmp_path / name
        directory.mkdir()
        boot_and_power_off(disks["bios"].files["qcow2"], "bios", directory)
        root = root_of_clone(directory)
        paths = (
            "/etc/machine-id",
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "/etc/ssh/ssh_host_ecdsa_key.pub",
            "/etc/ssl/certs/ssl-cert-snakeoil.pem",
        )
        found.append({debugfs(root, f"cat {path}") for path in paths})
        for path in directory.iterdir():
            path.unlink()

    assert len(found[0]) == len(found[1]) == 4
    assert not found[0] & found[1]


def boot_and_power_off(image: Path, firmware: str, directory: Path) -> str:
    """Boot a larger overlay of a disk until it is up, press the power button; returns the console's text."""
    clone, serial, monitor = directory / "clone.qcow2", directory / "serial", directory / "monitor"
    backing = ["-b", str(image), "-F", "qcow2"]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(clone), str(GROWN_BYTES)], check=True)
    argv = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "1024"]
    argv += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{serial}", "-device", "virtio-rng-pci"]
    argv += ["-drive", f"if=none,id=disk,file={clone},cache=unsafe", "-device", "virtio-blk-pci,drive=disk,bootindex=0"]
    argv += ["-monitor", f"unix:{monitor},server=on,wait=off"]
    if firmware == "uefi":
        shutil.copyfile(OVMF / "OVMF_VARS_4M.fd", directory / "vars")
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}"]
        argv += ["-drive", f"if=pflash,format=raw,file={directory / 'vars'}"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            for text in ("login:", "Multi-User System"):
                wait_for(text, serial, process)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(monitor))
                connection.sendall(b"system_powerdown\n")
                process.wait(WITHIN_S)
        finally:
            process.kill()
    return serial.read_text(errors="replace")


def wait_for(text: str, serial: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if serial.exists() and text in serial.read_text(errors="replace"):
            return
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.5)
    pytest.fail(
        f"{text} did not appear within {WITHIN_S} s; the console ends with:\n{serial.read_text(errors='replace')[-2000:]}"
    )


def root_of_clone(directory: Path) -> Path:
    """The root partition of a clone, as a file."""
    raw, root = directory / "clone.raw", directory / "root"
    subprocess.run(["qemu-img", "convert", "-O", "raw", directory / "clone.qcow2", raw], check=True)
    listed = json.loads(subprocess.run(["sfdisk", "-J", raw], check=True, capture_output=True).stdout)
    part = listed["partitiontable"]["partitions"][2]
    options = ["bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse", "status=none"]
    subprocess.run(
        ["dd", f"if={raw}", f"of={root}", f"skip={part['start'] * 512}", f"count={part['size'] * 512}", *options], check=True
    )
    raw.unlink()
    return root


def debugfs(root: Path, command: str) -> str:
    return subprocess.run(["debugfs", "-R", command, root], check=True, capture_output=True, text=True).stdout
