"""What the tests of provisioners share: a machine over a directory tree, and a keeper of events."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from goldsmith.events import Event, Output
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.machine import OutputSink


@dataclass
class TreeMachine:
    """A `Machine` over a tree; /tmp and /run lie outside of it, as in a sandbox."""

    root: Path
    outside: Path
    shown: Mapping[str, Path] = field(default_factory=dict)
    kind: Literal["sandbox", "vm", "remote", "local"] = "sandbox"

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output: OutputSink | None = None,
        timeout_s: float | None = None,
        cwd: str = "/",
        cancellation: Cancellation | None = None,
    ) -> int:
        binds = [part for place, path in self.shown.items() for part in ("--ro-bind", str(path), place)]
        command = [
            *("bwrap", "--bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", "--unshare-pid"),
            *("--bind", str(self.outside / "tmp"), "/tmp", "--bind", str(self.outside / "run"), "/run", *binds),
            *("--die-with-parent", "--chdir", cwd, "--", *argv),
        ]
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        base = {"PATH": path, "HOME": "/root", "SYSTEMD_OFFLINE": "1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, env={**base, **(env or {})}, input=stdin or b"", capture_output=True, check=False)
        for stream, data in (("out", done.stdout), ("err", done.stderr)):
            for line in data.decode(errors="replace").splitlines():
                if output:
                    output("out" if stream == "out" else "err", line)
        return done.returncode if done.returncode >= 0 else 128 - done.returncode

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        content = source if isinstance(source, bytes) else source.read_bytes()
        path = self._path(destination)
        path.write_bytes(content)
        path.chmod(mode or (0o644 if isinstance(source, bytes) else source.stat().st_mode & 0o7777))

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        shutil.copytree(source, self._path(destination), symlinks=True, dirs_exist_ok=True)

    def get(self, source: str, destination: Path) -> None:
        if not self._path(source).is_file():
            raise MachineError(Diagnostic(code="machine.no-such-file", what=f"no file {source}"))
        shutil.copyfile(self._path(source), destination)

    def get_tree(self, source: str, destination: Path) -> None:
        shutil.copytree(self._path(source), destination, symlinks=True, dirs_exist_ok=True)

    def _path(self, place: str) -> Path:
        base = self.outside if place.startswith(("/tmp/", "/run/")) else self.root
        return base / place.lstrip("/")


@dataclass
class Recorder:
    """Keeps the events of a build."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def lines(self, *kinds: str) -> list[str]:
        """The texts that were shown, of the given kinds or of all."""
        return [item.text for item in self.events if isinstance(item, Output) and (not kinds or item.kind in kinds)]
