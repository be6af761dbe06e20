"""What the words of a script are worth: expansion of braces, parameters, substitutions and sums, without running anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal, TypeAlias

from goldsmith.assist import escapes, parameters
from goldsmith.assist.arithmetic import Calculator
from goldsmith.assist.braces import expand_braces
from goldsmith.assist.commands import Piece, Text, Unknown, Variable, Word
from goldsmith.assist.expressions import atom, computed, expression_of, unknown
from goldsmith.assist.inputs import Inputs
from goldsmith.assist.patterns import has_pattern, regex_of
from goldsmith.assist.pieces import Atom, FieldEnd, Fragment, Nothing, joined, merged
from goldsmith.assist.scope import Array, Scope, Value, is_counted, scalar
from goldsmith.assist.syntax import (
    Arithmetic,
    ArithmeticExpansion,
    Call,
    DoubleQuoted,
    ExtendedGlob,
    Parameter,
    Part,
    Plain,
    ProcessSubstitution,
    Quoted,
    ShellWord,
    Span,
    Statement,
    Substitution,
)

_Place: TypeAlias = Literal["plain", "double", "here", "operand"]
"""Where a part stands; it says which backslashes count. "operand" is a `${x:-word}` between double quotes."""
_BACKSLASH = {
    "plain": re.compile(r"\\(\n|.|$)", re.DOTALL),
    "double": re.compile(r"\\([$`\"\\\n])"),
    "here": re.compile(r"\\([$`\\\n])"),
    "operand": re.compile(r"\\([$`\"\\\n}])"),
}
_SPACES = " \t\n"


class Values:
    """Expands words in a scope. `substitute` says what a `$(…)` prints; it may register a query for it."""

    def __init__(
        self, scope: Scope, inputs: Inputs, substitute: Callable[[Substitution, Scope], Word], excerpt: Callable[[Span], str]
    ):
        self.scope, self._inputs, self._substitute, self._excerpt = scope, inputs, substitute, excerpt
        self.calculator = Calculator(self.read, self.write, self.join)

    def words(self, written: Iterable[ShellWord]) -> tuple[Word, ...]:
        """The arguments that words become."""
        return tuple(word for item in written for word in self.expand(item))

    def expand(self, written: ShellWord) -> list[Word]:
        """The arguments that a word becomes: none, one or several. A pattern of paths stays one word, marked as such."""
        alternatives = expand_braces(written.parts) if self.scope.is_bash else (written.parts,)
        source = self._excerpt(written.span)
        words = [
            word for parts in alternatives for word in _fields(self._atoms(parts, "plain", is_first=True), self.scope.whole)
        ]
        return [replace(word, source=source) for word in words]

    def join(self, written: ShellWord | None, place: _Place = "plain") -> Word:
        """A word that is not split: the value of an assignment, the word of a case, a here-document."""
        if written is None:
            return Word(())
        atoms = self._atoms(written.parts, place, is_first=place == "plain")
        return replace(joined(atoms), source=self._excerpt(written.span))

    def pattern(self, written: ShellWord | None, *, is_greedy: bool = True) -> str | None:
        """The regular expression of a pattern, or None where a part of it is not known."""
        if written is None:
            return ""
        result = ""
        atoms = self._atoms(written.parts, "plain", is_first=True, keeps_backslashes=True)
        for is_quoted, group in groupby(atoms, lambda item: isinstance(item, Atom) and item.is_quoted):
            texts = [item.piece.value if isinstance(item, Atom) and isinstance(item.piece, Text) else None for item in group]
            if None in texts:
                return None
            text = "".join(text for text in texts if text is not None)
            result += re.escape(text) if is_quoted else regex_of(text, is_greedy=is_greedy)
        return result

    def fragments(self, written: ShellWord) -> list[tuple[str | None, bool]]:
        """The texts of a word (None for one that is not known) and whether each is quoted: for `=~`."""
        return [
            (part.piece.value if isinstance(part.piece, Text) else None, part.is_quoted)
            for part in self._atoms(written.parts, "plain", keeps_backslashes=True)
            if isinstance(part, Atom)
        ]

    def read(self, name: str) -> Word:
        """The value of a variable as arithmetic reads it; empty where it is not set."""
        value = self.value(name)
        return scalar(value) if value is not None else Word(())

    def write(self, name: str, value: Word) -> None:
        """Set a variable."""
        self.scope.variables[name] = value

    def value(self, name: str, *, has_default: bool = False) -> Value | None:
        """What a name stands for: a special parameter, a variable, an input; None where it is not set."""
        special = self._special(name)
        if special is not None or (name.isdigit() and self.scope.positionals is not None):
            return special
        if name in self.scope.variables:
            return self.scope.variables[name]
        known = self._inputs.known(name, self.scope)
        return known if known is not None or has_default else self._inputs.bare(name)

    def _special(self, name: str) -> Value | None:
        scope = self.scope
        if name.isdigit():
            if name == "0":
                return Word.of(scope.script)
            return self._positional(int(name))
        match name:
            case "@" | "*":
                return Array({str(number): word for number, word in enumerate(self._positionals())})
            case "#":
                return (
                    Word.of(str(len(self._positionals())))
                    if is_counted(self._positionals())
                    else unknown("the number of arguments is not known")
                )
            case "-":
                return Word.of("".join(sorted(option for option in scope.options if len(option) == 1)) + "hB")
            case "$" | "!" | "?" | "_" | "RANDOM" | "SECONDS" | "LINENO" | "EPOCHSECONDS" | "PPID" | "BASHPID" | "REPLY":
                if name in scope.variables:
                    return scope.variables[name]
                return unknown(f"${name} is known only when the script runs")
            case "PWD":
                return scope.directory
            case "BASH_SOURCE":
                return Array({"0": Word.of(scope.file or scope.script)})
            case "FUNCNAME":
                return Array({str(number): Word.of(call) for number, call in enumerate((*reversed(scope.calls), "main"))})
        return None

    def _positionals(self) -> tuple[Word, ...]:
        return self.scope.positionals if self.scope.positionals is not None else ()

    def _positional(self, number: int) -> Value | None:
        words = self.scope.positionals
        if words is None:
            return None
        if not is_counted(words[:number]):
            return _of_list(words, number)
        return words[number - 1] if number <= len(words) else None

    def _atoms(
        self, parts: Sequence[Part], place: _Place, *, is_first: bool = False, keeps_backslashes: bool = False
    ) -> list[Fragment]:
        """The pieces of a word. With `keeps_backslashes`, what they quote in a pattern is left to the pattern's reader."""
        found: list[Fragment] = []
        for number, part in enumerate(parts):
            if isinstance(part, Plain):
                text = part.value
                if is_first and number == 0 and text.startswith("~"):
                    home, text = self._tilde(text, has_more=len(parts) > 1)
                    found += home
                found += [Atom(Text(text), False, False)] if keeps_backslashes and place == "plain" else _unescaped(text, place)
            else:
                found += self._part(part, place)
        return found

    def _part(self, part: Part, place: _Place) -> list[Fragment]:
        is_quoted = place != "plain"
        match part:
            case Quoted(value=value, has_escapes=has_escapes):
                if place == "operand":
                    return [Atom(Text(f"'{value}'"), True, False)]
                return [Atom(Text(escapes.ansi(value) if has_escapes else value), True, False)]
            case DoubleQuoted(parts=inner):
                atoms = self._atoms(inner, "double")
                return atoms if atoms else [Atom(Text(""), True, False)]
            case Parameter():
                return self._parameter(part, place)
            case Substitution():
                return [Atom(piece, is_quoted, True) for piece in self._substitute(part, self.scope).pieces or (Text(""),)]
            case ArithmeticExpansion(expression=expression):
                return [Atom(piece, is_quoted, True) for piece in self.calculator.evaluate(expression).pieces]
            case ExtendedGlob(operator=operator, pattern=pattern):
                return [Atom(Text(f"{operator}{pattern})"), is_quoted, False)]
            case ProcessSubstitution():
                return [Atom(piece, True, True) for piece in unknown("it is the output of a process as a file").pieces]
            case Plain(value=text):
                return list(_unescaped(text, place))

    def _tilde(self, text: str, *, has_more: bool) -> tuple[list[Fragment], str]:
        user, slash, rest = text[1:].partition("/")
        if not re.fullmatch(r"[a-z_][a-z0-9_-]*|", user) or (has_more and not slash):
            return [], text
        if user and user != "root":
            return [Atom(piece, True, True) for piece in self._home_of(user).pieces], slash + rest
        home = self.value("HOME")
        pieces = scalar(home).pieces if home is not None else ()
        return [Atom(piece, True, True) for piece in pieces], slash + rest

    def _home_of(self, user: str) -> Word:
        """The home of another user, as `getent passwd` says it when the play runs."""
        here = Span(0, 0, 1, 1)
        words = tuple(ShellWord((Plain(text),), here) for text in ("getent", "passwd", user))
        found = self._substitute(Substitution((Statement(Call((), words), (), False, False, here),), here), self.scope)
        expression = expression_of(found)
        return found if expression is None else computed(f"{atom(expression)}.split(':')[5]")

    def _parameter(self, part: Parameter, place: _Place) -> list[Fragment]:
        is_quoted = place != "plain"
        found = parameters.Reading(self, part, "operand" if place in ("double", "here", "operand") else "plain").result()
        if isinstance(found, Array):
            return _elements(found, is_quoted, is_star=part.name == "*" or _index(part) == "*", words=found.items.values())
        if isinstance(found, list):
            return [
                replace(item, is_quoted=item.is_quoted or is_quoted, is_expanded=True) if isinstance(item, Atom) else item
                for item in found
            ]
        atoms: list[Fragment] = [Atom(piece, is_quoted, True) for piece in found.pieces]
        return atoms if atoms or not is_quoted else [Atom(Text(""), True, True)]

    def operand(self, written: ShellWord | None, place: Literal["plain", "operand"]) -> list[Fragment]:
        """The pieces of the word in `${x:-word}`."""
        return self._atoms(written.parts, place, is_first=place == "plain") if written is not None else []

    def index(self, node: Arithmetic, *, is_named: bool) -> str | None:
        """The key of an array's element, or None where it is not known."""
        if is_named:
            return self.join(node).text if isinstance(node, ShellWord) else None
        return self.calculator.evaluate(node).text

    @property
    def inputs(self) -> Inputs:
        """What the script takes from outside."""
        return self._inputs


