"""A directory to write templates in, and what loading them gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, Unpack

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.template import Plan, Template, load, load_options
from goldsmith.template.options import PartialOptions

Say: TypeAlias = Callable[[tuple[Diagnostic, ...]], list[str]]


@dataclass(frozen=True)
class Workplace:
    """A directory with templates in it, which is also the directory that commands start in."""

    root: Path

    def write(self, text: str, name: str = "test.pkr.hcl") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, text: str = "", **options: Unpack[PartialOptions]) -> Template:
        if text:
            self.write(text)
        chosen: PartialOptions = {"environment": {}, "clock_s": 1_700_000_000, "cwd": self.root, **options}
        return load(self.root, load_options(**chosen))

    def plan(self, text: str = "", **options: Unpack[PartialOptions]) -> Plan:
        return self.load(text, **options).plan()

    def faults(self, text: str = "", **options: Unpack[PartialOptions]) -> tuple[Diagnostic, ...]:
        """What loading, planning or preparing complains about."""
        try:
            plan = self.plan(text, **options)
        except UserError as error:
            return error.diagnostics
        return tuple(item for _, error in plan.failed for item in error.diagnostics)
