"""What a process in a sandbox may do: the capabilities that it keeps, and the system calls that are answered for it."""

from __future__ import annotations

import os
import struct

KEPT_CAPABILITIES = (
    0,  # CHOWN
    1,  # DAC_OVERRIDE
    3,  # FOWNER
    4,  # FSETID
    5,  # KILL
    6,  # SETGID
    7,  # SETUID
    8,  # SETPCAP
    10,  # NET_BIND_SERVICE
    12,  # NET_ADMIN: of the sandbox's own network, so that a firewall command works and reaches nothing else
    13,  # NET_RAW
    18,  # SYS_CHROOT
    27,  # MKNOD: the root is mounted without devices, so a node can be made but not opened
    28,  # LEASE
    29,  # AUDIT_WRITE
    31,  # SETFCAP
)
"""What package scripts need. Without SYS_ADMIN nothing can be mounted, and the kernel's settings stay read-only."""

_SYNC = {
    "x86_64": (74, 75, 162, 306, 26, 277),
    "aarch64": (82, 83, 81, 267, 227, 84),
    "riscv64": (82, 83, 81, 267, 227, 84),
}
"""fsync, fdatasync, sync, syncfs, msync, sync_file_range: a step's files are copied once it succeeded, never before."""

_KEYS = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219), "riscv64": (217, 218, 219)}
"""add_key, request_key, keyctl: the kernel's key ring knows no namespaces, so root's would be the host's."""

_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}

_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO, _ENOSYS = 0x7FFF0000, 0x00050000, 38


def call_filter() -> bytes:
    """The seccomp program of this architecture: sync calls succeed without effect, key ring calls do not exist.

    Calls of another architecture (32-bit programs, emulated ones) pass: they are only slower. Empty where the numbers are
    not known.
    """
    machine = os.uname().machine
    if machine not in _SYNC:
        return b""
    answers = [(number, _ERRNO) for number in _SYNC[machine]] + [(number, _ERRNO | _ENOSYS) for number in _KEYS[machine]]
    program = _instruction(_LOAD, 0, 0, 4)  # struct seccomp_data: arch
    program += _instruction(_JUMP_EQUAL, 0, 2 * len(answers) + 1, _AUDIT_ARCHITECTURE[machine])
    program += _instruction(_LOAD, 0, 0, 0)  # struct seccomp_data: nr
    for number, answer in answers:
        program += _instruction(_JUMP_EQUAL, 0, 1, number) + _instruction(_RETURN, 0, 0, answer)
    return program + _instruction(_RETURN, 0, 0, _ALLOW)


def _instruction(code: int, when_true: int, when_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)
