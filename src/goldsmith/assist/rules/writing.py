"""Texts that are written into files: cat, echo and printf with `>` and `>>`, tee, truncate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.assist import guards, output
from goldsmith.assist.commands import Argument, Command, Redirect, Text, Word
from goldsmith.assist.rules.appending import append
from goldsmith.assist.rules.downloads import fed_by, get
from goldsmith.assist.rules.globs import is_literal
from goldsmith.assist.rules.modes import file_mode
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.paths import absolute
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.rules.sealed import is_emptied
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

COPY = "ansible.builtin.copy"

_CAT = Grammar.of("-u")
_TEE = Grammar.of("-a --append", "-i --ignore-interrupts", "-p", "--output-error?")
_TRUNCATE = Grammar.of("-s= --size=", "-c --no-create", "-o --io-blocks", "-r= --reference=")


def _echo(command: Command) -> Outcome:
    if not command.redirects:
        return _printed(command)
    words = [_literal(word) for word in command.args]
    return _redirected(command, output.echo(words, is_bash=command.is_bash))


def _printf(command: Command) -> Outcome:
    if not command.redirects:
        return _printed(command)
    return _redirected(command, output.printf([_literal(word) for word in command.args]))


def _printed(command: Command) -> Outcome:
    if command.context.registers:
        raise Inexact("its output is looked at")
    return Dropped("writing.terminal", "it only prints")


def _literal(word: Word) -> Word:
    if not word.glob:
        return word
    if not is_literal(word):
        raise Inexact(f"{word.source} stands for the files that it matches")
    pieces = tuple(
        Text(re.sub(r"\[([*?\[])\]", r"\1", piece.value)) if isinstance(piece, Text) else piece for piece in word.pieces
    )
    return replace(word, pieces=pieces, glob=False)


def _cat(command: Command) -> Outcome:
    if not command.redirects:
        return _printed(command)
    operands = _CAT.read(command.args).operands
    if not operands or (len(operands) == 1 and operands[0].text == "-"):
        if command.stdin is None:
            raise Inexact("what it is fed is known only when it runs")
        return _redirected(command, command.stdin)
    if len(operands) == 1 and operands[0].text == "/dev/null":
        return _redirected(command, Word(()))
    if len(operands) > 1 or operands[0].glob:
        raise Inexact("several files are joined, which no module does with files of the machine")
    path, is_added = _target(command)
    if is_added:
        raise Inexact("a file of the machine is added to another one")
    return Converted(copy_of(command, absolute(command, operands[0]), path))


def copy_of(command: Command, source: Word, path: Word) -> tuple[Task, ...]:
    """The task that writes what a file holds into another, with the mode of a new file."""
    mode = file_mode(command, path)
    arguments: dict[str, Argument] = {"src": source, "dest": path, "remote_src": True, "mode": mode.value}
    label = f"Write {shortened(source.label)} to {shortened(path.label)}"
    return (*mode.asked, Task(label, COPY, arguments, "writing.copy"))


def _nothing(command: Command) -> Outcome:
    """`: > file`, or a redirection alone."""
    if not command.redirects:
        return Dropped("writing.nothing", "it does nothing")
    return _redirected(command, Word(()))


def _redirected(command: Command, content: Word) -> Outcome:
    if content.unknown is not None:
        raise Inexact(content.unknown)
    path, is_added = _target(command)
    return write(command, path, content, is_added=is_added)


def _target(command: Command) -> tuple[Word, bool]:
    """The file that the output goes to, and whether it is added to what is there."""
    outputs = [item for item in command.redirects if _is_output(item)]
    others = [item for item in command.redirects if item not in outputs and item.operator not in (">&", "<&")]
    if others and any(not item.target.startswith("/var/log/") for item in others):
        raise Inexact(f"it is redirected ({others[0].operator} {others[0].target.source})")
    if len(outputs) != 1 or outputs[0].target.glob:
        raise Inexact("where its output goes is not one file")
    return absolute(command, outputs[0].target), ">>" in outputs[0].operator


def _is_output(redirect: Redirect) -> bool:
    return redirect.fd == 1 and redirect.operator in (">", ">|", ">>", "&>", "&>>")


def write(command: Command, path: Word, content: Word, *, is_added: bool) -> Outcome:
    """What becomes of a text that is written to a file, or added to it."""
    if path.startswith(("/proc/", "/sys/", "/dev/")):
        return Dropped("writing.kernel", f"{path.label} belongs to the running machine, and no image keeps it")
    emptied = is_emptied(path)
    if emptied and (not content.pieces or path.startswith("/var/log/")):
        return Dropped("pipeline.sealed", emptied)
    if is_added:
        if not content.pieces:
            raise Inexact("whether the file is there decides what it does")
        return Converted(append(command, path, content))
    return Converted(_written(command, path, content))


def _written(command: Command, path: Word, content: Word) -> tuple[Task, ...]:
    mode = file_mode(command, path)
    arguments: dict[str, Argument] = {"dest": path, "content": content, "mode": mode.value}
    verb = "Write" if content.pieces else "Empty"
    return (*mode.asked, Task(f"{verb} {shortened(path.label)}", COPY, arguments, "writing.content"))


def _tee(command: Command) -> Outcome:
    parsed = _TEE.parse(command)
    fetched = fed_by(command)
    if fetched is not None and not parsed.has("-a"):
        return Converted(tuple(task for word in parsed.operands for task in get(command, fetched, absolute(command, word))))
    if [feed.name for feed in command.feeds[-1:]] in (["gpg"], ["gpg2"]) and not parsed.has("-a"):
        return Converted((_keyring(command, parsed.operands),))
    if command.stdin is None or command.stdin.unknown is not None:
        raise Inexact("what it is fed is known only when it runs")
    outcomes = [
        write(command, absolute(command, word), command.stdin, is_added=parsed.has("-a"))
        for word in parsed.operands
        if word.text != "/dev/null"
    ]
    if any(word.glob for word in parsed.operands):
        raise Inexact("which files it writes depends on what is there")
    tasks = tuple(task for outcome in outcomes if isinstance(outcome, Converted) for task in outcome.tasks)
    if tasks:
        return Converted(tasks)
    return outcomes[0] if outcomes else Dropped("writing.terminal", "it only prints")


def _keyring(command: Command, operands: Sequence[Word]) -> Task:
    """`curl URL | gpg --dearmor | tee KEYRING`: made once, and not again while it is there."""
    if len(operands) != 1 or not any(word.text == "--dearmor" for word in command.feeds[-1].args):
        raise Inexact("what it is fed is known only when it runs")
    target = absolute(command, operands[0])
    name = f"Make the keyring {shortened(target.label)}"
    return guards.run(command, name, "repositories_apt.keyring", creates=target)


def _truncate(command: Command) -> Outcome:
    parsed = _TRUNCATE.parse(command)
    size = parsed.value("-s")
    if size is None or text(size) not in ("0", "<0") or parsed.has("-r"):
        raise Inexact("a size other than nothing is given to a file")
    paths = [replace(absolute(command, word), glob=word.glob) for word in parsed.operands]
    reasons = dict.fromkeys(reason for path in paths if (reason := is_emptied(path)))
    left = [word for word, path in zip(parsed.operands, paths, strict=True) if not is_emptied(path)]
    if not left:
        return Dropped("pipeline.sealed", "; ".join(reasons) or "it names nothing")
    if parsed.has("-c") or any(word.glob for word in left):
        raise Inexact("whether files are there decides what it does")
    return Converted(tuple(task for word in left for task in _written(command, absolute(command, word), Word(()))))


RULES: Mapping[str, Rule] = {
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "tee": _tee,
    "truncate": _truncate,
    ":": _nothing,
    "true": _nothing,
}
