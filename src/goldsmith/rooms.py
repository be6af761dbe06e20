"""A room whose files are loaded when one of their names is asked for: a command starts in the time of what it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def opened_when_asked(room: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a room. `places` are the names that each of its files gives, with blanks between.

    No name may be that of a file: the file itself stands in the room under it, once it is loaded.
    """

    def name_in(name: str) -> object:
        for file, names in places.items():
            if name in names.split():
                return getattr(import_module(f"{room}.{file}"), name)
        raise AttributeError(f"module {room!r} has no attribute {name!r}")

    return name_in
