"""Commands and tasks by hand, for tests of what follows the reading of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goldsmith.assist.commands import Argument, Command, Condition, Context, Place, Word
from goldsmith.assist.tasks import Task


def place(line: int, file: str = "setup.sh") -> Place:
    """A place of one line."""
    return Place(file, line, line, 0, 0)


def command(line: int, name: str, *args: str | Word, **fields: Any) -> Command:
    """A command whose id is its line."""
    words = tuple(Word.of(item) if isinstance(item, str) else item for item in args)
    return Command(line, name, words, place(line), " ".join([name, *(word.label for word in words)]), **fields)


def task(line: int, module: str, args: Mapping[str, Argument], **fields: Any) -> Task:
    """A task of the command of a line."""
    module = module if "." in module else f"ansible.builtin.{module}"
    name = fields.pop("name", f"Task {line}")
    return Task(name, module, args, "test.rule", places=(place(line),), command_ids=(line,), **fields)


def when(*expressions: str) -> Context:
    """A context with conditions."""
    return Context(conditions=tuple(Condition(text, text, place(1)) for text in expressions))
