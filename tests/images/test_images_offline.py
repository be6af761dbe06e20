"""Disks read without mounting them: the tree is as the file system says, or nothing is read."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images.offline import extract_root
from tests.images.image_workbench import facts, write

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mke2fs"), reason="needs root and mke2fs")


def file_system(tree: Path, place: Path, *options: str) -> Path:
    """A tree as e2fsprogs itself puts it into a file system."""
    disk = place / "disk.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", *options, "-d", tree, disk, "16M"], check=True)
    return disk


def extracted(disk: Path, place: Path) -> Path:
    work = place / "work"
    work.mkdir()
    return extract_root(disk, "raw", work)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    write(root, {"etc/os-release": "ID=debian\n", "usr/bin/su": "x", "usr/bin/ping": "y", "srv/a b\"c'": "z", "srv/d\te": ""})
    write(root, {f"srv/many/{number:04}-{'n' * 40}": str(number) for number in range(300)})
    return root


def test_modes_owners_devices_and_attributes_are_as_the_inodes_say(tree: Path, tmp_path: Path) -> None:
    os.setxattr(tree / "usr/bin/ping", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    os.mknod(tree / "srv/null", 0o020666, os.makedev(1, 3))
    os.mknod(tree / "srv/disk", 0o060660, os.makedev(259, 700))
    os.mkfifo(tree / "srv/pipe", 0o600)
    (tree / "srv/link").symlink_to("/etc/os-release")
    os.lchown(tree / "srv/link", 7, 8)
    os.chown(tree / "usr/bin/su", 0, 42)
    os.chown(tree / "srv/many", 4_000_000_000, 70_000)
    (tree / "usr/bin/su").chmod(0o6751)
    (tree / "srv/many").chmod(0o3770)
    (tree / "srv").chmod(0o1777)
    disk = file_system(tree, tmp_path)
    subprocess.run(["debugfs", "-w", "-R", "sif / mode 040711", disk], check=True, capture_output=True)

    found = extracted(disk, tmp_path)

    assert facts(found) == facts(tree)
    assert found.stat().st_mode == 0o040711


def test_links_to_one_file_are_files_of_the_same_kind(tree: Path, tmp_path: Path) -> None:
    (tree / "usr/bin/su").chmod(0o4755)
    (tree / "usr/bin/sudo").hardlink_to(tree / "usr/bin/su")

    found = extracted(file_system(tree, tmp_path), tmp_path)

    assert facts(found) == facts(tree)


@pytest.mark.parametrize(
    "name", ["a\nb", "a\n/12/100755/0/0/su/1/", "a\ndebugfs: ls -p <2>", "a\ndebugfs: ls -p <2>\n/12/100755/0/0/su/1/"]
)
def test_a_name_that_looks_like_other_names_hides_nothing(tree: Path, tmp_path: Path, name: str) -> None:
    place = tree / "usr/bin" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("x")

    with pytest.raises(MachineError) as caught:
        extracted(file_system(tree, tmp_path), tmp_path)

    assert caught.value.diagnostics[0].code == "disk.names"


def test_a_damaged_inode_is_no_image(tree: Path, tmp_path: Path) -> None:
    disk = file_system(tree, tmp_path, "-O", "metadata_csum")
    subprocess.run(["debugfs", "-w", "-R", "sif /srv/many mode 0", disk], check=True, capture_output=True)

    with pytest.raises(MachineError) as caught:
        extracted(disk, tmp_path)

    assert caught.value.diagnostics[0].code == "disk.damaged"
