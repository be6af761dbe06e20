"""Contents of files that are too long for a task: they become files and templates of the role."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from goldsmith.assist.ansible_yaml import fits_block
from goldsmith.assist.arguments import Names
from goldsmith.assist.commands import Argument, Text, Word
from goldsmith.assist.tasks import Task

_COPY = "ansible.builtin.copy"
_MOST_LINES = 12
"""Longer contents are easier to read, and to compare, in a file of their own."""
_TEMPLATE_KNOWS = frozenset({"dest", "mode", "owner", "group", "backup", "force", "validate", "follow", "attributes", "setype"})


def extracted(task: Task, names: Names, taken: Collection[str]) -> tuple[Task, str, bytes] | None:
    """A task that names a file, the file's path in the role and its bytes; None where the task keeps its content.

    `taken` are the paths that the role has already. Raises `ValueError` when a part of the content is unknown.
    """
    content = task.args.get("content")
    if task.module != _COPY or not isinstance(content, str | Word):
        return None
    text = content if isinstance(content, str) else content.text
    if text is not None:
        return None if _stays(text) else _as_file(task, text, taken)
    assert isinstance(content, Word)
    template = names.template(content)
    if _stays(template) or set(task.args) - _TEMPLATE_KNOWS - {"content"}:
        return None
    path = _free(_path(task.args["dest"], "template"), ".j2", taken)
    args: dict[str, Argument] = {"src": path}
    args |= {name: value for name, value in task.args.items() if name != "content"}
    return replace(task, module="ansible.builtin.template", args=args), f"templates/{path}", template.encode()


def _stays(text: str) -> bool:
    lines = text.count("\n")
    return (lines <= _MOST_LINES and fits_block(text)) or (lines == 0 and text.isprintable())


def _as_file(task: Task, text: str, taken: Collection[str]) -> tuple[Task, str, bytes]:
    path = _free(_path(task.args["dest"], "content"), "", taken, "files/")
    args: dict[str, Argument] = {"src": path}
    args |= {name: value for name, value in task.args.items() if name != "content"}
    return replace(task, args=args), f"files/{path}", text.encode(errors="surrogateescape")


def _path(destination: Argument, otherwise: str) -> str:
    word = Word.of(destination) if isinstance(destination, str) else destination
    pieces = word.pieces if isinstance(word, Word) else ()
    text = "".join(piece.value if isinstance(piece, Text) else "_" for piece in pieces)
    parts = [re.sub(r"[^A-Za-z0-9._+@-]", "_", part) for part in text.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or otherwise


def _free(path: str, ending: str, taken: Collection[str], folder: str = "templates/") -> str:
    number = 1
    while f"{folder}{(name := path + (f'-{number}' if number > 1 else '') + ending)}" in taken:
        number += 1
    return name
