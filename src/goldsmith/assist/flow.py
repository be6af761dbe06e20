"""Scripts as commands: what a set of scripts runs, in order, with values, conditions, loops and registered queries."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from goldsmith.assist.assignments import declare
from goldsmith.assist.commands import Command, Word
from goldsmith.assist.expressions import unknown
from goldsmith.assist.inputs import Inputs
from goldsmith.assist.loops import Loops
from goldsmith.assist.names import nodes
from goldsmith.assist.recorder import Recorder
from goldsmith.assist.scope import Definition, Input, Scope
from goldsmith.assist.shell import Refused, Script, interpreter, parse, too_deep
from goldsmith.assist.statuses import Opposite, Status
from goldsmith.assist.syntax import (
    ArithmeticCommand,
    Binary,
    Call,
    Case,
    Coprocess,
    Declaration,
    DoubleQuoted,
    For,
    ForArithmetic,
    Function,
    Group,
    If,
    Plain,
    Quoted,
    ShellWord,
    Span,
    Statement,
    TestCommand,
    Timed,
    Tree,
    While,
)
from goldsmith.assist.walk import MOST_STATEMENTS
from goldsmith.hcl import Diagnostic
from goldsmith.hcl.diagnostics import Severity
from goldsmith.hcl.source import Range, SourceFile


@dataclass(frozen=True, slots=True)
class Reading:
    """What a set of scripts does."""

    commands: tuple[Command, ...]
    """In the order in which they run; queries that conditions and values need stand before what needs them."""
    inputs: tuple[Input, ...]
    refused: tuple[Refused, ...]
    remarks: tuple[Diagnostic, ...]
    """What could not be followed, each with its place."""


def commands_of(scripts: Sequence[Script], environment: Mapping[str, str] | None = None, prefix: str = "") -> Reading:
    """Read a set of scripts in their order, as one machine would run them one after the other.

    A script that another one of the set loads or runs is walked there. `environment` are variables of all; `prefix` is
    what names of variables and registered results begin with.
    """
    trees, refused = parse(scripts)
    given = {**(environment or {}), **{name: value for script in scripts for name, value in script.environment.items()}}
    inputs, recorder, remarks = Inputs(trees, given, prefix), Recorder(prefix), _Remarks()
    walker = _Walker(trees, inputs, recorder, remarks)
    by_path = {script.path: script for script in scripts}
    loaded = set(_loaded(trees))
    for tree in trees:
        script = by_path[tree.path]
        if script.is_entry and tree.path not in loaded:
            mark = recorder.mark()
            try:
                walker.script(tree, script)
            except RecursionError:
                recorder.take_back(mark)
                refused = (*refused, too_deep(tree.path))
                walker = walker.anew()
    mark = recorder.mark()
    try:
        for tree in trees:
            if id(tree) not in walker.called and (tree.path in loaded or not by_path[tree.path].is_entry):
                walker.unloaded(tree)
        walker.uncalled()
    except RecursionError:  # they are there to be counted only
        recorder.take_back(mark)
    return Reading(recorder.commands, inputs.found, refused, tuple(remarks.found))


class _Walker(Loops):
    """All parts of a walk together: which part walks a statement."""

    def anew(self) -> _Walker:
        """A walk for other scripts, after one was given up in the middle: what it defined is not counted as never called."""
        found = _Walker(tuple(self.library.values()), self.inputs, self.recorder, self.tell)
        found.called = self.called | self.defined.keys() | {id(self.library[path]) for path in self.library}
        return found

    def script(self, tree: Tree, script: Script) -> None:
        """Walk one script of the set from its beginning."""
        _, flags = interpreter(script.text)
        options = frozenset(letter for letter in flags + script.flags if letter in "eux")
        arguments = None if script.arguments is None else tuple(Word.of(text) for text in script.arguments)
        self.scope = Scope(tree.path, arguments, options=options, is_bash=tree.is_bash, file=tree.path)
        self._fresh(tree)
        self.in_frame(lambda: self.statements(tree.statements))
        traps, self.traps = self.traps, []
        for code in traps:
            self.text(code, None)

    def _fresh(self, tree: Tree) -> None:
        self.tree = tree
        self.conditions, self.exits, self.is_gone, self.loop_frames = (), [], False, ()
        self.frames, self.shell_frame, self.function_frame = 0, 1, 1

    def unloaded(self, tree: Tree) -> None:
        """Walk a helper that nothing loads in the end, so that its commands are seen."""
        self.scope = Scope(tree.path, is_bash=tree.is_bash, file=tree.path)
        self._fresh(tree)
        self.dead = "nothing that runs loads this script"
        self.in_frame(lambda: self.statements(tree.statements))
        self.dead = ""

    def uncalled(self) -> None:
        """Walk the functions that nothing called: their commands never run, and are there to be counted."""
        waiting = True
        while waiting:
            missing = [item for key, item in self.defined.items() if key not in self.called]
            waiting = bool(missing)
            for definition, scope in missing:
                self._uncalled(definition, scope)

    def _uncalled(self, definition: Definition, scope: Scope) -> None:
        self.called.add(id(definition.body))
        self._fresh(definition.tree)
        self.scope = scope.copy()
        self.scope.positionals = (Word(unknown("nothing calls the function").pieces, is_split=True),)
        self.scope.calls = (definition.name,)
        self.dead = f"nothing calls the function {definition.name}"
        self.in_frame(lambda: self.one(definition.body))
        self.dead = ""

    def one(self, statement: Statement) -> Status:
        """Walk a statement."""
        self.steps += 1
        if self.steps >= MOST_STATEMENTS:
            if self.steps == MOST_STATEMENTS:
                self.tell("script.too-long", "from here on nothing is followed: too much was walked", self.tree, statement.span)
            return None
        outer, self.span = self.span, statement.span
        if statement.is_background:
            status = self.background(statement, lambda: self._walked(statement))
        elif statement.is_negated:
            status = self.tested(lambda: self._walked(statement))
        else:
            status = self._walked(statement)
            if _may_end_script(statement):
                self.stop_on_failure(status)
        self.span = outer
        return Opposite(status) if statement.is_negated else status

    def _walked(self, statement: Statement) -> Status:
        match statement.command:
            case Call() as call:
                return self.call(statement, call)
            case Function(name=name, body=body):
                self.scope.functions[name] = definition = Definition(name, body, self.tree)
                self.defined.setdefault(id(body), (definition, self.scope))
                return True
            case Declaration() as declaration:
                self.substituted = True
                declare(self.values, declaration)
                return True
            case Binary(operator="|" | "|&"):
                return self.pipeline(statement)
            case None:
                return self.redirections_alone(statement)
        redirects, stdin = self.redirections(statement) if statement.redirections else ((), None)
        return self.with_redirections(statement, redirects, stdin, lambda: self._compound(statement))

    def _compound(self, statement: Statement) -> Status:
        match statement.command:
            case Binary() as joined:
                return self.and_or(statement, joined)
            case If() as branch:
                return self.if_(branch, statement)
            case Case() as choice:
                return self.case(choice, statement)
            case Group(statements=inner, is_subshell=True):
                return self.in_subshell(lambda: self.statements(inner))
            case Group(statements=inner):
                return self.statements(inner)
            case For() as loop:
                return self.for_(loop, statement)
            case While() as loop:
                return self.while_(loop, statement)
            case ForArithmetic() as loop:
                return self.for_arithmetic(loop, statement)
            case TestCommand(test=test):
                return self.tests.test(test)
            case ArithmeticCommand(expressions=expressions):
                results = [self.values.calculator.condition(item) for item in expressions]
                return results[-1] if results else True
            case Timed(statement=timed):
                return self.one(timed) if timed is not None else True
            case Coprocess(statement=beside):
                return self.opaque(statement, "it is a process beside the script", lambda: self.one(beside))
        return True


def _may_end_script(statement: Statement) -> bool:
    """Whether `set -e` looks at the status: that of other compound statements is one of a statement in them."""
    match statement.command:
        case Call() | TestCommand() | ArithmeticCommand() | Group(is_subshell=True) | Binary(operator="|" | "|&"):
            return True
    return False


class _Remarks:
    """Collects what could not be followed, each once."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self._seen: set[tuple[str, str, int]] = set()

    def __call__(self, code: str, what: str, tree: Tree, span: Span) -> None:
        key = code, tree.path, span.start
        if key in self._seen:
            return
        self._seen.add(key)
        source = SourceFile(tree.path, tree.text.decode())
        first, after = (len(tree.text[:offset].decode(errors="ignore")) for offset in (span.start, span.end))
        where = Range(source, first, after)
        self.found.append(Diagnostic(code=code, what=what, where=where, severity=Severity.WARNING, next=_NEXT.get(code, "")))


_NEXT = {
    "script.not-in-set": "Name it beside the script; until then what it defines is not known.",
    "script.too-long": "Convert fewer scripts at once.",
}


def _loaded(trees: Sequence[Tree]) -> Iterator[str]:
    """The scripts of the set that others load or run, by the ends of the paths that they name."""
    for tree in trees:
        for node in nodes(tree.statements):
            if not isinstance(node, Call) or not node.words:
                continue
            name = node.words[0].literal
            named = node.words[1] if name in ("source", ".", "bash", "sh") and len(node.words) > 1 else node.words[0]
            end = _end_of(named)
            if "/" not in end and name not in ("source", ".", "bash", "sh"):
                continue
            base = posixpath.basename(end)
            found = [other.path for other in trees if posixpath.basename(other.path) == base and other is not tree]
            if base and len(found) == 1:
                yield found[0]


def _end_of(word: ShellWord) -> str:
    """The text at the end of a word."""
    part = word.parts[-1] if word.parts else None
    if isinstance(part, DoubleQuoted):
        part = part.parts[-1] if part.parts else None
    return part.value if isinstance(part, Plain | Quoted) else ""
