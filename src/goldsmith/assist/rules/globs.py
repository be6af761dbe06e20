"""Patterns of paths: the tasks that find what matches, and loops over it or over several operands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from goldsmith.assist.commands import Command, Text, Variable, Word
from goldsmith.assist.rules.options import text
from goldsmith.assist.rules.paths import ITEM, absolute
from goldsmith.assist.rules.phrases import said, shortened
from goldsmith.assist.tasks import Inexact, Task

Make: TypeAlias = Callable[[Word, str], Task]
"""Makes the task for a path, which it is given with its name for a sentence."""

_MAGIC = re.compile(r"[*?\[]")


def over(command: Command, operands: Sequence[Word], rule: str, make: Make) -> tuple[Task, ...]:
    """A task for every path that the operands name: `make` is given a path and the path's name in a sentence.

    Several operands become one task with a loop, a pattern becomes a task that finds and one that loops over what was
    found. Raises `Inexact` for a pattern where the script loops already.
    """
    plain = [absolute(command, word) for word in operands if not word.glob]
    tasks: list[Task] = []
    if len(plain) > 1 and command.context.loop is None:
        tasks.append(replace(make(ITEM, said(plain)), loop=tuple(plain)))
    else:
        tasks += [make(path, shortened(path.label)) for path in plain]
    for index, word in enumerate(word for word in operands if word.glob):
        finds, found = matches(command, word, rule, chr(ord("a") + index))
        tasks += [*finds, replace(make(ITEM, shortened(word.label)), loop=found)]
    return tuple(tasks)


def matches(command: Command, word: Word, rule: str, suffix: str = "a") -> tuple[tuple[Task, ...], Word]:
    """Tasks that find what a pattern matches, and the sorted paths that they found.

    One task for each part of the path from the first pattern on. As in the shell, `*` does not match a dot in front.
    """
    if command.context.loop is not None:
        raise Inexact(f"the pattern {word.source} stands in a loop, and a task loops once")
    pattern = text(absolute(command, word))
    parts = pattern.split("/")
    first = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), None)
    if first is None:
        raise Inexact(f"{word.source} is no pattern of a path")
    searched: Word = Word.of("/".join(parts[:first]) or "/")
    tasks: list[Task] = []
    for depth, part in enumerate(parts[first:]):
        name = f"found_{command.id}{suffix}{depth or ''}"
        tasks.append(_find(searched, part, name, f"{rule}-find", "/".join(parts[: first + depth + 1])))
        searched = Word((Variable(f"{name}.files | map(attribute='path') | sort", "registered"),))
    return tuple(tasks), searched


def _find(directory: Word, pattern: str, register: str, rule: str, said_as: str) -> Task:
    arguments: dict[str, str | bool | Word | tuple[str, ...]] = {
        "paths": directory,
        "patterns": (_fnmatch(pattern),),
        "file_type": "any",
    }
    if pattern.startswith("."):
        arguments["hidden"] = True
    return Task(f"Find {shortened(said_as)}", "ansible.builtin.find", arguments, rule, register=register)


def _fnmatch(pattern: str) -> str:
    """A shell's pattern as Python's fnmatch has it."""
    if "\\" in pattern or "[:" in pattern or "[=" in pattern or "[." in pattern:
        raise Inexact(f"the pattern {pattern} has no equal in a find task")
    return pattern.replace("[^", "[!")


def is_literal(word: Word) -> bool:
    """Whether a word that looks like a pattern of paths surely is none: an option of a repository line, a URL."""
    shown = "".join(piece.value if isinstance(piece, Text) else "x" for piece in word.pieces)
    return not word.glob or "://" in shown or not re.search(r"[*?]", shown)
