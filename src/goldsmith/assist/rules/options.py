"""Option grammars of commands: which words of a command are options, which are values of these, and which are operands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.assist.commands import Command, Text, Word
from goldsmith.assist.tasks import Inexact

Value: TypeAlias = Literal["none", "needed", "optional"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option as it was given: `name` is the first spelling of its grammar's row."""

    name: str
    value: Word | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a command was given. Options are asked for by any of their spellings; one that its grammar lacks is a KeyError."""

    grammar: Grammar
    options: tuple[Option, ...]
    """In the order of the words."""
    operands: tuple[Word, ...]

    def has(self, *spellings: str) -> bool:
        """Whether any of these options was given."""
        names = {self.grammar.names[spelling] for spelling in spellings}
        return any(option.name in names for option in self.options)

    def value(self, spelling: str) -> Word | None:
        """The value that was given last, or None."""
        return next(reversed(self.values(spelling)), None)

    def values(self, spelling: str) -> tuple[Word, ...]:
        """All values that were given, in order."""
        name = self.grammar.names[spelling]
        return tuple(option.value for option in self.options if option.name == name and option.value is not None)

    def last(self, *spellings: str) -> str | None:
        """Which of options that undo each other stands last, by its first spelling, or None."""
        names = {self.grammar.names[spelling] for spelling in spellings}
        return next((option.name for option in reversed(self.options) if option.name in names), None)

    def only(self, *spellings: str) -> None:
        """Raise `Inexact` for any option but these: for a rule that knows what they do and not what the others do."""
        names = {self.grammar.names[spelling] for spelling in spellings}
        for option in self.options:
            if option.name not in names:
                raise Inexact(f"no module says what the option {option.name} does")


@dataclass(frozen=True, slots=True)
class Grammar:
    """The options of a command, as getopt_long reads them."""

    names: Mapping[str, str]
    """From each spelling, with its dashes, to the first one of its row."""
    takes: Mapping[str, Value]
    """From first spellings to whether a value follows."""
    permutes: bool
    """Options may follow operands; else the first operand ends them."""
    abbreviates: bool

    @staticmethod
    def of(*rows: str, permutes: bool = True, abbreviates: bool = True) -> Grammar:
        """A grammar of rows such as "-y --yes" (a flag), "-o= --option=" (with a value), "--backup?" (`--backup[=value]`).

        One argument may hold several rows, with commas between them. A spelling of several letters after one dash
        ("-nv", "-name=") is read as a whole, its value is the next word.
        """
        names: dict[str, str] = {}
        takes: dict[str, Value] = {}
        for row in filter(str.strip, ",".join(rows).split(",")):
            spellings = row.split()
            kinds = {_KINDS.get(spelling[-1], "none") for spelling in spellings}
            if len(kinds) != 1:
                raise ValueError(f"spellings of one option differ in their value: {row}")
            plain = [spelling.rstrip("=?") for spelling in spellings]
            names |= dict.fromkeys(plain, plain[0])
            takes[plain[0]] = kinds.pop()
        return Grammar(names, takes, permutes, abbreviates)

    def parse(self, command: Command) -> Parsed:
        """What the command was given, when words and nothing else decide what it does.

        Raises `Inexact` for unknown words and options, and where its output or input is a file: then it does more than
        its words say. What goes to a log below /var/log is no part of an image.
        """
        for redirect in command.redirects:
            if not redirect.target.startswith("/var/log/"):
                raise Inexact(f"{command.name} is redirected ({redirect.operator} {redirect.target.source})")
        return self.read(command.args)

    def read(self, words: Iterable[Word]) -> Parsed:
        """Options and operands among words. Raises `Inexact` for unknown words and options."""
        left = list(words)
        options: list[Option] = []
        operands: list[Word] = []
        while left:
            word = left.pop(0)
            if word.unknown is not None:
                raise Inexact(word.unknown)
            if word.text == "--":
                operands += left
                break
            if word.startswith("-") and word.text != "-":
                options += self._options(word, left)
                continue
            operands.append(word)
            if not self.permutes:
                operands += left
                break
        for word in operands:
            if word.unknown is not None:
                raise Inexact(word.unknown)
        return Parsed(self, tuple(options), tuple(operands))

    def _options(self, word: Word, left: list[Word]) -> Iterator[Option]:
        first = word.pieces[0]
        spelling, equals, _ = first.value.partition("=") if isinstance(first, Text) else ("", "", "")
        if word.startswith("--") or (spelling in self.names and len(spelling) > 2):
            if not equals and word.text is None:
                raise Inexact(f"which option {word.source} is depends on a value")
            yield self._whole(spelling, word.after(spelling + "=") if equals else None, left)
        else:
            yield from self._cluster(word, left)

    def _whole(self, spelling: str, given: Word | None, left: list[Word]) -> Option:
        name = self._name(spelling)
        takes = self.takes[name]
        if takes == "none" and given is not None:
            raise Inexact(f"the option {spelling} takes no value")
        if takes == "needed" and given is None:
            given = _next(spelling, left)
        return Option(name, given)

    def _name(self, spelling: str) -> str:
        if spelling in self.names:
            return self.names[spelling]
        if self.abbreviates and spelling.startswith("--"):
            meant = {name for known, name in self.names.items() if known.startswith(spelling)}
            if len(meant) == 1:
                return meant.pop()
        raise Inexact(f"the option {spelling} is not known")

    def _cluster(self, word: Word, left: list[Word]) -> Iterator[Option]:
        rest = word.after("-")
        while rest.pieces:
            first = rest.pieces[0]
            if not isinstance(first, Text):
                raise Inexact(f"which options {word.source} has depends on a value")
            letter = f"-{first.value[0]}"
            name = self._name(letter)
            rest = rest.after(first.value[0])
            if self.takes[name] == "none":
                yield Option(name)
                continue
            if self.takes[name] == "needed" and not rest.pieces:
                rest = _next(letter, left)
            yield Option(name, rest if rest.pieces or self.takes[name] == "needed" else None)
            return


_KINDS: Mapping[str, Value] = {"=": "needed", "?": "optional"}


def _next(spelling: str, left: list[Word]) -> Word:
    if not left:
        raise Inexact(f"the option {spelling} lacks its value")
    word = left.pop(0)
    if word.unknown is not None:
        raise Inexact(word.unknown)
    return word


def texts(words: Sequence[Word]) -> tuple[str, ...]:
    """The words as plain text; raises `Inexact` where one has a value that only the playbook knows."""
    return tuple(text(word) for word in words)


def text(word: Word) -> str:
    """The word as plain text; raises `Inexact` where it has a value that only the playbook knows."""
    known = word.text
    if known is None:
        raise Inexact(word.unknown or f"what {word.source} is decides which task says the same")
    return known
