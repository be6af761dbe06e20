"""Loops on a walk: over known items they are walked for each, over items that a task registers they become a `loop`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from goldsmith.assist import state_commands
from goldsmith.assist.branches import Branches
from goldsmith.assist.commands import Loop, Text, Variable, Word
from goldsmith.assist.expressions import atom, computed, expression_of, quoted, unknown
from goldsmith.assist.names import assigned_names, nodes
from goldsmith.assist.statuses import Ran, Status
from goldsmith.assist.syntax import Binary, Call, For, ForArithmetic, Group, If, Parameter, Statement, While
from goldsmith.assist.wrappers import Peeled

_MOST_ROUNDS = 64
"""Rounds of a loop that are walked one by one."""
_ATTEMPTS, _SECONDS = 60, 5
"""Of a loop that tries without an end, and of one that does not say how long it waits."""
_LEAVES = frozenset({"break", "return", "exit"})
_ITEM = "item"
_NO_FRAME = -1
"""What no loop of Ansible can do: leave the rounds that follow."""


class Loops(Branches):
    """The part of a walk that knows repetitions."""

    def for_(self, command: For, statement: Statement) -> Status:
        """Walk `for name in words`."""
        if command.is_select:
            return self.opaque(statement, "a person chooses", lambda: self.statements(command.body))
        items = self._positional_items() if command.words is None else self.values.words(command.words)
        takes_arguments = any(isinstance(node, Parameter) and node.name == "@" for node in nodes(command.words or ()))
        if items is None or (takes_arguments and self.scope.positionals is None and not items):
            return self._options(command.body)
        if all(not item.is_split and not item.glob for item in items):
            found = self._attempts(command.body, len(items), statement)
            if found:
                return found[0]
            return self._over_known(command.name, items, command.body, statement)
        return self._over_later(command.name, items, command.body, statement)

    def _positional_items(self) -> tuple[Word, ...] | None:
        return self.scope.positionals

    def _over_known(self, name: str, items: Sequence[Word], body: Sequence[Statement], statement: Statement) -> Status:
        if not items:
            self.never(lambda: self._round(name, unknown("the loop has no items"), body), "a loop over nothing")
            return True
        if len(items) > 2 and len(body) == 1 and isinstance(body[0].command, Call) and self.loop is None:
            found = self._symbolic(name, tuple(items), body, most=1)
            if found:
                return found[0]
        if len(items) > _MOST_ROUNDS:
            found = self._symbolic(name, tuple(items), body, most=len(items)) if self.loop is None else []
            return found[0] if found else self._as_whole(name, "a loop has too many rounds", body, statement)
        rounds = [partial(self._set, name, item) for item in items]
        return self._unrolled(rounds, body)

    def _over_later(self, name: str, items: Sequence[Word], body: Sequence[Statement], statement: Statement) -> Status:
        """Items that are known when the play runs."""
        if self.loop is None:
            mark = self.recorder.mark()
            listed = self._listed(items)
            if listed is not None:
                found = self._symbolic(name, listed, body, most=_MOST_ROUNDS)
                if found:
                    return found[0]
            self.recorder.take_back(mark)
        return self._as_whole(name, "a loop runs over what is known only when the script runs", body, statement)

    def _as_whole(self, name: str, reason: str, body: Sequence[Statement], statement: Statement) -> Status:
        def walk() -> Status:
            self._set(name, unknown(reason))
            return self._round_frames(body)

        return self.opaque(statement, reason, walk)

    def _listed(self, items: Sequence[Word]) -> Variable | None:
        """Items as an expression that is a list."""
        parts = []
        for item in items:
            expression = expression_of(item)
            if expression is None:
                return None
            if item.glob:
                parts.append(f"{self._listing(item)}.stdout_lines")
            elif item.is_split:
                parts.append(f"{atom(expression)}.split()")
            else:
                parts.append(f"[{expression}]")
        return Variable(" + ".join(parts), "computed")

    def _listing(self, pattern: Word) -> str:
        """The name under which the paths that a pattern means are registered; without one, the pattern itself, as in bash."""
        kept, self.captured = self.captured, None
        words = (Word.of("printf"), Word.of("%s\\n"), pattern)
        ran = self.record("printf", Peeled(words), (), None, effect="query")
        self.captured = kept
        return self.recorder.register(ran.id)

    def _symbolic(self, name: str, items: tuple[Word, ...] | Variable, body: Sequence[Statement], most: int) -> list[Status]:
        """Walk the body once for a loop of Ansible; empty where that does not say it exactly."""
        mark, scope, exits, captured = self.recorder.mark(), self.scope, list(self.exits), self.captured
        self.scope = scope.copy()
        self.loop, self.captured = Loop(_ITEM, items), None
        if isinstance(items, Variable) or not any(re.search(r"\s", word.text or "") for word in items):
            self.scope.whole |= {_ITEM}
        before = dict(scope.variables)
        self._set(name, Word((Variable(_ITEM, "loop"),)))
        status = self._round_frames(body, breaks=_NO_FRAME)
        walked, self.scope = self.scope, scope
        self.loop, self.captured = None, captured
        ran = self.recorder.since(mark)
        changed = {key for key, value in walked.variables.items() if before.get(key) != value and key != name}
        is_exact = (
            0 < len([command for command in ran if command.effect != "control"]) <= most
            and not any(command.context.registers or command.context.obstacle for command in ran if not self.obstacle)
            and not (changed & {key for key in before if before[key] is not None})
            and walked.directory == scope.directory
            and walked.positionals == scope.positionals
            and walked.options == scope.options
            and walked.exported == scope.exported
            and len(self.exits) == len(exits)
            and captured is None
        )
        if not is_exact:
            self.recorder.take_back(mark)
            self.exits = exits
            return []
        for key in {name, *changed}:
            scope.variables[key] = unknown("it is what the last round of a loop left")
        if isinstance(items, tuple) and walked.variables[name] == Word((Variable(_ITEM, "loop"),)):
            scope.variables[name] = items[-1]
        scope.functions.update(walked.functions)
        self.is_gone = False
        return [status if isinstance(status, bool | Ran) else None]

    def _set(self, name: str, item: Word) -> bool:
        self.scope.variables[name] = item
        return True

    def _round(self, name: str, item: Word, body: Sequence[Statement]) -> Status:
        self._set(name, item)
        return self._round_frames(body)

    def _round_frames(self, body: Sequence[Statement], breaks: int | None = None) -> Status:
        """Walk a body whose `continue`, and unless another frame is given `break`, end the one round that is walked."""
        kept = self.loop_frames
        self.loop_frames = (*kept, (self.frames + 1 if breaks is None else breaks, self.frames + 1))
        status = self.in_frame(lambda: self.statements(body))
        self.loop_frames = kept
        return status

    def _unrolled(self, rounds: Sequence[Callable[[], bool]], body: Sequence[Statement]) -> Status:
        """Walk the body for each round; a round is begun by a function that says whether there is one."""
        kept = self.loop_frames

        def walk() -> Status:
            loop = self.frames
            status: Status = True
            for begin in rounds:
                if not begin():
                    break
                before = len(self.exits)
                self.loop_frames = (*kept, (loop, loop + 1))
                status = self.in_frame(lambda: self.statements(body))
                if self.leaves(before):
                    break
            return status

        status = self.in_frame(walk)
        self.loop_frames = kept
        return status

    # while

    def while_(self, command: While, statement: Statement) -> Status:
        """Walk `while` and `until`."""
        reader = _read_of(command.condition)
        if reader is not None and self.stdin is not None:
            return self._lines_of(reader, command, statement)
        found = self._waits(command, statement)
        if found:
            return found[0]
        words = self.tree.excerpt(command.condition[0].span) if command.condition else ""
        if self.scope.positionals is None and re.search(r"\$\{?[#1@]|getopts", words):
            return self._options(command.body)
        if reader is None and "getopts" not in words and (counted := self._counted(command)):
            return counted[0]

        def walk() -> Status:
            self.tested(lambda: self.statements(command.condition))
            return self._round_frames(command.body)

        return self.opaque(statement, "a loop runs until something that is known only when the script runs", walk)

    def _options(self, body: Sequence[Statement]) -> Status:
        """A loop over the options of the script's call, of which nobody says anything: what they set are inputs."""
        self.never(lambda: self._round_frames(body), "it is for options that the script is called with")
        for name in sorted(assigned_names(tuple(body))):
            self.scope.variables[name] = self.inputs.option(name, self.values.read(name))
        return True

    def _counted(self, command: While) -> list[Status]:
        """Walk a loop whose condition is known in each round; empty where it is not."""
        mark, exits, scope = self.recorder.mark(), list(self.exits), self.scope.copy()
        rounds = 0
        failed = False

        def begin() -> bool:
            nonlocal rounds, failed
            before = self.recorder.mark()
            truth = self.truth(self.tested(lambda: self.statements(command.condition)))
            rounds += 1
            if not isinstance(truth, bool) or rounds > _MOST_ROUNDS or self.recorder.mark() != before:
                failed = True
                return False
            return truth != command.is_until

        status = self._unrolled([begin] * (_MOST_ROUNDS + 2), command.body)
        if not failed:
            if rounds == 1:
                self.never(lambda: self._round_frames(command.body), "the condition of a loop never holds")
            return [status]
        self.recorder.take_back(mark)
        self.exits = exits
        self.scope.become(scope)
        self.is_gone = False
        return []

    def for_arithmetic(self, command: ForArithmetic, statement: Statement) -> Status:
        """Walk `for ((…))`."""
        self.values.calculator.evaluate(command.first)
        rounds = 0
        mark, exits, scope = self.recorder.mark(), list(self.exits), self.scope.copy()
        failed = False
        found = self._attempts(command.body, self._rounds_of(command), statement)
        if found:
            return found[0]

        def begin() -> bool:
            nonlocal rounds, failed
            if rounds:
                self.values.calculator.evaluate(command.step)
            rounds += 1
            truth = self.values.calculator.condition(command.condition) if command.condition is not None else None
            failed = failed or not isinstance(truth, bool) or rounds > _MOST_ROUNDS
            return truth is True and not failed

        status = self._unrolled([begin] * (_MOST_ROUNDS + 2), command.body)
        if not failed:
            return status
        self.recorder.take_back(mark)
        self.exits = exits
        self.scope.become(scope)
        return self.opaque(
            statement, "a loop counts to what is known only when the script runs", lambda: self._round_frames(command.body)
        )

    def _rounds_of(self, command: ForArithmetic) -> int:
        kept, self.scope = self.scope, self.scope.copy()
        rounds = 0
        while rounds < 1_000 and self.values.calculator.condition(command.condition) is True:
            self.values.calculator.evaluate(command.step)
            rounds += 1
        self.scope = kept
        return rounds or _ATTEMPTS

    # while read

    def _lines_of(self, reader: Call, command: While, statement: Statement) -> Status:
        stdin, self.stdin = self.stdin, None
        assert stdin is not None
        separators = self._separators(reader)
        args = self.values.words(reader.words[1:])
        text = stdin.text
        if text is not None:
            lines = text.split("\n")[: -1 if text.endswith("\n") else None]
            status = self._known_lines(lines, args, separators, command.body, statement)
        else:
            status = self._later_lines(stdin, args, separators, command.body, statement)
        self.stdin = stdin
        return status

    def _separators(self, reader: Call) -> Word:
        given = [item for item in reader.assignments if item.name == "IFS"]
        return self.values.join(given[-1].value) if given else self.values.read("IFS")

    def _known_lines(
        self, lines: Sequence[str], args: tuple[Word, ...], separators: Word, body: Sequence[Statement], statement: Statement
    ) -> Status:
        if len(lines) > _MOST_ROUNDS:
            return self._as_whole("REPLY", "a loop has too many rounds", body, statement)

        def begin(line: str) -> bool:
            return state_commands.run(self.values, "read", args, Word.of(line + "\n"), {"IFS": separators})

        def end() -> bool:
            state_commands.run(self.values, "read", args, Word(()), {})
            return False

        return self._unrolled([*(partial(begin, line) for line in lines), end], body)

    def _later_lines(
        self, stdin: Word, args: tuple[Word, ...], separators: Word, body: Sequence[Statement], statement: Statement
    ) -> Status:
        names = [word.text or "" for word in args if not (word.text or "-").startswith("-")]
        expression = expression_of(Word(stdin.pieces[:-1]) if stdin.pieces[-1:] == (Text("\n"),) else stdin)
        reason = "a loop reads lines that are known only when the script runs"
        if expression is None or self.loop is not None or separators.text is None or not names:
            return self._as_whole(names[0] if names else "REPLY", reason, body, statement)
        is_registered = isinstance(stdin.pieces[0], Variable) and stdin.pieces[0].kind == "registered"
        lines = f"{expression}_lines" if is_registered else f"{atom(expression)}.split('\\n')"
        if separators.text.isspace():
            lines = f"{lines} | map('trim') | list"
        kept = dict(self.scope.variables)
        for number, name in enumerate(names[1:], 1):
            self.scope.variables[name] = _field(number, len(names), separators.text)
        first = Word((Variable(_ITEM, "loop"),)) if len(names) == 1 else _field(0, len(names), separators.text)
        found = self._symbolic_with(names[0], first, Variable(lines, "computed"), body)
        if not found:
            self.scope.variables = kept
            return self._as_whole(names[0], reason, body, statement)
        for name in names:
            self.scope.variables[name] = unknown(reason)
        return found[0]

    def _symbolic_with(self, name: str, value: Word, items: Variable, body: Sequence[Statement]) -> list[Status]:
        if value.pieces == (Variable(_ITEM, "loop"),):
            return self._symbolic(name, items, body, most=_MOST_ROUNDS)
        self.scope.variables[name] = value
        return self._symbolic("_", items, body, most=_MOST_ROUNDS)

    # Attempts

    def _attempts(self, body: Sequence[Statement], count: int, statement: Statement) -> list[Status]:
        """`for i in 1 2 3; do command && break; sleep 5; done`: attempts of one task."""
        acting = [item for item in body if not self.is_quiet(item)]
        if len(acting) != 1 or count < 2:
            return []
        attempt = self._attempt_of(acting[0])
        if attempt is None:
            return []
        if self._goes_on_after(acting[0]):
            return []
        must = any(self._fails(item) for item in body)
        return self._tried(attempt, count, body, must=must)

    def _goes_on_after(self, statement: Statement) -> bool:
        """Whether success leaves more than the loop, and what it leaves out acts."""
        names = {node.words[0].literal for node in nodes(statement) if isinstance(node, Call) and node.words}
        return bool(names & {"return", "exit"}) and not all(self.is_quiet(item) for item in self.following)

    def _attempt_of(self, statement: Statement) -> Statement | None:
        """What a body tries, where success leaves the loop."""
        match statement.command:
            case Binary(operator="&&", left=left, right=right) if self._is_leaving(right):
                return left
            case Binary(operator="||", left=left, right=right) if self.is_quiet(right):
                return self._attempt_of(left)
            case If(condition=(tried,), then=then, otherwise=otherwise) if not isinstance(otherwise, If):
                arms = (otherwise, then) if tried.is_negated else (then, otherwise)
                if arms[0] and all(self.is_quiet(item) for item in (*then, *otherwise)) and self._is_leaving(arms[0][-1]):
                    return replace(tried, is_negated=False)
        return None

    def _is_leaving(self, statement: Statement) -> bool:
        command = statement.command
        if isinstance(command, Group) and command.statements:
            return self.is_quiet(statement) and self._is_leaving(command.statements[-1])
        return isinstance(command, Call) and bool(command.words) and command.words[0].literal in _LEAVES

    def _fails(self, statement: Statement) -> bool:
        return any(isinstance(node, Call) and self.is_fatal((_alone(node, statement),)) for node in nodes(statement))

    def _tried(self, attempt: Statement, count: int, body: Sequence[Statement], *, must: bool) -> list[Status]:
        mark, exits, scope = self.recorder.mark(), list(self.exits), self.scope.copy()
        kept, self.retries = self.retries, (count, self._delay(body))
        status = self.tested(lambda: self.one(attempt))
        self.retries = kept
        ran = [command for command in self.recorder.since(mark) if command.effect != "control"]
        if len(ran) == 1 and self.captured is None:
            self.recorder.update(ran[0].id, may_fail=not must)
            for name in assigned_names(tuple(body)):
                self.scope.variables[name] = unknown("it is set by each of several attempts")
            return [status]
        self.recorder.take_back(mark)
        self.exits = exits
        self.scope.become(scope)
        return []

    def _delay(self, body: Sequence[Statement]) -> int:
        for node in nodes(tuple(body)):
            if isinstance(node, Call) and len(node.words) == 2 and node.words[0].literal == "sleep":
                text = self.values.join(node.words[1]).text or ""
                if match := re.fullmatch(r"(\d+)(?:\.\d+)?([sm]?)", text):
                    return int(match[1]) * (60 if match[2] == "m" else 1)
        return _SECONDS

    def _waits(self, command: While, statement: Statement) -> list[Status]:
        """`until command; do sleep 5; done`, `while ! command; do …`, `while fuser LOCK; do …`."""
        if len(command.condition) != 1 or not all(self.is_quiet(item) for item in command.body):
            return []
        tried = command.condition[0]
        if not isinstance(tried.command, Call | Group) or (isinstance(tried.command, Call) and not tried.command.words):
            return []
        if isinstance(tried.command, Call) and tried.command.words[0].literal in ("[", "test", "true", ":", "read", "let"):
            return []
        for_success = command.is_until != tried.is_negated
        found = self._tried(replace(tried, is_negated=False), _ATTEMPTS, command.body, must=for_success)
        if found and not for_success:
            last = self.recorder.since(0)[-1]
            self.recorder.update(last.id, until_it_fails=True, may_fail=True)
        return [True] if found else []


def _read_of(condition: Sequence[Statement]) -> Call | None:
    """The `read` in the condition of a loop, also in `read line || [ -n "$line" ]`."""
    if len(condition) != 1:
        return None
    command = condition[0].command
    if isinstance(command, Binary) and command.operator == "||":
        return _read_of((command.left,))
    is_read = isinstance(command, Call) and bool(command.words) and command.words[0].literal == "read"
    return command if is_read and isinstance(command, Call) else None


def _field(number: int, count: int, separators: str) -> Word:
    separator = "none" if separators.isspace() else quoted(separators[:1])
    return computed(f"({_ITEM}.split({separator}, {count - 1}) + [''] * {count})[{number}]")


def _alone(call: Call, statement: Statement) -> Statement:
    return Statement(call, (), False, False, statement.span)
