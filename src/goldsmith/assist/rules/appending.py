"""What `>>` does, in a way that can be repeated: lines, or a whole block, that a file has after its other lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Piece, Text, Variable, Word
from goldsmith.assist.expressions import atom
from goldsmith.assist.rules.lines import ends_its_line, lines_of
from goldsmith.assist.rules.modes import file_mode
from goldsmith.assist.rules.paths import ITEM, PRESENT
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.tasks import Inexact, Task

_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
_STRUCTURE = re.compile(
    r"\s|\[|[#;!<]|[{}()]|(?:fi|done|esac|else|end|elif|then|do|in)\b|EOF$|.*(?:[{(\\]|\b(?:then|do|else))$"
)
"""A line of a program, of a section or of a comment: it has its meaning beside its neighbours only."""


def append(command: Command, path: Word, content: Word, *, exists: bool = False) -> tuple[Task, ...]:
    """Tasks that add a text at the end of a file, unless the file has it already.

    One line, and lines that each mean something alone, are added where they are missing. A text of another kind is a
    block: it is added as a whole where the file does not have it as a whole. A file that is not there is made, unless it
    `exists` for sure.
    """
    exists = exists or path.text in PRESENT
    lines = lines_of(content)
    if not any(line.pieces for line in lines):
        raise Inexact("whether an empty line was added before cannot be told from a file")
    if ends_its_line(content) and (len(lines) == 1 or _stand_alone(lines)):
        return _lines(command, path, lines, exists)
    return _block(command, path, content, exists)


def _stand_alone(lines: Sequence[Word]) -> bool:
    shown = [line.label for line in lines]
    return len(set(shown)) == len(shown) and all(len(text) > 3 and not _STRUCTURE.match(text) for text in shown)


def _lines(command: Command, path: Word, lines: Sequence[Word], exists: bool) -> tuple[Task, ...]:
    if len(lines) > 1 and command.context.loop is not None:
        return _block(command, path, sum((line + Word.of("\n") for line in lines), Word(())), exists)
    arguments: dict[str, Argument] = {"path": path, "line": lines[0] if len(lines) == 1 else ITEM}
    if not exists:
        arguments |= {"create": True, "mode": file_mode(command, path).value}
    added = "a line" if len(lines) == 1 else f"{len(lines)} lines"
    task = Task(f"Add {added} to {shortened(path.label)}", "ansible.builtin.lineinfile", arguments, "writing.append-line")
    return (task if len(lines) == 1 else replace(task, loop=tuple(lines)),)


def _block(command: Command, path: Word, content: Word, exists: bool) -> tuple[Task, ...]:
    """The file is replaced by itself and the block, where it does not hold the block: blockinfile would leave marks."""
    label = shortened(path.label)
    tasks: list[Task] = []
    if not exists:
        mode = file_mode(command, path).value
        empty: dict[str, Argument] = {"dest": path, "content": "", "force": False, "mode": mode}
        tasks.append(Task(f"Create file {label}", "ansible.builtin.copy", empty, "writing.append-create"))
    pattern = Word.of(r"\A(?![\s\S]*^") + _escaped(content) + Word.of(r")[\s\S]*\Z")
    arguments: dict[str, Argument] = {"path": path, "regexp": pattern, "replace": Word.of(r"\g<0>") + _as_replacement(content)}
    tasks.append(Task(f"Add a block to {label}", "ansible.builtin.replace", arguments, "writing.append-block"))
    return tuple(tasks)


def _escaped(content: Word) -> Word:
    """A regular expression for the text itself."""
    return _mapped(content, escaped, "regex_escape")


def escaped(text: str) -> str:
    """A regular expression for a text; more readable than re.escape, which escapes what need not be."""
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", r"\n")


def _as_replacement(content: Word) -> Word:
    return _mapped(content, lambda text: text.replace("\\", "\\\\"), "replace('\\\\', '\\\\\\\\')")


def _mapped(content: Word, change: Callable[[str], str], filter: str) -> Word:
    pieces: list[Piece] = []
    for piece in content.pieces:
        if isinstance(piece, Text):
            pieces.append(Text(change(piece.value)))
        elif isinstance(piece, Variable):
            pieces.append(Variable(f"{atom(piece.expression)} | {filter}", piece.kind))
        else:
            raise Inexact(piece.reason)
    return Word(tuple(pieces), content.source)
