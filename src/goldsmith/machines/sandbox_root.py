"""The root of a sandbox: an overlay of layers with the file systems that a running system has. Runs in new namespaces.

Nothing here is seen by the host, and nothing is left when the last process of the sandbox ends: all mounts are in the
sandbox's own mount namespace.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct

from goldsmith.machines import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from goldsmith.machines.request import Cache, RootPlan

DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
LINKS = {"fd": "/proc/self/fd", "ptmx": "pts/ptmx", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
HIDDEN = ("kcore", "keys", "latency_stats", "sched_debug", "timer_list", "timer_stats")
READ_ONLY = ("acpi", "asound", "bus", "fs", "irq", "scsi", "sys", "sysrq-trigger")
VIEWS = (("proc", "proc", 0), ("sys", "sysfs", kernel.MS_RDONLY))
MOUNT_POINTS = ("/dev", "/proc", "/run", "/sys", "/tmp")


def enter_root(plan: RootPlan) -> None:
    """Put the root together and make it this process's. Raises `OSError`."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    root, scratch = f"{plan['scratch']}/root", f"{plan['scratch']}/scratch"
    kernel.mount("tmpfs", scratch, "tmpfs", options="mode=0700")
    os.chdir(scratch)
    _overlay(plan, root)
    trees = {place: kernel.open_tree(source) for place, source in plan["binds"].items()}
    for tree in trees.values():
        kernel.make_read_only(tree)
    trees.update({cache["place"]: _cache(number, cache, plan["mapped_user"]) for number, cache in enumerate(plan["caches"])})
    devices = {name: kernel.open_tree(f"/dev/{name}") for name in DEVICES}
    views = {name: _view(name, kind, flags) for name, kind, flags in VIEWS}
    kernel.pivot_root(root)
    for place, tree in views.items():
        kernel.attach(tree, f"/{place}")
    _system_mounts(devices)
    for path, content in plan["run_files"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, 0o644, content)
    for place, tree in trees.items():
        _make_mount_point(place, tree)
        kernel.attach(tree, place)
    kernel.set_host_name(plan["host_name"])
    _network(plan["unreachable"])


# ── the overlay ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _overlay(plan: RootPlan, root: str) -> None:
    # The options of mount(2) are one page: short links instead of paths leave room for some thousand layers, and no
    # path has to be escaped.
    names = [str(number) for number in range(len(plan["lowers"]))]
    for name, lower in zip(names, plan["lowers"], strict=True):
        os.symlink(lower, name)
    os.symlink(plan["upper"], "u")
    os.symlink(plan["work"], "w")
    os.mkdir("shown")
    lowers = list(reversed(names))
    _show(plan, _merged(lowers))
    kernel.mount("overlay", root, "overlay", kernel.MS_NODEV, _options(["shown", *lowers], "u", "w", plan["mapped_user"]))


def _options(lowers: list[str], upper: str, work: str, mapped_user: bool) -> str:
    # Redirects and the like would make a layer depend on the layers below; `userxattr` turns them off by itself, and
    # refuses to be told so. `volatile` spares a sync of the whole disk at the end.
    alone = "userxattr" if mapped_user else "redirect_dir=off,metacopy=off"
    return f"lowerdir={':'.join(lowers)},upperdir={upper},workdir={work},index=off,xino=off,volatile,{alone}"


def _merged(lowers: list[str]) -> str:
    """A view of the layers alone, to look at what the tree holds."""
    if len(lowers) == 1:
        return lowers[0]
    os.mkdir("merged")
    if lowers:
        kernel.mount("overlay", "merged", "overlay", kernel.MS_RDONLY, f"lowerdir={':'.join(lowers)}")
    return "merged"


def _cache(number: int, cache: Cache, mapped_user: bool) -> int:
    names = {key: f"{key}{number}" for key in ("lower", "upper", "work", "cache")}
    os.symlink(cache["lower"], names["lower"])
    os.symlink(cache["upper"], names["upper"])
    os.symlink(cache["work"], names["work"])
    os.mkdir(names["cache"])
    options = _options([names["lower"]], names["upper"], names["work"], mapped_user)
    kernel.mount("overlay", names["cache"], "overlay", kernel.MS_NODEV, options)
    return kernel.open_tree(names["cache"])


# ── what the tree seems to hold ───────────────────────────────────────────────────────────────────────────────────────


def _show(plan: RootPlan, merged: str) -> None:
    """Fill the layer `shown`, which lies between the tree and the upper: mount points, and files of the sandbox."""
    made: list[str] = []
    # What lies below /run is made there, once it is mounted.
    places = [place for place in (*plan["binds"], *(c["place"] for c in plan["caches"])) if not _volatile(place)]
    for place in (*MOUNT_POINTS, *places):
        if _parents(merged, place, made) and not os.path.lexists(f"{merged}{place}"):
            if place in plan["binds"] and not os.path.isdir(plan["binds"][place]):
                _write(f"shown{place}", 0o644, b"")
            elif not os.path.isdir(f"shown{place}"):
                os.mkdir(f"shown{place}")
    for path, (mode, content) in plan["shown"].items():
        if _parents(merged, path, made):
            _write(f"shown{path}", mode, content)
    # Last, because making an entry changes the times of its directory; a copy to the upper must look like the original.
    for directory in reversed(made):
        _imitate(f"{merged}{directory}", f"shown{directory}")


