"""Follows a script command by command: a bash that is traced waits before each command until the tree was looked at.

The shell is told what to do by `prelude.bash`, through pipes in a directory that the sandbox sees. What a command changed
is what differs between the look before it and the look before the next one.
"""

from __future__ import annotations

import os
import posixpath
import re
import select
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from goldsmith.assist.changes import Changes, Watch
from goldsmith.assist.summaries import Observer, Summary
from goldsmith.machines.cancellation import Cancellation

TRACE = "/run/goldsmith/trace"
"""Where the sandbox sees the pipes."""
SCRIPTS = "/run/goldsmith/scripts"
"""Where the sandbox has the scripts; the prelude knows it too."""
PRELUDE = Path(__file__).with_name("prelude.bash")

MOST_PASSES = 300
"""How often one command is looked at; a loop goes on without waiting after that, and its effects are approximate."""
PIPELINE = "the commands of a pipeline share their effects"
"""A doubt about who changed something."""
_FUNCTION = "__goldsmith_told"
_FIELDS, _RECORD = 7, 4
_RECENT = 64
"""How many commands back an exit code or an expansion may belong to."""
_MOST_TOLD = 1 << 20
_SUBSTITUTION = re.compile(r"\$\(|`|[<>]\(")
_ASSIGNED = re.compile(r"(?:(?:local|declare|export|readonly) (?:-\w+ )?)?[A-Za-z_][A-Za-z0-9_]*\+?=")
_ASSIGNMENTS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*=\S* ?)+")
_GO, _PASS = b"g", b"p"
_ASKED, _ANSWERED, _EXPANDED = "asked", "answered", "expanded"
_TICK_S, _PAUSE_S = 0.5, 0.01
_CONTROL = re.compile(r"(for|select|case|while|until|if) ")
_BUILTINS = (
    ": true false test [ [[ local set shift return exit break continue declare export readonly unset cd echo printf read"
)
_HARMLESS = re.compile(rf"(?:{'|'.join(map(re.escape, _BUILTINS.split()))})(?: |$)|\(\(|[A-Za-z_][A-Za-z0-9_]*\+?=\S*$")
"""Commands of the shell itself. Without a redirection or a command in them they change no file."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A line of a script."""

    file: str
    """As the script was named when it was given."""
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Step:
    """One command that ran, as the shell told it."""

    site: Site
    calls: tuple[Site, ...]
    """From where its function was called, the nearest first."""
    command: str
    pid: int
    depth: int
    """How many subshells it is in."""
    changes: Changes = field(default_factory=Changes)
    summary: Summary = field(default_factory=Summary)
    expanded: str = ""
    rc: int | None = None
    seconds: float = 0.0
    doubts: set[str] = field(default_factory=set)
    """Why its effects may be those of another command."""

    @property
    def is_control(self) -> bool:
        """Whether it is the head of a loop or choice, which does nothing itself."""
        return _CONTROL.match(self.command) is not None

    @property
    def is_harmless(self) -> bool:
        """Whether it cannot have changed a file, so that nobody has to look."""
        if self.is_control:
            return True
        return _HARMLESS.match(self.command) is not None and not re.search(r"[>`]|\$\(|<\(", self.command)


