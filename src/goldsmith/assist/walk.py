"""The state of a walk through scripts, and what all of its parts do: frames, subshells, output, recording commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from goldsmith.assist import counted, output
from goldsmith.assist.commands import Block, Command, Condition, Context, Loop, Place, Redirect, Text, Variable, Word
from goldsmith.assist.conditions import Conditions, opposite
from goldsmith.assist.expressions import Truth, either, unknown
from goldsmith.assist.inputs import Inputs
from goldsmith.assist.recorder import Recorder
from goldsmith.assist.scope import Definition, Scope, scalar
from goldsmith.assist.state_commands import resolved
from goldsmith.assist.statuses import Exit, Ran, Status, fails_by_itself, holds, status_of_frame, truth_of
from goldsmith.assist.syntax import Span, Statement, Substitution, Tree
from goldsmith.assist.values import Values
from goldsmith.assist.wrappers import Peeled

MOST_STATEMENTS = 40_000
"""Statements that are walked, those of functions and loops each time that they run; what comes after is not followed."""
_NAMES = re.compile(r"\$\{?[#!]?([A-Za-z_]\w*)|\$\{?(\d+|[@*#])")
_WORDS = re.compile(r"[\w:.+-]+")


class Tell(Protocol):
    """Takes what the user should know of a place in a script."""

    def __call__(self, code: str, what: str, tree: Tree, span: Span) -> None: ...


class Walk:
    """One walk. Its parts build on each other: simple commands, pipelines, branches, loops; `one` walks any statement."""

    def __init__(self, trees: Sequence[Tree], inputs: Inputs, recorder: Recorder, tell: Tell) -> None:
        self.library = {tree.path: tree for tree in trees}
        self.inputs, self.recorder, self.tell = inputs, recorder, tell
        self.scope = Scope("")
        self.tree = Tree("", b"", True, ())
        self.span = Span(0, 0, 1, 1)
        """Of the statement that is walked."""
        self.place: Place | None = None
        """Where code stands that is put together by the script: that of the statement which runs it."""
        self.conditions: tuple[Condition, ...] = ()
        self.exits: list[Exit] = []
        self.is_gone = False
        """Control has left the statements that were walked last, for good."""
        self.frames, self.shell_frame, self.function_frame = 0, 1, 1
        self.loop_frames: tuple[tuple[int, int], ...] = ()
        """The frames that `break` and `continue` leave, the innermost last."""
        self.following: tuple[Statement, ...] = ()
        """Statements of the same function that come after the one that is walked."""
        self.loop: Loop | None = None
        self.retries: tuple[int, int] | None = None
        self.obstacle, self.dead = "", ""
        self.block: Block | None = None
        self.is_tested = False
        """What looks at a status follows, so a failure does not end the script."""
        self.is_substituted = False
        """In `$(…)` bash goes on after a failure, also under `set -e`."""
        self.redirects: tuple[Redirect, ...] = ()
        """Of the groups around: where the output of a command goes that says nothing else."""
        self.stdin: Word | None = None
        self.captured: list[Word] | None = None
        """What is printed, where something takes it."""
        self.captured_at = 0
        """How many conditions hold for all of it."""
        self.substituted: Status = True
        """The status of the last substitution, which is that of an assignment."""
        self.traps: list[str] = []
        self.steps = 0
        self.called: set[int] = set()
        self.defined: dict[int, tuple[Definition, Scope]] = {}

    def one(self, statement: Statement) -> Status:
        """Walk a statement."""
        raise NotImplementedError

    @property
    def values(self) -> Values:
        """What words are worth here."""
        return Values(self.scope, self.inputs, self.substitute, self.tree.excerpt)

    @property
    def tests(self) -> Conditions:
        """What tests say here."""
        return Conditions(self.values, self.ask)

    # Statements and frames

    def statements(self, statements: Sequence[Statement]) -> Status:
        """Walk statements in order; `is_gone` says afterwards whether control has left them for good."""
        outside, following = self.conditions, self.following
        status: Status = True
        self.is_gone = False
        for number, statement in enumerate(statements):
            before = len(self.exits)
            self.following = (*statements[number + 1 :], *following)
            status = self.one(statement)
            if self.leaves(before):
                rest = statements[number + 1 :]
                self.never(partial(self._each, rest), "the script ends before it")
                break
            self._keep_status(status, statements[number + 1 : number + 2])
        self.conditions, self.following = outside, following
        return status

    def _each(self, statements: Sequence[Statement]) -> Status:
        for statement in statements:
            self.one(statement)
        return True

    def _keep_status(self, status: Status, following: Sequence[Statement]) -> None:
        """`$?`, only where the next statement reads it."""
        self.scope.variables.pop("?", None)
        if following and re.search(r"\$\{?\?", self.tree.excerpt(following[0].span)):
            truth = self.truth(status)
            if truth is not None:
                condition = truth if isinstance(truth, str) else None
                value = Word.of("1") if truth is False else Word.of("0")
                self.scope.variables["?"] = either(condition, value, Word.of("1")) if condition else value

    def leaves(self, before: int) -> bool:
        """Take into account what left the frame since: the rest runs only where nothing did; where all did, `is_gone`."""
        if self.is_gone:
            return True
        depth = len(self.conditions)
        for left in self.exits[before:]:
            tail = left.conditions[depth:]
            if not tail:
                self.is_gone = True
                return True
            if left.frame == 0:
                continue
            expression = opposite(holds(tail))
            source = " && ".join(condition.source for condition in tail)
            negated = Condition(expression if isinstance(expression, str) else None, f"! ({source})", tail[0].place)
            self.conditions = (*self.conditions, negated)
        return False

    def never(self, walk: Callable[[], Status], reason: str) -> None:
        """Walk what never runs, so that it is seen."""
        kept = self.scope, list(self.exits), self.is_gone, self.dead, self.captured, list(self.traps), self.conditions
        self.scope, self.dead, self.captured = self.scope.copy(), self.dead or reason, None
        walk()
        self.scope, self.exits, self.is_gone, self.dead, self.captured, self.traps, self.conditions = kept

    def in_frame(self, walk: Callable[[], Status]) -> Status:
        """Walk what `exit`, `return`, `break` or `continue` leaves, and give its status."""
        self.frames += 1
        frame, conditions = self.frames, self.conditions
        depth, before = len(conditions), len(self.exits)
        final = walk()
        self.frames -= 1
        self.conditions = conditions
        mine = [left for left in self.exits[before:] if left.frame == frame]
        self.exits[before:] = [left for left in self.exits[before:] if left.frame != frame]
        self.is_gone = any(not left.conditions[depth:] for left in self.exits[before:])
        for left in reversed(mine):
            self.scope.join(holds(left.conditions[depth:]), left.scope, self.scope.copy())
        return status_of_frame(mine, depth, final)

    def in_subshell(self, walk: Callable[[], Status]) -> Status:
        """Walk what changes no state of the shell around it."""
        scope, traps, shell, loops = self.scope, self.traps, self.shell_frame, self.loop_frames
        # In a subshell `break` knows no loop that stands outside of it.
        self.scope, self.traps, self.shell_frame, self.loop_frames = scope.copy(), [], self.frames + 1, ()
        status = self.in_frame(walk)
        self.scope, self.traps, self.shell_frame, self.loop_frames = scope, traps, shell, loops
        return status

    def stop_on_failure(self, status: Status) -> None:
        """End the script, as `set -e` does, where a statement fails that is no command: `[ -n "$NAME" ]`, `(( a < b ))`."""
        if "e" not in self.scope.options or self.is_tested or self.is_substituted or self.is_gone:
            return
        failure = fails_by_itself(status)
        if failure is None or failure is False:
            return
        kept, source = self.conditions, self.tree.excerpt(self.span)
        last = self.exits[-1] if self.exits else None
        if last is not None and last.frame == 0 and holds(last.conditions[len(kept) :]) == failure:
            return  # `[ -d x ] || exit 1` has left already where it fails
        if isinstance(failure, str):
            self.conditions = (*kept, Condition(failure, f"! ({source})", self.here()))
        self.leave_shell(Peeled((Word.of("exit"), Word.of("1"))), is_failure=True)
        self.conditions = kept

    def leave_shell(self, peeled: Peeled, *, is_failure: bool) -> None:
        """`exit`: a failure of the script itself is one of the play."""
        if is_failure and self.shell_frame == 1:
            self.record("exit", peeled, (), None, effect="control")
            self.leave(0, False)
        else:
            self.leave(self.shell_frame, not is_failure)

    def leave(self, frame: int, status: Status) -> None:
        """Note that control leaves a frame here."""
        self.exits.append(Exit(frame, self.conditions, status, self.scope.copy()))

    def tested(self, walk: Callable[[], Status]) -> Status:
        """Walk what a condition, `!`, `&&` or `||` looks at."""
        kept, self.is_tested = self.is_tested, True
        status = walk()
        self.is_tested = kept
        return status

    def truth(self, status: Status) -> Truth:
        """Whether a status is success; a command that ran is registered for it."""
        return truth_of(status, self._ask_command)

    def _ask_command(self, id: int) -> Truth:
        command = self.recorder.find(id)
        if command is None or command.context.obstacle or command.context.dead:
            return None
        name = self.recorder.register(id)
        self.recorder.update(id, may_fail=True)
        return f"{name}.rc == 0" if command.effect == "query" else f"{name} is succeeded"

    def ask(self, words: Sequence[Word]) -> Truth:
        """Register a test of a file, and give its answer as an expression."""
        if self.dead or any(word.glob for word in words):
            return None
        attribute = counted.FILE_TESTS.get(words[0].text or "") if len(words) == 2 else None
        kept, self.captured = self.captured, None
        id = self.record("test", Peeled(tuple(words)), (), None, effect="query", is_test=True).id
        self.captured = kept
        name = self.recorder.register(id)
        if attribute is None:
            return f"{name}.rc == 0"
        if attribute == "exists":
            return f"{name}.stat.exists"
        return f"{name}.stat.size | default(0) > 0" if attribute == "size" else f"{name}.stat.{attribute} | default(false)"

    # Output

    def output_of(self, walk: Callable[[], Status]) -> Word:
        """What is printed while something is walked."""
        kept, self.captured = self.captured, []
        depth, self.captured_at = self.captured_at, len(self.conditions)
        redirects, self.redirects = self.redirects, ()
        walk()
        found = output.text_of(self.captured)
        self.captured, self.captured_at, self.redirects = kept, depth, redirects
        return found

    def print(self, word: Word) -> None:
        """Take what a command prints; where something may have left before, it is printed only where nothing did."""
        if self.captured is not None:
            truth = holds(self.conditions[self.captured_at :])
            self.captured.append(word if truth is True else output.either_output(truth, word, Word(())))

    def substitute(self, part: Substitution, scope: Scope) -> Word:
        """What `$(…)` is worth: its output without the line feeds at its end."""
        del scope
        status: list[Status] = []
        stdin, self.stdin = self.stdin, None

        def walk() -> Status:
            status.append(self.in_subshell(lambda: self.statements(part.statements)))
            return status[0]

        gone, is_inside = self.is_gone, self.is_substituted
        self.is_substituted = self.scope.is_bash
        found = without_last_line_feeds(self.output_of(walk))
        self.stdin, self.is_gone, self.is_substituted = stdin, gone, is_inside
        self.substituted = status[0]
        return found

    # Recording

    def record(
        self,
        name: str,
        peeled: Peeled,
        redirects: Sequence[Redirect],
        stdin: Word | None,
        *,
        environment: Mapping[str, Word] | None = None,
        effect: counted.Effect | None = None,
        feeds: tuple[Command, ...] = (),
        is_test: bool = False,
    ) -> Ran:
        """Record a command, and take what it prints."""
        command = self.prepare(name, peeled, redirects, stdin, environment=environment, effect=effect, is_test=is_test)
        return self.add(replace(command, feeds=feeds))

    def add(self, command: Command) -> Ran:
        """Record a command that was prepared, and take what it prints."""
        self.recorder.add(command)
        if self.captured is not None and not writes(command.redirects, 1) and command.effect != "control":
            self.print(self._printed(command))
        return Ran(command.id)

    def _printed(self, command: Command) -> Word:
        if command.context.obstacle or command.context.dead:
            return unknown(command.context.obstacle or command.context.dead)
        name = self.recorder.register(command.id)
        return Word((Variable(f"{name}.stdout", "lines"),))

    def prepare(
        self,
        name: str,
        peeled: Peeled,
        redirects: Sequence[Redirect],
        stdin: Word | None,
        *,
        environment: Mapping[str, Word] | None = None,
        effect: counted.Effect | None = None,
        is_test: bool = False,
    ) -> Command:
        """A command with all that holds here, not recorded yet. The first word of a test is an argument."""
        scope = self.scope
        args = peeled.words if is_test else peeled.words[1:]
        program = peeled.words[0] if not is_test and peeled.words and peeled.words[0].text != name else Word(())
        kept = tuple(item for item in redirects if _counts(item))
        if not writes(kept, 1) and not writes(redirects, 1):
            kept = (*kept, *self.redirects)
        found = effect or counted.effect(name, [word.text for word in args])
        if any(item.operator not in ("<", "<>") for item in kept):
            found = "state"
        return Command(
            id=self.recorder.new_id(),
            name=name,
            args=tuple(args),
            place=self.here(),
            source=self.tree.excerpt(self.span),
            program=program,
            directory=resolved(peeled.directory, scope.directory) if peeled.directory is not None else scope.directory,
            environment={**self._exported(), **(environment or {}), **peeled.environment},
            umask=scope.umask,
            user=None if peeled.is_root else peeled.user or scope.user,
            redirects=kept,
            stdin=stdin if stdin is not None else self.stdin,
            context=self._context(),
            effect=found,
            block=self.block_of(self.span),
            is_bash=scope.is_bash,
        )

    def _context(self) -> Context:
        obstacle = self.obstacle
        unsure = next((condition for condition in self.conditions if condition.expression is None), None)
        if unsure is not None and not obstacle:
            obstacle = f"whether it runs is known only when the script runs: {unsure.source}"
        return Context(
            conditions=self.conditions,
            loop=self.loop,
            may_fail=self.is_tested or "e" not in self.scope.options,
            retries=self.retries,
            obstacle=obstacle,
            block=self.block,
            dead=self.dead,
        )

    def _exported(self) -> dict[str, Word]:
        variables = self.scope.variables
        found = {name: variables[name] for name in sorted(self.scope.exported) if name in variables}
        return {name: scalar(value) for name, value in found.items() if value is not None}

    def here(self, span: Span | None = None) -> Place:
        """The place of a span, or of the statement that is walked."""
        if self.place is not None:
            return self.place
        where = span or self.span
        return Place(self.tree.path, where.line, where.end_line, where.start, where.end)

    def block_of(self, span: Span) -> Block:
        """A statement as shell of its own."""
        source = self.tree.excerpt(span)
        names = {match[1] or match[2] for match in _NAMES.finditer(source)}
        functions = self._functions_in(source)
        for text in functions:
            names |= {match[1] for match in _NAMES.finditer(text) if match[1]}
        variables = {}
        for name in sorted(names):
            value = self.scope.variables.get(name)
            if value is not None:
                variables[name] = scalar(value)
        reads_arguments = any(name.isdigit() or name in "@*#" for name in names)
        arguments = self.scope.positionals or () if reads_arguments else ()
        return Block(self.here(span), source, variables, arguments, functions)

    def _functions_in(self, source: str) -> tuple[str, ...]:
        found: dict[str, str] = {}

        def look(text: str) -> None:
            for name in self.scope.functions.keys() & set(_WORDS.findall(text)):
                if name not in found:
                    definition = self.scope.functions[name]
                    found[name] = ""
                    body = definition.tree.excerpt(definition.body.span)
                    look(body)
                    found[name] = f"{name}() {body}"

        if self.scope.functions:
            look(source)
        return tuple(found.values())


def without_last_line_feeds(word: Word) -> Word:
    """A text as `$(…)` gives it."""
    pieces = list(word.pieces)
    while pieces and isinstance(last := pieces[-1], Text):
        pieces.pop()
        if text := last.value.rstrip("\n"):
            pieces.append(Text(text))
            break
    return output.without_empty_end(Word(tuple(pieces), word.source))


def writes(redirects: Sequence[Redirect], fd: int) -> bool:
    """Whether the output of a descriptor goes elsewhere than where it went."""
    return any(
        item.operator not in ("<", "<>", "<&") and (item.fd == fd or item.operator in ("&>", "&>>")) for item in redirects
    )


def _counts(redirect: Redirect) -> bool:
    """Whether a redirection has to do with a file."""
    text = redirect.target.text
    if redirect.operator in (">&", "<&"):
        return text is not None and not re.fullmatch(r"\d+-?|-", text)
    return text is None or not (text in NOWHERE or text.startswith("/dev/fd/"))


NOWHERE = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/console"})
"""Files that keep nothing."""
