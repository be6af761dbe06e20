"""The system calls that Python's library lacks: mounts, namespaces, capabilities and path look-up below a root.

Both Goldsmith and the first process of a sandbox use it; the latter starts for each sandbox, so this imports next to nothing.
"""

from __future__ import annotations

import ctypes
import os

AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

RESOLVE_IN_ROOT = 0x10
RESOLVE_NO_MAGICLINKS = 0x02

_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_CAPABILITY_VERSION_3 = 0x20080522

# One number on every architecture: these calls are newer than the common table (Linux 5.1).
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give this process new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter_namespace(descriptor: int, kind: int) -> None:
    """Move the calling thread into a namespace of this kind; `descriptor` is an open file of `/proc/PID/ns`."""
    _checked(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    encoded = (_text(source), _text(target), _text(kind), ctypes.c_ulong(flags), _text(options))
    _checked(_libc.mount(*encoded), f"mount {kind or 'bind'}", target)


def unmount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2); by default the mount leaves at once and ends when nobody uses it."""
    _checked(_libc.umount2(_text(target), ctypes.c_int(flags)), "umount", target)


def open_tree(path: str) -> int:
    """A detached copy of the mount or directory at `path`, with what is mounted below it."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | AT_RECURSIVE
    return _checked(_syscall(_OPEN_TREE, AT_FDCWD, _text(path), flags), "open_tree", path)


def make_read_only(tree: int) -> None:
    """Let nothing be written through a detached mount, and no set-user-id bit or device act."""
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    flags = AT_EMPTY_PATH | AT_RECURSIVE
    result = _syscall(_MOUNT_SETATTR, tree, _text(""), flags, ctypes.byref(attributes), ctypes.sizeof(attributes))
    _checked(result, "mount_setattr")


def attach(tree: int, path: str) -> None:
    """Mount a detached tree at `path` and close it."""
    try:
        _checked(_syscall(_MOVE_MOUNT, tree, _text(""), AT_FDCWD, _text(path), _MOVE_MOUNT_F_EMPTY_PATH), "move_mount", path)
    finally:
        os.close(tree)


def pivot_root(directory: str) -> None:
    """Make `directory`, a mount, the root; the old root is gone afterwards."""
    os.chdir(directory)
    # "." over ".": the old root is stacked on the new one and taken away again; pivot_root(2), "Notes".
    _checked(_syscall(_PIVOT_ROOT[os.uname().machine], _text("."), _text(".")), "pivot_root", directory)
    unmount(".")
    os.chdir("/")


def open_below(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` as if the directory `root` were `/`: no link and no `..` leads out of it (openat2(2)).

    Raises `OSError` as `os.open` does.
    """
    how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    result = _syscall(_OPENAT2, root, _text(path), ctypes.byref(how), ctypes.sizeof(how))
    return _checked(result, "openat2", path)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(9), 0, 0, 0), "prctl")


def keep_capabilities(kept: tuple[int, ...]) -> None:
    """Give up every other capability, for this process and all that it starts, for good."""
    number = 0
    while number in kept or _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0) == 0:
        number += 1  # the first number that the kernel does not know ends the list
    mask = sum(1 << capability for capability in kept)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _checked(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def filter_calls(program: bytes) -> None:
    """Put a seccomp filter on this process and all that it starts. `program` is an array of `struct sock_filter`."""
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    described = Program(len(program) // 8, ctypes.addressof(buffer))
    _checked(_libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(described), 0, 0), "seccomp")


def set_host_name(name: str) -> None:
    """Name this uts namespace."""
    encoded = name.encode()
    _checked(_libc.sethostname(encoded, ctypes.c_size_t(len(encoded))), "sethostname")


def _syscall(number: int, *arguments: object) -> int:
    # Plain integers are passed as int by ctypes; the kernel reads whole registers.
    widened = (ctypes.c_long(value) if isinstance(value, int) else value for value in arguments)
    result: int = _libc.syscall(ctypes.c_long(number), *widened)
    return result


def _text(text: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(os.fsencode(text))


def _checked(result: int, call: str, path: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}", path or None)
    return result
