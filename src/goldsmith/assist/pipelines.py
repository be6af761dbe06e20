"""Pipelines, groups with redirections and background jobs on a walk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from goldsmith.assist import counted
from goldsmith.assist.commands import Command, Condition, Redirect, Text, Variable, Word
from goldsmith.assist.expressions import unknown
from goldsmith.assist.names import assigned_names
from goldsmith.assist.scope import elements_of
from goldsmith.assist.simple_commands import Given, SimpleCommands
from goldsmith.assist.statuses import Exit, Ran, Status
from goldsmith.assist.syntax import Binary, Call, Group, Statement, While
from goldsmith.assist.walk import writes
from goldsmith.assist.wrappers import Peeled, name_of, peel

_SINKS = frozenset({"tee", "cat", "logger", "ts", "less", "more"})


class Pipelines(SimpleCommands):
    """The part of a walk that knows what is given from command to command."""

    def pipeline(self, statement: Statement) -> Status:
        """Walk `a | b | c`."""
        members = list(_members(statement))
        stdin = self.stdin
        while len(members) > 1 and (text := self._text_of(members[0], stdin)) is not None:
            stdin = text
            members.pop(0)
        if len(members) == 1:
            return self._with_stdin(stdin, lambda: self.in_subshell(lambda: self.one(members[0])))
        given = [self._given(member) for member in members]
        if all(item is not None for item in given):
            return self._joined(statement, [item for item in given if item is not None], stdin)
        if given[0] is None and all(item is not None and self._is_sink(item) for item in given[1:]):
            return self._into_sinks(members[0], [item for item in given[1:] if item is not None], stdin)
        if all(item is not None for item in given[:-1]) and _reads_lines(members[-1]):
            return self._lines(statement, [item for item in given[:-1] if item is not None], members[-1], stdin)
        return self.opaque(statement, "its parts run side by side", lambda: self._each_alone(members))

    def _each_alone(self, members: Sequence[Statement]) -> Status:
        for member in members:
            self.in_subshell(partial(self.one, member))
        return None

    def _text_of(self, member: Statement, stdin: Word | None) -> Word | None:
        """What a member prints where that follows from the script and nothing runs for it."""
        if isinstance(member.command, Call) and self._is_program(member.command):
            return None
        mark, scope, exits = self.recorder.mark(), self.scope, list(self.exits)
        found = self.output_of(lambda: self._with_stdin(stdin, lambda: self.in_subshell(lambda: self.one(member))))
        ran = self.recorder.take_back(mark)
        self.scope, self.exits = scope, exits
        return found if not ran and found.unknown is None and found.pieces else None

    def _is_program(self, call: Call) -> bool:
        """Whether a call is of a program for sure, so that there is no need to try what it prints."""
        name = call.words[0].literal if call.words else None
        return name is not None and name not in self.scope.functions and counted.effect(name, ()) == "state"

    def _with_stdin(self, stdin: Word | None, walk: Callable[[], Status]) -> Status:
        kept, self.stdin = self.stdin, stdin
        status = walk()
        self.stdin = kept
        return status

    def _given(self, member: Statement) -> Given | None:
        """A member that is a command to be recorded, else None."""
        call = member.command
        if not isinstance(call, Call) or not call.words or member.is_negated:
            return None
        outer, self.span = self.span, member.span
        words = self.values.words(call.words)
        redirects, stdin = self.redirections(member)
        environment = {item.name: self.values.join(item.value) for item in call.assignments}
        self.span = outer
        if not words:
            return None
        peeled = peel(words)
        first = peeled.words[0]
        is_function = first.text in self.scope.functions and not peeled.wrappers
        return None if is_function else Given(peeled, redirects, stdin, environment, member)

    def _member(self, given: Given, stdin: Word | None) -> Command:
        """A member as a command; what it writes into the pipe is not its own redirection."""
        outer, self.span = self.span, given.statement.span
        name = name_of(given.peeled.words[0])
        kept, self.redirects = self.redirects, ()
        command = self.prepare(name, given.peeled, given.redirects, given.stdin or stdin, environment=given.environment)
        self.redirects, self.span = kept, outer
        if name not in counted.CONTROL or name in ("test", "["):
            return command
        return replace(command, effect="query" if command.effect == "control" else command.effect)

    def _joined(self, statement: Statement, given: Sequence[Given], stdin: Word | None) -> Status:
        commands = [self._member(item, stdin if number == 0 else None) for number, item in enumerate(given)]
        main = len(commands) - 1
        if self.captured is None and self._only_shows(given[main], commands[main]):
            acting = [number for number, command in enumerate(commands) if command.effect == "state"]
            acting = [number for number in acting if not self._is_sink(given[number])]
            main = acting[-1] if acting else main
        command = commands[main]
        is_last = main == len(commands) - 1
        context = replace(
            command.context, may_fail=command.context.may_fail or not (is_last or "pipefail" in self.scope.options)
        )
        whole = self.tree.excerpt(statement.span)
        command = replace(
            command, feeds=tuple(commands[:main]), context=context, source=whole, block=self.block_of(statement.span)
        )
        if is_last and self.redirects and not writes(command.redirects, 1):
            command = replace(command, redirects=(*command.redirects, *self.redirects))
        status = self._add_shown(command, given[main + 1 :]) if not is_last else self.add(command)
        for sink in commands[main + 1 :]:
            self._add_sink(sink)
        return status

    def _add_sink(self, command: Command) -> None:
        """Record a member that writes down what others print."""
        if command.effect == "state":
            obstacle = command.context.obstacle or "it writes down what other commands print"
            self.recorder.add(replace(command, context=replace(command.context, obstacle=obstacle)))

    def _add_shown(self, command: Command, sinks: Sequence[Given]) -> Ran:
        """Record a command whose output others only show; what is taken of it then is not what it prints itself."""
        captured = self.captured
        self.captured = None if sinks and captured is not None else captured
        status = self.add(command)
        self.captured = captured
        if sinks and captured is not None:
            captured.append(unknown("it is a part of what a command prints that changes the machine"))
        return status

    def _only_shows(self, given: Given, command: Command) -> bool:
        if self._is_sink(given):
            return True
        name = name_of(given.peeled.words[0])
        return (
            command.effect in ("query", "output") and (name in counted.FILTERS or name in counted.OUTPUT) and not self.is_tested
        )

    def _is_sink(self, given: Given) -> bool:
        """Whether a member only shows or logs what it is given."""
        name = name_of(given.peeled.words[0])
        texts = [word.text for word in given.args]
        if name == "tee":
            files = [text for text in texts if text is None or not text.startswith("-")]
            return all(text is not None and _is_log(text) for text in files)
        if any(not _is_log(item.target.text or "") for item in given.redirects if item.operator not in ("<", ">&", "<&")):
            return False
        return name in _SINKS or (name in counted.FILTERS and counted.effect(name, texts) == "query" and not self.is_tested)

    def _into_sinks(self, member: Statement, sinks: Sequence[Given], stdin: Word | None) -> Status:
        """`{ … } | tee log`."""
        captured, self.captured = self.captured, None
        status = self._with_stdin(stdin, lambda: self.in_subshell(lambda: self.one(member)))
        self.captured = captured
        self.print(unknown("it is what a group of commands prints"))
        for sink in sinks:
            command = self._member(sink, None)
            if command.effect == "state":
                reason = "it writes down what other commands print"
                self.recorder.add(
                    replace(command, context=replace(command.context, obstacle=command.context.obstacle or reason))
                )
        return status if "pipefail" in self.scope.options else True

    def _lines(self, statement: Statement, given: Sequence[Given], reader: Statement, stdin: Word | None) -> Status:
        """`command | while read line; do …; done`: the lines are asked for first, then each is walked."""
        mark = self.recorder.mark()
        text = self.output_of(lambda: self.tested(lambda: self._joined(statement, given, stdin)))
        if text.unknown is None and not any(command.effect == "state" for command in self.recorder.since(mark)):
            return self._with_stdin(text, lambda: self.in_subshell(lambda: self.one(reader)))
        self.recorder.take_back(mark)
        members = [item.statement for item in given]
        return self.opaque(statement, "its parts run side by side", lambda: self._each_alone([*members, reader]))

    # Redirections of compound statements

    def with_redirections(
        self, statement: Statement, redirects: Sequence[Redirect], stdin: Word | None, walk: Callable[[], Status]
    ) -> Status:
        """Walk a compound statement or a function whose output or input is redirected."""
        if not redirects and stdin is None:
            return walk()
        reads = next((item for item in redirects if item.operator == "<"), None)
        if stdin is None and reads is not None:
            stdin = self._content(reads.target)
        if stdin is not None:
            inner = walk

            def walk() -> Status:
                return self._with_stdin(stdin, inner)

        files = tuple(item for item in redirects if item.operator in (">", ">>", ">|", "&>", "&>>") and item.fd == 1)
        if not files:
            if any(item.operator == ">&" and item.fd == 1 for item in redirects):
                return self._uncaptured(walk)
            return walk()
        if all(item.target.text == "/dev/null" for item in files):
            return self._uncaptured(walk)
        return self._into_file(statement, files, walk)

    def _content(self, file: Word) -> Word:
        if file.unknown is not None or file.text == "/dev/null":
            return unknown("it is read from a file that is not known") if file.unknown is not None else Word(())
        kept, self.captured = self.captured, None
        ran = self.record("cat", Peeled((Word.of("cat"), file)), (), Word(()), effect="query")
        self.captured = kept
        if self.dead:
            return unknown(self.dead)
        return Word((Variable(f"{self.recorder.register(ran.id)}.stdout", "registered"), Text("\n")))

    def _uncaptured(self, walk: Callable[[], Status]) -> Status:
        captured, redirects = self.captured, self.redirects
        self.captured, self.redirects = None, ()
        status = walk()
        self.captured, self.redirects = captured, redirects
        return status

    def _into_file(self, statement: Statement, files: tuple[Redirect, ...], walk: Callable[[], Status]) -> Status:
        """`{ echo a; echo b; } > file` writes a text; the output of other commands goes to the file with each of them."""
        mark, scope, exits, gone = self.recorder.mark(), self.scope.copy(), list(self.exits), self.is_gone
        status: list[Status] = []
        text = self.output_of(lambda: status.append(walk()) or status[0])  # type: ignore[func-returns-value]
        ran = self.recorder.since(mark)
        if text.unknown is None and not any(command.effect in ("state", "control") for command in ran):
            self.record("cat", Peeled((Word.of("cat"),)), files, text, effect="state")
            return status[0]
        self.recorder.take_back(mark)
        self.scope.become(scope)
        self.exits, self.is_gone = exits, gone
        captured, redirects = self.captured, self.redirects
        self.captured = None
        self.redirects = tuple(_appending(item) for item in files)
        result = walk()
        self.captured, self.redirects = captured, redirects
        return result

    # What stays shell

    def opaque(self, statement: Statement, reason: str, walk: Callable[[], Status]) -> Status:
        """Walk a statement that has to stay shell as a whole: its commands are seen, what it sets is not known afterwards."""
        kept, block = self.obstacle, self.block
        self.obstacle, self.block = kept or reason, block or self.block_of(statement.span)
        scope, exits, captured = self.scope, list(self.exits), self.captured
        self.scope, self.captured = scope.copy(), None
        names = assigned_names(statement)
        for name in names:
            self.scope.variables[name] = unknown(reason)
        self.in_frame(walk)
        inside, self.scope = self.scope, scope
        left = {item.frame for item in self.exits[len(exits) :]} - {0}
        for name in names | {name for name, value in inside.variables.items() if scope.variables.get(name) != value}:
            scope.variables[name] = unknown(f"it is set where {reason}")
        if inside.directory != scope.directory:
            scope.directory = unknown(f"the directory is changed where {reason}")
        if inside.positionals != scope.positionals:
            scope.positionals = (elements_of(unknown(f"the arguments are changed where {reason}")),)
        scope.functions.update(inside.functions)
        scope.exported |= inside.exported
        unsure = Condition(None, f"nothing leaves the statement of line {statement.span.line}", self.here(statement.span))
        self.exits = [*exits, *(Exit(frame, (*self.conditions, unsure), None, scope.copy()) for frame in sorted(left))]
        self.captured, self.is_gone = captured, False
        self.print(unknown(f"it is printed where {reason}"))
        self.obstacle, self.block = kept, block
        return None

    def background(self, statement: Statement, walk: Callable[[], Status]) -> Status:
        """Walk `statement &`."""
        kept, block = self.obstacle, self.block
        self.obstacle, self.block = kept or "it runs in the background", block or self.block_of(statement.span)
        self.in_subshell(walk)
        self.obstacle, self.block = kept, block
        return True


def _members(statement: Statement) -> Sequence[Statement]:
    command = statement.command
    if isinstance(command, Binary) and command.operator in ("|", "|&") and not statement.redirections:
        return [*_members(command.left), command.right]
    return [statement]


def _reads_lines(statement: Statement) -> bool:
    command = statement.command
    if isinstance(command, Group) and len(command.statements) == 1:
        return _reads_lines(command.statements[0])
    return isinstance(command, While)


def _is_log(path: str) -> bool:
    return path.startswith(("/var/log/", "/dev/")) or path.endswith(".log")


def _appending(item: Redirect) -> Redirect:
    if item.operator in (">", ">|"):
        return replace(item, operator=">>")
    return replace(item, operator="&>>") if item.operator == "&>" else item
