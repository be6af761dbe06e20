"""Questions of a build to the person at a terminal: in sight until they are answered, and Ctrl-C is an answer too."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
TEMPLATE = """
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["null.a"]
  provisioner "shell-local" {
    inline = ["echo ran >> log; test -e good"]
  }
}
"""
QUESTION = "or [r] retry step"


class Terminal:
    """A command that runs at a terminal of 200 columns."""

    def __init__(self, root: Path, *arguments: str) -> None:
        (root / "a.pkr.hcl").write_text(TEMPLATE)
        self.pid, self.screen = pty.fork()
        if not self.pid:
            os.chdir(root)
            environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), "TERM": "xterm", "COLUMNS": "200"}
            os.execve(GOLDSMITH, ["goldsmith", *arguments, "a.pkr.hcl"], environment)
        self.shown = ""

    def wait_for(self, text: str, times: int = 1) -> str:
        """What was shown until `text` was there so many times."""
        self._read(lambda: self.shown.count(text) >= times)
        assert self.shown.count(text) >= times, self.shown
        return self.shown

    def shows_more_within(self, seconds: float) -> bool:
        """Whether anything but the rest of the line comes, once that is shown."""
        self.wait_for("succeeds)? ")
        return bool(select.select([self.screen], [], [], seconds)[0] and os.read(self.screen, 65536).strip())

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def finish(self) -> int:
        """The exit code, after everything was shown."""
        ended = self._read(lambda: False)
        if not ended:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.screen)
        assert ended, self.shown
        return os.waitstatus_to_exitcode(status)

    def _read(self, done: Callable[[], bool]) -> bool:
        """Take in what is shown until that is enough, or a minute has passed; tells whether the command has ended."""
        until = time.monotonic() + 60
        while not done() and time.monotonic() < until:
            if not select.select([self.screen], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self.screen, 65536)
            except OSError:  # the other end of the terminal is closed
                return True
            self.shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", piece.decode())
        return False


def test_a_question_stays_in_sight_until_it_is_answered(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "build", "-on-error=ask")
    terminal.wait_for(QUESTION)

    assert not terminal.shows_more_within(0.5)  # the table of running builds is drawn eight times a second
    terminal.type("?\n")
    terminal.wait_for(QUESTION, 2)
    (tmp_path / "good").touch()
    terminal.type("r\n")

    assert terminal.finish() == 0
    assert (tmp_path / "log").read_text() == "ran\nran\n"


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_who_leaves_at_a_question_stops_the_build(key: str, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "build", "-on-error=ask")
    terminal.wait_for(QUESTION)

    terminal.type(key)

    assert terminal.finish() == 1
    assert "Build was cancelled" in terminal.shown
    assert "Cleanly cancelled builds" in terminal.shown


def test_debug_waits_before_each_provisioner(tmp_path: Path) -> None:
    (tmp_path / "good").touch()
    terminal = Terminal(tmp_path, "build", "-debug")
    terminal.wait_for("Press enter to continue")
    assert not (tmp_path / "log").exists()

    terminal.type("\n")

    assert terminal.finish() == 0
    assert (tmp_path / "log").exists()
