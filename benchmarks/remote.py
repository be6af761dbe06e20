"""What a machine over ssh takes, on loopback against a real sshd: python -m benchmarks.remote.

A large file, a command that does nothing, and a directory of many small files. The server's share of the work is in it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.machines.ssh_workbench import PASSWORD, SshServer, make_ssh_tree

from benchmarks.measuring import Line, machine
from goldsmith.machines.remote import Remote
from goldsmith.machines.ssh_access import Access, Door

RUNS = 5
LARGE_MB = 200
COMMANDS = 100
SMALL_FILES, SMALL_BYTES = 500, 2000


def main() -> None:
    """Print a line for each thing."""
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as name:
        place = Path(name)
        make_ssh_tree(place / "tree")
        with SshServer(place / "tree") as server:
            access = Access(host="127.0.0.1", port=server.port, user="root", password=PASSWORD)
            with Remote(Door(access, timeout_s=30)) as remote:
                for line in measure(remote, place):
                    print(line, flush=True)


def measure(remote: Remote, place: Path) -> Iterator[Line]:
    """The three things, each several times over one connection."""
    large, small = place / "large", place / "small"
    large.write_bytes(os.urandom(1 << 20) * LARGE_MB)
    small.mkdir()
    for number in range(SMALL_FILES):
        (small / f"{number}.conf").write_bytes(os.urandom(SMALL_BYTES))
    remote.run(["true"])
    uploads = _seconds(lambda: remote.put(large, "/large"))
    yield Line("a large file", [(LARGE_MB << 20) / 1e6 / taken for taken in uploads], "MB/s", goal=100, more_is_better=True)
    commands = _seconds(lambda: [remote.run(["true"]) for _ in range(COMMANDS)])
    yield Line("a command", [1000 * taken / COMMANDS for taken in commands], "ms", goal=10)
    yield Line(f"{SMALL_FILES} small files", _seconds(lambda: remote.put_tree(small, "/small")), goal=1)


def _seconds(act: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(RUNS):
        started = time.monotonic()
        act()
        taken.append(time.monotonic() - started)
    return taken


if __name__ == "__main__":
    main()
