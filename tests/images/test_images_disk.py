"""Whole disks of a small tree: other programs find nothing wrong with them, and they come out the same again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from goldsmith.events import PhaseFinished, Progress, ResidueRemoved, Warned, ignore
from goldsmith.hcl.diagnostics import MachineError, Refused, UserError
from goldsmith.images import DiskConfig, LayerStore, file_digest, seal_tree
from goldsmith.images.compression import decompressor
from goldsmith.images.disk import parse_size
from goldsmith.images.ext4 import Ext4, write_ext4
from goldsmith.images.identifiers import identifiers
from goldsmith.images.tools import run_tool
from goldsmith.images.tree import scan
from goldsmith.machines.cancellation import Cancellation, Cancelled
from tests.images.image_workbench import EPOCH, Workbench, write

RAW = DiskConfig(formats=("raw",))


def run(*argv: str | Path) -> str:
    """The output of an oracle that must be content."""
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def partitions(raw: Path) -> list[dict[str, object]]:
    listed = json.loads(run("sfdisk", "-J", raw))["partitiontable"]["partitions"]
    assert isinstance(listed, list)
    return listed


def cut(raw: Path, number: int, target: Path) -> Path:
    """One partition as a file."""
    part = partitions(raw)[number]
    start, size = (int(str(part[key])) * 512 for key in ("start", "size"))
    options = ["bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse"]
    run("dd", f"if={raw}", f"of={target}", f"skip={start}", f"count={size}", *options)
    return target


def debugfs(root: Path, command: str) -> str:
    return run("debugfs", "-R", command, root)


def test_no_oracle_finds_a_fault_in_a_bootable_disk(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    image, _ = workbench.make(root_tree, DiskConfig(formats=("raw", "qcow2")))
    raw, qcow2 = image.files["raw"], image.files["qcow2"]

    assert "No problems found" in run("sgdisk", "-v", raw)
    assert "No errors detected" in run("sfdisk", "--verify", raw)
    assert [part["name"] for part in partitions(raw)] == ["bios", "esp", "root"]
    run("e2fsck", "-fn", cut(raw, 2, tmp_path / "root"))
    run("fsck.vfat", "-n", cut(raw, 1, tmp_path / "esp"))
    run("qemu-img", "check", qcow2)
    assert "identical" in run("qemu-img", "compare", raw, qcow2)
    assert raw.read_bytes()[510:512] == b"\x55\xaa"
    assert b"GRUB" in raw.read_bytes()[:440]


def test_the_esp_boots_the_kernel_of_the_tree(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    disk = DiskConfig(formats=("raw",), kernel_arguments="quiet console=ttyS1")
    image, _ = workbench.make(root_tree, disk)
    esp = cut(image.files["raw"], 1, tmp_path / "esp")

    uuid = str(partitions(image.files["raw"])[2]["uuid"]).lower()
    assert image.boot == {
        "kernel": "boot/vmlinuz-6.1.0-test",
        "initrd": "boot/initrd.img-6.1.0-test",
        "cmdline": f"root=PARTUUID={uuid} ro quiet console=ttyS1",
    }
    assert f"options {image.boot['cmdline']}" in run("mtype", "-i", esp, "::/loader/entries/linux.conf")
    assert "linux /vmlinuz" in run("mtype", "-i", esp, "::/loader/entries/linux.conf")
    assert run("mtype", "-i", esp, "::/vmlinuz") == "kernel " * 4000


def test_the_root_file_system_holds_the_tree(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    write(root_tree, {"usr/big": random.Random(1).randbytes(3_000_001), 'usr/a "quoted" name': "x", "usr/ü": "y"})
    os.link(root_tree / "usr/big", root_tree / "usr/second")
    os.chown(root_tree / "usr/ü", 70_000, 5)
    (root_tree / "usr/ü").chmod(0o4711)
    os.setxattr(root_tree / "usr/big", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    os.mknod(root_tree / "dev-null", 0o20666, os.makedev(1, 3))
    os.mkfifo(root_tree / "fifo")
    (root_tree / "long").symlink_to("t" * 200)
    image, tree = workbench.make(root_tree)
    root = cut(image.files["raw"], 2, tmp_path / "root")

    (tmp_path / "out").mkdir()
    run("debugfs", "-R", f"rdump / {tmp_path / 'out'}", root)
    shutil.rmtree(tmp_path / "out/lost+found")
    found = {entry.path: entry for entry in scan(tmp_path / "out")}
    wanted = {entry.path: entry for entry in scan(tree.path) if entry.kind not in ("device", "fifo")}

    assert set(found) == set(wanted)
    for path, entry in wanted.items():
        assert (found[path].kind, found[path].status.st_uid) == (entry.kind, entry.status.st_uid), path
        if entry.kind == "file":
            assert found[path].status.st_mode & 0o777 == entry.status.st_mode & 0o777, path
            assert Path(os.fsdecode(found[path].place)).read_bytes() == Path(os.fsdecode(entry.place)).read_bytes(), path
    assert (tmp_path / "out/long").readlink() == Path("t" * 200)
    assert "Links: 2" in debugfs(root, "stat /usr/second")
    assert "Mode:  04711" in debugfs(root, "stat /usr/ü")
    assert "security.capability" in debugfs(root, "ea_list /usr/big")
    assert "Type: character" in debugfs(root, "stat /dev-null")
    assert "Type: FIFO" in debugfs(root, "stat /fifo")


def test_no_time_in_the_root_file_system_is_another_than_declared(
    workbench: Workbench, root_tree: Path, tmp_path: Path
) -> None:
    os.utime(root_tree / "usr/sbin/sshd", (1_000, 1_000))
    image, _ = workbench.make(root_tree)
    root = cut(image.files["raw"], 2, tmp_path / "root")

    for path in ("/", "/lost+found", "/usr/bin", "/etc/passwd", "/bin", "/usr/sbin/sshd", "/etc/fstab"):
        told = [line.strip() for line in debugfs(root, f"stat {path}").splitlines() if "time: 0x" in line]
        stamps = {line.split(":", 1)[0]: line.split()[1] for line in told}
        expected = f"0x{EPOCH:08x}:00000000"
        assert stamps.pop("mtime") == ("0x000003e8:00000000" if path == "/usr/sbin/sshd" else expected), path
        assert set(stamps.values()) == {expected}, path


def test_the_same_layers_give_the_same_bytes_whatever_must_not_matter(
    workbench: Workbench, root_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(root_tree, tmp_path / "other-tree", symlinks=True)
    disk = DiskConfig(formats=("raw", "qcow2"))
    one, _ = workbench.make(root_tree, disk)

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("MTOOLSRC", str(tmp_path / "mtoolsrc"))
    (tmp_path / "elsewhere").mkdir()
    before = os.umask(0o077)
    try:
        other, _ = Workbench(LayerStore(tmp_path / "elsewhere/store"), tmp_path / "elsewhere").make(
            tmp_path / "other-tree", disk
        )
    finally:
        os.umask(before)

    assert other.layers == one.layers
    assert other.disk_digest == one.disk_digest
    assert other.file_digests == one.file_digests


def test_two_versions_share_no_identifier(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    shutil.copytree(root_tree, tmp_path / "other-tree", symlinks=True)
    write(tmp_path / "other-tree", {"etc/new": "x"})
    one, _ = workbench.make(root_tree)
    other, _ = workbench.make(tmp_path / "other-tree")

    ids = [{part["uuid"] for part in partitions(image.files["raw"])} for image in (one, other)]

    assert len(ids[0]) == 3
    assert not ids[0] & ids[1]
    assert identifiers("a", ["x"]) != identifiers("b", ["x"])


def test_sealing_removes_residue_and_says_so(workbench: Workbench, root_tree: Path) -> None:
    image, tree = workbench.make(root_tree)

    told = [(event.path, event.rule) for event in workbench.events if isinstance(event, ResidueRemoved)]
    assert tuple(told) == image.removed
    assert ("/root/.cache", "home-caches") in told
    assert ("/var/tmp/left", "temporary") in told
    assert (tree.path / "etc/machine-id").read_bytes() == b""
    assert (tree.path / "etc/hostname").read_text() == "localhost\n"
    assert (tree.path / "etc/resolv.conf").read_bytes() == b""
    assert not list((tree.path / "etc/ssh").iterdir())
    assert not (tree.path / "srv/ann/.bash_history").exists()
    phases = [event.phase for event in workbench.events if isinstance(event, PhaseFinished)]
    assert phases == ["seal", "write disk", "convert", "digest"]
    assert any(isinstance(event, Progress) for event in workbench.events)


def test_the_root_is_mounted_by_its_partition_and_declared_mounts_stay(workbench: Workbench, root_tree: Path) -> None:
    image, tree = workbench.make(root_tree)

    uuid = str(partitions(image.files["raw"])[2]["uuid"]).lower()
    assert (tree.path / "etc/fstab").read_text().splitlines() == [
        f"PARTUUID={uuid} / ext4 defaults,errors=remount-ro 0 1",
        "LABEL=data /data ext4 defaults 0 2",
    ]


def test_first_boot_units_are_enabled_and_verified_by_systemd(workbench: Workbench, root_tree: Path) -> None:
    _, tree = workbench.make(root_tree)
    wants = tree.path / "etc/systemd/system/multi-user.target.wants"

    assert sorted(path.name for path in wants.iterdir()) == ["goldsmith-grow.service", "goldsmith-hostkeys.service"]
    for path in wants.iterdir():
        assert (tree.path / str(path.readlink()).lstrip("/")).is_file()
    for script in ("hostkeys", "grow"):
        run("sh", "-n", tree.path / "usr/lib/goldsmith" / script)


def test_an_image_that_cannot_grow_says_so(workbench: Workbench, root_tree: Path) -> None:
    (root_tree / "usr/bin/systemd-repart").unlink()

    workbench.make(root_tree)

    assert any("will not grow" in event.text for event in workbench.events if isinstance(event, Warned))


def warnings_about_names(workbench: Workbench) -> list[str]:
    return [event.text for event in workbench.events if isinstance(event, Warned) and "no name will resolve" in event.text]


def test_the_builder_s_resolver_never_stays_and_an_image_without_any_is_warned_of(
    workbench: Workbench, root_tree: Path
) -> None:
    (root_tree / "etc/.resolv.conf.systemd-resolved.bak").write_text("nameserver 192.0.2.1\n")

    _, tree = workbench.make(root_tree)

    assert (tree.path / "etc/resolv.conf").read_bytes() == b""
    assert not (tree.path / "etc/.resolv.conf.systemd-resolved.bak").exists()
    assert len(warnings_about_names(workbench)) == 1


@pytest.mark.parametrize("before", ["a file", "nothing"])
def test_a_tree_with_systemd_resolved_takes_its_servers_from_it(workbench: Workbench, root_tree: Path, before: str) -> None:
    write(root_tree, {"usr/lib/systemd/systemd-resolved": "#!"})
    if before == "nothing":
        (root_tree / "etc/resolv.conf").unlink()

    _, tree = workbench.make(root_tree)

    assert str((tree.path / "etc/resolv.conf").readlink()) == "../run/systemd/resolve/stub-resolv.conf"
    assert warnings_about_names(workbench) == []


@pytest.mark.parametrize("resolved", [True, False])
def test_a_declared_link_to_a_resolver_stays(workbench: Workbench, root_tree: Path, resolved: bool) -> None:
    if resolved:
        write(root_tree, {"usr/lib/systemd/systemd-resolved": "#!"})
    (root_tree / "etc/resolv.conf").unlink()
    (root_tree / "etc/resolv.conf").symlink_to("/run/systemd/resolve/resolv.conf")

    image, tree = workbench.make(root_tree)

    assert str((tree.path / "etc/resolv.conf").readlink()) == "/run/systemd/resolve/resolv.conf"
    assert "resolver" not in {rule for _, rule in image.removed}
    assert warnings_about_names(workbench) == []


def test_a_program_that_writes_the_resolver_is_enough(workbench: Workbench, root_tree: Path) -> None:
    write(root_tree, {"usr/sbin/dhclient": "#!"})

    workbench.make(root_tree)

    assert warnings_about_names(workbench) == []


def test_the_layers_are_untouched_by_sealing(workbench: Workbench, store: LayerStore, root_tree: Path) -> None:
    image, _ = workbench.make(root_tree)

    assert store.verify(image.layers[0])


def test_the_sealed_tree_can_be_made_again_without_the_disk(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    image, first = workbench.make(root_tree)
    (tmp_path / "again").mkdir()
    again = seal_tree(
        [workbench.store.path(layer) for layer in image.layers],
        disk=RAW,
        name="test",
        epoch=EPOCH,
        work=tmp_path / "again",
        build="test",
        emit=ignore,
        cancellation=Cancellation(),
    )

    run("diff", "-r", "--no-dereference", first.path, again.path)


def test_a_disk_without_boot_has_one_partition(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(root_tree / "boot")

    image, tree = workbench.make(root_tree, DiskConfig(formats=("raw",), boot="none"))

    assert [part["name"] for part in partitions(image.files["raw"])] == ["root"]
    run("e2fsck", "-fn", cut(image.files["raw"], 0, tmp_path / "root"))
    assert image.boot == {}
    assert not (tree.path / "usr/lib/goldsmith").exists()


def test_a_declared_size_is_the_size_of_the_disk(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    image, _ = workbench.make(root_tree, DiskConfig(formats=("raw",), size="1G", vm_name="my vm"))

    raw = image.files["raw"]
    assert raw.name == "my-vm.raw"
    assert raw.stat().st_size == 1 << 30
    assert raw.stat().st_blocks * 512 < 200 << 20
    assert "No problems found" in run("sgdisk", "-v", raw)
    run("e2fsck", "-fn", cut(raw, 2, tmp_path / "root"))


def test_a_tree_that_is_larger_than_its_disk_is_told_with_its_largest_directories(
    workbench: Workbench, root_tree: Path
) -> None:
    write(root_tree, {"opt/huge/file": bytes(60 << 20)})

    with pytest.raises(UserError, match="are declared") as caught:
        workbench.make(root_tree, DiskConfig(formats=("raw",), size="180M"))

    assert "/opt/huge 60 MiB" in caught.value.diagnostics[0].why
    assert not list(workbench.directory.glob("work*/disk.raw"))


@pytest.mark.parametrize(
    ("remove", "add", "code"),
    [
        ("boot/vmlinuz-6.1.0-test", {}, "disk.no-kernel"),
        ("", {"boot/vmlinuz-6.1.1-test": "x"}, "disk.several-kernels"),
        ("boot/initrd.img-6.1.0-test", {}, "disk.no-initrd"),
        (
            "boot/initrd.img-6.1.0-test",
            {"boot/config-6.1.0-test": "CONFIG_EXT4_FS=m\nCONFIG_BLK_DEV_NVME=y\n"},
            "disk.no-initrd",
        ),
        ("sbin/init", {}, "disk.no-system"),
        ("etc/passwd", {}, "disk.no-system"),
    ],
)
def test_a_tree_that_cannot_boot_is_refused(
    remove: str, add: dict[str, str], code: str, workbench: Workbench, root_tree: Path
) -> None:
    if remove:
        (root_tree / remove).unlink()
    write(root_tree, add)

    with pytest.raises(UserError) as caught:
        workbench.make(root_tree)

    assert caught.value.diagnostics[0].code == code


def test_a_kernel_with_its_drivers_built_in_needs_no_initrd(workbench: Workbench, root_tree: Path) -> None:
    (root_tree / "boot/initrd.img-6.1.0-test").unlink()
    write(root_tree, {"boot/config-6.1.0-test": "CONFIG_EXT4_FS=y\nCONFIG_BLK_DEV_NVME=y\n"})

    image, _ = workbench.make(root_tree)

    assert set(image.boot) == {"kernel", "cmdline"}


def test_what_may_not_be_in_an_image_stops_it_with_every_finding(workbench: Workbench, root_tree: Path) -> None:
    write(root_tree, {"usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n", "usr/bin/x.dpkg-new": "x"})

    with pytest.raises(Refused) as caught:
        workbench.make(root_tree)

    assert [item.code for item in caught.value.diagnostics] == ["image.refused"] * 2


def test_a_name_with_a_line_end_is_refused(workbench: Workbench, root_tree: Path) -> None:
    write(root_tree, {"usr/one\ntwo": "x"})

    with pytest.raises(UserError, match="whose name holds a line end"):
        workbench.make(root_tree)


def test_a_file_system_that_runs_full_is_told_plainly(tmp_path: Path) -> None:
    write(tmp_path / "tree", {"big": random.Random(1).randbytes(40 << 20)})
    (tmp_path / "work").mkdir()
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(48 << 20)
    ids = identifiers("x", [])
    target = Ext4(
        disk=tmp_path / "disk",
        offset=1 << 20,
        size_bytes=30 << 20,
        uuid=ids.filesystem,
        hash_seed=ids.hash_seed,
        label="root",
        epoch=EPOCH,
    )

    with pytest.raises(MachineError) as caught:
        write_ext4(target, tmp_path / "tree", scan(tmp_path / "tree"), tmp_path / "work", Cancellation())

    assert caught.value.diagnostics[0].code == "disk.full"


def test_a_stop_ends_a_running_tool_soon() -> None:
    token = Cancellation()
    threading.Timer(0.3, token.request).start()

    with pytest.raises(Cancelled):
        run_tool(["sleep", "60"], cancellation=token)


def test_a_missing_tool_names_its_package() -> None:
    with pytest.raises(MachineError) as caught:
        run_tool(["mkfs.nothing"])

    assert caught.value.diagnostics[0].code == "tool.missing"
    assert "apt-get install" in caught.value.diagnostics[0].next


def test_many_hard_links_in_one_directory_do_not_overflow_it(workbench: Workbench, root_tree: Path, tmp_path: Path) -> None:
    (root_tree / "usr/links").mkdir()
    for number in range(300):
        os.link(root_tree / "etc/passwd", root_tree / "usr/links" / f"{number:03}{'n' * 100}")

    image, _ = workbench.make(root_tree)

    root = cut(image.files["raw"], 2, tmp_path / "root")
    run("e2fsck", "-fn", root)
    assert "Links: 301" in debugfs(root, "stat /etc/passwd")


@pytest.mark.parametrize(
    ("text", "size"), [("10G", 10 << 30), ("512M", 512 << 20), ("4096", 4 << 30), ("1TiB", 1 << 40), ("1500K", 2 << 20)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["ten", "1.5G", "-1G", "G", "10X"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a size"):
        parse_size(text)


def test_the_file_digest_is_what_sha256sum_says(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")

    assert file_digest(tmp_path / "x") == "sha256:" + run("sha256sum", tmp_path / "x").split()[0]


def test_a_tree_is_also_written_as_an_oci_image_with_the_same_bytes_each_time(
    workbench: Workbench, root_tree: Path, tmp_path: Path
) -> None:
    (root_tree / "opt").mkdir()
    (root_tree / "opt/link").symlink_to("target")
    config = DiskConfig(formats=("raw", "oci"), vm_name="my vm")

    image, tree = workbench.make(root_tree, config)
    again, _ = workbench.image(image.layers, config)

    assert image.file_digests["oci"] == again.file_digests["oci"]
    assert image.disk_digest == again.disk_digest
    with tarfile.open(image.files["oci"]) as archive:
        names = archive.getnames()
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
        manifest = json.load(archive.extractfile(blob(index["manifests"][0])) or io.BytesIO())
        settings = json.load(archive.extractfile(blob(manifest["config"])) or io.BytesIO())
        layer = archive.extractfile(blob(manifest["layers"][0]))
        assert layer is not None
        content = decompressor().decompress(layer.read())
    assert names == sorted(names[:-1]) + names[-1:]
    assert settings["architecture"] == "amd64"
    assert settings["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(content).hexdigest()]
    with tarfile.open(fileobj=io.BytesIO(content)) as found:
        assert found.getmember("opt/link").linkname == "target"
        assert "etc/ssh/ssh_host_rsa_key" not in found.getnames()
        assert set(found.getnames()) >= {str(path.relative_to(tree.path)) for path in tree.path.rglob("*")}


def blob(descriptor: dict[str, str]) -> str:
    return "blobs/" + descriptor["digest"].replace(":", "/")
