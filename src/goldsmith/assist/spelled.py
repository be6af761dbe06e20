"""Commands in any text, be it script, template or prose; each word as a shell would hand it over, with where it is written.

Nothing is parsed that must be right: a text may be no script at all, or one inside the quotes of another language.
What is said of a word can be brought back to the characters of the text that spell it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_DEEPEST = 3
"""Quotes in quotes that are looked into."""
_ORDINARY = r"\\\n|\\.|\$\{[^}\n]*\}|[^\s;|&()<>'\"\\`]"
_LOOSE = re.compile(rf"(?:'[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"|{_ORDINARY}|['\"])+")
_STRICT = re.compile(rf"(?:\$?'[^']*'|\"(?:[^\"\\]|\\[\s\S])*\"|{_ORDINARY})+")
_SEPARATOR = re.compile(
    r"\\\n|[^\S\n]+|(?P<here><<-?(?!<))|(?P<string><<<)|(?P<pipe>\|&?(?!\|))|(?P<line>\n)|(?P<other>[\s\S])"
)
_PART = re.compile(r"\\\n|\\(?P<escaped>.)|'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\[\s\S])*)\"|(?P<plain>[\s\S])")
_IN_DOUBLE = re.compile(r"\\\n|\\(?P<escaped>[\"$`\\])|(?P<plain>[\s\S])")


@dataclass(frozen=True, slots=True)
class Spelled:
    """A text, and for each of its characters the offset in the file where it is written."""

    text: str
    offsets: Sequence[int]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the file that spells some of its characters, of which there is at least one."""
        return self.offsets[start], self.offsets[end - 1] + 1

    def replaced(self, what: str, by: str) -> Spelled:
        """With each `what` put down as the one character `by`."""
        found, offsets, last = [], [], 0
        for match in re.finditer(re.escape(what), self.text):
            found.append(self.text[last : match.start()] + by)
            offsets += [*self.offsets[last : match.start()], self.offsets[match.start()]]
            last = match.end()
        return Spelled("".join(found) + self.text[last:], [*offsets, *self.offsets[last:]])


@dataclass(slots=True)
class SpelledCommand:
    """Words that a shell would take as one command, if the text is a script."""

    words: list[Spelled] = field(default_factory=list)
    inputs: list[Spelled] = field(default_factory=list)
    """Here-documents and here-strings of its line."""
    feeders: list[SpelledCommand] = field(default_factory=list)
    """The commands before it on its line, when a pipe leads to it."""


def commands_in(text: str) -> Iterator[SpelledCommand]:
    """Every command that can be seen in a text, also inside of quotes; a place may be seen more than once."""
    whole = Spelled(text, range(len(text)))
    yield from _commands(whole, _LOOSE, 0)
    yield from _commands(whole, _STRICT, 0)


def _commands(source: Spelled, word: re.Pattern[str], depth: int) -> Iterator[SpelledCommand]:
    """Line by line; a here-document is the input of all commands on its line."""
    position, text = 0, source.text
    line: list[SpelledCommand] = [SpelledCommand()]
    marks: list[str] = []
    awaits = ""
    while position < len(text):
        match = word.match(text, position)
        if match is not None:
            spelled, quoted = _unquoted(source, match.start(), match.end())
            if awaits == "here":
                marks.append(spelled.text)
            elif awaits == "string":
                line[-1].inputs.append(spelled)
            else:
                line[-1].words.append(spelled)
            for inner in quoted if depth < _DEEPEST else ():
                yield from _commands(inner, word, depth + 1)
            awaits, position = "", match.end()
            continue
        separator = _SEPARATOR.match(text, position)
        assert separator is not None
        position = separator.end()
        kind = separator.lastgroup
        if kind in ("here", "string"):
            awaits = kind
        elif kind == "pipe":
            line.append(SpelledCommand(feeders=list(line)))
        elif kind == "other" and separator[0] not in "<>&":
            line.append(SpelledCommand())
        elif kind == "line":
            for mark in marks:
                body, position = _here_document(source, position, mark)
                for command in line:
                    command.inputs.append(body)
            yield from line
            line, marks = [SpelledCommand()], []
    yield from line


def _here_document(source: Spelled, start: int, mark: str) -> tuple[Spelled, int]:
    """The body that begins at `start`, and where the text goes on."""
    end = re.compile(rf"^[ \t]*{re.escape(mark)}[ \t]*$", re.MULTILINE).search(source.text, start)
    if end is None:
        return Spelled("", ()), start
    return Spelled(source.text[start : end.start()], source.offsets[start : end.start()]), end.end()


def _unquoted(source: Spelled, start: int, end: int) -> tuple[Spelled, list[Spelled]]:
    """A word as a shell would hand it over, and what stands in its quotes, where that is more than one word."""
    whole: list[int] = []
    quoted: list[Spelled] = []
    for match in _PART.finditer(source.text, start, end):
        places = _places(match)
        whole += places
        if match.lastgroup in ("single", "double") and re.search(r"\s", match[0]):
            quoted.append(_picked(source, places))
    return _picked(source, whole), quoted


def _places(match: re.Match[str]) -> list[int]:
    """The places of the characters that a part of a word gives."""
    if match.lastgroup == "double":
        inner = _IN_DOUBLE.finditer(match.string, *match.span("double"))
        return [part.start(part.lastgroup) for part in inner if part.lastgroup]
    return list(range(*match.span(match.lastgroup))) if match.lastgroup else []


def _picked(source: Spelled, places: Sequence[int]) -> Spelled:
    return Spelled("".join(source.text[place] for place in places), [source.offsets[place] for place in places])