def _volatile(place: str) -> bool:
    return place.startswith(("/run/", "/tmp/", "/dev/"))


def _parents(merged: str, path: str, made: list[str]) -> bool:
    """Make the directories above `path`; false when one of them is a link in the tree, which must not be hidden."""
    directory = ""
    for part in path.strip("/").split("/")[:-1]:
        directory += f"/{part}"
        try:
            if not stat.S_ISDIR(os.lstat(f"{merged}{directory}").st_mode):
                return False
        except FileNotFoundError:
            pass
        if not os.path.isdir(f"shown{directory}"):
            os.mkdir(f"shown{directory}", 0o755)
            made.append(directory)
    return True


def _imitate(original: str, copy: str) -> None:
    try:
        found = os.lstat(original)
    except FileNotFoundError:
        return
    os.chown(copy, found.st_uid, found.st_gid)
    os.chmod(copy, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(original):
        try:
            if ".overlay." not in name:
                os.setxattr(copy, name, os.getxattr(original, name))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.ENODATA):
                raise
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))


def _write(path: str, mode: int, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def _make_mount_point(place: str, tree: int) -> None:
    """Make a mount point below `/run` or `/tmp`; elsewhere it exists by now, or a link leads away from it."""
    if not _volatile(place):
        return
    if stat.S_ISDIR(os.fstat(tree).st_mode):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _write(place, 0o644, b"")


# ── what a running system has ─────────────────────────────────────────────────────────────────────────────────────────


def _view(name: str, kind: str, flags: int) -> int:
    """A new `/proc` or `/sys`. A user namespace may make one only while the host's own is still in sight."""
    os.mkdir(name)
    kernel.mount(kind, name, kind, flags | kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    return kernel.open_tree(name)


def _system_mounts(devices: dict[str, int]) -> None:
    # No mount lets device nodes act but those of the devices themselves: a node of the host's disk can be made, not opened.
    quiet = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", "/run", "tmpfs", quiet, "mode=0755")
    kernel.mount("tmpfs", "/tmp", "tmpfs", quiet, "mode=1777")
    kernel.mount("tmpfs", "/dev", "tmpfs", quiet, "mode=0755,size=1m")
    os.mkdir("/run/lock")
    os.chmod("/run/lock", 0o1777)
    for name, tree in devices.items():
        _write(f"/dev/{name}", 0o666, b"")
        kernel.attach(tree, f"/dev/{name}")
    for name, target in LINKS.items():
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/pts")
    os.mkdir("/dev/shm")
    terminals = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    kernel.mount("devpts", "/dev/pts", "devpts", kernel.MS_NOSUID | kernel.MS_NOEXEC, terminals)
    kernel.mount("tmpfs", "/dev/shm", "tmpfs", quiet, "mode=1777")
    _guard_proc()


def _guard_proc() -> None:
    """Root keeps its rights on files of /proc whatever its capabilities are: what acts on the host is made read-only."""
    network = kernel.open_tree("/proc/sys/net")  # belongs to the network namespace: stays writable
    for name in READ_ONLY:
        path = f"/proc/{name}"
        if os.path.exists(path):
            tree = kernel.open_tree(path)
            kernel.make_read_only(tree)
            kernel.attach(tree, path)
    kernel.attach(network, "/proc/sys/net")
    for name in HIDDEN:
        if os.path.exists(f"/proc/{name}"):
            kernel.mount("/dev/null", f"/proc/{name}", flags=kernel.MS_BIND)


def _network(unreachable: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as request:
        fcntl.ioctl(request, 0x8914, struct.pack("16sH22x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
    for address in unreachable:
        _refuse_route(address)


def _refuse_route(address: str) -> None:
    """Add `unreachable ADDRESS/32`, by rtnetlink(7): the tree need not hold `ip`."""
    route = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 3, 0, 7, 0)  # table main, static, type unreachable
    attribute = struct.pack("=HH4s", 8, 1, socket.inet_aton(address))  # RTA_DST
    length = 16 + len(route) + len(attribute)
    header = struct.pack("=IHHII", length, 24, 0x1 | 0x4 | 0x400, 1, 0)  # RTM_NEWROUTE; request, acknowledge, create
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(header + route + attribute)
        answer = link.recv(4096)
    number = -struct.unpack_from("=i", answer, 16)[0]
    if number:
        raise OSError(number, f"no unreachable route to {address}: {os.strerror(number)}")
