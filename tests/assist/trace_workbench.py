"""A small tree with bash in which scripts are traced."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from goldsmith.assist.ledger import Ledger, TraceOptions, trace
from goldsmith.assist.parent import Parent
from goldsmith.assist.proxy import Proxy
from goldsmith.assist.shell import Script
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.machine import OutputSink
from tests.machines.machine_workbench import BUSYBOX, can_make_sandboxes

BASH = Path("/bin/bash")
STATUS = "Package: {}\nStatus: install ok installed\nArchitecture: all\nVersion: {}\n\n"


def make_bash_tree(root: Path) -> Path:
    """A root with bash, busybox and the account files of a small system."""
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    for name in ("bin", "etc", "root", "var/lib/dpkg", "etc/systemd/system"):
        (root / name).mkdir(parents=True)
    for program in (BUSYBOX, BASH):
        shutil.copy(program, root / "bin" / program.name)
    needed = subprocess.run(["ldd", str(BASH)], capture_output=True, text=True, check=True).stdout
    for path in map(Path, re.findall(r"(/\S+) \(0x", needed)):
        place = root / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name not in ("busybox", "bash"):
            (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/motd").write_text("one\ntwo\nthree\n")
    (root / "etc/cron.d").mkdir()
    (root / "etc/cron.d/job").write_text("* * * * * root true\n")
    (root / "var/lib/dpkg/status").write_text(STATUS.format("base", "1.0"))
    return root


class Bench:
    """Traces scripts on the tree, each in a place of its own."""

    def __init__(self, tree: Path, place: Path) -> None:
        self.parent = Parent(name="small", lowers=(tree,))
        self.place = place
        self.proxy: Proxy | None = None
        self.output: OutputSink | None = None
        self.runs = 0

    def trace(self, *scripts: Script | str, patience_s: float = 60, **environment: str) -> Ledger:
        """Trace scripts; a text is a bash script that stops at errors."""
        self.runs += 1
        work = self.place / f"run{self.runs}"
        work.mkdir()
        given = [
            item if isinstance(item, Script) else Script(f"s{number}.sh", f"#!/bin/bash -e\n{item}".encode())
            for number, item in enumerate(scripts, 1)
        ]
        options = TraceOptions(
            environment={"LC_ALL": "C", **environment}, patience_s=patience_s, proxy=self.proxy, output=self.output
        )
        return trace(given, self.parent, options, Journal(self.place / "journal"), work, Cancellation())
