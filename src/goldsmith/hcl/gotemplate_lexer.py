"""Go templates cut into texts, and actions cut into words."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LEFT, _RIGHT = "{{", "}}"
_SPACE = " \t\r\n"
_COMMENT = re.compile(r"[ \t\r\n]*/\*")
_TRIM = re.compile(r"[ \t\r\n]+-\}\}")
_AFTER_NAME = (*_SPACE, ".", ",", "|", ":", "=", "(", ")", _RIGHT)
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
  | (?P<other>[!\#%&*/:;<>?@\[\\\]^{}~])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of an action: its kind, its text, its 1-based line and its offset. Runs of white space are words."""

    kind: str
    text: str
    line: int
    at: int


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

    Where it cannot be read further, the last action ends in a word of kind "error" whose text is the reason, as Go words it:
    what stands before it may hold the fault that is to be told.
    """
    parts: list[Text | Action] = []
    at, trims, counted, line = 0, False, 0, 1
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
        line += template.count("\n", counted, start)
        counted = start
        action, at, trims = _action(template, inside, line)
        if action is not None:
            parts.append(action)


def fault(place: int | str, why: str) -> ValueError:
    """The error of a template, named as Packer names its templates; `place` is a line, or a line and a column."""
    return ValueError(f"template: root:{place}: {why}")


def _action(template: str, at: int, line: int) -> tuple[Action | None, int, bool]:
    """The action (none for a comment) that begins at `at`, the place behind it, and whether it trims what follows."""
    comment = _COMMENT.match(template, at)
    if comment:
        end, trims, why = _after_comment(template, comment.end())
        return (Action((Word("error", why, line, at),), line) if why else None), end, trims
    words: list[Word] = []
    here = line
    while True:
        end, trims = _end(template, at)
        if end:
            return Action(tuple(_stripped(words)), line), end, trims
        found = _WORD.match(template, at)
        why = _unreadable(template, at) if found is None else _unfinished(template, found)
        if found is None or why:
            words.append(Word("error", why, here, at))
            return Action(tuple(words), line), len(template), False
        words.append(Word(str(found.lastgroup), found[0], here, at))
        here += found[0].count("\n")
        at = found.end()


def _end(template: str, at: int) -> tuple[int, bool]:
    """The place behind the closing braces that stand at `at`, or 0, and whether they trim."""
    if template.startswith(_RIGHT, at):
        return at + 2, False
    trim = _TRIM.match(template, at)
    return (trim.end(), True) if trim else (0, False)


def _after_comment(template: str, at: int) -> tuple[int, bool, str]:
    """The place behind a comment, whether it trims what follows, and what is wrong with it."""
    close = template.find("*/", at)
    end, trims = _end(template, close + 2) if close >= 0 else (0, False)
    if end:
        return end, trims, ""
    return len(template), False, "unclosed comment" if close < 0 else "comment ends before closing delimiter"


def _unreadable(template: str, at: int) -> str:
    if at >= len(template):
        return "unclosed action"
    letter = template[at]
    if letter in "\"'`":
        kind = {'"': "quoted string", "'": "character constant", "`": "raw quoted string"}[letter]
        return f"unterminated {kind}"
    if letter in "+-":
        return f'bad number syntax: "{letter}"'
    return f"unrecognized character in action: {_code_point(letter)}"


def _unfinished(template: str, word: re.Match[str]) -> str:
    """What is wrong behind a name, or an empty string."""
    end = word.end()
    if word.lastgroup not in ("field", "variable", "name") or end == len(template) or template.startswith(_AFTER_NAME, end):
        return ""
    return f"bad character {_code_point(template[end])}"


def _code_point(letter: str) -> str:
    return f"U+{ord(letter):04X}" + (f" '{letter}'" if letter.isprintable() else "")


def _stripped(words: list[Word]) -> list[Word]:
    first = 1 if words and words[0].kind == "space" else 0
    last = len(words) - 1 if len(words) > first and words[-1].kind == "space" else len(words)
    return words[first:last]
