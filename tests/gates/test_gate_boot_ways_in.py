"""Which way in an image has, and what it is offered."""

from __future__ import annotations

import io
from pathlib import Path

import pycdlib
import pytest

from goldsmith.gates.boot.ways_in import choose, systemd_version
from goldsmith.gates.contract import Declared, Subject
from goldsmith.machines.accelerator import Accelerator
from goldsmith.machines.qemu import DirectKernel, Firmware, VmSpec, command_line

KEY = "ssh-ed25519 AAAA"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("usr/sbin/sshd", "usr/bin/sudo", "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "etc/passwd"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n")
    return root


def subject(tree: Path, login: str = "root") -> Subject:
    return Subject(image="web", disk_digest="sha256:aa", tree=tree, disk=None, declared=Declared(login=login))


def name_of(tree: Path, login: str = "root", firmware: Firmware = "uefi") -> str:
    return choose(subject(tree, login), firmware, KEY, tree.parent).name


def test_a_new_systemd_is_given_credentials(tree: Path) -> None:
    way = choose(subject(tree), "uefi", KEY, tree.parent)

    assert way.name == "credentials"
    assert way.credentials == {"ssh.authorized_keys.root": KEY}
    assert systemd_version(tree) == 252


def test_another_login_gets_its_key_and_sudo_in_the_clone_only(tree: Path) -> None:
    extra = choose(subject(tree, "web"), "uefi", KEY, tree.parent).credentials["tmpfiles.extra"]

    assert f"f+ /home/web/.ssh/authorized_keys 0600 web web - {KEY}\n" in extra
    assert "f+ /etc/sudoers.d/zz-boot-gate 0440 root root - web ALL=(ALL) NOPASSWD:ALL\n" in extra


def test_cloud_init_is_given_a_seed_that_it_can_read(tree: Path) -> None:
    (tree / "usr/bin/cloud-init").touch()

    way = choose(subject(tree, "web"), "uefi", KEY, tree.parent)

    assert way.name == "NoCloud"
    assert way.seed is not None
    image = pycdlib.PyCdlib()
    image.open(str(way.seed))
    assert image.pvd.volume_identifier.strip() == b"cidata"
    content = io.BytesIO()
    image.get_file_from_iso_fp(content, joliet_path="/user-data")
    assert content.getvalue().startswith(b"#cloud-config\n")
    assert KEY.encode() in content.getvalue()
    image.close()


@pytest.mark.parametrize(
    ("missing", "login", "why"),
    [
        ("usr/sbin/sshd", "root", "it has no ssh server"),
        ("usr/bin/sudo", "web", "can do nothing as root without sudo"),
        ("etc/passwd", "web", 'it has no user "web"'),
    ],
)
def test_without_a_login_only_a_direct_kernel_can_be_asked(tree: Path, missing: str, login: str, why: str) -> None:
    (tree / missing).unlink()

    assert why in choose(subject(tree, login), "uefi", KEY, tree.parent).why
    assert name_of(tree, login) == "console"
    assert name_of(tree, login, "direct") == "command line"


def test_an_old_systemd_has_neither_credentials_nor_another_way_by_its_boot_loader(tree: Path) -> None:
    library = tree / "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"
    library.rename(library.with_name("libsystemd-shared-247.so"))

    assert name_of(tree) == "console"
    assert name_of(tree, firmware="direct") == "command line"


def test_users_of_the_host_are_not_taken_for_those_of_the_tree(tree: Path) -> None:
    (tree / "etc/passwd").unlink()
    (tree / "etc").rmdir()
    (tree / "etc").symlink_to("/etc")

    assert name_of(tree) == "console"


def test_only_a_kernel_from_the_disk_is_looked_for_by_the_firmware(tmp_path: Path) -> None:
    """QEMU gives a kernel that it loads itself the first place, and refuses a second one for it."""
    kernel = DirectKernel(kernel=tmp_path / "vmlinuz", initrd=tmp_path / "initrd", arguments="ro")
    kinds: tuple[tuple[Firmware, DirectKernel | None], ...] = (("bios", None), ("direct", kernel))
    for firmware, direct in kinds:
        spec = VmSpec(name="web", disk=tmp_path / "disk", disk_format="raw", firmware=firmware, direct=direct)
        command = command_line(spec, Accelerator("tcg", ""), tmp_path, control=tmp_path / "qmp", port=1)
        assert ("virtio-blk-pci,drive=root,bootindex=0" in command) == (direct is None)
        assert ("-kernel" in command) == (direct is not None)


def test_credentials_may_hold_anything_and_still_are_one_word_of_the_command(tmp_path: Path) -> None:
    spec = VmSpec(name="web", disk=tmp_path / "disk", disk_format="raw", firmware="bios", credentials={"a": "x,y\nz"})

    command = command_line(spec, Accelerator("tcg", ""), tmp_path, control=tmp_path / "qmp", port=1)

    assert "type=11,value=io.systemd.credential.binary:a=eCx5Cno=" in command
    given = next(word for word in command if word.startswith("name=opt/io.systemd.credentials/a,file="))
    assert Path(given.rpartition("file=")[2].replace(",,", ",")).read_text() == "x,y\nz"
