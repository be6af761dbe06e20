"""A TPM for a machine: the program swtpm beside QEMU, with a state of its own that ends with it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.qemu_process import need_program

_READY_S = 10.0


@contextmanager
def tpm(directory: Path, journal: Journal, *, version_1: bool = False) -> Iterator[Path]:
    """The socket of a fresh TPM 2.0, or 1.2, whose state is in a new directory. Raises `MachineError`."""
    need_program("swtpm", "swtpm swtpm-tools")
    directory.mkdir()
    socket = directory / "ctrl.sock"
    command = ["setpriv", "--pdeathsig", "KILL", "--", "swtpm", "socket", "--tpmstate", f"dir={directory}"]
    command += ["--ctrl", f"type=unixio,path={socket}", *([] if version_1 else ["--tpm2"])]
    log = directory / "swtpm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    with journal.take("process", process_handle(process.pid)):
        try:
            until = time.monotonic() + _READY_S
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > until:
                    why = log.read_text(errors="replace").strip()[-400:]
                    raise MachineError(Diagnostic(code="vm.tpm", what="the TPM of the machine did not start", why=why))
                time.sleep(0.02)
            yield socket
        finally:
            process.kill()
            process.wait()
