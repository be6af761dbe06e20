"""Makes a root file system of exact packages: offline, in namespaces of its own, the same tree each time."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from goldsmith.components import Context
from goldsmith.events import Output, Progress
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.lock import LockedPackage
from goldsmith.sources.debstore import Prepared

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EMULATOR = "qemu-user-static"
"""The package of the emulators; it acts for another architecture only."""
_TOOLS = ("mmdebstrap", "apt", "dpkg", EMULATOR)
_ZSTD_SINCE = (1, 21, 18)

_SCRIPT = """\
set -eu
room=$1; tmpfs=$2; tree=$3; shift 3
if [ "$tmpfs" != 0 ]; then
    mount -t tmpfs -o "mode=0755,size=$tmpfs" goldsmith "$room"
    mkdir "$room/tree"
    mmdebstrap "$@" "$room/tree" "deb [trusted=yes] copy://$PACKAGES ./"
    cp -a "$room/tree/." "$tree"
else
    mmdebstrap "$@" "$tree" "deb [trusted=yes] copy://$PACKAGES ./"
fi
"""
"""A tmpfs in a mount namespace of its own needs no clean-up: it ends with the last process in it."""

_MERGE_USR = """\
set -eu
for name in bin sbin lib $LIB64; do
    mkdir -p "$1/usr/$name"
    ln -s "usr/$name" "$1/$name"
done
"""

_HOLD_INITRAMFS = """\
set -eu
chroot "$1" dpkg-divert --local --rename --quiet --add /usr/sbin/update-initramfs
ln -s /bin/true "$1/usr/sbin/update-initramfs"
"""
"""The kernel's script and a trigger would each make the initramfs, 5 s a time: it is made once, when all is there."""

_MAKE_INITRAMFS = """\
set -eu
rm "$1/usr/sbin/update-initramfs"
chroot "$1" dpkg-divert --local --rename --quiet --remove /usr/sbin/update-initramfs
chroot "$1" update-initramfs -c -k all
"""

_NO_HOST_KEYS = """\
set -eu
mkdir -p "$1/etc/ssh"
for kind in rsa ecdsa ed25519; do : > "$1/etc/ssh/ssh_host_${kind}_key"; done
"""
"""The server's package makes no keys where it finds some: a second that would be spent on keys that are removed at the end."""

_LEAVE_NOTHING = """\
set -eu
[ -L "$1/etc/resolv.conf" ] || rm -f "$1/etc/resolv.conf"
rm -f "$1/etc/.resolv.conf.systemd-resolved.bak"
rm -f "$1/etc/hostname" "$1/etc/apt/sources.list" "$1"/etc/ssh/ssh_host_*_key*
"""
"""mmdebstrap copies the host's name and resolver into the tree, and a package puts a link in the resolver's place and keeps
the host's beside it; a package makes host keys, which must never be shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootfsRequest:
    """What a tree is made of."""

    packages: Sequence[LockedPackage]
    prepared: Sequence[Prepared]
    wanted: tuple[str, ...]
    """The packages that were asked for by name: the package manager marks them so."""
    architecture: str
    epoch: int
    sources: str
    """The run-time sources of the image's package manager."""
    sources_name: str
    keyring: Path | None
    """Archive keys to put beside the sources; None when a package brings them."""


def make_rootfs(request: RootfsRequest, tree: Path, context: Context) -> None:
    """Fill the empty directory `tree`. Nothing outside of it and of `context.work` is touched, not even after kill -9.

    Raises `MachineError` with code `tool.missing`, `rootfs.needs-root`, `disk.full` or `rootfs.failed`, and `Cancelled`.
    """
    _require_tools()
    context.work.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix="rootfs-", dir=context.work))
    offered, hooks = room / "packages", room / "hooks"
    for directory in (offered, hooks, room / "room"):
        directory.mkdir(parents=True)
    _offer(request, offered)
    tmpfs = _room_in_memory(request.packages)
    arguments = [str(room / "room"), str(tmpfs), str(tree), *_mmdebstrap(request, hooks)]
    environment = {
        "PATH": _PATH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
        "SOURCE_DATE_EPOCH": str(request.epoch),
        # Half-written packages of a tree that is thrown away on failure need no sync; unlike an option of dpkg's
        # configuration, the variable leaves no trace in the image.
        "DPKG_FORCE": "unsafe-io",
        "PACKAGES": str(offered),
        "LIB64": "lib64" if request.architecture in ("amd64", "ppc64el", "s390x") else "",
    }
    _run(arguments, environment, len(request.packages), context)
    _finish(request, tree)
    shutil.rmtree(room)