def _of_list(words: Sequence[Word], number: int) -> Word:
    """The argument of a number where some of the words are split when the play runs."""
    parts = []
    for word in words:
        expression = expression_of(word)
        if expression is None:
            return unknown(word.unknown or "")
        parts.append(f"{atom(expression)}.split()" if word.is_split else f"[{expression}]")
    return computed(f"({' + '.join(parts)} + [''] * {number})[{number - 1}]")


def _index(part: Parameter) -> str | None:
    return part.index.literal if isinstance(part.index, ShellWord) else None


def _elements(array: Array, is_quoted: bool, is_star: bool, words: Iterable[Word]) -> list[Fragment]:
    found: list[Fragment] = []
    if is_star and is_quoted and not is_counted(array.items.values()):
        return [Atom(piece, True, True) for piece in unknown("how many words are joined is not known").pieces]
    for number, word in enumerate(words):
        if number:
            found.append(Atom(Text(" "), True, True) if is_star and is_quoted else FieldEnd())
        if word.glob:
            found += [Atom(piece, not isinstance(piece, Text), False) for piece in word.pieces]
        elif word.is_split:
            found += [Atom(piece, isinstance(piece, Text), True) for piece in word.pieces]
        else:
            found += [Atom(piece, is_quoted, True) for piece in word.pieces or ((Text(""),) if is_quoted else ())]
    return found or ([Nothing()] if is_quoted and not is_star else [])


