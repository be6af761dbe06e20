"""Which accelerator QEMU can really use here: an open /dev/kvm proves nothing, a kernel that boots does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

QEMU = "qemu-system-x86_64"
PROBE_SECONDS = 8.0
"""A kernel without a root file system panics after about 1 s under KVM; a hanging one never does."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What runs the guest's processor, and why not something faster."""

    name: Literal["kvm", "tcg"]
    reason: str


def probe_accelerator(kernel: Path, cache: Path) -> Accelerator:
    """KVM when `kernel` boots on it until it looks for its root, else TCG with the reason.

    The answer is kept in the directory `cache` for this boot of the host, this QEMU and this kernel.
    """
    refused = kvm_refused()
    if refused:
        return Accelerator("tcg", refused)
    remembered = cache / f"accelerator-{_identity(kernel)}.json"
    try:
        return Accelerator(**json.loads(remembered.read_bytes()))
    except (OSError, ValueError, TypeError):
        found = _boot(kernel)
    cache.mkdir(parents=True, exist_ok=True)
    remembered.write_text(json.dumps(asdict(found)))
    return found


def best_accelerator(cache: Path) -> Accelerator:
    """The same with a kernel of this host; without one, KVM is believed when nothing speaks against it."""
    kernels = sorted(Path("/boot").glob("vmlinu?-*"), key=lambda path: path.stat().st_mtime)
    if kernels and not kvm_refused():
        return probe_accelerator(kernels[-1], cache)
    refused = kvm_refused()
    return (
        Accelerator("tcg", refused) if refused else Accelerator("kvm", "/dev/kvm opens, and no kernel is here to try it with")
    )


def kvm_refused() -> str:
    """Why KVM cannot work here, as far as that shows without a kernel; empty when it may."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm cannot be opened"
    flags = Path("/proc/cpuinfo").read_text(errors="replace")
    if not any(f" {flag}" in flags for flag in ("vmx", "svm")):
        return "/dev/kvm opens, but the processor has neither vmx nor svm, and stock kernels hang on such hosts"
    return ""


def _boot(kernel: Path) -> Accelerator:
    with tempfile.NamedTemporaryFile() as serial:
        command = [QEMU, "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]
        command += ["-kernel", str(kernel), "-append", "console=ttyS0 panic=-1", "-serial", f"file:{serial.name}"]
        try:
            subprocess.run(command, timeout=PROBE_SECONDS, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            return Accelerator("tcg", f"a kernel did not come up on /dev/kvm within {PROBE_SECONDS:.0f} s")
        if b"Kernel panic" in Path(serial.name).read_bytes():
            return Accelerator("kvm", "a kernel booted on it")
    return Accelerator("tcg", "QEMU ended on /dev/kvm before a kernel came up")


def _identity(kernel: Path) -> str:
    qemu = Path(shutil.which(QEMU) or QEMU)
    parts = [Path("/proc/sys/kernel/random/boot_id").read_text(), str(qemu.stat().st_mtime_ns), str(kernel.stat().st_size)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
