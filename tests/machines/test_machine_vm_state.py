"""States of a machine: kept while it runs, gone on from with the same memory and disks. Its BIOS is all that runs in it."""

from __future__ import annotations

import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.qemu_process import CONTROL, QemuProcess, started
from goldsmith.machines.vm_state import MEMORY, LiveDisk, go_on, keep_state, on_top_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed"),
]


@contextmanager
def machine(work: Path, disk: Path, *more: str) -> Iterator[QemuProcess]:
    work.mkdir(exist_ok=True)
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-display", "none", "-qmp"]
    command += [f"unix:{work / CONTROL},server=on,wait=off", "-drive", f"file={disk},if=virtio,format=qcow2", *more]
    with started(command, work, Journal(work / "journal")) as qemu:
        yield qemu


def monitor(qemu: QemuProcess, command: str) -> str:
    with qemu.control() as qmp:
        return str(qmp.execute("human-monitor-command", {"command-line": command}))


def write(qemu: QemuProcess, pattern: int, offset: str) -> None:
    monitor(qemu, f'qemu-io virtio0 "write -P {pattern} {offset} 64k"')
    # The emulator is killed in the end: what it has not written down by then would be lost.
    monitor(qemu, 'qemu-io virtio0 "flush"')


def holds(disk: Path, pattern: int, offset: str) -> bool:
    command = ["qemu-io", "-U", "-r", "-c", f"read -P {pattern} {offset} 64k", str(disk)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "image.qcow2", "64M"], check=True)
    on_top_of(tmp_path / "image.qcow2", "qcow2", tmp_path / "disk.qcow2")
    return tmp_path


def test_a_machine_goes_on_from_each_of_its_states(place: Path) -> None:
    first, second = place / "first", place / "second"
    first.mkdir()
    second.mkdir()
    disks = [LiveDisk(place / "disk.qcow2", "disk.qcow2")]
    with machine(place / "a", place / "disk.qcow2") as qemu:
        write(qemu, 1, "0")
        keep_state(qemu, disks, first, Cancellation())
        write(qemu, 2, "1M")
        keep_state(qemu, disks, second, Cancellation())
        write(qemu, 3, "2M")
        assert "running" in monitor(qemu, "info status")
    live = disks[0].path

    assert [holds(live, 1, "0"), holds(live, 2, "1M"), holds(live, 3, "2M")] == [True, True, True]
    assert [holds(first / "disk.qcow2", 1, "0"), holds(first / "disk.qcow2", 2, "1M")] == [True, False]
    assert [holds(second / "disk.qcow2", 2, "1M"), holds(second / "disk.qcow2", 3, "2M")] == [True, False]
    assert {stat.S_IMODE((first / name).stat().st_mode) for name in (MEMORY, "disk.qcow2")} == {0o600}
    for state in (first, second):
        on_top_of(state / "disk.qcow2", "qcow2", place / f"next-{state.name}.qcow2")
        work = place / state.name[0]
        with machine(work, place / f"next-{state.name}.qcow2", "-incoming", f"exec:cat {state / MEMORY}") as qemu:
            go_on(qemu, Cancellation())
            assert "running" in monitor(qemu, "info status")
            write(qemu, 4, "3M")
    assert not holds(second / "disk.qcow2", 4, "3M")


def test_the_memory_is_the_same(place: Path) -> None:
    (place / "state").mkdir()
    disks = [LiveDisk(place / "disk.qcow2", "disk.qcow2")]
    with machine(place / "a", place / "disk.qcow2") as qemu:
        time.sleep(1)
        keep_state(qemu, disks, place / "state", Cancellation())
        before = monitor(qemu, "xp /64xb 0xf0000") + monitor(qemu, "xp /64xb 0x400")
    on_top_of(place / "state/disk.qcow2", "qcow2", place / "next.qcow2")
    with machine(place / "b", place / "next.qcow2", "-incoming", f"exec:cat {place / 'state' / MEMORY}") as qemu:
        go_on(qemu, Cancellation())
        after = monitor(qemu, "xp /64xb 0xf0000") + monitor(qemu, "xp /64xb 0x400")

    assert before.split("\n")[:8] == after.split("\n")[:8]


def test_a_disk_that_cannot_be_kept_is_told_and_the_machine_goes_on(place: Path) -> None:
    (place / "state").mkdir()
    (place / "raw").write_bytes(bytes(1 << 20))
    with machine(place / "a", place / "disk.qcow2", "-drive", f"file={place / 'raw'},if=virtio,format=raw") as qemu:
        with pytest.raises(MachineError, match="no qcow2"):
            keep_state(qemu, [LiveDisk(place / "disk.qcow2", "disk.qcow2")], place / "state", Cancellation())

        assert "running" in monitor(qemu, "info status")
        assert not (place / "state" / MEMORY).exists()


def test_a_state_that_is_cut_short_is_no_machine(place: Path) -> None:
    (place / "state").mkdir()
    disks = [LiveDisk(place / "disk.qcow2", "disk.qcow2")]
    with machine(place / "a", place / "disk.qcow2") as qemu:
        keep_state(qemu, disks, place / "state", Cancellation())
    memory = place / "state" / MEMORY
    memory.write_bytes(memory.read_bytes()[:5000])
    on_top_of(place / "state/disk.qcow2", "qcow2", place / "next.qcow2")

    with (
        pytest.raises(MachineError),
        machine(place / "b", place / "next.qcow2", "-incoming", f"exec:cat {memory}") as qemu,
    ):
        go_on(qemu, Cancellation())


def test_disks_are_kept_without_memory_too(place: Path) -> None:
    (place / "state").mkdir()
    disks = [LiveDisk(place / "disk.qcow2", "disk.qcow2")]
    with machine(place / "a", place / "disk.qcow2") as qemu:
        write(qemu, 1, "0")
        assert keep_state(qemu, disks, place / "state", Cancellation(), with_memory=False) == ""
        write(qemu, 2, "1M")

    assert [path.name for path in (place / "state").iterdir()] == ["disk.qcow2"]
    assert [holds(place / "state/disk.qcow2", 1, "0"), holds(place / "state/disk.qcow2", 2, "1M")] == [True, False]
