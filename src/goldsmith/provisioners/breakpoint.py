"""Provisioner `breakpoint`: waits until a person presses Enter."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import Context, Provisioner, attribute
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakpointConfig:
    """Attributes of a `provisioner "breakpoint"` block."""

    note: str = attribute("", "Shown while the build waits.")
    disable: bool = attribute(False, "Whether the build goes on without waiting.")


class Breakpoint(Provisioner[BreakpointConfig]):
    """Stops the build at this place, so that a person can look at the machine."""

    Config = BreakpointConfig
    cacheable = False

    def run(self, config: BreakpointConfig, machine: Machine, context: Context) -> None:
        """Wait for Enter. Raises `UserError` when nobody is there to press it."""
        note = f' with note "{config.note}"' if config.note else ""
        if config.disable:
            _say(context, f"Breakpoint provisioner{note} disabled; continuing...")
            return
        _say(context, f"Pausing at breakpoint provisioner{note}.")
        if context.ask is None:
            raise UserError(
                Diagnostic(
                    code="breakpoint.nobody",
                    what="a breakpoint waits for Enter, and this build has no terminal",
                    next="Set disable = true in the breakpoint block, or start the build in a terminal.",
                )
            )
        context.ask("Press enter to continue. ")


def _say(context: Context, text: str) -> None:
    context.emit(Output(build=context.build, text=text))
