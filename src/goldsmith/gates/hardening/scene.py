"""What a probe sees: the tree with everything that several probes read, each read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from goldsmith.gates.contract import Subject
from goldsmith.gates.hardening.accounts import Accounts, read_accounts
from goldsmith.gates.hardening.walk import Walk, walk
from goldsmith.gates.inventory import Stack
from goldsmith.gates.inventory.layering import SYSTEM_READERS
from goldsmith.gates.tree import Tree


@dataclass(frozen=True, slots=True)
class Fault:
    """Where and how a control is not met."""

    detail: str
    path: str = ""
    line: int = 0


class NotEvaluated(Exception):
    """A probe could not tell, for a reason that is no fault of the image."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a control says to its probe."""

    given: Mapping[str, object]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; a single text is a list of one."""
        value = self.given.get(name, ())
        if isinstance(value, str):
            return (value,)
        return tuple(str(item) for item in value) if isinstance(value, Iterable) else ()

    def text(self, name: str) -> str:
        """One text, empty when it is not given."""
        return next(iter(self.texts(name)), "")

    def number(self, name: str) -> int:
        """A whole number."""
        return int(str(self.given[name]))

    def table(self, name: str) -> Mapping[str, str]:
        """Texts by name."""
        value = self.given.get(name, {})
        assert isinstance(value, Mapping)
        return {str(key): str(item) for key, item in value.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the project allows beyond the controls' own arguments."""

    setuid: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    ssh_groups: frozenset[str] = frozenset()


class Scene:
    """One subject under examination."""

    def __init__(self, subject: Subject, wishes: Wishes) -> None:
        self.subject = subject
        self.wishes = wishes
        self.tree = Tree(subject.tree)

    @cached_property
    def walk(self) -> Walk:
        """The one walk over all inodes."""
        return walk(self.tree)

    @cached_property
    def accounts(self) -> Accounts:
        """Users and groups."""
        return read_accounts(self.tree)

    @cached_property
    def packages(self) -> frozenset[str]:
        """Names of the packages that databases list. Raises `ValueError` for one that is damaged, and when there is none."""
        stack = Stack([self.subject.tree])
        found = [read(stack) for read in SYSTEM_READERS.values()]
        if faults := [fault for item in found for fault in item.faults]:
            raise ValueError(faults[0])
        if not (names := frozenset(package.name for item in found for package in item.packages)):
            raise ValueError("no database of dpkg, rpm or apk lists a package")
        return names

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """The lines of a file with their numbers, without blank ones and comments; nothing when it is not there."""
        for number, line in enumerate((self.tree.text(path) or "").splitlines(), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith(("#", ";")):
                yield number, stripped


Probe: TypeAlias = Callable[[Scene, Arguments], Iterable[Fault]]


def holds(value: str, wanted: str) -> bool:
    """Whether a value is as wanted: `<=4`, `>=1`, `1..60`, or one of `no|prohibit-password`, without regard to case."""
    wanted = wanted.strip()
    value = value.strip()
    if wanted.startswith(("<=", ">=")):
        number, bound = _number(value), int(wanted[2:])
        return number is not None and (number <= bound if wanted[0] == "<" else number >= bound)
    low, dots, high = wanted.partition("..")
    if dots:
        number = _number(value)
        return number is not None and int(low) <= number <= int(high)
    return value.lower() in wanted.lower().split("|")


def _number(value: str) -> int | None:
    """A whole number; `1m30s` is 90, as sshd reads times (TIME FORMATS of sshd_config(5))."""
    if re.fullmatch(r"-\d+", value):
        return int(value)
    if not re.fullmatch(r"(\d+[smhdw]?)+", value.lower()):
        return None
    parts = re.findall(r"(\d+)([smhdw]?)", value.lower())
    return sum(int(number) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit] for number, unit in parts)
