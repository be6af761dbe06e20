"""Software that is built from its sources: make, configure, cmake, meson, ninja."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.paths import inside
from goldsmith.assist.rules.phrases import said
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_MAKE = Grammar.of(
    """
    -C= --directory=, -f= --file= --makefile=, -j? --jobs?, -s --silent --quiet, -k --keep-going, -i --ignore-errors,
    -B --always-make, -l? --load-average?, -w --print-directory, --no-print-directory, -n --just-print --dry-run,
    -e --environment-overrides, -r, -R, -O? --output-sync?, -I=, -q --question, -S, --trace, -d
    """
)


def _make(command: Command) -> Outcome:
    """The module asks `make -q` first whether there is something to do."""
    parsed = _MAKE.parse(replace(command, args=_with_jobs(command.args)))
    parsed.only("-C", "-f", "-j", "-s", "-l", "-w", "--no-print-directory", "-O", "--trace")
    directory = command.directory
    for value in parsed.values("-C"):
        directory = replace(command, directory=directory).path(value)
    args: dict[str, Argument] = {"chdir": directory}
    targets: list[Argument] = []
    params: dict[str, Argument] = {}
    for word in parsed.operands:
        if word.glob:
            raise Inexact("what is made is known only on the machine")
        match = re.match(r"([A-Za-z_][A-Za-z0-9_.]*)=", word.label)
        if match and word.startswith(match[0]):
            params[match[1]] = word.after(match[0])
        else:
            targets.append(word)
    if len(targets) == 1:
        args["target"] = targets[0]
    elif targets:
        args["targets"] = targets
    if params:
        args["params"] = params
    jobs = parsed.value("-j")
    if jobs is not None:
        args["jobs"] = jobs
    makefile = parsed.value("-f")
    if makefile is not None:
        args["file"] = makefile
    if command.program.text and command.program.text != "make":
        args["make"] = command.program
    label = said(tuple(word for word in targets if isinstance(word, Word))) if targets else "the default target"
    task = Task(f"Make {label} in {directory.label}", "community.general.make", args, "builds.make")
    return Converted((replace(task, environment=dict(command.environment), become_user=command.user),))


def _with_jobs(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """`-j 4` as `-j4`: the number may stand in the next word."""
    joined: list[Word] = []
    for word in words:
        last = joined[-1] if joined else None
        number = word.text.isdigit() if word.text is not None else not isinstance(word.pieces[0], Text)
        if last is not None and last.text in ("-j", "--jobs") and number:
            joined[-1] = Word.of("-j") + word
        else:
            joined.append(word)
    return tuple(joined)


def _configure(command: Command) -> Outcome:
    """What autoconf makes ends with writing config.status; a script of another kind runs each time."""
    made = command.path(Word.of("config.status"))
    name = f"Configure the sources in {command.directory.label}"
    return Converted((guards.run(command, name, "builds.configure", creates=made),))


_CMAKE_MODES = frozenset({"--build", "--install", "-E", "-P", "--open", "--find-package", "--workflow"})


def _cmake(command: Command) -> Outcome:
    """CMakeCache.txt is written into the directory of the build: `-B`, or the working directory."""
    words = [word.text or word.label for word in command.args]
    if "--build" in words[:1]:
        return _cmake_build(command)
    if words and words[0] in _CMAKE_MODES:
        raise Inexact(f"what cmake {words[0]} leaves behind is not known")
    directory = command.directory
    for index, word in enumerate(command.args):
        if word.text == "-B" and index + 1 < len(command.args):
            directory = command.path(command.args[index + 1])
        elif word.startswith("-B"):
            directory = command.path(word.after("-B"))
    made = inside(directory, Word.of("CMakeCache.txt"))
    name = f"Configure the build in {directory.label}"
    return Converted((guards.run(command, name, "builds.cmake", creates=made),))


def _cmake_build(command: Command) -> Outcome:
    if any(word.text == "install" for word in command.args):
        raise Inexact("what an installation leaves behind is not known")
    known = guards.registered(command, "built")
    done = f"{known}.stdout is search('Building|Linking|Generating')"
    return Converted((guards.run(command, "Build by cmake", "builds.cmake-build", changed_when=done, register=known),))


def _meson(command: Command) -> Outcome:
    words = [word for word in command.args if not word.startswith("-")]
    verb = text(words[0]) if words else ""
    if verb != "setup" or len(words) < 2:
        raise Inexact(f"what meson {verb} leaves behind is not known")
    made = inside(command.path(words[1]), Word.of("build.ninja"))
    return Converted((guards.run(command, f"Configure the build in {words[1].label}", "builds.meson", creates=made),))


def _ninja(command: Command) -> Outcome:
    known = guards.registered(command, "built")
    done = f"'no work to do' not in {known}.stdout"
    return Converted((guards.run(command, "Build by ninja", "builds.ninja", changed_when=done, register=known),))


def _autoreconf(command: Command) -> Outcome:
    made = command.path(Word.of("configure"))
    name = f"Make the configure script in {command.directory.label}"
    return Converted((guards.run(command, name, "builds.autoreconf", creates=made),))


RULES: Mapping[str, Rule] = {
    "make": _make,
    "gmake": _make,
    "configure": _configure,
    "cmake": _cmake,
    "cmake3": _cmake,
    "meson": _meson,
    "ninja": _ninja,
    "autoreconf": _autoreconf,
}