@cache
def tool_versions() -> Mapping[str, str]:
    """The versions of the programs that decide what a tree looks like, from this host's package database."""
    try:
        status = Path("/var/lib/dpkg/status").read_text(errors="replace")
    except FileNotFoundError:
        status = ""
    found = {name: re.search(rf"(?m)^Package: {name}\n(?:.+\n)*?Version: (.+)$", status) for name in _TOOLS}
    return {name: match[1] if match else "unknown" for name, match in found.items()}


def reads_zstd(packages: Sequence[LockedPackage], distribution: str) -> bool:
    """Whether both this host's dpkg and the image's own read packages in zstd."""
    inside = next((package.version for package in packages if package.name == "dpkg"), "0")
    return _is_recent(tool_versions()["dpkg"]) and (distribution == "ubuntu" or _is_recent(inside))


def _is_recent(version: str) -> bool:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version.split("-")[0])[:3])
    return numbers >= _ZSTD_SINCE


def _require_tools() -> None:
    for program, package in (("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux"), ("setpriv", "util-linux")):
        if shutil.which(program, path=_PATH) is None:
            raise MachineError(
                Diagnostic(
                    code="tool.missing",
                    what=f'"{program}" is not installed',
                    why="the root file system is made with it",
                    next=f"apt-get install --no-install-recommends {package}",
                )
            )
    if os.geteuid() != 0:
        raise MachineError(
            Diagnostic(
                code="rootfs.needs-root",
                what="a root file system is made as root only",
                why="its files belong to many users, and its packages make device nodes",
                next="Run the build as root, for example in a container or a virtual machine.",
            )
        )


def _offer(request: RootfsRequest, directory: Path) -> None:
    """An archive of exactly the locked packages, so that nothing can be decided anew."""
    stanzas = []
    for package, prepared in zip(request.packages, request.prepared, strict=True):
        (directory / f"{package.sha256}.deb").symlink_to(prepared.path)
        stanzas.append(f"{prepared.stanza}Filename: ./{package.sha256}.deb\n")
    (directory / "Packages").write_text("\n".join(stanzas))


def _mmdebstrap(request: RootfsRequest, hooks: Path) -> list[str]:
    names = {package.name for package in request.packages}
    chosen = {"customize-9": _LEAVE_NOTHING}
    if "usr-is-merged" in names and "usrmerge" not in names:
        chosen["setup-0"] = _MERGE_USR
    if "initramfs-tools" in names:
        chosen |= {"essential-0": _HOLD_INITRAMFS, "customize-0": _MAKE_INITRAMFS}
    if "openssh-server" in names:
        chosen["essential-1"] = _NO_HOST_KEYS
    options = []
    for name, text in sorted(chosen.items()):
        (hooks / name).write_text(text)
        options.append(f"--{name.partition('-')[0]}-hook=sh '{hooks / name}' \"$1\"")
    return [
        "--verbose",
        "--mode=root",
        "--format=directory",
        "--variant=minbase",
        f"--architectures={request.architecture}",
        f"--include={','.join(sorted({*request.wanted, *_needed_by_none(request.prepared)}))}",
        # That programs of the architecture run here was found out before, without the program that this check needs.
        "--skip=check/qemu",
        '--aptopt=APT::Sandbox::User "root"',
        *options,
        "",
    ]


def _needed_by_none(prepared: Sequence[Prepared]) -> set[str]:
    """Packages that no other one needs: an archive may have raised their priority, which the package itself does not know."""
    names: set[str] = set()
    provided: dict[str, str] = {}
    needed: set[str] = set()
    for item in prepared:
        fields = {match[1]: match[2] for match in re.finditer(r"(?m)^([A-Za-z-]+): *((?:.*)(?:\n[ \t].*)*)$", item.stanza)}
        name = fields["Package"]
        names.add(name)
        provided |= dict.fromkeys(_relation_names(fields.get("Provides", "")), name)
        needed |= _relation_names(fields.get("Depends", "") + "," + fields.get("Pre-Depends", "")) - {name}
    needed |= {provided[name] for name in needed if name in provided}
    return names - needed


def _relation_names(field: str) -> set[str]:
    return {match[1] for part in re.split(r"[,|]", field) if (match := re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part))}


