"""Scripts of GNU sed, read into commands with their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from goldsmith.assist.rules.regex_parser import bracket_end, parse
from goldsmith.assist.rules.regexes import Regex
from goldsmith.assist.tasks import Inexact


@dataclass(frozen=True, slots=True)
class Line:
    """An address by number; None is the last line."""

    number: int | None


Address: TypeAlias = Regex | Line


@dataclass(frozen=True, slots=True)
class Following:
    """The end of a range that takes some lines more."""

    count: int


@dataclass(frozen=True, slots=True)
class Substitution:
    """`s`: a replacement is texts and numbers of groups, 0 for the whole match."""

    regex: Regex
    replacement: tuple[str | int, ...]
    is_global: bool


@dataclass(frozen=True, slots=True)
class Deletion:
    """`d`."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """`a`, `i` and `c` with their text, without its last end of a line. `a` of nothing is `$a\\`."""

    where: Literal["after", "before", "instead"]
    text: str


@dataclass(frozen=True, slots=True)
class SedCommand:
    """One command and the lines that it is for."""

    action: Substitution | Deletion | Insertion
    first: Address | None = None
    last: Address | Following | None = None
    is_negated: bool = False


def parse_script(text: str, *, extended: bool) -> tuple[SedCommand, ...]:
    """The commands of a script; raises `Inexact` for those that no task says: branches, the hold space, printing."""
    return tuple(_Parser(text, extended).commands())


class _Parser:
    """Reads a script from left to right."""

    def __init__(self, text: str, extended: bool) -> None:
        self.text = text
        self.extended = extended
        self.position = 0
        self.last_regex: Regex | None = None

    def commands(self) -> Iterator[SedCommand]:
        """All commands; a block of one command is that command with the block's address."""
        while self._skip(" \t\n;"):
            if self.text[self.position] == "#":
                self._rest_of_line()
                continue
            yield self._command()

    def _command(self) -> SedCommand:
        first = self._address()
        last = self._end_of_range() if first is not None else None
        self._skip(" \t")
        is_negated = False
        while self._takes("!"):
            is_negated = True
            self._skip(" \t")
        if self._takes("{"):
            return self._block(first, last, is_negated)
        return SedCommand(self._action(), first, last, is_negated)

    def _block(self, first: Address | None, last: Address | Following | None, is_negated: bool) -> SedCommand:
        self._skip(" \t\n;")
        inner = self._command()
        self._skip(" \t\n;")
        if not self._takes("}"):
            raise Inexact("a block of several commands asks for its lines once")
        if inner.first is None:
            return SedCommand(inner.action, first, last, is_negated)
        if first is None:
            return inner
        raise Inexact("a block has an address inside of its address")

    def _address(self) -> Address | None:
        if self._takes("$"):
            return Line(None)
        number = re.compile(r"\d+").match(self.text, self.position)
        if number is not None:
            self.position = number.end()
            if self._takes("~") or number[0] == "0":
                raise Inexact("lines are counted in steps")
            return Line(int(number[0]))
        delimiter = "/" if self._takes("/") else ""
        if not delimiter and self._takes("\\"):
            delimiter = self._next()
        if not delimiter:
            return None
        pattern = self._pattern(delimiter)
        return self._regex(pattern, ignores_case=self._takes("I"))

    def _end_of_range(self) -> Address | Following | None:
        self._skip(" \t")
        if not self._takes(","):
            return None
        self._skip(" \t")
        count = re.compile(r"\+(\d+)").match(self.text, self.position)
        if count is not None:
            self.position = count.end()
            return Following(int(count[1]))
        found = self._address()
        if found is None:
            raise Inexact("a range of lines has an end that no task says")
        return found

    def _action(self) -> Substitution | Deletion | Insertion:
        name = self._next()
        if name == "s":
            return self._substitution()
        if name == "d":
            self._end_of_command()
            return Deletion()
        if name in "aic":
            return Insertion({"a": "after", "i": "before", "c": "instead"}[name], self._inserted())  # type: ignore[arg-type]  # its literals
        raise Inexact(f"no task does what sed's command {name} does")

    def _substitution(self) -> Substitution:
        delimiter = self._next()
        pattern = self._pattern(delimiter)
        replacement = tuple(self._replacement(delimiter))
        flags = re.compile(r"[a-zA-Z0-9]*").match(self.text, self.position)
        assert flags is not None
        self.position = flags.end()
        if set(flags[0]) - set("gIi"):
            raise Inexact(f"no task does what the flags {flags[0]} of a substitution do")
        self._end_of_command()
        regex = self._regex(pattern, ignores_case="i" in flags[0].lower())
        if any(isinstance(part, int) and part > regex.groups for part in replacement):
            raise Inexact("the replacement names a group that the expression lacks")
        return Substitution(regex, replacement, "g" in flags[0])

    def _regex(self, pattern: str, *, ignores_case: bool) -> Regex:
        if not pattern:
            if self.last_regex is None or ignores_case:
                raise Inexact("an empty expression stands for one that was used before")
            return self.last_regex
        self.last_regex = parse(pattern, extended=self.extended, ignores_case=ignores_case)
        return self.last_regex

    def _pattern(self, delimiter: str) -> str:
        """An expression up to its delimiter, which stands for itself after a backslash and inside of brackets."""
        found = ""
        while True:
            char = self._next()
            if char == delimiter:
                return found
            if char == "[":
                start = self.position + self.text.startswith("^", self.position)
                end = bracket_end(self.text, start)
                found += self.text[self.position - 1 : end]
                self.position = end
            elif char != "\\":
                found += char
            elif self.text.startswith(delimiter, self.position):
                if delimiter in ".*[]^$+?(){}|n":
                    raise Inexact(f"what \\{delimiter} means differs between versions of sed")
                self.position += 1
                found += delimiter
            else:
                found += char + self._next()

    def _replacement(self, delimiter: str) -> Iterator[str | int]:
        text = ""
        while (char := self._next()) != delimiter:
            group: int | None = None
            if char == "&":
                group = 0
            elif char == "\n":
                raise Inexact("a replacement has an end of a line without a backslash")
            elif char != "\\":
                text += char
            else:
                escaped = self._next()
                if escaped.isdigit():
                    group = int(escaped)
                else:
                    text += _unescaped(escaped, delimiter)
            if group is not None:
                yield from [text] if text else []
                yield group
                text = ""
        if text:
            yield text

    def _inserted(self) -> str:
        """The text of `a`, `i` or `c`: the rest of its line, and each line after one that ends with a backslash."""
        self._skip(" \t")
        if self._takes("\\"):
            spaces = re.compile(r"[ \t]*\n").match(self.text, self.position)
            if spaces is not None:
                self.position = spaces.end()
        found = ""
        while self.position < len(self.text):
            char = self._next()
            if char == "\n":
                break
            if char == "\\":
                if self.position >= len(self.text):
                    break
                found += _unescaped(self._next(), "")
            else:
                found += char
        return found

    def _end_of_command(self) -> None:
        self._skip(" \t")
        if self.position >= len(self.text) or self.text[self.position] in "\n;}":
            return
        if self.text[self.position] == "#":
            self._rest_of_line()
            return
        raise Inexact("something stands after a command of sed")

    def _rest_of_line(self) -> None:
        end = self.text.find("\n", self.position)
        self.position = len(self.text) if end < 0 else end

    def _skip(self, chars: str) -> bool:
        while self.position < len(self.text) and self.text[self.position] in chars:
            self.position += 1
        return self.position < len(self.text)

    def _takes(self, char: str) -> bool:
        if not self.text.startswith(char, self.position):
            return False
        self.position += len(char)
        return True

    def _next(self) -> str:
        if self.position >= len(self.text):
            raise Inexact("a command of sed is not complete")
        self.position += 1
        return self.text[self.position - 1]


def _unescaped(char: str, delimiter: str) -> str:
    known = {"n": "\n", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "r": "\r"}
    if char == delimiter:
        return char
    if char in "cdoxULEul":
        raise Inexact(f"no task does what \\{char} does in a text of sed")
    return known.get(char, char)
