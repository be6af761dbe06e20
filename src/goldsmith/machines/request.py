"""What Goldsmith tells the first process of a sandbox: how its root looks, and which commands to run."""

from __future__ import annotations

from typing import TypedDict


class Cache(TypedDict):
    """A host directory that is shown with an overlay of its own: writes go to `upper`."""

    place: str
    lower: str
    upper: str
    work: str


class RootPlan(TypedDict):
    """How the sandbox is set up. Paths are of the host, except `place`s and the keys of the mappings."""

    lowers: list[str]
    """Lowest first."""
    upper: str
    work: str
    """The overlay's own directory, empty, on the file system of `upper`."""
    scratch: str
    """An empty directory where the root is put together, seen by the sandbox's set-up only."""
    binds: dict[str, str]
    caches: list[Cache]
    shown: dict[str, tuple[int, bytes]]
    """Files that the tree seems to hold, with mode and content; they lie below the layer, so they never become part of it."""
    run_files: dict[str, bytes]
    """Files below `/run`, which is no part of any layer."""
    unreachable: list[str]
    """IPv4 addresses that have no route."""
    host_name: str
    mapped_user: bool
    """Whether the sandbox has a user namespace, whose ids the starter writes."""


class Command(TypedDict):
    """A command to run; its standard input, output and error come along as descriptors."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
