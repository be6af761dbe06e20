"""The state of a running machine, memory and disks, kept in files, and machines that go on from it.

A state is a directory: `memory` (QEMU's migration stream) and one qcow2 file for each disk, which holds what changed since the
state before and names that one's file as its backing file. A machine that goes on writes to new files on top of these. So
states are never written again, share what they have in common, and can be kept while the machine runs on.
"""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
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
_NEXT = ".next"
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class LiveDisk:
    """A file that a machine writes to, and the name of its file in a state."""

    path: Path
    name: str


def keep_state(qemu: QemuProcess, disks: Sequence[LiveDisk], directory: Path, cancellation: Cancellation) -> None:
    """Keep the state of a machine in a directory that exists and is empty; the machine pauses for it, and goes on.

    Each disk's file moves into the state, and a new one on top takes its place under the same name. Raises `MachineError`,
    `OSError` and `Cancelled`; the machine goes on all the same when it can.
    """
    with qemu.control(timeout_s=60) as qmp:
        qmp.execute("stop")
        try:
            nodes = _writable(qmp)
            if nodes.keys() != {str(disk.path) for disk in disks}:
                raise _cannot("it writes to other disks than those of its source", str(sorted(nodes)))
            for disk in disks:
                _set_aside(qmp, nodes[str(disk.path)], disk, directory)
            _write_memory(qmp, directory / MEMORY, cancellation)
        except BaseException:
            (directory / MEMORY).unlink(missing_ok=True)
            raise
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


def _set_aside(qmp: Qmp, node: Mapping[str, object], disk: LiveDisk, directory: Path) -> None:
    """Move a disk's file into the state. Its successor already names it by its later place."""
    next_file = disk.path.with_name(f".{disk.path.name}{_NEXT}")
    kept = directory / disk.name
    size = node["virtual-size"]
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", str(kept), "-F", "qcow2", str(next_file), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _cannot("a disk cannot be set aside", done.stderr)
    wanted = {"snapshot-file": str(next_file), "mode": "existing", "format": "qcow2"}
    names = {"node-name": node["node-name"], "snapshot-node-name": f"state-{secrets.token_hex(8)}"}
    qmp.execute("blockdev-snapshot-sync", {**names, **wanted})
    # QEMU holds both files open and looks at their names no more.
    disk.path.rename(kept)
    next_file.rename(disk.path)
    kept.chmod(0o600)


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
            found[_place(Path(inserted["file"]))] = {
                "node-name": inserted["node-name"],
                "virtual-size": inserted["image"]["virtual-size"],
            }
    return found


def _place(path: Path) -> str:
    """Where a file of QEMU's is now: what took a disk's place was made under another name, and QEMU goes on using that."""
    name = path.name
    return str(path.with_name(name[1 : -len(_NEXT)]) if name.startswith(".") and name.endswith(_NEXT) else path.resolve())


def _status(qmp: Qmp) -> str:
    answer = qmp.execute("query-status")
    assert isinstance(answer, Mapping)
    return str(answer["status"])


def _cannot(what: str, why: str) -> MachineError:
    return MachineError(
        Diagnostic(code="vm.state", what=f"the state of the machine cannot be kept: {what}", why=why.strip()[-400:])
    )
