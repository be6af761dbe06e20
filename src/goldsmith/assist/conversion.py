"""What a conversion made: the files of the role, and what became of each command of the scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from goldsmith.assist.commands import Place
from goldsmith.assist.role import Role
from goldsmith.hcl.diagnostics import Diagnostic

Fate: TypeAlias = Literal["module", "guard", "handler", "pipeline", "shell", "dropped", "silent"]
"""What a command became: a kind of task, dropped with a reason, or nothing as it changes nothing (`cd`, `echo`, `test`)."""

COVERED: frozenset[Fate] = frozenset({"module", "guard", "handler", "pipeline", "dropped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A command of a script and what became of it."""

    id: int
    place: Place
    name: str
    source: str
    """As it is written, without its secrets."""
    fate: Fate
    counts: bool
    """Whether the command changes the state of a machine, so that coverage counts it."""
    rule: str = ""
    reason: str = ""
    """Why it was dropped or stays shell."""
    tasks: tuple[str, ...] = ()
    """Names of the tasks or handlers that do it."""
    observed: tuple[str, ...] = ()
    """What a traced run saw it change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A role made of scripts, and the account of it."""

    role: Role
    files: Mapping[str, bytes]
    """By path below the output directory."""
    lines: tuple[Line, ...]
    faults: tuple[Diagnostic, ...] = ()
    """Scripts that are not in the role, and why; what a person should know besides."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each script, by its path."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What stood in the scripts and is in none of the files, by the variables of the vault that stand for it."""

    def given(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        """The variables of the role, for the values that the scripts are given in their environment, with all secrets."""
        names = {item.name: self.role.names.name(item.variable) for item in self.role.inputs if item.name}
        return {**self.secrets, **{names[name]: value for name, value in environment.items() if name in names}}

    @property
    def coverage(self) -> float:
        """The share of state-changing commands that an exact task does, or that are dropped for a reason; 1 where none is."""
        counted = [line for line in self.lines if line.counts]
        return sum(line.fate in COVERED for line in counted) / len(counted) if counted else 1.0

    @property
    def shares(self) -> Mapping[str, int]:
        """How many state-changing commands met which fate."""
        return dict(sorted(Counter(line.fate for line in self.lines if line.counts).items()))


def conversion_json(lines: tuple[Line, ...], role: Role, scripts: Mapping[str, str]) -> bytes:
    """The account of a conversion for programs: commands, tasks, their map and what stayed shell."""
    tasks = [
        {
            "name": task.name,
            "module": task.module,
            "rule": task.rule,
            "kind": task.kind,
            "lines": [str(place) for place in task.places],
            "commands": list(task.command_ids),
            "notes": list(task.notes),
        }
        for task in role.tasks
    ]
    told = {
        "format": 1,
        "role": role.name,
        "scripts": [{"path": path, "sha256": digest} for path, digest in sorted(scripts.items())],
        "commands": [_as_json(line) for line in lines],
        "tasks": tasks,
        "inputs": [
            {"name": item.name, "variable": role.names.name(item.variable), "secret": item.is_secret} for item in role.inputs
        ],
    }
    return (json.dumps(told, indent=2, ensure_ascii=True) + "\n").encode()


def _as_json(line: Line) -> dict[str, object]:
    return {
        "id": line.id,
        "file": line.place.file,
        "line": line.place.line,
        "end_line": line.place.end_line,
        "source": line.source,
        "counts": line.counts,
        "fate": line.fate,
        "rule": line.rule,
        "reason": line.reason,
        "tasks": list(line.tasks),
        "observed": list(line.observed),
    }
