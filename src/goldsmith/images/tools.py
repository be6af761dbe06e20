"""The outside programs that images are made with: finding them, running them in a fixed environment, naming their versions."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGES: Mapping[str, str] = {
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "mmd": "mtools",
    "grub-mkimage": "grub-common",
    "qemu-img": "qemu-utils",
    "setpriv": "util-linux",
}
"""The Debian package of each program."""

FILES: Mapping[str, str] = {
    "/usr/lib/systemd/boot/efi/systemd-bootx64.efi": "systemd-boot-efi",
    "/usr/lib/grub/i386-pc/boot.img": "grub-pc-bin",
}
"""The Debian package of each file that is put on a disk as it is."""


def tool(name: str) -> str:
    """The full path of a program. Raises `MachineError` with code `tool.missing` and the package that has it."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise MachineError(_missing(name, PACKAGES.get(name, name)))
    return found


def tool_file(path: str) -> Path:
    """A file of a tool's package. Raises `MachineError` with code `tool.missing` like `tool`."""
    if not Path(path).is_file():
        raise MachineError(_missing(path, FILES[path]))
    return Path(path)


def run_tool(
    argv: Sequence[str],
    *,
    epoch: int = 0,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    errors: Path | None = None,
    cancellation: Cancellation | None = None,
) -> bytes:
    """Run a program in a fixed environment and return what it wrote to standard output; standard error goes to `errors`.

    Raises `MachineError` with code `tool.missing`, `disk.full` or `tool.failed` (with the last lines that it wrote to
    standard error), and `Cancelled` after the program was ended.
    """
    # The program ends with the thread that started it, whatever ends that: nothing is left to write into a dead build.
    command = [tool("setpriv"), "--pdeathsig", "KILL", "--", tool(argv[0]), *argv[1:]]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(epoch) | dict(env or {}),
        start_new_session=True,
    ) as process:
        try:
            output, told = _communicate(process, stdin, cancellation)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise MachineError(_failed(argv, process.returncode, told.decode(errors="replace")))
    if errors is not None:
        errors.write_bytes(told)
    return output


@functools.cache
def versions(hybrid: bool) -> Mapping[str, str]:
    """The versions of the tools whose code or files decide the bytes of a disk."""
    found = {
        "e2fsprogs": _version(["mke2fs", "-V"], r"mke2fs (\S+)"),
        "qemu-img": _version(["qemu-img", "--version"], r"version (\S+)"),
    }
    if hybrid:
        found |= {
            "dosfstools": _version(["mkfs.vfat", "--help"], r"mkfs\.fat (\S+)"),
            "mtools": _version(["mcopy", "--version"], r"mtools\) ([\d.]+)"),
            "grub": _version(["grub-mkimage", "--version"], r"\) (\S+)"),
            "systemd-boot": _boot_loader_version(),
        }
    return found


def _environment(epoch: int) -> dict[str, str]:
    return {
        "PATH": SEARCH_PATH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(epoch),
        "E2FSPROGS_FAKE_TIME": str(epoch),
        "MTOOLSRC": "/dev/null",
        "MTOOLS_SKIP_CHECK": "1",
        "DEBUGFS_PAGER": "cat",
    }


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, cancellation: Cancellation | None) -> tuple[bytes, bytes]:
    given: bytes | None = stdin
    while True:
        try:
            return process.communicate(given, timeout=0.2)
        except subprocess.TimeoutExpired:
            given = None
            if cancellation is not None:
                cancellation.check()


def _missing(name: str, package: str) -> Diagnostic:
    return Diagnostic(
        code="tool.missing",
        what=f'"{name}" is not installed',
        why="disks are written with it",
        next=f"apt-get install --no-install-recommends {package}",
    )


def _failed(argv: Sequence[str], code: int, errors: str) -> Diagnostic:
    told = "\n".join(errors.strip().splitlines()[-8:])
    if re.search(r"No space left on device|Disk full|disk full", told):
        return Diagnostic(
            code="disk.full",
            what=f'"{argv[0]}" ran out of space',
            why=told,
            next="Free space on the file system of the build's work directory, or give the disk a larger size.",
        )
    ending = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
    return Diagnostic(code="tool.failed", what=f'"{argv[0]}" {ending}', why=told, next=f"The command was: {shlex.join(argv)}")


def _version(argv: Sequence[str], pattern: str) -> str:
    done = subprocess.run([tool(argv[0]), *argv[1:]], capture_output=True, text=True, env=_environment(0), check=False)
    match = re.search(pattern, done.stdout + done.stderr)
    return match[1] if match else "unknown"


def _boot_loader_version() -> str:
    content = tool_file("/usr/lib/systemd/boot/efi/systemd-bootx64.efi").read_bytes()
    match = re.search(rb"#### LoaderInfo: systemd-boot (\S+) ####", content)
    return match[1].decode() if match else "unknown"