class Tracer:
    """Answers the shell while a script runs; a context manager. The steps are complete when it is left.

    `directory` is where the pipes are made; `files` says what the scripts are called, by their path below `SCRIPTS`.
    `cancellation` is asked to stop when no new command was reached and no file changed, but by a loop, for `patience_s`
    seconds; `stuck` is then the step that it happened at.
    """

    def __init__(
        self,
        directory: Path,
        watch: Watch,
        observer: Observer,
        files: Mapping[str, str],
        patience_s: float,
        cancellation: Cancellation,
    ) -> None:
        self.directory = directory
        self.steps: list[Step] = []
        self.stuck: Step | None = None
        self.own_s = 0.0
        """What the looking took."""
        self._watch = watch
        self._observer = observer
        self._files = files
        self._patience_s = patience_s
        self._cancellation = cancellation
        self._passes: dict[tuple[Site, str], int] = {}
        self._jobs: dict[int, str] = {}
        self._has_jobs = False
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="tracer", daemon=True)
        self._rest = b""
        self._told = b""
        self._answered_at = time.monotonic()
        self._progress_at = time.monotonic()
        self._pipes: dict[str, int] = {}

    def __enter__(self) -> Self:
        self.directory.chmod(0o755)
        for name in (_ASKED, _ANSWERED, _EXPANDED):
            os.mkfifo(self.directory / name)
            (self.directory / name).chmod(0o666)
            # Both ends are held: opening never waits, and no shell that ends closes a pipe for the others.
            self._pipes[name] = os.open(self.directory / name, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        os.write(self._pipes[_ASKED], b"\x1e")  # so that it need not wait for the end of a tick
        self._thread.join()
        for descriptor in self._pipes.values():
            os.close(descriptor)

    def begin(self) -> None:
        """A script starts."""
        with self._turn:
            self._has_jobs = False
            self._answered_at = self._progress_at = time.monotonic()

    def finish(self, exit_code: int) -> None:
        """A script has ended: look once more, and give its last command its exit code.

        Raises what went wrong while its commands were looked at.
        """
        with self._turn:
            if self._failure is not None:
                raise self._failure
            self._read_expanded()
            self._give_expansions()
            self._close_step()
            last = next((step for step in reversed(self.steps) if step.depth == 0), None)
            if last is not None and last.rc is None:
                last.rc = exit_code

    def reached(self, url: str) -> int:
        """How many commands have been started when a request for `url` comes: the last of them, or one near it, has sent it."""
        return len(self.steps)

    # ── the thread ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        try:
            asked, expanded, is_idle = self._pipes[_ASKED], self._pipes[_EXPANDED], True
            while not self._ended.is_set():
                # Expanded words come with a command and are read with it: to wake for each of them would cost more.
                pipes, wait_s = ([asked, expanded], _TICK_S) if is_idle else ([asked], _PAUSE_S)
                readable, _, _ = select.select(pipes, [], [], wait_s)
                is_idle = not readable
                with self._turn:
                    self._attend(readable)
        except Exception as error:  # `finish` raises it: a shell that waits for an answer would wait for ever
            self._failure = error
            self._cancellation.request()

    def _attend(self, readable: list[int]) -> None:
        if self._pipes[_EXPANDED] in readable:
            self._read_expanded()
        if self._pipes[_ASKED] in readable:
            self._read_asked()
        if time.monotonic() - self._progress_at > self._patience_s:
            self._lose_patience()

    def _read_asked(self) -> None:
        *messages, self._rest = (self._rest + _read(self._pipes[_ASKED])).split(b"\x1e")
        for message in messages:
            started = time.monotonic()
            self._read_expanded()
            self._give_expansions()
            answer = self._reached(message.decode(errors="surrogateescape").split("\x1f"))
            self._answered_at = time.monotonic()
            self.own_s += self._answered_at - started
            os.write(self._pipes[_ANSWERED], answer)

    def _reached(self, told: list[str]) -> bytes:
        """A shell is about to run a command."""
        if len(told) != _FIELDS:
            return _GO
        pid, depth, statuses, background, sources, lines, command = told
        sites = self._sites(sources.split("\x1d"), lines.split("\x1d"))
        if not sites or not pid.isdigit() or not depth.isdigit():
            return _GO
        step = Step(sites[0], sites[1:], command.strip(), int(pid), int(depth))
        last = self.steps[-1] if self.steps else None
        if last is not None and last.command == step.command and step.calls == (last.site, *last.calls):
            return _GO  # a function tells itself twice: when it is called, and when it begins
        self._close_step(step.depth)
        self._give_statuses(step, [int(text) for text in statuses.split() if text.isdigit()])
        if background != self._jobs.setdefault(step.pid, background):
            self._jobs[step.pid], self._has_jobs = background, True
        elif self._before(step).startswith("wait"):
            self._has_jobs = False
        if self._has_jobs:
            step.doubts.add("a job runs in the background")
        return self._begun(step)

    def _before(self, step: Step) -> str:
        """The command that the same shell ran before."""
        return next((other.command for other in reversed(self.steps[-_RECENT:]) if other.pid == step.pid), "")

    def _begun(self, step: Step) -> bytes:
        key = (step.site, step.command)
        passes = self._passes[key] = self._passes.get(key, 0) + 1
        if passes == 1:
            self._progress_at = time.monotonic()
        self.steps.append(step)
        if passes < MOST_PASSES:
            return _GO
        step.doubts.add(f"it ran {MOST_PASSES} times, and was not looked at after that")
        return _PASS

    def _close_step(self, depth: int = 0) -> None:
        """Look at what the command that ran until now has changed; `depth` is that of the command that comes next."""
        if not self.steps:
            return
        step = self._running(depth)
        step.seconds += max(0.0, time.monotonic() - self._answered_at)
        if step.is_harmless:
            return
        changes = self._watch.look()
        if changes:
            step.changes = step.changes.then(changes)
            step.summary = step.summary.then(self._observer.tell(changes))
            # What a loop writes on and on is no sign that it will end.
            if self._passes[(step.site, step.command)] < MOST_PASSES:
                self._progress_at = time.monotonic()

    def _running(self, depth: int) -> Step:
        """What ran last: after the commands of a substitution that is the command that the substitution is a word of."""
        last = self.steps[-1]
        if last.depth <= depth:
            return last
        outer = next((step for step in reversed(self.steps[-_RECENT:]) if step.depth < last.depth), last)
        return outer if _SUBSTITUTION.search(outer.command) and not _ASSIGNED.match(outer.command) else last

    def _lose_patience(self) -> None:
        self._close_step(self.steps[-1].depth if self.steps else 0)
        self._answered_at = time.monotonic()
        if time.monotonic() - self._progress_at > self._patience_s and self.stuck is None and self.steps:
            self.stuck = self.steps[-1]
            self._cancellation.request()

    def _sites(self, sources: list[str], lines: list[str]) -> tuple[Site, ...]:
        """The lines of the given scripts that are being run, the innermost first."""
        found = ((self._file(source), line) for source, line in zip(sources, lines, strict=False))
        return tuple(Site(file, int(line)) for file, line in found if file is not None and line.isdigit())

    def _file(self, source: str) -> str | None:
        inside = source.removeprefix(f"{SCRIPTS}/")
        if inside in self._files:
            return self._files[inside]
        if source.startswith("/") or not source:
            return None
        # A script that was loaded by a relative path: what it is relative to is not known any more.
        tail = posixpath.normpath(source).lstrip("./")
        close = [name for path, name in self._files.items() if path == tail or path.endswith(f"/{tail}")]
        return close[0] if len(close) == 1 else None

    # ── exit codes and expanded words ─────────────────────────────────────────────────────────────────────────────────

    def _give_statuses(self, reached: Step, statuses: list[int]) -> None:
        """The exit codes that the shell has when it reaches a command are those of the pipeline that ran before it."""
        mine = [step for step in self.steps[-_RECENT:] if step.pid == reached.pid]
        if not mine or not statuses:
            return
        members = [step for step in mine if step.calls == reached.calls and not step.is_control][-len(statuses) :]
        is_pipeline = len(statuses) > 1
        for step, status in zip(members[::-1], statuses[::-1], strict=False):
            # When its second command is reached, the first of a pipeline seems to have the exit code of what ran before.
            if step.rc is None or is_pipeline:
                step.rc = status
            if is_pipeline:
                step.doubts.add(PIPELINE)
        if mine[-1].rc is None and not mine[-1].is_control:
            mine[-1].rc = statuses[-1]

    def _read_expanded(self) -> None:
        self._told += _read(self._pipes[_EXPANDED])
        if len(self._told) > _MOST_TOLD:  # a loop that is not looked at any more
            self._told = self._told[-_MOST_TOLD // 16 :]

    def _give_expansions(self) -> None:
        records, self._told = self._told.split(b"\x1e"), b""
        for record in records:
            parts = record.decode(errors="surrogateescape").split("\x1f", 3)
            if len(parts) == _RECORD and parts[0].isdigit() and parts[1].isdigit() and not _is_ours(parts[2], parts[3]):
                self._give_expansion(int(parts[0]), int(parts[1]), parts[3].rstrip("\n"))

    def _give_expansion(self, pid: int, line: int, words: str) -> None:
        near = [step for step in reversed(self.steps[-_RECENT:]) if step.site.line == line]
        first = words.split(" ", 1)[0]
        for step in near:
            if step.pid == pid and (not step.expanded or _ASSIGNMENTS.fullmatch(step.expanded)):
                step.expanded = f"{step.expanded} {words}".strip()
                return
        # The members of a pipeline are told by the shell that starts them, and expanded by their own.
        for step in reversed(near):
            if not step.expanded and step.command.split(" ", 1)[0] == first:
                step.expanded = words
                return


def _is_ours(function: str, words: str) -> bool:
    return function == _FUNCTION or words.startswith((f"{_FUNCTION} ", "trap '" + _FUNCTION))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 20)
    except BlockingIOError:
        return b""