def _unescaped(text: str, place: _Place) -> Iterator[Atom]:
    """Text without its backslashes; what they quoted stands by itself where nothing else is quoted."""
    last = 0
    for match in _BACKSLASH[place].finditer(text):
        if match.start() > last:
            yield Atom(Text(text[last : match.start()]), place != "plain", False)
        last = match.end()
        if match[1] != "\n":
            yield Atom(Text(match[1] or "\\"), True, False)
    if last < len(text):
        yield Atom(Text(text[last:]), place != "plain", False)


class _Fields:
    """Words that are put together piece by piece."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self._pieces: list[Piece] = []
        self._is_open = self._has_glob = self._is_split = False

    def add(self, piece: Piece, *, glob: bool = False, is_split: bool = False) -> None:
        self._pieces.append(piece)
        self._is_open = True
        self._has_glob |= glob
        self._is_split |= is_split

    def end(self) -> None:
        if self._is_open:
            self.words.append(replace(merged(self._pieces), glob=self._has_glob, is_split=self._is_split))
        self._pieces = []
        self._is_open = self._has_glob = self._is_split = False


def _fields(atoms: Sequence[Fragment], whole: frozenset[str]) -> list[Word]:
    fields = _Fields()
    for is_end, group in groupby(
        (item for item in atoms if not isinstance(item, Nothing)), lambda item: isinstance(item, FieldEnd)
    ):
        if not is_end:
            _fill(fields, [item for item in group if isinstance(item, Atom)], whole)
        fields.end()
    return fields.words


def _fill(fields: _Fields, atoms: Sequence[Atom], whole: frozenset[str]) -> None:
    has_glob = has_pattern("".join(item.piece.value for item in atoms if isinstance(item.piece, Text) and not item.is_quoted))
    for item in atoms:
        if item.is_quoted or not isinstance(item.piece, Text):
            fields.add(_protected(item.piece, has_glob), is_split=not item.is_quoted and _may_split(item.piece, whole))
        elif not item.is_expanded:
            if item.piece.value:
                fields.add(item.piece, glob=has_pattern(item.piece.value))
        else:
            _split(fields, item.piece.value)


def _may_split(piece: Piece, whole: frozenset[str]) -> bool:
    return isinstance(piece, Unknown) or (
        isinstance(piece, Variable) and piece.kind not in ("fact", "number") and piece.expression not in whole
    )


def _split(fields: _Fields, text: str) -> None:
    if text[:1] and text[0] in _SPACES:
        fields.end()
    parts = text.split()
    for number, part in enumerate(parts):
        if number:
            fields.end()
        fields.add(Text(part), glob=has_pattern(part))
    if parts and text[-1] in _SPACES:
        fields.end()


def _protected(piece: Piece, has_glob: bool) -> Piece:
    """Quoted text in a word that is a pattern: its own `*` mean themselves."""
    if has_glob and isinstance(piece, Text) and any(char in piece.value for char in "*?["):
        return Text(re.sub(r"([*?\[])", r"[\1]", piece.value))
    return piece
