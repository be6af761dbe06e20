"""Files and directories are made, linked and removed: mkdir, touch, ln, rm, rmdir, unlink."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.globs import Make, over
from goldsmith.assist.rules.modes import created_mode, directory_mode, file_mode
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.paths import (
    DIRECTORIES,
    MODES,
    absolute,
    inside,
    is_directory,
    missing_parents,
    name_of,
    relative,
)
from goldsmith.assist.rules.sealed import is_sealed_away
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

FILE = "ansible.builtin.file"

_MKDIR = Grammar.of("-p --parents", "-m= --mode=", "-v --verbose", "-Z", "--context?")
_TOUCH = Grammar.of(
    "-a", "-m", "-c --no-create", "-f", "-h --no-dereference", "-d= --date=", "-t=", "-r= --reference=", "--time="
)
_LN = Grammar.of(
    "-s --symbolic",
    "-f --force",
    "-n --no-dereference",
    "-T --no-target-directory",
    "-t= --target-directory=",
    "-v --verbose",
    "-r --relative",
    "-b",
    "--backup?",
    "-S= --suffix=",
    "-i --interactive",
    "-L --logical",
    "-P --physical",
    "-d -F --directory",
)
_RM = Grammar.of(
    "-r -R --recursive",
    "-f --force",
    "-d --dir",
    "-v --verbose",
    "-i",
    "-I",
    "--interactive?",
    "--one-file-system",
    "--preserve-root?",
    "--no-preserve-root",
)
_RMDIR = Grammar.of("-p --parents", "-v --verbose", "--ignore-fail-on-non-empty")
_UNLINK = Grammar.of()


def _mkdir(command: Command) -> Outcome:
    parsed = _MKDIR.parse(command)
    parsed.only("-p", "-m", "-v")
    if not parsed.operands:
        raise Inexact("it names no directory")
    given = parsed.value("-m")
    if given is None:
        return Converted(tuple(_with_usual_modes(command, parsed.operands)))
    mode = created_mode(given)
    tasks: list[Task] = []
    if parsed.has("-p") and mode != f"{0o777 & ~command.umask:04o}":
        # `-m` holds for the last directory only; the module would give it to all that it makes.
        above = dict.fromkeys(above for word in parsed.operands for above in missing_parents(absolute(command, word)))
        tasks += _with_usual_modes(command, [Word.of(path) for path in above])
    return Converted((*tasks, *over(command, parsed.operands, "files.mkdir", _directory(mode))))


def _with_usual_modes(command: Command, words: Sequence[Word]) -> Iterator[Task]:
    by_mode: dict[Argument, list[Word]] = {}
    for word in words:
        mode = directory_mode(command, absolute(command, word))
        yield from mode.asked
        by_mode.setdefault(mode.value, []).append(word)
    for value, group in by_mode.items():
        yield from over(command, group, "files.mkdir", _directory(value))


def _directory(mode: Argument) -> Make:
    return lambda path, label: Task(
        f"Create directory {label}", FILE, {"path": path, "state": "directory", "mode": mode}, "files.mkdir"
    )


def _touch(command: Command) -> Outcome:
    parsed = _TOUCH.parse(command)
    if parsed.has("-d", "-t", "-r", "--time"):
        raise Inexact("the time of a file is set, which no image keeps")
    made = [word for word in parsed.operands if MODES.get(absolute(command, word).text or "", "new")]
    if parsed.has("-c") or not made:
        return Dropped("files.touch-time", "only times of files are changed, and these are no part of what is compared")

    def make(path: Word, label: str) -> Task:
        arguments: dict[str, Argument] = {
            "path": path,
            "state": "touch",
            "mode": file_mode(command, path).value,
            "access_time": "preserve",
            "modification_time": "preserve",
        }
        return Task(f"Create file {label}", FILE, arguments, "files.touch")

    return Converted(over(command, made, "files.touch", make))


def _ln(command: Command) -> Outcome:
    parsed = _LN.parse(command)
    parsed.only("-s", "-f", "-n", "-T", "-t", "-v", "-r")
    if not parsed.has("-f") and command.context.may_fail:
        raise Inexact("whether the link is made depends on what is there")
    directory = parsed.value("-t")
    targets = parsed.operands
    if directory is not None:
        directory = absolute(command, directory)
    elif len(targets) == 1:
        directory = absolute(command, Word.of("."))
    elif len(targets) != 2 or (is_directory(command, targets[-1]) and not parsed.has("-T", "-n")):
        targets, directory = targets[:-1], absolute(command, targets[-1])
    if directory is None:
        return Converted((_link(command, targets[0], absolute(command, targets[1]), parsed.has("-s"), parsed.has("-r")),))
    if not targets or any(word.glob for word in targets):
        raise Inexact("which links are made depends on what is there")
    return Converted(
        tuple(
            _link(command, target, inside(directory, name_of(target)), parsed.has("-s"), parsed.has("-r")) for target in targets
        )
    )


def _link(command: Command, target: Word, link: Word, is_symbolic: bool, is_relative: bool) -> Task:
    if target.glob or link.glob:
        raise Inexact("which links are made depends on what is there")
    if not is_symbolic:
        source = absolute(command, target)
        arguments: dict[str, Argument] = {"src": source, "path": link, "state": "hard", "force": True}
        return Task(f"Link {link.label} to the file {source.label}", FILE, arguments, "files.hard-link")
    if is_relative:
        target = Word.of(relative(text(absolute(command, target)), text(link)))
    # Without force the module refuses a target that is not there yet, which ln takes.
    arguments = {"src": target, "path": link, "state": "link", "force": True, "follow": False}
    return Task(f"Link {link.label} to {target.label}", FILE, arguments, "files.link")


def _rm(command: Command) -> Outcome:
    parsed = _RM.parse(command)
    parsed.only("-r", "-f", "-d", "-v", "--preserve-root", "--one-file-system")
    left: list[Word] = []
    reasons: dict[str, None] = {}
    for word in parsed.operands:
        path = absolute(command, word)
        if not parsed.has("-r") and path.text in DIRECTORIES:
            raise Inexact(f"{path.text} is a directory, which rm leaves without -r")
        if path.text in DIRECTORIES or path.text in ("", "/*", "/etc/*", "/usr/*"):
            raise Inexact(f"it removes {word.source}, without which nothing works")
        reason = is_sealed_away(path)
        if reason:
            reasons[reason] = None
        else:
            left.append(word)
    if not left:
        return Dropped("pipeline.sealed", "; ".join(reasons) or "it names nothing")
    return Converted(over(command, left, "files.rm", _removal))


def _removal(path: Word, label: str) -> Task:
    return Task(f"Remove {label}", FILE, {"path": path, "state": "absent"}, "files.rm")


def _rmdir(command: Command) -> Outcome:
    parsed = _RMDIR.parse(command)
    parsed.only("-v", "--ignore-fail-on-non-empty")
    if not parsed.has("--ignore-fail-on-non-empty") and not command.context.may_fail:
        # It succeeded, so the directory was empty.
        return Converted(over(command, parsed.operands, "files.rmdir", _removal))
    if command.context.registers:
        raise Inexact("whether the directory was empty decides what comes later")

    def make(path: Word, label: str) -> Task:
        arguments: Mapping[str, Argument] = {"argv": ("rmdir", "--ignore-fail-on-non-empty", path), "removes": path}
        return Task(
            f"Remove directory {label} when it is empty",
            "ansible.builtin.command",
            arguments,
            "files.rmdir-empty",
            kind="guard",
        )

    return Converted(over(command, parsed.operands, "files.rmdir-empty", make))


def _unlink(command: Command) -> Outcome:
    parsed = _UNLINK.parse(command)
    return Converted(over(command, parsed.operands, "files.rm", _removal))


RULES: Mapping[str, Rule] = {
    "mkdir": _mkdir,
    "touch": _touch,
    "ln": _ln,
    "rm": _rm,
    "rmdir": _rmdir,
    "unlink": _unlink,
}
