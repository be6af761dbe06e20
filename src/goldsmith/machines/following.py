"""Following a command while it runs: its lines as they appear, its time limit, a request to stop."""

from __future__ import annotations

import codecs
import os
import select
import time
from collections.abc import Mapping
from typing import Literal

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.machine import OutputSink

_LOOK_S = 0.05
_LONGEST_LINE = 1 << 16
_LEFT_AT_END = 1 << 20


def follow(
    pipes: Mapping[int, Literal["out", "err"]],
    ended: int,
    *,
    output: OutputSink | None,
    timeout_s: float | None,
    cancellation: Cancellation | None,
) -> None:
    """Hand each line to `output` until the descriptor `ended` is readable and what is in the pipes was read.

    The pipes may stay open: a daemon that the command left behind holds them. Bytes that are not UTF-8 are replaced; a line
    of more than 64 KiB comes in pieces. Raises `Cancelled`, or `MachineError` with code `machine.timeout`.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    lines = {descriptor: Lines(name, output) for descriptor, name in pipes.items()}
    for descriptor in pipes:
        os.set_blocking(descriptor, False)
    waiting = set(pipes)
    while True:
        readable, _, _ = select.select([*waiting, ended], [], [], _LOOK_S)
        waiting -= {descriptor for descriptor in waiting.intersection(readable) if not _read(descriptor, lines[descriptor])}
        if ended in readable:
            break
        if cancellation is not None:
            cancellation.check()
        if deadline is not None and time.monotonic() > deadline:
            raise too_slow(timeout_s or 0)
    for descriptor, reader in lines.items():
        if descriptor in waiting:
            _read_rest(descriptor, reader)
        reader.end()


class Lines:
    """Cuts the bytes of one stream into lines for an `OutputSink`."""

    def __init__(self, name: Literal["out", "err"], output: OutputSink | None) -> None:
        self._name = name
        self._output = output
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def take(self, data: bytes) -> None:
        """Hand on the lines that are whole now."""
        self._cut(self._decoder.decode(data))

    def end(self) -> None:
        """Hand on a last line without an end."""
        self._cut(self._decoder.decode(b"", final=True))
        if self._rest:
            self._say(self._rest)

    def _cut(self, text: str) -> None:
        *complete, self._rest = (self._rest + text).split("\n")
        for line in complete:
            self._say(line)
        while len(self._rest) > _LONGEST_LINE:
            self._say(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]

    def _say(self, line: str) -> None:
        if self._output is not None:
            self._output(self._name, line.removesuffix("\r"))


def _read(descriptor: int, lines: Lines) -> bool:
    """Read what is there, at most one buffer; false at the end of the stream."""
    try:
        data = os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return True
    lines.take(data)
    return bool(data)


def _read_rest(descriptor: int, lines: Lines) -> None:
    # Bounded, because a daemon may go on writing for ever.
    left = _LEFT_AT_END
    while left > 0:
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            return
        left -= len(data)
        lines.take(data)


def too_slow(timeout_s: float) -> MachineError:
    """The error of a command that was ended because its time was over."""
    return MachineError(
        Diagnostic(
            code="machine.timeout",
            what=f"the command did not end within {timeout_s:g} s",
            why="it and all that it started were ended",
            next="Raise the timeout, or look at the last lines of its output for what it waits for.",
        )
    )