def _room_in_memory(packages: Sequence[LockedPackage]) -> int:
    """How large a tmpfs may become, in bytes, or 0: the tree is then made in place, which takes a few seconds longer."""
    needed = 8 * sum(package.size for package in packages) + (512 << 20)
    match = re.search(r"(?m)^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text())
    available = int(match[1]) * 1024 if match else 0
    return needed if needed < available // 2 else 0


def _run(arguments: Sequence[str], environment: Mapping[str, str], packages: int, context: Context) -> None:
    """Run the script as the first process of a pid namespace that dies with us, and tell what it says."""
    alone = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
    command = ["setpriv", "--pdeathsig", "KILL", *alone, "sh", "-c", _SCRIPT, "sh", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
        umask=0o022,
    ) as process:
        try:
            told = _listen(process, packages, context)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise MachineError(_failed(process.returncode, told))


def _listen(process: subprocess.Popen[bytes], packages: int, context: Context) -> list[str]:
    """Pass on each line as it comes, and return the last ones."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    lines: list[str] = []
    rest, done = b"", 0
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            context.cancellation.check()
            if not selector.select(0.2):
                continue
            block = os.read(descriptor, 1 << 16)
            *complete, rest = (rest + block).split(b"\n") if block else (rest, b"")
            for line in complete:
                text = line.decode(errors="replace").rstrip()
                if text:
                    context.emit(Output(build=context.build, text=text, kind="out"))
                    lines = [*lines[-30:], text]
                if text.startswith("Setting up "):
                    done += 1
                    context.emit(Progress(build=context.build, what="installing", done=done, total=packages, unit="packages"))
            if not block:
                return lines


def _finish(request: RootfsRequest, tree: Path) -> None:
    _require_all(request, tree)
    for left in ("etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"):
        (tree / left).unlink(missing_ok=True)
    for left in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
        # Made for the user that apt ran as here; apt makes them again for the image's own.
        shutil.rmtree(tree / left, ignore_errors=True)
    if request.keyring is not None:
        keys = tree / "etc/apt/keyrings" / f"{request.sources_name}{request.keyring.suffix}"
        keys.parent.mkdir(mode=0o755, exist_ok=True)
        keys.write_bytes(request.keyring.read_bytes())
        keys.chmod(0o644)
    sources = tree / "etc/apt/sources.list.d" / f"{request.sources_name}.sources"
    sources.write_text(request.sources)
    sources.chmod(0o644)


def _require_all(request: RootfsRequest, tree: Path) -> None:
    """Compare what is installed with what was locked: a tree with other packages is never used."""
    status = (tree / "var/lib/dpkg/status").read_text(errors="replace")
    installed = {
        (name[1], version[1])
        for stanza in status.split("\n\n")
        if "\nStatus: install ok installed\n" in stanza
        and (name := re.search(r"(?m)^Package: (.+)$", stanza))
        and (version := re.search(r"(?m)^Version: (.+)$", stanza))
    }
    locked = {(package.name, package.version) for package in request.packages}
    if installed != locked:
        missing, surplus = sorted(locked - installed), sorted(installed - locked)
        raise MachineError(
            Diagnostic(
                code="rootfs.other-packages",
                what="the root file system does not have exactly the locked packages",
                why=f"missing: {_named(missing)}; not locked: {_named(surplus)}",
                next="Resolve the packages again: goldsmith lock -upgrade",
            )
        )


def _named(packages: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages) or "none"


def _failed(code: int, told: Sequence[str]) -> Diagnostic:
    end = "\n".join(told[-12:])
    if any("No space left on device" in line for line in told):
        return Diagnostic(
            code="disk.full",
            what="there is no room for the root file system",
            why=end,
            next="Free space on the file system of the cache (GOLDSMITH_CACHE) and memory, then build again.",
        )
    if re.search(r"unshare.*(Operation not permitted|failed)|mount.*permission denied", end):
        return Diagnostic(
            code="machine.no-namespaces",
            what="this host does not let a build have namespaces of its own",
            why=end,
            next="See what is missing: goldsmith doctor",
        )
    ending = f"it was ended by signal {-code}" if code < 0 else f"mmdebstrap ended with exit code {code}"
    return Diagnostic(
        code="rootfs.failed",
        what="the root file system could not be made",
        why=f"{ending}\n{end}",
        next="The last lines name the package at fault; the step's log has all of them.",
    )
