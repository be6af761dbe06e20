"""Renderers: the only places that turn events into what a person or a program reads."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass

from goldsmith.events import Emit


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the command line asks events to be shown."""

    json: bool = False
    machine_readable: bool = False
    color: bool = True
    timestamps: bool = False


def renderer(style: Style) -> AbstractContextManager[Emit]:
    """The renderer for a style, with a log beside it when PACKER_LOG asks for one."""
    from goldsmith.cli.rendering.log import Logged, log_is_wanted

    shown = _renderer(style)
    return Logged(shown) if log_is_wanted() else shown


def _renderer(style: Style) -> AbstractContextManager[Emit]:
    """JSON lines, Packer's machine-readable lines, a live terminal, or plain lines."""
    if style.json:
        from goldsmith.cli.rendering.json_lines import JsonLines

        return JsonLines(sys.stdout)
    if style.machine_readable:
        from goldsmith.cli.rendering.machine_readable import MachineReadable

        return MachineReadable(sys.stdout)
    if sys.stdout.isatty():
        from goldsmith.cli.rendering.terminal import Terminal

        return Terminal(style.color, style.timestamps)
    from goldsmith.cli.rendering.lines import Lines

    return Lines(_write_at_once, color=False, timestamps=style.timestamps)


def _write_at_once(text: str) -> None:
    """Whoever reads a pipe or a log file sees how far a build is."""
    sys.stdout.write(text)
    sys.stdout.flush()
