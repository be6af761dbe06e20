"""Layers, kernels, boot loaders and what Red Hat's images say of themselves."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from goldsmith.gates.inventory import read_inventory

RELEASE = "ID=debian\nVERSION_ID=12\n"
LAYERS = tuple(f"sha256:{digit * 64}" for digit in "123")


def record(name: str, version: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"


def tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def kernel(version: str) -> bytes:
    """The beginning of a bzImage: the offset of the text of its version stands at 20Eh."""
    head = bytearray(4096)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = struct.pack("<H", 0x400)
    text = f"{version} (builder@host) #1 SMP\0".encode()
    head[0x600 : 0x600 + len(text)] = text
    return bytes(head)


def test_each_package_is_of_the_layer_that_brought_its_version(tmp_path: Path) -> None:
    status = "var/lib/dpkg/status"
    base = record("a", "1") + record("b", "1") + record("c", "1")
    roots = [
        tree(tmp_path / "1", {"etc/os-release": RELEASE, status: base}),
        tree(tmp_path / "2", {"etc/motd": "hi"}),
        tree(tmp_path / "3", {status: base.replace(record("b", "1"), record("b", "2")) + record("d", "1")}),
    ]

    found = read_inventory(roots, LAYERS).packages

    assert {item.name: item.layer for item in found} == {"a": LAYERS[0], "b": LAYERS[2], "c": LAYERS[0], "d": LAYERS[2]}
    assert {item.layer for item in read_inventory(roots).packages} == {""}


def test_a_package_that_came_back_is_of_the_layer_where_it_came_back(tmp_path: Path) -> None:
    status = "var/lib/dpkg/status"
    roots = [
        tree(tmp_path / "1", {"etc/os-release": RELEASE, status: record("a", "1") + record("b", "1")}),
        tree(tmp_path / "2", {status: record("a", "1")}),
        tree(tmp_path / "3", {status: record("a", "1") + record("b", "1")}),
    ]

    assert {item.name: item.layer for item in read_inventory(roots, LAYERS).packages} == {"a": LAYERS[0], "b": LAYERS[2]}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_database_that_a_layer_deletes_is_gone(tmp_path: Path) -> None:
    one, two = "var/lib/dpkg/status.d/a", "var/lib/dpkg/status.d/b"
    roots = [
        tree(tmp_path / "1", {"etc/os-release": RELEASE, one: record("a", "1"), two: record("b", "1")}),
        tree(tmp_path / "2", {"var/lib/dpkg/status.d/c": record("c", "1")}),
    ]
    os.mknod(tmp_path / "2/var/lib/dpkg/status.d/a", 0o020000, os.makedev(0, 0))

    assert {item.name: item.layer for item in read_inventory(roots, LAYERS[:2]).packages} == {"b": LAYERS[0], "c": LAYERS[1]}


def test_a_kernel_is_a_component_unless_a_package_owns_it(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "etc/os-release": RELEASE,
            "var/lib/dpkg/status": record("linux-image-6.1.0-13-amd64", "6.1.55-1"),
            "var/lib/dpkg/info/linux-image-6.1.0-13-amd64.list": "/.\n/boot\n/boot/vmlinuz-6.1.0-13-amd64\n",
            "boot/vmlinuz-6.1.0-13-amd64": kernel("6.1.0-13-amd64"),
            "boot/vmlinuz-own": kernel("6.9.1-own"),
            "boot/vmlinuz-5.4.0-arm": b"no header",
            "usr/lib/modules/6.12.0/vmlinuz": b"none either",
            "boot/vmlinuz-silent": b"nothing",
            "boot/efi/EFI/systemd/systemd-bootx64.efi": b"MZ\0#### LoaderInfo: systemd-boot 252.6-1 ####\0",
            "boot/efi/EFI/debian/grubx64.efi": b"MZ\nsbat,1,SBAT Version,sbat,1,x\ngrub,3,FSF,grub,2.06,u\n",
            "boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ\nshim,3,UEFI shim,shim,1,u\nshim.debian,1,D,shim,15.8,u\n",
            "boot/efi/EFI/Linux/own.efi": b"MZ\0Linux version 6.6.7-uki (a@b) (gcc) #1 SMP\0 6.6.7-uki (a@b) #1 SMP\0",
        },
    )

    found = read_inventory([root])
    own = [(item.name, item.version, item.path) for item in found.packages if item.kind == "generic"]

    assert own == [
        ("grub", "2.06", "boot/efi/EFI/debian/grubx64.efi"),
        ("linux", "5.4.0-arm", "boot/vmlinuz-5.4.0-arm"),
        ("linux", "6.12.0", "usr/lib/modules/6.12.0/vmlinuz"),
        ("linux", "6.6.7-uki", "boot/efi/EFI/Linux/own.efi"),
        ("linux", "6.9.1-own", "boot/vmlinuz-own"),
        ("shim", "15.8", "boot/efi/EFI/BOOT/BOOTX64.EFI"),
        ("systemd-boot", "252.6-1", "boot/efi/EFI/systemd/systemd-bootx64.efi"),
    ]
    assert [(item.count, item.sample) for item in found.skipped] == [(1, ("boot/vmlinuz-silent",))]
    image = next(item for item in found.packages if item.kind == "deb")
    assert image.files == ("boot/vmlinuz-6.1.0-13-amd64",)


def test_an_image_of_red_hat_says_which_repositories_it_is_from(tmp_path: Path) -> None:
    dockerfile = (
        'FROM sha256:1\nENV X="y"\nLABEL com.redhat.component="ubi8-container" \\\n  name="ubi8" version="8.5"\n'
        'LABEL "architecture"="x86_64" \\\n      "vcs-type"="git"\n'
    )
    root = tree(
        tmp_path,
        {
            "etc/os-release": RELEASE,
            "var/lib/dpkg/status": record("a", "1"),
            "root/buildinfo/content_manifests/ubi8-container-8.5-214.json": '{"content_sets": ["rhel-8-b", "rhel-8-a"]}',
            "root/buildinfo/Dockerfile-ubi8-8.5-214": dockerfile,
        },
    )

    found = read_inventory([root])

    assert found.content_sets == ("rhel-8-a", "rhel-8-b")
    assert found.nvr == "ubi8-container-8.5-214-x86_64"
    (root / "root/buildinfo/content_manifests/ubi8-container-8.5-214.json").write_text('{"content_sets": 1}')
    assert "no list of content sets" in read_inventory([root]).faults[0]
