"""`&&`, `||`, `if` and `case` on a walk: what is known is decided, the rest becomes conditions of commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from goldsmith.assist.commands import Condition, Word
from goldsmith.assist.conditions import opposite
from goldsmith.assist.counted import effect
from goldsmith.assist.expressions import Truth
from goldsmith.assist.names import assigned_names, nodes
from goldsmith.assist.output import either_output
from goldsmith.assist.pieces import merged
from goldsmith.assist.pipelines import Pipelines
from goldsmith.assist.scope import Scope
from goldsmith.assist.statuses import Joined, Opposite, Ran, Status
from goldsmith.assist.syntax import (
    ArithmeticCommand,
    Arm,
    Binary,
    Call,
    Case,
    Declaration,
    Group,
    If,
    Span,
    Statement,
    TestCommand,
)
from goldsmith.assist.walk import NOWHERE

_IDLE = frozenset({":", "true", "echo", "printf", "sleep", "logger", "cat"})
_QUIET = _IDLE | {"exit", "return", "break", "continue", "let", "set", "shift", "test", "[", "date", "local", "false"}


@dataclass(frozen=True, slots=True)
class _Said:
    """A condition as the script says it."""

    source: str
    span: Span
    statement: Statement


@dataclass(frozen=True, slots=True)
class _Arm:
    """What holds after an arm."""

    scope: Scope
    status: Status
    is_gone: bool
    output: Word


class Branches(Pipelines):
    """The part of a walk that knows alternatives."""

    def and_or(self, statement: Statement, command: Binary) -> Status:
        """Walk `a && b` and `a || b`."""
        before, outside = len(self.exits), self.conditions
        is_and = command.operator == "&&"
        left, right = command.left, command.right
        if not is_and and self.is_fatal((right,)) and self._is_single(left):
            status = self.tested(lambda: self.one(left))
            if isinstance(status, Ran):
                self.recorder.update(status.id, may_fail=self.is_tested)
                return True
        elif self.captured is None and self.is_idle(right):
            status = self.tested(lambda: self.one(left))
            if not is_and:
                return True
            return status
        else:
            status = self.tested(lambda: self.one(left))
        if self.leaves(before):
            return status
        if self._checks_call((left,)) and self._ends_early((right,)):
            return True
        truth = self.truth(status)
        taken = truth if is_and else opposite(truth)
        source = self.tree.excerpt(left.span)
        other: Status = not is_and
        said = _Said(source if is_and else f"! {source}", left.span, statement)
        joined = self._branch(taken, lambda: self.one(right), lambda: other, said)
        self.conditions = outside
        return joined

    def _checks_call(self, condition: Sequence[Statement]) -> bool:
        """Whether a condition counts the arguments of a script, of which nobody says how it is called."""
        return self.scope.positionals is None and any("$#" in self.tree.excerpt(item.span) for item in condition)

    def _ends_early(self, statements: Sequence[Statement]) -> bool:
        """Whether statements only say how the script is called, and end it."""
        names = [node.words[0].literal for node in nodes(tuple(statements)) if isinstance(node, Call) and node.words]
        is_usage = any(name is not None and re.search("usage|help", name) for name in names)
        return all(self.is_quiet(item) for item in statements) and (is_usage or "exit" in names or self.is_fatal(statements))

    def _is_single(self, statement: Statement) -> bool:
        """Whether a statement is one command, whose failure ends the play as it would end the script."""
        command = statement.command
        if isinstance(command, Binary):
            return command.operator in ("|", "|&")
        return isinstance(command, Call) and not statement.is_negated

    def if_(self, command: If, statement: Statement) -> Status:
        """Walk `if`."""
        before, outside = len(self.exits), self.conditions
        status = self.tested(lambda: self.statements(command.condition))
        if self.leaves(before):
            return status
        failed = status.status if isinstance(status, Opposite) else None
        if isinstance(failed, Ran) and not command.otherwise and self.is_fatal(command.then):
            self.recorder.update(failed.id, may_fail=self.is_tested)
            return True
        if self._checks_call(command.condition) and self._ends_early(command.then):
            return True
        truth = self.truth(status)
        spans = [item.span for item in command.condition] or [statement.span]
        whole = Span(spans[0].start, spans[-1].end, spans[0].line, spans[-1].end_line)
        otherwise = command.otherwise

        def second() -> Status:
            return self.if_(otherwise, statement) if isinstance(otherwise, If) else self.statements(otherwise)

        said = _Said(self.tree.excerpt(whole), whole, statement)
        joined = self._branch(truth, lambda: self.statements(command.then), second, said)
        self.conditions = outside
        return joined

    def case(self, command: Case, statement: Statement) -> Status:
        """Walk `case`."""
        word = self.values.join(command.word)
        return self._arms(command, command.arms, word, statement)

    def _arms(self, command: Case, arms: Sequence[Arm], word: Word, statement: Statement) -> Status:
        if not arms:
            return True
        first, rest = arms[0], arms[1:]
        truth = self.tests.matches_any(word, first.patterns)
        if truth is None and any(pattern.literal == "*" for pattern in first.patterns):
            truth = True
        patterns = "|".join(self.tree.excerpt(pattern.span) for pattern in first.patterns)
        said = _Said(f"{self.tree.excerpt(command.word.span)} is {patterns}", command.word.span, statement)
        rest_of_arms = partial(self._arms, command, rest, word, statement)
        return self._branch(truth, partial(self._body_of, command, arms, word, statement), rest_of_arms, said)

    def _body_of(self, command: Case, arms: Sequence[Arm], word: Word, statement: Statement) -> Status:
        """Walk the body of the first arm, and where it does not end with `;;` what comes after it."""
        first, rest = arms[0], arms[1:]
        before, outside = len(self.exits), self.conditions
        status = self.statements(first.body)
        if first.end == ";;" or not rest:
            return status
        if self.leaves(before):
            return status
        go_on = self._body_of if first.end == ";&" else self._arms
        status = go_on(command, rest, word, statement)
        self.conditions = outside
        return status

    def _branch(self, truth: Truth, first: Callable[[], Status], second: Callable[[], Status], said: _Said) -> Status:
        """Walk two arms, of which the first one runs where a condition holds."""
        if isinstance(truth, bool):
            taken, left = (first, second) if truth else (second, first)
            self.is_gone = False
            status = taken()
            self.never(left, "a branch that is never taken")
            return status
        kept, block = self.block, self.block
        if truth is None and block is None:
            self.block = self.block_of(said.statement.span)
        before, place = self.scope, self.here(said.span)
        one = self._arm(first, before, Condition(truth, said.source, place))
        negated = opposite(truth)
        two = self._arm(second, before, Condition(negated if isinstance(negated, str) else None, f"! ({said.source})", place))
        self.scope, self.block = before, kept
        if one.is_gone:
            before.become(two.scope)
        elif two.is_gone:
            before.become(one.scope)
        else:
            before.join(truth, one.scope, two.scope)
        self.is_gone = one.is_gone and two.is_gone
        if self.captured is not None:
            self.print(either_output(truth, one.output, two.output))
        return Joined(truth, one.status, two.status)

    def _arm(self, walk: Callable[[], Status], before: Scope, condition: Condition) -> _Arm:
        self.scope = before.copy()
        kept, captured, depth = self.conditions, self.captured, self.captured_at
        self.conditions = (*kept, condition)
        self.captured = [] if captured is not None else None
        self.captured_at = len(self.conditions)
        self.is_gone = False
        status = walk()
        output = merged([piece for word in self.captured or () for piece in word.pieces])
        self.conditions, self.captured, self.captured_at = kept, captured, depth
        return _Arm(self.scope, status, self.is_gone, output)

    # What statements amount to

    def is_idle(self, statement: Statement) -> bool:
        """Whether a statement does nothing but print or wait: `|| true`, `|| echo failed`."""
        return self._is_made_of(statement, _IDLE)

    def is_quiet(self, statement: Statement) -> bool:
        """Whether a statement changes nothing but the course of the script."""
        return self._is_made_of(statement, _QUIET)

    def _is_made_of(self, statement: Statement, names: frozenset[str]) -> bool:
        files = [item.word for item in statement.redirections if item.operator in (">", ">>", ">|", "&>", "&>>")]
        if any(word is None or word.literal not in NOWHERE for word in files):
            return False
        match statement.command:
            case Call(words=()):
                return names is _QUIET
            case Call(words=words) if names is _IDLE and self._does_more(statement):
                return False
            case Call(words=words):
                name = words[0].literal
                if name in self.scope.functions and name not in self.scope.calls:
                    kept, self.scope.calls = self.scope.calls, (*self.scope.calls, name or "")
                    found = self._is_made_of(self.scope.functions[name or ""].body, names)
                    self.scope.calls = kept
                    return found
                return name in names
            case Group(statements=inner):
                return all(self._is_made_of(item, names) for item in inner)
            case If(condition=condition, then=then, otherwise=otherwise) if names is _QUIET:
                rest = (*otherwise.condition, *otherwise.then) if isinstance(otherwise, If) else otherwise
                return all(self._is_made_of(item, names) for item in (*condition, *then, *rest))
            case Binary(left=left, right=right, operator="&&" | "||"):
                return self._is_made_of(left, names) and self._is_made_of(right, names)
            case ArithmeticCommand() | TestCommand() | Declaration():
                return names is _QUIET
        return False

    def _does_more(self, statement: Statement) -> bool:
        """Whether the words of a command set variables, or run what changes the machine."""
        inside = [node for node in nodes(statement) if isinstance(node, Call) and node is not statement.command and node.words]
        names = [call.words[0].literal for call in inside]
        return bool(assigned_names(statement)) or any(name is None or effect(name, ()) == "state" for name in names)

    def is_fatal(self, statements: Sequence[Statement]) -> bool:
        """Whether statements only say something and then end the script with a failure."""
        if not statements or not all(self.is_quiet(item) for item in statements[:-1]):
            return False
        last = statements[-1].command
        match last:
            case Group(statements=inner, is_subshell=False):
                return self.is_fatal(inner)
            case Call(words=words) if words:
                name = words[0].literal
                if name == "exit":
                    return self.shell_frame == 1 and len(words) > 1 and words[1].literal != "0"
                if name in self.scope.functions and name not in self.scope.calls:
                    kept, self.scope.calls = self.scope.calls, (*self.scope.calls, name or "")
                    found = self.is_fatal((self.scope.functions[name or ""].body,))
                    self.scope.calls = kept
                    return found
        return False
