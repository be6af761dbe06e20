"""The languages that a template may be written in, HCL and legacy JSON, and what commands ask of it in either."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.template import template as hcl
from goldsmith.template.consoles import Console
from goldsmith.template.discovery import is_legacy
from goldsmith.template.faults import Faults
from goldsmith.template.fence import check_fence
from goldsmith.template.inspecting import Line, inspect
from goldsmith.template.legacy.console import LegacyConsole
from goldsmith.template.legacy.inspect import inspect_legacy
from goldsmith.template.legacy.plan import check_legacy_syntax, load_legacy
from goldsmith.template.options import LoadOptions
from goldsmith.template.plan import Plan


class AnyConsole(Protocol):
    """Answers lines, in whichever language."""

    def answer(self, line: str) -> str:
        """What a line comes to, or what a word of the console shows. Raises `UserError`."""

    def is_incomplete(self, text: str) -> bool:
        """Whether further lines may make a text complete."""

    def completions(self, text: str) -> list[str]:
        """Words and names that begin with a text."""


def read_plan(path: Path, options: LoadOptions) -> Plan:
    """What the template at `path` is to build, prepared. Raises `UserError` with every fault that can be told at once."""
    return load_legacy(_fenced(path, options), options).plan() if is_legacy(path) else hcl.load(path, options).plan()


def check_syntax(path: Path, options: LoadOptions) -> tuple[Diagnostic, ...]:
    """What can be said of a template without evaluating it. Values of variables are read even so, as in Packer."""
    if not is_legacy(path):
        return hcl.check_syntax(path, options)
    faults = Faults()
    if faults.attempt(_fenced, path, options) is None:
        return tuple(faults.found)
    return check_legacy_syntax(path, options.variable_files)


def _fenced(path: Path, options: LoadOptions) -> Path:
    """The path of a legacy template, of which all files are inside of the fence. Raises `UserError` when one is not."""
    check_fence((path, *options.variable_files), options.fence(path.parent))
    return path


def inspection(path: Path, options: LoadOptions) -> tuple[Line, ...]:
    """The parts of a template, in Packer's format. Raises `UserError` when it cannot be read."""
    return inspect_legacy(_fenced(path, options), options) if is_legacy(path) else (Line(inspect(path, options)),)


def console(path: Path | None, options: LoadOptions, *, prefers_hcl: bool) -> AnyConsole:
    """The console of a template, or of none: then Packer's language is legacy JSON, unless HCL is asked for."""
    is_hcl = prefers_hcl if path is None else not is_legacy(path)
    if is_hcl:
        return Console(path, options)
    return LegacyConsole(_fenced(path, options) if path is not None else None, options)
