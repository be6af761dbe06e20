"""Go templates cut into texts, and actions cut into words."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LEFT, _RIGHT = "{{", "}}"
_SPACE = " \t\r\n"
_WORD = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`[^`]*`)
  | (?P<char>'(?:[^'\\\n]|\\.)+')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))
  | (?P<field>\.[^\W\d]\w*)
  | (?P<variable>\$\w*)
  | (?P<name>[^\W\d]\w*)
  | (?P<mark>:=|[=|(),.])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of an action: its kind, its text, and the 1-based line that it stands on. Runs of white space are words."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of actions."""

    content: str


@dataclass(frozen=True, slots=True)
class Action:
    """An action as words, without white space at its ends."""

    words: tuple[Word, ...]
    line: int


def lex(template: str) -> list[Text | Action]:
    """The texts and actions of a template, in order; comments are left out, trim markers are obeyed.

    Raises ValueError with line and reason, as Go words it.
    """
    parts: list[Text | Action] = []
    at, trims = 0, False
    while True:
        start = template.find(_LEFT, at)
        text = template[at:] if start < 0 else template[at:start]
        text = text.lstrip(_SPACE) if trims else text
        if start < 0:
            return [*parts, Text(text)] if text else parts
        inside = start + 2
        if template[inside : inside + 1] == "-" and template[inside + 1 : inside + 2] in tuple(_SPACE):
            text = text.rstrip(_SPACE)
            inside += 2
        if text:
            parts.append(Text(text))
        action, at, trims = _action(template, inside, _line(template, start))
        if action is not None:
            parts.append(action)


def fault(line: int, why: str) -> ValueError:
    """The error of a template, named as Packer names its templates."""
    return ValueError(f"template: root:{line}: {why}")


def _line(template: str, at: int) -> int:
    return template.count("\n", 0, at) + 1


def _action(template: str, at: int, line: int) -> tuple[Action | None, int, bool]:
    """The action (none for a comment) that begins at `at`, the place behind it, and whether it trims what follows."""
    comment = re.compile(r"[ \t\r\n]*/\*").match(template, at)
    if comment:
        return None, *_after_comment(template, comment.end(), line)
    words: list[Word] = []
    while True:
        end, trims = _end(template, at)
        if end:
            return Action(tuple(_stripped(words)), line), end, trims
        found = _WORD.match(template, at)
        if found is None:
            raise fault(_line(template, at), _unreadable(template, at))
        words.append(Word(str(found.lastgroup), found[0], _line(template, at)))
        at = found.end()


def _end(template: str, at: int) -> tuple[int, bool]:
    """The place behind the closing braces that stand at `at`, or 0, and whether they trim."""
    if template.startswith(_RIGHT, at):
        return at + 2, False
    trim = re.compile(r"[ \t\r\n]+-\}\}").match(template, at)
    return (trim.end(), True) if trim else (0, False)


def _after_comment(template: str, at: int, line: int) -> tuple[int, bool]:
    close = template.find("*/", at)
    if close < 0:
        raise fault(line, "unclosed comment")
    end, trims = _end(template, close + 2)
    if not end:
        raise fault(line, "comment ends before closing delimiter")
    return end, trims


def _unreadable(template: str, at: int) -> str:
    if at >= len(template):
        return "unclosed action"
    letter = template[at]
    if letter in "\"'`":
        kind = {'"': "quoted string", "'": "character constant", "`": "raw quoted string"}[letter]
        return f"unterminated {kind}"
    return f"unexpected {letter!r} in action" if letter != "{" else 'unexpected "{" in command'


def _stripped(words: list[Word]) -> list[Word]:
    first = 1 if words and words[0].kind == "space" else 0
    last = len(words) - 1 if len(words) > first and words[-1].kind == "space" else len(words)
    return words[first:last]
