"""Statements that stay shell as a whole, with what they take from the rest of their script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.assist.commands import Argument, Block, Command, Word
from goldsmith.assist.guards import quoted
from goldsmith.assist.tasks import Task

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """Options of the shell where a command stands."""

    is_strict: bool = True
    """`set -e`."""
    has_pipefail: bool = False
    """`set -o pipefail`."""

    @property
    def line(self) -> Word:
        """The line that sets them; ansible-lint wants `pipefail` to be spoken of."""
        if self.has_pipefail:
            return Word.of(f"set -{'e' * self.is_strict}o pipefail\n")
        return Word.of("set +o pipefail\n" + "set -e\n" * self.is_strict)


def block_task(command: Command, block: Block, reason: str, options: ShellOptions) -> Task:
    """A task that runs a whole statement of the script, in which the command stands; nothing tells what it changes."""
    lines = [" ".join(line.split()) for line in block.source.strip().split("\n")]
    args: dict[str, Argument] = {"cmd": options.line + script_of(block), "executable": "/bin/bash"}
    if command.directory.unknown is None and command.directory.text != "/":
        args["chdir"] = command.directory
    return Task(
        name=shortened(f"Run what starts with {lines[0]}" if len(lines) > 1 else f"Run {lines[0]}"),
        module="ansible.builtin.shell",
        args=args,
        rule="residue.block",
        kind="shell",
        changed_when=True,
        environment={name: value for name, value in command.environment.items() if value.unknown is None},
        notes=(reason,),
    )


def script_of(block: Block) -> Word:
    """A statement with what it takes from elsewhere set before it; a value that nobody knows makes it fail."""
    known = {name: value for name, value in sorted(block.variables.items()) if value.unknown is None}
    script = Word.of("set -u\n" if len(known) < len(block.variables) else "")
    for name, value in known.items():
        script += Word.of(f"{name}=") + quoted(value) + Word.of("\n")
    if block.arguments and not any(word.unknown for word in block.arguments):
        script += _spaced([Word.of("set --"), *(quoted(word) for word in block.arguments)]) + Word.of("\n")
    for function in block.functions:
        script += Word.of(function.rstrip("\n") + "\n")
    return script + Word.of(block.source.rstrip("\n") + "\n")


def _spaced(words: Sequence[Word]) -> Word:
    line = words[0]
    for word in words[1:]:
        line += Word.of(" ") + word
    return line


def label(command: Command) -> str:
    """A command for the name of a task: its first words, without Jinja."""
    return shortened(" ".join([command.name or "a command", *(word.label for word in command.args)]))


def shortened(text: str) -> str:
    """A text for the name of a task: on one line, without Jinja, and not long."""
    text = re.sub(r"\{(?=[{%#])", "{ ", " ".join(text.split())).replace("}}", "} }")
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}..."
