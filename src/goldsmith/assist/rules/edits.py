"""Files that are edited in place: sed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Piece, Text, Variable, Word
from goldsmith.assist.expressions import atom
from goldsmith.assist.rules.appending import append
from goldsmith.assist.rules.globs import Make, over
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.rules.paths import absolute
from goldsmith.assist.rules.regexes import PLACEHOLDERS
from goldsmith.assist.rules.sed_edits import Addition, Removal, Replacement, edit_of
from goldsmith.assist.rules.sed_scripts import Deletion, Insertion, Line, SedCommand, Substitution, parse_script
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

_SED = Grammar.of(
    """
    -i? --in-place?, -e= --expression=, -f= --file=, -E -r --regexp-extended, -n --quiet --silent, -s --separate,
    -u --unbuffered, -z --null-data, -l= --line-length=, --posix, --debug, --follow-symlinks, -b --binary, --sandbox
    """
)


def _sed(command: Command) -> Outcome:
    parsed = _SED.parse(command)
    if not parsed.has("-i"):
        if command.context.registers:
            raise Inexact("its output is looked at")
        return Dropped("edits.terminal", "it only prints")
    parsed.only("-i", "-e", "-E", "-s", "-u", "--follow-symlinks", "-b")
    scripts, files = parsed.values("-e"), parsed.operands
    if not scripts:
        scripts, files = files[:1], files[1:]
    if not scripts or not files:
        raise Inexact("it names no script, or no file")
    source, values = _with_placeholders(scripts)
    commands = parse_script(source, extended=parsed.has("-E"))
    if not commands:
        raise Inexact("its script does nothing")
    _refuse_dependence(commands)
    tasks: list[Task] = list(_backups(command, parsed, files))
    for item in commands:
        made = _tasks(command, item, files, values)
        tasks += [task for task in made if task not in tasks]
    return Converted(tuple(tasks))


def _with_placeholders(scripts: Sequence[Word]) -> tuple[str, tuple[Variable, ...]]:
    """The script as one text; each value of the playbook is a character that nothing else is."""
    values: list[Variable] = []
    lines: list[str] = []
    for script in scripts:
        line = ""
        for piece in script.pieces:
            if isinstance(piece, Text):
                line += piece.value
            elif isinstance(piece, Variable):
                if len(values) >= len(PLACEHOLDERS):
                    raise Inexact("it has too many values")
                line += chr(PLACEHOLDERS[len(values)])
                values.append(piece)
        lines.append(line)
    return "\n".join(lines), tuple(values)


def _refuse_dependence(commands: Sequence[SedCommand]) -> None:
    """sed does all commands to a line before it reads the next; tasks do one to all lines: that may differ."""
    for index, command in enumerate(commands[:-1]):
        later = commands[index + 1 :]
        action = command.action
        if isinstance(command.first, Line) or command.last is not None:
            raise Inexact("lines are counted before other commands change them")
        if isinstance(action, Substitution) and any(isinstance(part, str) and "\n" in part for part in action.replacement):
            raise Inexact("lines that one command makes are seen by the next")
        if isinstance(action, Deletion) and any(isinstance(item.first, Line) for item in later):
            raise Inexact("lines are counted before other commands remove them")
        if isinstance(action, Insertion) and any(_touches(item, action.text) for item in later):
            raise Inexact("lines that one command inserts are edited by the next")


def _touches(command: SedCommand, text: str) -> bool:
    edit = edit_of(command)
    if isinstance(edit, Addition):
        return False
    return any(re.search(edit.regexp, line + "\n", re.MULTILINE) for line in text.split("\n"))


def _backups(command: Command, parsed: Parsed, files: Sequence[Word]) -> Iterator[Task]:
    """`-i.bak` keeps the file as it was; a copy that is there already stays, or the second run would replace it."""
    suffix = parsed.value("-i")
    if suffix is None:
        return
    if re.search(r"[*/]", text(suffix)):
        raise Inexact("the name of the copy is made from a pattern")

    def make(path: Word, label: str) -> Task:
        arguments: dict[str, Argument] = {
            "src": path,
            "dest": path + suffix,
            "remote_src": True,
            "mode": "preserve",
            "force": False,
        }
        return Task(f"Keep {label} as it was", "ansible.builtin.copy", arguments, "edits.backup")

    yield from over(command, files, "edits.sed", make)


def _tasks(command: Command, item: SedCommand, files: Sequence[Word], values: Sequence[Variable]) -> tuple[Task, ...]:
    edit = edit_of(item)
    if isinstance(edit, Addition):
        if any(word.glob for word in files):
            raise Inexact("text is added to files that a pattern names")
        content = _filled(edit.text, values)
        return tuple(task for word in files for task in append(command, absolute(command, word), content, exists=True))
    return over(command, files, "edits.sed", _editing(edit, item, values))


def _editing(edit: Replacement | Removal, item: SedCommand, values: Sequence[Variable]) -> Make:
    regexp = _filled(edit.regexp, values, "regex_escape")

    def make(path: Word, label: str) -> Task:
        if isinstance(edit, Removal):
            removed: dict[str, Argument] = {"path": path, "regexp": regexp, "state": "absent"}
            return Task(f"Remove lines from {label}", "ansible.builtin.lineinfile", removed, "edits.sed-delete")
        arguments: dict[str, Argument] = {"path": path, "regexp": regexp}
        if edit.by:
            arguments["replace"] = _filled(edit.by, values, r"replace('\\', '\\\\')")
        notes = ("Lines that have the new text already stay as they are.",) if edit.guard else ()
        kind = {Substitution: "Replace text in", Deletion: "Remove lines from", Insertion: "Insert lines into"}
        name = f"{kind[type(item.action)]} {label}"
        rule = f"edits.sed-{type(item.action).__name__.lower()}"
        return Task(name, "ansible.builtin.replace", arguments, rule, notes=notes)

    return make


def _filled(template: str, values: Sequence[Variable], filter: str = "") -> Word:
    """The text with the values in the places of their characters."""
    pieces: list[Piece] = []
    for part in re.split(f"([{chr(PLACEHOLDERS[0])}-{chr(PLACEHOLDERS[-1])}])", template):
        if len(part) == 1 and ord(part) in PLACEHOLDERS:
            value = values[ord(part) - PLACEHOLDERS[0]]
            pieces.append(replace(value, expression=f"{atom(value.expression)} | {filter}") if filter else value)
        elif part:
            pieces.append(Text(part))
    return Word(tuple(pieces), template)


RULES: Mapping[str, Rule] = {"sed": _sed}
