"""Limits for the processes of a sandbox, where this host lets us set them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.machines.journal import Journal

PROCESSES = 4096
"""Enough for any package script; a fork bomb ends here."""

_MEMORY_SHARE = 0.9
"""Of the host's memory, so that a step that eats memory is ended and not the host's own services."""


@contextmanager
def limited(pid: int, journal: Journal) -> Iterator[None]:
    """Put a process, and all that it will start, under limits. Where the host allows none, nothing happens."""
    parent = parent_group()
    if parent is None:
        yield
        return
    group = parent / f"goldsmith-{os.getpid()}-{secrets.token_hex(4)}"
    with journal.take("cgroup", str(group)):
        group.mkdir()
        (group / "pids.max").write_text(str(PROCESSES))
        memory = group / "memory.max"
        if memory.exists():
            memory.write_text(str(int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * _MEMORY_SHARE)))
        (group / "cgroup.procs").write_text(str(pid))
        yield


def parent_group() -> Path | None:
    """Where a group with a limit of processes can be made: in the one hierarchy (v2), or in that of `pids` (v1)."""
    unified, separate = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/pids")
    if (separate / "cgroup.procs").exists() and os.access(separate, os.W_OK):
        return separate
    control = unified / "cgroup.subtree_control"
    if os.access(unified, os.W_OK) and control.exists() and "pids" in control.read_text().split():
        return unified
    return None
