"""Provisioner `sleep`: waits."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import Context, Duration, Provisioner, attribute
from goldsmith.machines.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepConfig:
    """Attributes of a `provisioner "sleep"` block."""

    duration: Duration = attribute(Duration(0), "How long to wait.")


class Sleep(Provisioner[SleepConfig]):
    """Lets time pass; a stop ends the wait. Nothing changes, so a stored result stands for the wait."""

    Config = SleepConfig

    def run(self, config: SleepConfig, machine: Machine, context: Context) -> None:
        """Wait."""
        context.cancellation.wait(config.duration)
