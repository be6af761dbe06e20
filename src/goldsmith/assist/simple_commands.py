"""Simple commands on a walk: functions are walked, the shell's own commands act on the scope, all others are recorded."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from goldsmith.assist import output, state_commands
from goldsmith.assist.assignments import assign, restore
from goldsmith.assist.commands import Piece, Redirect, Text, Variable, Word
from goldsmith.assist.facts import RELEASE_FILES, RELEASE_NAMES, fact, in_release_file
from goldsmith.assist.pieces import merged
from goldsmith.assist.scope import Definition
from goldsmith.assist.shell import parse_text
from goldsmith.assist.statuses import Status
from goldsmith.assist.syntax import (
    Call,
    DoubleQuoted,
    Parameter,
    Part,
    Plain,
    ProcessSubstitution,
    Redirection,
    ShellWord,
    Statement,
    Tree,
)
from goldsmith.assist.walk import NOWHERE, Walk, writes
from goldsmith.assist.wrappers import Peeled, name_of, peel

_DEEPEST = 40
"""Functions in functions that are followed."""
_SHELLS = frozenset({"bash", "sh", "dash"})
_WRITES = frozenset({">", ">>", ">|", "&>", "&>>"})
_OPERATORS: Mapping[str, int] = {">": 1, ">>": 1, ">|": 1, "<": 0, "<>": 0, "&>": 1, "&>>": 1, ">&": 1, "<&": 0}


@dataclass(frozen=True, slots=True)
class Given:
    """A simple command after its words were expanded."""

    peeled: Peeled
    redirects: tuple[Redirect, ...]
    stdin: Word | None
    environment: Mapping[str, Word]
    statement: Statement

    @property
    def args(self) -> tuple[Word, ...]:
        """Its arguments."""
        return self.peeled.words[1:]


class SimpleCommands(Walk):
    """The part of a walk that knows single commands."""

    def call(self, statement: Statement, call: Call) -> Status:
        """Walk a simple command."""
        self.substituted = True
        values = self.values
        if not call.words:
            for item in call.assignments:
                assign(values, item)
            return self.redirections_alone(statement) if statement.redirections else self.substituted
        words = values.words(call.words)
        if not words:
            return self.substituted
        environment = {item.name: values.join(item.value) for item in call.assignments}
        redirects, stdin = self.redirections(statement)
        given = Given(peel(words), redirects, stdin, environment, statement)
        if self._passes_all(call) and self.scope.positionals is None and words[0].text in self.scope.functions:
            return self._function(self.scope.functions[words[0].text or ""], None, given)
        return self.run(given)

    def run(self, given: Given) -> Status:
        """Do what a command does here, or record it."""
        peeled = given.peeled
        first = peeled.words[0]
        name = name_of(first)
        if not name:
            return self._record_unnamed(given)
        if first.text is not None and first.text in self.scope.functions and set(peeled.wrappers) <= {"time"}:
            return self._function(self.scope.functions[first.text], given.args, given)
        if "command" in peeled.wrappers or first.text == name or name in ("true", "false", "echo", "test", "["):
            special = self._special.get(name)
            if special is not None:
                return special(given)
        if peeled.wrappers[:1] != ("sudo",):
            stdin = given.stdin or self.stdin
            if state_commands.run(self.values, name, given.args, stdin, given.environment):
                return True
        found = self._other_script(name, first, given)
        if found is not None:
            return found()
        known = fact(name, given.args, self.scope) if not writes(given.redirects, 1) else None
        if known is not None:
            self.print(merged([*known.pieces, Text("\n")]))
            return True
        status = self.record(name, peeled, given.redirects, given.stdin, environment=given.environment)
        if "exec" in peeled.wrappers and not self.is_tested:
            self.leave(self.shell_frame, status)
        return status

    @property
    def _special(self) -> Mapping[str, Callable[[Given], Status]]:
        return {
            ":": self._nothing,
            "true": self._nothing,
            "false": lambda _: False,
            "echo": self._prints,
            "printf": self._prints,
            "cat": self._cat,
            "test": lambda given: self.tests.bracket(given.args),
            "[": lambda given: self.tests.bracket(given.args[:-1]),
            "exit": self._exit,
            "return": self._return,
            "break": lambda given: self._leave_loop(given, 0),
            "continue": lambda given: self._leave_loop(given, 1),
            "source": self._source,
            ".": self._source,
            "eval": self._eval,
            "exec": lambda _: True,
            "trap": self._trap,
            "command": self._asks_for_program,
            "type": self._asks_for_program,
            "hash": self._asks_for_program,
            "which": self._asks_for_program,
            "let": lambda _: None,
            "xargs": self._record,
        }

    def _record(self, given: Given) -> Status:
        name = name_of(given.peeled.words[0])
        return self.record(name, given.peeled, given.redirects, given.stdin, environment=given.environment)

    def _record_unnamed(self, given: Given) -> Status:
        kept = self.obstacle
        self.obstacle = kept or "the name of the command is known only when the script runs"
        status = self.record("", given.peeled, given.redirects, given.stdin, environment=given.environment, effect="state")
        self.obstacle = kept
        return status

    # Output

    def _nothing(self, given: Given) -> Status:
        if any(
            item.operator not in ("<", "<>") and item.target.text not in NOWHERE
            for item in given.redirects
            if item.operator != ">&"
        ):
            self.record(":", given.peeled, given.redirects, Word(()), effect="state")
        return True

    def _prints(self, given: Given) -> Status:
        name = name_of(given.peeled.words[0])
        if name == "printf" and state_commands.printf_to_variable(self.values, given.args):
            return True
        if self._goes_to_file(given.redirects):
            return self._record(given)
        if not writes(given.redirects, 1):
            is_bash = self.scope.is_bash
            self.print(output.echo(given.args, is_bash=is_bash) if name == "echo" else output.printf(given.args))
        return True

    def _cat(self, given: Given) -> Status:
        stdin = given.stdin if given.stdin is not None else self.stdin
        is_input = not any((word.text or "x") != "-" for word in given.args) and stdin is not None
        if self._goes_to_file(given.redirects) or not is_input:
            return self._record(given)
        if stdin is not None and not writes(given.redirects, 1):
            self.print(stdin)
        return True

    def _goes_to_file(self, redirects: Sequence[Redirect]) -> bool:
        own = [item.target.text for item in redirects if item.operator not in ("<", "<>", "<&")]
        if any(text is None or (not re.fullmatch(r"\d+-?", text) and text not in NOWHERE) for text in own):
            return True
        return not writes(redirects, 1) and bool(self.redirects) and self.captured is None

    # Redirections

    def redirections(self, statement: Statement) -> tuple[tuple[Redirect, ...], Word | None]:
        """Where a statement's output goes, and what a here-document or here-string gives to it."""
        found: list[Redirect] = []
        stdin: Word | None = None
        for item in statement.redirections:
            if item.operator in ("<<", "<<-"):
                stdin = self._here_document(item)
            elif item.operator == "<<<":
                stdin = merged([*map(_as_text, self.values.join(item.word).pieces), Text("\n")])
            elif item.operator == "<" and (inner := _process(item.word)) is not None and inner.operator == "<(":
                stdin = self.output_of(partial(self.in_subshell, partial(self.statements, inner.statements)))
            elif _process(item.word) is not None:
                found.append(Redirect(">", _descriptor(item), Word.of("/dev/null")))
            elif item.operator in _OPERATORS and item.word is not None:
                words = self.values.expand(item.word)
                target = words[0] if len(words) == 1 else self.values.join(item.word)
                found.append(Redirect(item.operator, _descriptor(item), target))  # type: ignore[arg-type]  # one of the operators
        return tuple(found), stdin

    def _here_document(self, item: Redirection) -> Word:
        if item.body is None:
            return Word(())
        is_literal = item.word is not None and any(
            not isinstance(part, Plain) or "\\" in part.value for part in item.word.parts
        )
        body = _without_tabs(item.body) if item.operator == "<<-" else item.body
        if is_literal:
            return merged([Text(part.value) for part in body.parts if isinstance(part, Plain)])
        return self.values.join(body, "here")

    def redirections_alone(self, statement: Statement) -> Status:
        """`> file` without a command."""
        redirects, _ = self.redirections(statement)
        reads = next((item for item in redirects if item.operator == "<"), None)
        if reads is not None and self.captured is not None:
            return self.record("cat", Peeled((Word.of("cat"), reads.target)), (), None)
        return self._nothing(Given(Peeled((Word.of(":"),)), redirects, None, {}, statement))

    # Leaving

    def _exit(self, given: Given) -> Status:
        code = given.args[0].text if given.args else "0"
        is_failure = code != "0"
        self.leave_shell(given.peeled, is_failure=is_failure)
        return not is_failure

    def _return(self, given: Given) -> Status:
        code = given.args[0].text if given.args else "0"
        status: Status = code == "0" if code is not None else None
        self.leave(max(self.function_frame, self.shell_frame), status)
        return status

    def _leave_loop(self, given: Given, which: int) -> Status:
        count = given.args[0].text if given.args else "1"
        if self.loop_frames and count is not None and count.isdigit():
            frames = self.loop_frames[-min(int(count), len(self.loop_frames))]
            self.leave(frames[which], True)
        return True

    def _trap(self, given: Given) -> Status:
        texts = [word.text for word in given.args]
        if len(texts) > 1 and texts[0] not in (None, "", "-") and any(text in ("EXIT", "0") for text in texts[1:]):
            self.traps = [texts[0] or ""]
        elif texts[:1] == ["-"]:
            self.traps = []
        return True

    # Queries of the shell

    def _asks_for_program(self, given: Given) -> Status:
        texts = [word.text for word in given.args if not (word.text or "").startswith("-")]
        if texts and all(text in self.scope.functions for text in texts):
            return True
        if not texts:
            return True
        name = name_of(given.peeled.words[0])
        return self.record(name, given.peeled, given.redirects, given.stdin, effect="query")

    # Functions and other code

    def _passes_all(self, call: Call) -> bool:
        if len(call.words) != 2 or len(call.words[1].parts) != 1:
            return False
        part = call.words[1].parts[0]
        inner = part.parts[0] if isinstance(part, DoubleQuoted) and len(part.parts) == 1 else part
        return isinstance(inner, Parameter) and inner.name == "@" and not inner.operation and inner.slice is None

    def _function(self, definition: Definition, args: tuple[Word, ...] | None, given: Given) -> Status:
        self.called.add(id(definition.body))
        if definition.name in self.scope.calls or len(self.scope.calls) >= _DEEPEST:
            kept, self.obstacle = self.obstacle, self.obstacle or f"the function {definition.name} calls itself"
            status = self.record(definition.name, given.peeled, given.redirects, given.stdin)
            self.obstacle = kept
            return status
        return self.with_redirections(
            given.statement, given.redirects, given.stdin, lambda: self._body(definition, args, given.environment)
        )

    def _body(self, definition: Definition, args: tuple[Word, ...] | None, environment: Mapping[str, Word]) -> Status:
        scope = self.scope
        kept = scope.positionals, scope.local, scope.calls, scope.file
        tree, frame, loops, following = self.tree, self.function_frame, self.loop_frames, self.following
        scope.positionals, scope.local = args, {name: scope.variables.get(name) for name in environment}
        scope.variables.update(environment)
        scope.calls, scope.file = (*scope.calls, definition.name), definition.tree.path
        self.tree, self.function_frame, self.loop_frames, self.following = definition.tree, self.frames + 1, (), ()
        status = self.in_frame(lambda: self.statements((definition.body,)))
        scope = self.scope
        restore(scope.variables, scope.local)
        scope.positionals, scope.local, scope.calls, scope.file = kept
        self.tree, self.function_frame, self.loop_frames, self.following = tree, frame, loops, following
        return status

    def _other_script(self, name: str, first: Word, given: Given) -> Callable[[], Status] | None:
        """How a shell that is called with code, or a script of the set, is walked; None for any other command."""
        user = None if given.peeled.is_root else given.peeled.user
        if name in _SHELLS:
            return self._shell(given, user)
        if name == "su":
            return self._su(given)
        tree = self.find(first) if first.text != name else None
        return (lambda: self._script(tree, given.args, user)) if tree is not None else None

    def _shell(self, given: Given, user: Word | None) -> Callable[[], Status] | None:
        args = list(given.args)
        options = ""
        while args and (text := args[0].text) is not None and re.fullmatch(r"[-+][A-Za-z]+|--\w+", text):
            args.pop(0)
            options += text[1:] if text[0] == "-" and text[1] != "-" else ""
            if text in ("-o", "+o") and args:
                args.pop(0)
        if "c" in options and args:
            code = args[0].text
            return None if code is None else lambda: self.text(code, user, tuple(args[2:]), options)
        stdin = given.stdin if given.stdin is not None else self.stdin
        if (not args or "s" in options) and stdin is not None and stdin.text is not None:
            code_from_input = stdin.text
            return lambda: self.text(code_from_input, user, tuple(args), options)
        tree = self.find(args[0]) if args else None
        return (lambda: self._script(tree, tuple(args[1:]), user, options)) if tree is not None else None

    def _su(self, given: Given) -> Callable[[], Status] | None:
        code: str | None = None
        names: list[Word] = []
        args = list(given.args)
        while args:
            word = args.pop(0)
            if word.text in ("-c", "--command") and args:
                code = args.pop(0).text
            elif word.text in ("-s", "--shell", "-g", "-G") and args:
                args.pop(0)
            elif not (word.text or "x").startswith("-"):
                names.append(word)
        user = names[0] if names else Word.of("root")
        stdin = given.stdin if given.stdin is not None else self.stdin
        found = code if code is not None else stdin.text if stdin is not None else None
        return None if found is None else lambda: self.text(found, None if user.text == "root" else user, (), "")

    def text(self, code: str, user: Word | None, args: tuple[Word, ...] = (), options: str = "") -> Status:
        """Walk code that a command is given as text, in a shell of its own."""
        tree = parse_text(self.tree.path, code, self.scope.is_bash)
        if tree is None:
            kept, self.obstacle = self.obstacle, "the code that it is given does not parse"
            unread = self.record("sh", Peeled((Word.of("sh"),)), (), None, effect="state")
            self.obstacle = kept
            return unread

        def walk() -> Status:
            scope = self.scope
            scope.positionals, scope.options = args, frozenset(letter for letter in options if letter in "eux")
            return self.statements(tree.statements)

        return self._elsewhere(tree, user, walk, place=True)

    def _script(self, tree: Tree, args: tuple[Word, ...], user: Word | None, options: str = "") -> Status:
        """Walk another script of the set that is run here."""
        self.called.add(id(tree))

        def walk() -> Status:
            scope = self.scope
            scope.script = scope.file = tree.path
            scope.positionals, scope.options, scope.is_bash = args, frozenset(options), tree.is_bash
            scope.functions = {}
            return self.statements(tree.statements)

        return self._elsewhere(tree, user, walk, place=False)

    def _elsewhere(self, tree: Tree, user: Word | None, walk: Callable[[], Status], *, place: bool) -> Status:
        if len(self.scope.calls) >= _DEEPEST:
            return None
        kept, kept_place, kept_span, loops = self.tree, self.place, self.span, self.loop_frames
        kept_stdin, self.stdin = self.stdin, None
        where = self.here() if place else self.place

        def inside() -> Status:
            self.scope.calls = (*self.scope.calls, "")
            self.scope.user = user or self.scope.user
            self.tree, self.place, self.loop_frames = tree, where, ()
            return walk()

        status = self.in_subshell(inside)
        self.tree, self.place, self.span, self.loop_frames, self.stdin = kept, kept_place, kept_span, loops, kept_stdin
        return status

    def _eval(self, given: Given) -> Status:
        code = " ".join(word.text or "\0" for word in given.args)
        tree = parse_text(self.tree.path, code, self.scope.is_bash) if "\0" not in code else None
        if tree is None:
            kept, self.obstacle = self.obstacle, self.obstacle or "eval runs code that is known only when the script runs"
            unread = self.record("eval", given.peeled, given.redirects, given.stdin, effect="state")
            self.obstacle = kept
            return unread
        kept_tree, kept_place, kept_span = self.tree, self.place, self.span
        self.place, self.tree = self.here(), tree
        status = self.statements(tree.statements)
        self.tree, self.place, self.span = kept_tree, kept_place, kept_span
        return status

    def find(self, word: Word) -> Tree | None:
        """The script of the set that a path means: by the path, else by the one script with that end of a path."""
        text = word.text
        if text is not None:
            for path in (
                text,
                posixpath.normpath(text),
                posixpath.normpath(posixpath.join(self.scope.directory.text or "/", text)),
            ):
                if path in self.library:
                    return self.library[path]
        last = word.pieces[-1] if word.pieces else None
        if not isinstance(last, Text):
            return None
        parts = [part for part in posixpath.normpath(last.value).split("/") if part not in ("", ".", "..")]
        for count in range(len(parts), 0, -1):
            end = "/".join(parts[-count:])
            found = [tree for path, tree in self.library.items() if f"/{path}".endswith(f"/{end}")]
            if len(found) == 1:
                return found[0]
            if found:
                return None
        return None

    def _source(self, given: Given) -> Status:
        if not given.args:
            return True
        word, args = given.args[0], given.args[1:]
        tree = self.find(word)
        if tree is not None and f".{tree.path}" not in self.scope.calls:
            return self._sourced(tree, args)
        text = word.text or ""
        if text in RELEASE_FILES:
            kept, self.captured = self.captured, None
            id = self.record("cat", Peeled((Word.of("cat"), word)), (), None, effect="query").id
            self.captured = kept
            register = self.recorder.register(id)
            for name in RELEASE_NAMES:
                self.scope.variables[name] = in_release_file(register, name)
            return True
        last = word.pieces[-1].value if word.pieces and isinstance(word.pieces[-1], Text) else ""
        if last.endswith("/bin/activate"):
            self._activate(word)
            return True
        if not self.dead and tree is None:
            self.tell(
                "script.not-in-set", f'"{word.source or text}" is loaded here and stands not in the set', self.tree, self.span
            )
        return True

    def _sourced(self, tree: Tree, args: tuple[Word, ...]) -> Status:
        self.called.add(id(tree))
        scope, kept, frame, span = self.scope, self.tree, self.function_frame, self.span
        positionals, file, calls = scope.positionals, scope.file, scope.calls
        if args:
            scope.positionals = args
        scope.file, scope.calls = tree.path, (*calls, f".{tree.path}")
        self.tree, self.function_frame = tree, self.frames + 1
        status = self.in_frame(lambda: self.statements(tree.statements))
        scope = self.scope
        if args:
            scope.positionals = positionals
        scope.file, scope.calls = file, calls
        self.tree, self.function_frame, self.span = kept, frame, span
        return status

    def _activate(self, word: Word) -> None:
        """A virtual environment of Python: its programs come first."""
        *head, last = word.pieces
        assert isinstance(last, Text)
        base = merged([*head, Text(last.value.removesuffix("/bin/activate"))])
        variables = self.scope.variables
        variables["VIRTUAL_ENV"] = base
        variables["PATH"] = merged([*base.pieces, Text("/bin:"), *self.values.read("PATH").pieces])
        self.scope.exported |= {"VIRTUAL_ENV", "PATH"}

    def with_redirections(
        self, statement: Statement, redirects: Sequence[Redirect], stdin: Word | None, walk: Callable[[], Status]
    ) -> Status:
        """Walk a compound statement or a function whose output or input is redirected."""
        raise NotImplementedError


def _descriptor(item: Redirection) -> int:
    return int(item.descriptor) if item.descriptor.isdigit() else _OPERATORS.get(item.operator, 1)


def _process(word: ShellWord | None) -> ProcessSubstitution | None:
    part = word.parts[0] if word is not None and len(word.parts) == 1 else None
    return part if isinstance(part, ProcessSubstitution) else None


def _as_text(piece: Piece) -> Piece:
    """A piece of a here-string, which has a line also where it is empty; what a task registered would have none."""
    return replace(piece, kind="computed") if isinstance(piece, Variable) and piece.kind == "registered" else piece


def _without_tabs(body: ShellWord) -> ShellWord:
    """A here-document of `<<-`: no line begins with a tab."""
    parts: list[Part] = []
    at_start = True
    for part in body.parts:
        if isinstance(part, Plain):
            text = part.value.lstrip("\t") if at_start else part.value
            parts.append(Plain(re.sub(r"\n\t+", "\n", text)))
            at_start = part.value.endswith("\n")
        else:
            at_start = False
            parts.append(part)
    return ShellWord(tuple(parts), body.span)
