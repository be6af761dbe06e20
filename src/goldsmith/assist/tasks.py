"""What tasks of a role a command becomes, before they are written as YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from goldsmith.assist.commands import Argument, Command, Context, Place

Kind: TypeAlias = Literal["module", "guard", "handler", "pipeline", "shell"]
"""A module; a command with a guard; a refresh that a handler does; a pipeline that became a task; shell without a guard."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. What its context asks for (conditions, loop, failures) is added by the writer from `context`."""

    name: str
    """An imperative sentence that starts with a capital letter: "Install nginx"."""
    module: str
    """Fully qualified: "ansible.builtin.copy"."""
    args: Mapping[str, Argument]
    rule: str
    """The id of the rule, "packages.apt-install"; it stands in the report."""
    kind: Kind = "module"
    places: tuple[Place, ...] = ()
    command_ids: tuple[int, ...] = ()
    register: str = ""
    notify: tuple[Task, ...] = ()
    """Handlers; two equal ones become one."""
    changed_when: str | bool | None = None
    """A Jinja expression, or a constant."""
    failed_when: str | bool | None = None
    environment: Mapping[str, Argument] = field(default_factory=dict)
    become_user: Argument | None = None
    no_log: bool = False
    when: tuple[str, ...] = ()
    """Conditions of the rule itself; those of the script stand in `context`."""
    loop: Argument | None = None
    """Items of the rule's own loop (`item`), only where the script has none."""
    context: Context = field(default_factory=Context)
    notes: tuple[str, ...] = ()
    """What a reader should look at: "pin the version that was seen"."""


@dataclass(frozen=True, slots=True)
class Converted:
    """Tasks that do what the command does."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """The command needs no task, and why: sealing does it, or it has no effect in an image."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Residue:
    """No rule says this exactly: it stays shell, and why."""

    reason: str


Outcome: TypeAlias = Converted | Dropped | Residue


class Inexact(Exception):
    """What a rule was given cannot be said exactly, and why; `rule_for` makes residue of it."""


Rule: TypeAlias = Callable[[Command], Outcome]
"""May raise `Inexact` and nothing else. What it does not understand, such as an unknown option, is residue."""
