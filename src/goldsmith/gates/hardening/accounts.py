"""Users and groups of the tree, from passwd, shadow and group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.gates.tree import Tree


@dataclass(frozen=True, slots=True)
class User:
    """A line of /etc/passwd."""

    name: str
    password: str
    uid: int
    gid: int
    home: str
    shell: str

    @property
    def can_log_in(self) -> bool:
        """Whether its shell lets somebody in."""
        return self.shell.rpartition("/")[2] not in ("nologin", "false", "sync")


@dataclass(frozen=True, slots=True)
class Group:
    """A line of /etc/group."""

    name: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who is in the tree."""

    users: tuple[User, ...]
    groups: tuple[Group, ...]
    passwords: tuple[tuple[str, str], ...]
    """Name and stored password of each line of /etc/shadow."""


def read_accounts(tree: Tree) -> Accounts:
    """The accounts of a tree. Raises `ValueError` when a file of them is missing or a line cannot be read."""
    users = tuple(
        User(fields[0], fields[1], int(fields[2]), int(fields[3]), fields[5], fields[6])
        for fields in _records(tree, "etc/passwd", 7)
    )
    groups = tuple(
        Group(fields[0], int(fields[2]), tuple(filter(None, fields[3].split(",")))) for fields in _records(tree, "etc/group", 4)
    )
    return Accounts(users, groups, tuple((fields[0], fields[1]) for fields in _records(tree, "etc/shadow", 9)))


def _records(tree: Tree, path: str, wanted: int) -> Iterator[list[str]]:
    text = tree.text(path)
    if not text:
        raise ValueError(f"/{path} is missing or empty")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        fields = line.split(":")
        numbers = {"etc/passwd": (2, 3), "etc/group": (2,)}.get(path, ())
        if len(fields) != wanted or any(not fields[place].isdigit() for place in numbers):
            raise ValueError(f"/{path} line {number} cannot be read")
        yield fields
