"""What a target is to be told, and what it has to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.registry.entities import LoggedEvent
from goldsmith.registry.resolve import Resolved


class GoneForGood(MachineError):
    """The target says that it will never take this; trying again is of no use."""


class Listener(Protocol):
    """A target that hears of events. Delivering one twice must do no harm: the other side knows it by its id."""

    def tell(self, event: LoggedEvent) -> None:
        """Deliver one event. Raises `GoldsmithError` when it did not arrive, `GoneForGood` when it never will."""


class Follower(Protocol):
    """A target that is kept where a channel is. Following twice changes nothing the second time."""

    def follow(self, channel: Resolved) -> str:
        """Bring the target to where the channel is, and see by reading it back that it is there; gives what it holds now.

        Raises `GoldsmithError` when it is not there.
        """

    def would_hold(self, channel: Resolved) -> str:
        """What the target holds when it follows the channel. Raises `GoldsmithError` when there is nothing to hold."""

    def held(self) -> str:
        """What the target holds now; empty for nothing. Raises `GoldsmithError`."""

    def place(self) -> str:
        """Where it is, for people."""


Destination: TypeAlias = Listener | Follower


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How an attempt ended."""

    target: str
    seq: int
    """The event."""
    note: str = ""
    """What the target holds now."""
    error: str = ""
    """Why it did not arrive; it is tried again."""
