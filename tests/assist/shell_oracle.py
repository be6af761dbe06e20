"""What bash does with a script, and whether what conversion believes of it agrees.

Scripts act through `mark`, `probe` and `ask`, which write down how they were called, print and return what the script's
author wants of each place; `take` also writes down its input. Conversion knows none of them (`ask` it takes for a query).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from os.path import normpath
from pathlib import Path

import jinja2

from goldsmith.assist.commands import Command, Condition, Text, Unknown, Variable, Word
from goldsmith.assist.flow import Reading, commands_of
from goldsmith.assist.shell import Script

MARKS: Mapping[str, str] = {"mark": "mark", "probe": "probe", "take": "take", "ask": "getent"}
"""The marking commands, and the names that scripts call them by."""
_SECONDS = 10
_EXPORTED = "E1"
_BROKEN = re.compile(
    rb"division by 0|exponent less than 0|invalid indirect|in expression|expression <|syntax error|bad array subscript"
    rb"|value too great|unbound variable|operand expected|attempted assignment|expected\b|too many arguments|invalid number"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the marking command of a place prints and returns."""

    output: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """A script and its surroundings."""

    text: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """By the first argument of a marking command, its place."""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One call of a marking command."""

    args: tuple[str, ...]
    directory: str
    exported: str | None
    """The value of the variable E1 where it is exported."""
    stdin: str | None


@dataclass(frozen=True, slots=True)
class Ran:
    """What bash did."""

    events: tuple[Event, ...]
    code: int
    is_broken: bool
    """Bash refuses an expansion: of such scripts conversion believes nothing."""


def run(given: Given) -> Ran | None:
    """Run a script by bash; None where it does not end."""
    with tempfile.TemporaryDirectory() as directory:
        script, marks = Path(directory, "script"), Path(directory, "marks")
        script.write_text(given.text)
        marks.touch()
        functions = {f"BASH_FUNC_{name}%%": _function(kind, given.answers) for kind, name in MARKS.items()}
        environment = {"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8", "MARKS": str(marks)}
        flags = [f"-{given.flags}"] if given.flags else []
        try:
            done = subprocess.run(
                ["bash", *flags, str(script), *given.arguments],
                env={**environment, **functions, **given.environment},
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return None
        return Ran(
            tuple(_events(marks.read_bytes().replace(os.fsencode(script), b"script"))),
            done.returncode,
            _BROKEN.search(done.stderr) is not None,
        )


def _function(kind: str, answers: Mapping[str, Answer]) -> str:
    """The body of a marking command as an exported function: it has to work whatever the script has set."""
    arms = "".join(
        f"{place}) printf %s {shlex.quote(answer.output if kind in ('probe', 'ask') else '')}; return {answer.code};; "
        for place, answer in answers.items()
    )
    reads = "IFS= read -r -d '' MARK_INPUT || :; " if kind == "take" else ""
    said = '"$PWD" "${E1+${E1@a}}" "${E1-}" "${MARK_INPUT-}"' if kind == "take" else '"$PWD" "${E1+${E1@a}}" "${E1-}" ""'
    return (
        f"() {{ local MARK_INPUT; {reads}"
        f'builtin printf "%s\\0" {kind} $# "$@" {said} >> "$MARKS"; case "$1" in {arms} *) return 0;; esac\n}}'
    )


def _events(data: bytes) -> Iterator[Event]:
    fields = data.decode().split("\0")[:-1]
    while fields:
        kind, count = fields[0], int(fields[1])
        args, (directory, flags, value, stdin) = fields[2 : 2 + count], fields[2 + count : 6 + count]
        fields = fields[6 + count :]
        yield Event(tuple(args), directory, value if "x" in flags else None, stdin if kind == "take" else None)


# What conversion believes


@dataclass(slots=True)
class Belief:
    """How a play that does what conversion believes compares with what bash did."""

    faults: list[str] = field(default_factory=list)
    sure: int = 0
    """Commands of which conversion knows that they run, with all of their arguments."""
    vague: int = 0


def believed(given: Given) -> Reading:
    """What conversion reads out of the script."""
    script = Script("script", given.text.encode(), arguments=given.arguments, flags=given.flags)
    return commands_of([script])


def compare(given: Given, ran: Ran, reading: Reading) -> Belief:
    """Hold what conversion believes against what bash did."""
    return _Play(given, ran, reading).compare()


def judged(given: Given) -> Belief | None:
    """What conversion believes of a script, held against bash; None for one that bash does not run to its end."""
    ran = run(given)
    return None if ran is None or ran.is_broken else compare(given, ran, believed(given))


class _Later(Exception):
    """A value that conversion does not claim to know."""


class _Play:
    """Does what a role of the commands would do, with the answers of the marking commands, along what bash did."""

    def __init__(self, given: Given, ran: Ran, reading: Reading) -> None:
        self._given, self._ran, self._reading = given, ran, reading
        self._jinja = _environment()
        self._context: dict[str, object] = {}
        self._registers = {item.context.registers for item in reading.commands if item.context.registers}
        self._belief = Belief()
        self._may_end = False
        for item in reading.inputs:
            default = self._text(item.default) if item.default is not None else None
            self._context[item.variable] = given.environment.get(item.name, default)

    def compare(self) -> Belief:
        places = {0}
        """How many of bash's calls may be accounted for."""
        commands = [item for item in self._reading.commands if not item.context.dead]
        for is_vague, group in groupby(commands, lambda item: bool(item.context.obstacle) or _is_mixed(item, commands)):
            if is_vague:
                places = self._anything(list(group), places)
                continue
            for command in group:
                places, ends = self._step(command, places)
                if ends or self._belief.faults:
                    return self._end(places)
        return self._end(places)

    def _end(self, places: set[int]) -> Belief:
        events = self._ran.events
        is_vague = self._belief.vague > 0 or any(item.context.obstacle for item in self._reading.commands)
        is_cut_short = len(events) in places and self._ran.code != 0 and is_vague and "set -e" in self._given.text
        if self._may_end or is_cut_short:
            # Of a status that nobody knows, conversion does not say that `set -e` ends the script there.
            self._belief.faults = []
        elif not self._belief.faults and len(events) not in places:
            self._belief.faults.append(f"conversion ends after {max(places)} calls, bash goes on: {events[max(places)]}")
        return self._belief

    def _anything(self, commands: Sequence[Command], places: set[int]) -> set[int]:
        """What stays shell as a whole may make any of its calls, and end the script."""
        marks = [(item.args[0].text if item.args else None) for item in commands if item.name in MARKS.values()]
        found = set(places)
        for place in places:
            while place < len(self._ran.events) and self._ran.events[place].args[0] in marks:
                place += 1
                found.add(place)
        self._belief.vague += len(marks)
        # Where bash came to no later call, it may have left the script here.
        self._may_end |= len(self._ran.events) in found and any(item.name == "exit" for item in commands)
        return found

    def _step(self, command: Command, places: set[int]) -> tuple[set[int], bool]:
        """Where the play may stand after a command, and whether it ends there."""
        holds = self._holds(command.context.conditions)
        register = command.context.registers
        if holds is False:
            if register:
                self._context[register] = {"skipped": True}
            return places, False
        if command.name == "exit" and command.effect == "control":
            return places, holds is True
        if command.name not in MARKS.values():
            return places, False
        answer = self._given.answers.get((command.args[0].text if command.args else None) or "", Answer())
        if register and holds:
            kept = command.name in (MARKS["probe"], MARKS["ask"])
            self._context[register] = _result(answer if kept else Answer("", answer.code))
        after: set[int] = set()
        items = self._items(command)
        if items is None:
            return self._anything([command], places), False
        ends = answer.code != 0 and not command.context.may_fail and bool(items)
        items = items[:1] if ends else items
        for place in places:
            if (found := self._matched(command, items, place)) is not None:
                after.add(place + found)
        if holds is None:
            self._belief.vague += 1
            return places | after, False
        if not after:
            after = places
            place = max(places)
            seen = self._ran.events[place] if place < len(self._ran.events) else "the end"
            self._belief.faults.append(f"conversion runs {self._shown(command)} (line {command.place.line}), bash: {seen}")
        return after, ends

    def _items(self, command: Command) -> Sequence[object] | None:
        loop = command.context.loop
        if loop is None:
            return [None]
        try:
            if isinstance(loop.items, Variable):
                found = self._value(loop.items.expression)
                assert isinstance(found, list)
                return found
            return [self._text(item) for item in loop.items]
        except _Later:
            return None

    def _matched(self, command: Command, items: Sequence[object], place: int) -> int | None:
        """How many calls a command is, where bash made them here."""
        if command.context.retries is not None:
            tries = 0
            while place + tries < len(self._ran.events) and self._is(command, self._ran.events[place + tries]):
                tries += 1
            return tries or None
        for number, item in enumerate(items):
            if command.context.loop is not None:
                self._context[command.context.loop.variable] = item
            if place + number >= len(self._ran.events) or not self._is(command, self._ran.events[place + number]):
                return None
        return len(items)

    def _is(self, command: Command, event: Event) -> bool:
        patterns = [self._pattern(word) for word in command.args]
        is_exact = all(isinstance(item, list) for item in patterns)
        self._belief.sure += is_exact
        self._belief.vague += not is_exact
        if not _fits(patterns, list(event.args)):
            return False
        directory, exported = self._known(command.directory), command.environment.get(_EXPORTED)
        if directory is not None and normpath(f"/{directory.strip('/')}") != event.directory:
            return False
        if exported is not None and (value := self._known(exported)) is not None and value != (event.exported or ""):
            return False
        if exported is None and event.exported is not None:
            return False
        stdin = self._known(command.stdin) if command.stdin is not None and not command.feeds else None
        return event.stdin is None or stdin is None or stdin == event.stdin

    def _known(self, word: Word) -> str | None:
        try:
            return self._text(word)
        except _Later:
            return None

    def _pattern(self, word: Word) -> list[str] | str:
        """The arguments that a word is; "one" or "any" where they are not known."""
        try:
            text = self._text(word)
        except _Later:
            return "any" if word.is_split or word.glob else "one"
        if word.glob:
            return "any"
        if not word.is_split:
            return [text]
        return text.split() if len(word.pieces) == 1 else "any"

    def _holds(self, conditions: Sequence[Condition]) -> bool | None:
        found: bool | None = True
        for condition in conditions:
            if condition.expression is None:
                found = None
                continue
            try:
                if not self._value(condition.expression):
                    return False
            except _Later:
                found = None
        return found

    def _text(self, word: Word) -> str:
        parts = []
        for piece in word.pieces:
            if isinstance(piece, Unknown):
                raise _Later
            parts.append(piece.value if isinstance(piece, Text) else str(self._value(piece.expression)))
        return "".join(parts)

    def _value(self, expression: str) -> object:
        names = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"'(?:[^'\\]|\\.)*'", "", expression)))
        if names & (self._registers - self._context.keys()) or "ansible_facts" in names:
            raise _Later
        try:
            return self._jinja.compile_expression(expression, undefined_to_none=False)(**self._context)
        except (jinja2.UndefinedError, TypeError, ValueError) as error:
            self._belief.faults.append(f"{expression}: {error}")
            raise _Later from error

    def _shown(self, command: Command) -> str:
        words = [self._pattern(word) for word in command.args]
        conditions = [item.expression for item in command.context.conditions]
        where = [self._known(command.directory), *(self._known(item) for item in command.environment.values())]
        stdin = self._known(command.stdin) if command.stdin is not None else None
        return f"{command.name} {words} in {where} with {stdin!r} when {conditions}"


