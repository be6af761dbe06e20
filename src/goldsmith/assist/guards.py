"""Commands that stay commands: the task that runs one as the script does, and what tells whether it has to run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.assist import counted
from goldsmith.assist.commands import Argument, Command, Text, Unknown, Variable, Word
from goldsmith.assist.known_effects import is_descriptor, telling, written
from goldsmith.assist.tasks import Inexact, Kind, Task


def run(
    command: Command,
    name: str,
    rule: str,
    *,
    kind: Kind = "guard",
    changed_when: str | bool = True,
    creates: Word | None = None,
    removes: Word | None = None,
    when: tuple[str, ...] = (),
    register: str = "",
    failed_when: str | bool | None = None,
    notes: tuple[str, ...] = (),
) -> Task:
    """A task that runs the command with its own words; raises `Inexact` where one of them is unknown."""
    unknown = next((word.unknown for word in _words(command) if word.unknown is not None), None)
    if unknown is not None:
        raise Inexact(unknown)
    return Task(
        name=name,
        module="ansible.builtin.shell" if _needs_shell(command) else "ansible.builtin.command",
        args=_arguments(command, creates, removes),
        rule=rule,
        kind=kind,
        register=register,
        changed_when=changed_when,
        failed_when=failed_when,
        environment=dict(command.environment),
        become_user=command.user,
        when=when,
        notes=notes,
    )


def query(command: Command, name: str, rule: str, words: Sequence[str | Word], *, register: str, may_fail: bool = True) -> Task:
    """A task that only looks, by other words in the place of the command's own; its result is registered."""
    program, *args = [Word.of(word) if isinstance(word, str) else word for word in words]
    asked = replace(
        command, name=program.text or "", program=program, args=tuple(args), redirects=(), stdin=None, feeds=(), umask=0o022
    )
    return run(asked, name, rule, changed_when=False, register=register, failed_when=False if may_fail else None)


def registered(command: Command, what: str) -> str:
    """A name for a result of this command that no other command's result has."""
    return f"{what}_{command.id}"


def expression(word: Word) -> str:
    """The word as an expression of Jinja, for conditions; raises `Inexact` where it is unknown."""
    if word.unknown is not None:
        raise Inexact(word.unknown)
    parts = [_literal(piece.value) if isinstance(piece, Text) else f"({_value(piece)})" for piece in word.pieces]
    return " ~ ".join(parts) if parts else "''"


def _value(piece: Variable | Unknown) -> str:
    return piece.expression if isinstance(piece, Variable) else "''"


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    for opening in ("{{", "{%", "{#"):
        escaped = escaped.replace(opening, f"{{' ~ '{opening[1]}")
    return f"'{escaped}'"


def guarded(command: Command, reason: str) -> Task:
    """The task of a command that no rule converts: as it is written, with the guard that its words alone allow.

    Where only files are written that its words name, their checksums tell whether it changed anything. Where that is not
    certain the task is `shell`: it runs every time and says that it changed something. Words that nobody knows stay as
    the script has them, and the shell refuses a variable that it does not have.
    """
    name = "Run " + _brief(command)
    notes = (reason,)
    unknown = next((word.unknown for word in _words(command) if word.unknown is not None), None)
    if unknown is not None:
        text = Word.of("set -euo pipefail\n") + shell_text(command)
        return Task(
            name=name,
            module="ansible.builtin.shell",
            args=_shell(command, text, None, None),
            rule="residue.unknown-words",
            kind="shell",
            changed_when=True,
            environment=dict(command.environment),
            become_user=command.user,
            notes=(*notes, unknown),
        )
    told = telling(command)
    if told is not None:
        register = registered(command, "told")
        changed = told.replace("RESULT", register)
        return run(command, name, "residue.told", changed_when=changed, register=register, notes=notes)
    outputs = written(command)
    if outputs is None:
        return run(command, name, "residue.shell", kind="shell", notes=(*notes, "unproven: runs every time"))
    if not outputs:
        return run(command, name, "residue.reads", changed_when=False, notes=notes)
    return _checked(command, name, outputs, notes)


def shell_text(command: Command) -> Word:
    """The command with its pipeline and redirections as text for a shell."""
    text = Word(())
    for feed in command.feeds:
        text = text + _simple(feed) + Word.of(" | ")
    text = text + _simple(command)
    if command.stdin is not None and not command.feeds:
        text = Word.of("printf %s ") + quoted(command.stdin) + Word.of(" | ") + text
    return replace(text, glob=False, is_split=False, source=command.source)


def quoted(word: Word) -> Word:
    """One word of a shell: values of the playbook are quoted when it runs, patterns stay patterns."""
    if word.unknown is not None:
        return Word((Text(word.source),), word.source)
    if not word.pieces:
        return Word.of("''")
    pieces = [_quoted_piece(piece, word) for piece in word.pieces if not isinstance(piece, Unknown)]
    result = Word(())
    for piece in pieces:
        result = result + Word((piece,))
    return result


