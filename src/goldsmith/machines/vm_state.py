"""The state of a running machine, memory and disks, kept in files, and machines that go on from it.

A state is a directory: `memory` (QEMU's migration stream; without it, a machine boots from the disks) and one qcow2 file for
each disk, which holds what changed since the state before and names that one's file as its backing file. A machine that goes
on writes to new files on top of these. So states are never written again, share what they have in common, and can be kept
while the machine runs on.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.qemu_process import QemuProcess
from goldsmith.machines.qmp import Qmp

MEMORY = "memory"
_FASTEST = 1 << 40
"""Bytes a second: a state goes to a file, not through a network."""
_LONGEST_S = 600.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class LiveDisk:
    """A file that a machine writes to, and the name of its file in a state."""

    path: Path
    name: str


def keep_state(
    qemu: QemuProcess, disks: list[LiveDisk], directory: Path, cancellation: Cancellation, *, with_memory: bool = True
) -> str:
    """Keep the state of a machine in a directory that exists and is empty; the machine pauses for it, and goes on.

    Each disk's file becomes a part of the state, and the machine writes to a new one on top of it, which takes its place in
    `disks`. The directory must be on the file system of the disks. Returns why the memory could not be kept; empty when it
    was, or was not wanted. Raises `MachineError`, `OSError` and `Cancelled`; the machine goes on all the same when it can.
    """
    with qemu.control(timeout_s=60) as qmp:
        qmp.execute("stop")
        try:
            nodes = _writable(qmp)
            if nodes.keys() != {str(disk.path) for disk in disks}:
                raise _cannot("it writes to other disks than those of its source", str(sorted(nodes)))
            for number, disk in enumerate(disks):
                disks[number] = _set_aside(qmp, nodes[str(disk.path)], disk, directory)
            return _memory_kept(qmp, directory / MEMORY, cancellation) if with_memory else ""
        finally:
            qmp.execute("cont")


def go_on(qemu: QemuProcess, cancellation: Cancellation) -> None:
    """Wait until a machine that was started with a state has read it, and let it run. Raises `MachineError`."""
    with qemu.control(timeout_s=60) as qmp:
        until = time.monotonic() + _LONGEST_S
        while _status(qmp) == "inmigrate":
            cancellation.wait(_LOOK_S)
            if time.monotonic() > until or not qemu.is_running:
                raise _cannot("its state was not read", qemu.log.read_text(errors="replace"))
        qmp.execute("cont")


def on_top_of(below: Path, format: str, target: Path, *, opens: bool = True) -> None:
    """Make a qcow2 file that holds what changes on top of another. Without `opens`, that one need not be there yet.

    Raises `MachineError` with code `vm.disk`.
    """
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *([] if opens else ["-u"])]
    command += ["-b", str(below), "-F", format, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(Diagnostic(code="vm.disk", what=f'"{target.name}" cannot be made', why=done.stderr.strip()))


def _set_aside(qmp: Qmp, node: Mapping[str, object], disk: LiveDisk, directory: Path) -> LiveDisk:
    """Let the machine write to a new file on top of a disk's; the new one names the old by its place in the state.

    The old one keeps its name beside that: QEMU opens its files again by their names when it stops and goes on.
    """
    kept = directory / disk.name
    following = disk.path.with_name(f"{secrets.token_hex(4)}-{disk.name}")
    size = str(node["virtual-size"])
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", str(kept), "-F", "qcow2", str(following), size]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _cannot("a disk cannot be set aside", done.stderr)
    names = {"node-name": node["node-name"], "snapshot-node-name": f"state-{secrets.token_hex(8)}"}
    qmp.execute("blockdev-snapshot-sync", {**names, "snapshot-file": str(following), "mode": "existing", "format": "qcow2"})
    os.link(disk.path, kept)
    kept.chmod(0o600)
    return LiveDisk(following, disk.name)


def _memory_kept(qmp: Qmp, path: Path, cancellation: Cancellation) -> str:
    try:
        _write_memory(qmp, path, cancellation)
    except MachineError as error:
        path.unlink(missing_ok=True)
        return str(error)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return ""


def _write_memory(qmp: Qmp, path: Path, cancellation: Cancellation) -> None:
    path.touch(mode=0o600)
    qmp.execute("migrate-set-parameters", {"max-bandwidth": _FASTEST, "downtime-limit": 2_000_000})
    qmp.execute("migrate", {"uri": f"exec:cat > {shlex.quote(str(path))}"})
    until = time.monotonic() + _LONGEST_S
    while True:
        answer = qmp.execute("query-migrate")
        assert isinstance(answer, Mapping)
        if answer["status"] == "completed":
            return
        if answer["status"] in ("failed", "cancelled") or time.monotonic() > until:
            raise _cannot("its memory was not written", str(answer.get("error-desc", answer["status"])))
        if cancellation.requested:
            qmp.execute("migrate_cancel")
        cancellation.wait(_LOOK_S)


def _writable(qmp: Qmp) -> dict[str, dict[str, object]]:
    """The block devices that the machine writes to, by the file that is named for each."""
    answer = qmp.execute("query-block")
    assert isinstance(answer, list)
    found: dict[str, dict[str, object]] = {}
    for device in answer:
        inserted = device.get("inserted")
        if inserted and not inserted["ro"]:
            if inserted["drv"] != "qcow2":
                raise _cannot("one of its disks is no qcow2 file", json.dumps(inserted["file"]))
            found[_file_of(inserted["file"])] = {
                "node-name": inserted["node-name"],
                "virtual-size": inserted["image"]["virtual-size"],
            }
    return found


def _file_of(name: str) -> str:
    """The path of a block device's file. QEMU tells it as JSON when its backing file is not the one that it names itself."""
    described = json.loads(name.removeprefix("json:"))["file"]["filename"] if name.startswith("json:") else name
    return str(Path(described).resolve())


def _status(qmp: Qmp) -> str:
    answer = qmp.execute("query-status")
    assert isinstance(answer, Mapping)
    return str(answer["status"])


def _cannot(what: str, why: str) -> MachineError:
    return MachineError(
        Diagnostic(code="vm.state", what=f"the state of the machine cannot be kept: {what}", why=why.strip()[-400:])
    )
