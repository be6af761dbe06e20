"""Which files of the host a play may read: what enters the key of its step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

BESIDE = (
    *("action_plugins", "callback_plugins", "collections", "connection_plugins", "defaults", "files", "filter_plugins"),
    *("group_vars", "handlers", "host_vars", "library", "lookup_plugins", "meta", "module_utils", "roles"),
    *("strategy_plugins", "tasks", "templates", "test_plugins", "vars", "vars_plugins"),
)
"""Directories that Ansible looks into when they are beside a playbook (or, of variables, beside an inventory)."""

_WORD = re.compile(r"[^\s'\"\[\]{}(),=:]+")
_IN_PLAYBOOK_DIRECTORY = re.compile(r"\{\{\s*playbook_dir\s*\}\}/")


def read_by(playbook: Path, arguments: Sequence[str], cwd: Path) -> list[Path]:
    """The directories beside a playbook, and each file and role elsewhere that its YAML or the arguments name.

    Names that are put together while the play runs cannot be seen; what they mean must lie in one of the directories.
    """
    beside = [path for name in BESIDE if (path := playbook.parent / name).is_dir()]
    named = _followed([playbook, *_yaml_below(beside)], playbook.parent)
    given = [path for path in _variable_files(arguments, cwd) if path.is_file()]
    return [*beside, *sorted((named | set(given)) - {playbook})]


def _yaml_below(directories: Iterable[Path]) -> Iterator[Path]:
    for directory in directories:
        for pattern in ("*.yml", "*.yaml"):
            yield from directory.rglob(pattern)


def _followed(texts: Iterable[Path], base: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = list(texts)
    while waiting:
        text = waiting.pop()
        for path in _named_in(text, base):
            if path in found:
                continue
            found.add(path)
            waiting += _yaml_below([path]) if path.is_dir() else [path] if path.suffix in (".yml", ".yaml") else []
    return found


def _named_in(text: Path, base: Path) -> Iterator[Path]:
    """Relative names of existing files and roles. An absolute name means a file of the machine."""
    content = _IN_PLAYBOOK_DIRECTORY.sub("", text.read_text(encoding="utf-8", errors="replace"))
    for word in {word for word in _WORD.findall(content) if "." in word or "/" in word}:
        if word.startswith(("/", "~")) or len(word) > 255:
            continue
        for directory in {base, text.parent}:
            path = directory / word
            if path.is_file() or (path / "tasks").is_dir():
                yield path.resolve()


def _variable_files(arguments: Sequence[str], cwd: Path) -> Iterator[Path]:
    for argument in arguments:
        name = argument.partition("@")[2]
        if name and re.match(r"(-e|--extra-vars=?)?@", argument):
            yield cwd / name