def _result(answer: Answer) -> Mapping[str, object]:
    text = answer.output.rstrip("\n")
    return {"rc": answer.code, "failed": answer.code != 0, "stdout": text, "stdout_lines": text.split("\n") if text else []}


def _is_mixed(command: Command, commands: Sequence[Command]) -> bool:
    """Whether a command is one of several in a loop: a role does each for all items before the next."""
    loop = command.context.loop
    return loop is not None and sum(item.context.loop is loop for item in commands) > 1


def _fits(patterns: Sequence[list[str] | str], args: list[str]) -> bool:
    if not patterns:
        return not args
    first, rest = patterns[0], patterns[1:]
    if isinstance(first, list):
        return args[: len(first)] == first and _fits(rest, args[len(first) :])
    if first == "one":
        return bool(args) and _fits(rest, args[1:])
    return any(_fits(rest, args[number:]) for number in range(len(args) + 1))


def _environment() -> jinja2.Environment:
    """Jinja with what Ansible adds to it, as far as conversion uses it."""
    found = jinja2.Environment(undefined=jinja2.StrictUndefined)

    def search(value: str, regex: str, *groups: str) -> object:
        match = re.search(regex, value)
        if match is None or not groups:
            return match and match[0]
        return [match[int(group[1:])] for group in groups]

    found.filters["regex_replace"] = lambda value, regex, new: re.sub(regex, new, value)
    found.filters["regex_search"] = search
    found.tests["match"] = lambda value, regex: re.match(regex, value) is not None
    found.tests["search"] = lambda value, regex: re.search(regex, value) is not None
    found.tests["succeeded"] = lambda value: not value.get("failed", False)
    found.tests["skipped"] = lambda value: value.get("skipped", False)
    return found
