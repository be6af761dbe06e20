"""The commands that a walk of the scripts meets, in order, and the names under which their results are looked at later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from goldsmith.assist.commands import Command


class Recorder:
    """Collects commands. What was recorded since a mark can be taken back: a walk may try one reading before another."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._commands: list[Command] = []
        self._names: dict[str, int] = {}
        self._next = 1

    @property
    def commands(self) -> tuple[Command, ...]:
        """All that was recorded."""
        return tuple(self._commands)

    def mark(self) -> int:
        """The place that `since` and `take_back` count from."""
        return len(self._commands)

    def since(self, mark: int) -> Sequence[Command]:
        """What was recorded after a mark."""
        return self._commands[mark:]

    def take_back(self, mark: int) -> list[Command]:
        """Forget what was recorded after a mark, and give it."""
        taken = self._commands[mark:]
        del self._commands[mark:]
        return taken

    def new_id(self) -> int:
        """An id for a command; commands of a pipeline have ids too."""
        self._next += 1
        return self._next - 1

    def add(self, command: Command) -> None:
        """Record a command."""
        self._commands.append(command)

    def update(self, id: int, **changes: object) -> None:
        """Change the context of a command that was recorded."""
        for position in range(len(self._commands) - 1, -1, -1):
            command = self._commands[position]
            if command.id == id:
                context = replace(command.context, **changes)  # type: ignore[arg-type]  # the callers name fields of it
                self._commands[position] = replace(command, context=context)
                return

    def find(self, id: int) -> Command | None:
        """The command with this id."""
        return next((command for command in reversed(self._commands) if command.id == id), None)

    def register(self, id: int) -> str:
        """The name of the result of a command, which it is given where it has none."""
        command = self.find(id)
        if command is None:
            return ""
        if command.context.registers:
            return command.context.registers
        word = re.sub(r"\W+", "_", command.name).strip("_").lower() or "command"
        wanted = f"{self._prefix}{word}_{command.place.line}"
        count = self._names.get(wanted, 0) + 1
        self._names[wanted] = count
        name = wanted if count == 1 else f"{wanted}_{count}"
        self.update(id, registers=name)
        return name
