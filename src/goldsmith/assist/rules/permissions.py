"""Who owns files and what may be done with them: chmod, chown, chgrp."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Text, Variable, Word
from goldsmith.assist.rules.globs import Make, matches, over
from goldsmith.assist.rules.modes import is_mode, mode_argument
from goldsmith.assist.rules.options import Grammar, Parsed
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

FILE = "ansible.builtin.file"

_COMMON = (
    "-R --recursive",
    "-f --silent --quiet",
    "-v --verbose",
    "-c --changes",
    "--reference=",
    "--preserve-root",
    "--no-preserve-root",
)
_CHMOD = Grammar.of(*_COMMON)
_CHOWN = Grammar.of(*_COMMON, "-h --no-dereference", "--dereference", "--from=", "-H", "-L", "-P")
_HARMLESS = ("-R", "-f", "-v", "-c", "--preserve-root")


def _chmod(command: Command) -> Outcome:
    words, mode = list(command.args), None
    for index, word in enumerate(words):
        known = word.text
        if known is not None and known.startswith("-") and known not in ("-R", "--") and is_mode(known):
            mode = words.pop(index)
            break
    parsed = _CHMOD.parse(replace(command, args=tuple(words)))
    parsed.only(*_HARMLESS)
    operands = parsed.operands if mode is not None else parsed.operands[1:]
    mode = mode or next(iter(parsed.operands), None)
    if mode is None or not operands:
        raise Inexact("it names no file")
    return _tasks(command, parsed, operands, {"mode": mode_argument(mode)}, f"mode {mode.label}")


def _chown(command: Command) -> Outcome:
    parsed = _CHOWN.parse(command)
    parsed.only(*_HARMLESS, "-h", "--dereference", "-P")
    if len(parsed.operands) < 2:
        raise Inexact("it names no file")
    who, *operands = parsed.operands
    login, owner = _ownership(command, who)
    outcome = _tasks(command, parsed, operands, owner, f"owner {who.label.rstrip(':')}")
    return Converted((*login, *outcome.tasks))


def _chgrp(command: Command) -> Outcome:
    parsed = _CHOWN.parse(command)
    parsed.only(*_HARMLESS, "-h", "--dereference", "-P")
    if len(parsed.operands) < 2:
        raise Inexact("it names no file")
    group, *operands = parsed.operands
    return _tasks(command, parsed, operands, {"group": group}, f"group {group.label}")


def _tasks(command: Command, parsed: Parsed, operands: Sequence[Word], given: Mapping[str, Argument], said: str) -> Converted:
    links: dict[str, Argument] = {"follow": False} if "-h" in parsed.grammar.names and parsed.has("-h") else {}
    recursive: dict[str, Argument] = {"state": "directory", "recurse": True, "follow": False}
    how = recursive if parsed.has("-R") else links
    rule = f"permissions.{command.name}"

    def make(path: Word, label: str) -> Task:
        below = " and all below it" if parsed.has("-R") else ""
        return Task(f"Set {said} of {label}{below}", FILE, {"path": path, **how, **given}, rule)

    if not parsed.has("-R"):
        return Converted(over(command, operands, rule, make))
    tasks: list[Task] = list(over(command, [word for word in operands if not word.glob], rule, make))
    for index, word in enumerate(word for word in operands if word.glob):
        tasks += _recursive(command, word, chr(ord("a") + index), make)
    return Converted(tuple(tasks))


def _recursive(command: Command, word: Word, suffix: str, make: Make) -> tuple[Task, ...]:
    """What a pattern matches may be files, and the module takes `recurse` for directories only."""
    finds, _ = matches(command, word, f"permissions.{command.name}", suffix)
    task = make(Word((Variable("item.path", "loop"),)), shortened(word.label))
    found = Word((Variable(f"{finds[-1].register}.files", "registered"),))
    arguments: dict[str, Argument] = {
        **task.args,
        "state": Word((Variable("item.isdir | ternary('directory', 'file')", "loop"),)),
        "recurse": Word((Variable("item.isdir", "loop"),)),
    }
    return (*finds, replace(task, args=arguments, loop=found))


def _ownership(command: Command, who: Word) -> tuple[tuple[Task, ...], dict[str, Argument]]:
    """Owner and group of `user`, `user:group`, `:group`, `user:` (the login group, which has to be asked for)."""
    user, group = _split(who)
    arguments: dict[str, Argument] = {}
    if user.pieces:
        arguments["owner"] = user
    if group is None:
        return (), arguments
    if group.pieces:
        return (), {**arguments, "group": group}
    name = user.text
    if name == "root":
        return (), {**arguments, "group": "root"}
    if name is None or not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise Inexact(f"the login group of {who.source} is looked up when the script runs")
    login = Task(
        f"Look up the login group of {name}",
        "ansible.builtin.getent",
        {"database": "passwd", "key": name},
        "permissions.login-group",
    )
    number = Variable(f"ansible_facts.getent_passwd['{name}'][2]", "registered")
    return (login,), {**arguments, "group": Word((number,))}


def _split(who: Word) -> tuple[Word, Word | None]:
    for index, piece in enumerate(who.pieces):
        if isinstance(piece, Text) and ":" in piece.value:
            before, _, after = piece.value.partition(":")
            user = Word((*who.pieces[:index], *((Text(before),) if before else ())))
            return user, Word((*((Text(after),) if after else ()), *who.pieces[index + 1 :]))
    first, dot, second = (who.text or "").partition(".")
    if not dot:
        return who, None
    if first != second:
        raise Inexact(f"whether {who.text} is a user or a user and a group depends on the users of the machine")
    return Word.of(first), Word.of(second)


RULES: Mapping[str, Rule] = {"chmod": _chmod, "chown": _chown, "chgrp": _chgrp}