def _quoted_piece(piece: Text | Variable, word: Word) -> Text | Variable:
    if isinstance(piece, Variable):
        return piece if word.is_split else replace(piece, expression=f"{piece.expression} | quote")
    if word.glob:
        return Text(re.sub(r"([^\w@%+=:,./*?\[\]!^-])", r"\\\1", piece.value))
    return Text(shlex.quote(piece.value))


def _simple(command: Command) -> Word:
    program = command.program if command.program.pieces else Word.of(command.name)
    text = quoted(program)
    for word in command.args:
        text = text + Word.of(" ") + quoted(word)
    for redirect in command.redirects:
        fd = "" if redirect.fd == (0 if redirect.operator in ("<", "<>") else 1) else str(redirect.fd)
        target = redirect.target if is_descriptor(redirect) else quoted(redirect.target)
        text = text + Word.of(f" {fd}{redirect.operator}") + target
    return text


# What ansible-lint wants a module for. Where no module says the same, a shell runs the command.
_LINTED = frozenset({
    "apt-get", "chkconfig", "curl", "dnf", "git", "hg", "letsencrypt", "mktemp", "mount", "patch", "rpm", "rsync", "sed",
    "service", "supervisorctl", "svn", "systemctl", "tar", "unzip", "wget", "yum",
})  # fmt: skip


def _words(command: Command) -> tuple[Word, ...]:
    stdin = () if command.stdin is None or command.feeds else (command.stdin,)
    redirected = tuple(redirect.target for redirect in command.redirects)
    fed = tuple(word for feed in command.feeds for word in _words(feed))
    return (command.program, *command.args, *stdin, *redirected, *fed)


def _needs_shell(command: Command) -> bool:
    return bool(
        command.redirects
        or command.feeds
        or command.umask != 0o022
        or command.name in counted.CONTROL
        or command.name in _LINTED
        or any(word.glob or word.is_split for word in command.args)
    )


def _arguments(command: Command, creates: Word | None, removes: Word | None) -> Mapping[str, Argument]:
    if _needs_shell(command):
        # Without a word on it a shell looks at the last command of a pipeline only; ansible-lint wants that said.
        sign = "+" if command.feeds else "-"
        return _shell(command, Word.of(f"set {sign}o pipefail\n") + shell_text(command), creates, removes)
    program = command.program if command.program.pieces else Word.of(command.name)
    args: dict[str, Argument] = {"argv": [program, *command.args]}
    if command.stdin is not None:
        args |= {"stdin": command.stdin, "stdin_add_newline": False}
    return args | _place(command, creates, removes)


def _shell(command: Command, text: Word, creates: Word | None, removes: Word | None) -> Mapping[str, Argument]:
    if command.umask != 0o022:
        text = Word.of(f"umask {command.umask:04o}\n") + text
    args: dict[str, Argument] = {"cmd": text, "executable": "/bin/bash"}
    return args | _place(command, creates, removes)


def _place(command: Command, creates: Word | None, removes: Word | None) -> dict[str, Argument]:
    args: dict[str, Argument] = {}
    if command.directory.unknown is None and command.directory.text != "/":
        args["chdir"] = command.directory
    if creates is not None:
        args["creates"] = creates
    if removes is not None:
        args["removes"] = removes
    return args


def _checked(command: Command, name: str, outputs: Sequence[Word], notes: tuple[str, ...]) -> Task:
    files = Word(())
    for path in outputs:
        files = files + Word.of(" ") + quoted(path)
    text = (
        Word.of("set -eo pipefail\nbefore=$(cksum")
        + files
        + Word.of(" 2>/dev/null || true)\n")
        + shell_text(command)
        + Word.of('\ntest "$before" = "$(cksum')
        + files
        + Word.of(')" || echo changed')
    )
    register = registered(command, "written")
    return Task(
        name=name,
        module="ansible.builtin.shell",
        args=_shell(command, replace(text, glob=False, is_split=False, source=command.source), None, None),
        rule="residue.checksums",
        kind="guard",
        register=register,
        changed_when=f"{register}.stdout_lines[-1:] == ['changed']",
        environment=dict(command.environment),
        become_user=command.user,
        notes=notes,
    )


def _brief(command: Command) -> str:
    """The beginning of the command, for a name: no secrets stand there, values are told by their names only."""
    operand = next((word.label for word in command.args if word.pieces and not word.startswith("-")), "")
    text = " ".join(f"{command.name or 'a command'} {operand}".split())
    return text if len(text) <= 60 else text[:59] + "…"
