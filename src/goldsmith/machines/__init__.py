"""Machines: the places where provisioners act, and the journal of what they take from the host."""

from __future__ import annotations

# The first process of each sandbox imports this room too and waits for it: names are loaded when they are asked for, and
# `typing`, which is slow to import, is not needed to say so to a type checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from goldsmith.machines.journal import Journal
    from goldsmith.machines.local import Local
    from goldsmith.machines.remote import Remote
    from goldsmith.machines.sandbox import Sandbox

__all__ = ["Journal", "Local", "Remote", "Sandbox"]

_FILES = {
    "Journal": "journal",
    "Local": "local",
    "Remote": "remote",
    "Sandbox": "sandbox",
}


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
