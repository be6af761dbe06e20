"""The journal: what this process holds on the host, written down before it is taken, so that a later run can release it."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from goldsmith.events import Emit, Warned
from goldsmith.hcl.diagnostics import Bug, Diagnostic, GoldsmithError
from goldsmith.machines.release import GONE_WITHIN_S, KINDS, find_kind, is_running, process_handle

__all__ = ["Journal", "kinds", "process_handle"]


class Journal:
    """The things that one process holds, as JSON lines in a file of its own below `directory`.

    The file exists while something is held and is locked by its owner: a file whose lock is free belongs to a process that
    was killed, whatever its pid says. Opening a journal writes nothing. Threads may share it.

    A process that was killed while it started another one leaves its lock to that one until `exec`: a sweep waits for it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._held = 0
        self._path = Path()
        self._descriptor = -1

    @contextmanager
    def take(self, kind: str, handle: str, release: Callable[[], object] | None = None) -> Iterator[None]:
        """Hold a thing for the length of the block; `kinds()` says what the handle of each kind is.

        It is written down before the block starts. When the block ends, what is left of the thing is released (a process
        is ended, a file removed), and only then struck out: if that fails, the next sweep tries again. `release` stands for
        the kind's own: for an owner that has a quicker way, or that decides in the end to leave the thing where it is.
        """
        known = find_kind(kind)
        if known is None:
            raise _unknown(kind, f"it knows: {', '.join(kinds())}")
        number = self._write_take(kind, handle, durable=known.outlives_boot)
        try:
            yield
        finally:
            if release is None:
                known.release(handle)
            else:
                release()
            self._write_release(number)

    @contextmanager
    def work_directory(self, root: Path) -> Iterator[Path]:
        """A new private directory below `root`, which is made when missing; removed at the end with all that it holds."""
        root.mkdir(parents=True, exist_ok=True)
        path = root.resolve() / f"work-{os.getpid()}-{secrets.token_hex(4)}"
        with self.take("directory", str(path)):
            path.mkdir(mode=0o700)
            yield path

    def sweep(self, emit: Emit) -> list[str]:
        """Release what killed processes left, newest first; returns a line for each thing, such as `process 71:3390`.

        Owners that live are left alone. What cannot be released is told with `Warned` and stays in the journal. Any number
        of processes may sweep at once.
        """
        if not any(self.directory.glob("*.jsonl")):
            return []
        with _locked(self.directory / "sweep.lock"):
            return [line for path in sorted(self.directory.glob("*.jsonl")) for line in _sweep_file(path, emit)]

    def _write_take(self, kind: str, handle: str, *, durable: bool) -> int:
        with self._lock:
            if self._held == 0:
                self._path, self._descriptor = _open(self.directory)
            number = next(self._numbers)
            self._append({"take": number, "kind": kind, "handle": handle}, durable=durable)
            self._held += 1
            return number

    def _write_release(self, number: int) -> None:
        # Not synced: a line that is lost makes a sweep release the thing a second time, which changes nothing.
        with self._lock:
            self._append({"release": number}, durable=False)
            self._held -= 1
            if self._held == 0:
                self._path.unlink(missing_ok=True)
                os.close(self._descriptor)

    def _append(self, entry: dict[str, int | str], *, durable: bool) -> None:
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
        if durable:
            # The page cache outlives any process; only what a power cut leaves behind must be on the disk.
            os.fdatasync(self._descriptor)


def kinds() -> tuple[str, ...]:
    """The kinds of things that a journal can hold, each with the form of its handle: `process PID:START`, `file PATH`, …"""
    return tuple(f"{name} {kind.form}" for name, kind in sorted(KINDS.items()))


@dataclass(frozen=True, slots=True)
class _Left:
    """What a journal file says: whose it is, and what was held at the end, oldest first."""

    owner: str = ""
    boot: str = ""
    held: dict[int, tuple[str, str]] = field(default_factory=dict)


def _open(directory: Path) -> tuple[Path, int]:
    directory.mkdir(parents=True, exist_ok=True)
    while True:
        path = directory / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            break
        os.close(descriptor)  # a sweep found the file before it was locked
    owner = {"owner": process_handle(os.getpid()), "boot": _boot()}
    os.write(descriptor, json.dumps(owner).encode() + b"\n")
    _sync_directory(directory)
    return path, descriptor


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep_file(path: Path, emit: Emit) -> list[str]:
    with suppress(FileNotFoundError), path.open("rb") as file:
        if not _lock_of_the_dead(file):
            return []
        file.seek(0)
        left = _read(file.read())
        released: list[str] = []
        failed = False
        for kind, handle in reversed(left.held.values()):
            try:
                if _release(kind, handle, left.boot):
                    released.append(f"{kind} {handle}")
            except (OSError, ImportError, GoldsmithError) as error:
                failed = True
                emit(Warned(text=f"{kind} {handle} of a killed run could not be released: {error}", next="goldsmith clean"))
        if not failed:
            path.unlink(missing_ok=True)
        return released
    return []


def _lock_of_the_dead(file: BinaryIO) -> bool:
    """Lock the journal of a process that was killed; False when its owner lives."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = _read(file.read()).owner
            if not owner or is_running(owner) or time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        else:
            return True


def _release(kind: str, handle: str, boot: str) -> bool:
    known = find_kind(kind)
    if known is None:
        raise _unknown(kind, "a newer Goldsmith wrote it, or a plug-in that is not installed any more")
    if boot != _boot() and not known.outlives_boot:
        return False
    return known.release(handle)


def _unknown(kind: str, why: str) -> Bug:
    what = f'the journal knows no kind "{kind}"'
    return Bug(Diagnostic(code="journal.unknown-kind", what=what, why=why, next="Please report this."))


def _read(text: bytes) -> _Left:
    """Read a journal file; a line that was torn by the kill is passed over."""
    owner = boot = ""
    held: dict[int, tuple[str, str]] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "owner" in entry:
            owner, boot = entry["owner"], entry["boot"]
        elif "take" in entry:
            held[entry["take"]] = (entry["kind"], entry["handle"])
        else:
            held.pop(entry.get("release"), None)
    return _Left(owner, boot, held)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
