"""Regular expressions as sed and grep are given them, basic or extended, read into trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goldsmith.assist.rules.regexes import (
    PLACEHOLDERS,
    UNIVERSE,
    Choice,
    Concatenation,
    Edge,
    Group,
    Node,
    One,
    Regex,
    Repeat,
    fixed,
    literal,
)
from goldsmith.assist.tasks import Inexact

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
}
_MEMBERS: Mapping[str, Callable[[str], bool]] = {
    "alpha": str.isalpha,
    "digit": str.isdecimal,
    "alnum": str.isalnum,
    "upper": str.isupper,
    "lower": str.islower,
    "space": lambda char: char in " \t\r\f\v",
    "blank": lambda char: char in " \t",
    "punct": lambda char: char.isascii() and char.isprintable() and not char.isalnum() and char != " ",
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
    "word": lambda char: char.isalnum() or char == "_",
}
_EDGES = {"b": r"\b", "B": r"\B", "<": r"\b(?=\w)", ">": r"\b(?<=\w)"}
_SHORTHANDS = {"w": ("word", False), "W": ("word", True), "s": ("space", False), "S": ("space", True)}
_CONTROLS = {"t": "\t", "f": "\f", "v": "\v", "a": "\a", "r": "\r"}


def parse(text: str, *, extended: bool, ignores_case: bool = False) -> Regex:
    """Read an expression, basic or extended; raises `Inexact` for what has no equal."""
    parser = _Parser(text, extended)
    body = parser.choice()
    if parser.position < len(text):
        raise Inexact(f"{text} is no regular expression")
    if ignores_case:
        body = _folded(body)
    return Regex(body, parser.groups, ignores_case)


def _folded(choice: Choice) -> Choice:
    return Choice(tuple(tuple(_folded_node(node) for node in option) for option in choice.options))


def _folded_node(node: Node) -> Node:
    match node:
        case One(members=members, python=python):
            return One(
                frozenset(other for char in members for other in (char.lower(), char.upper()) if len(other) == 1), python
            )
        case Group(body=body):
            return Group(_folded(body))
        case Repeat(item=item, low=low, high=high):
            inner = _folded_node(item)
            assert isinstance(inner, One | Group)
            return Repeat(inner, low, high)
    return node


class _Parser:
    """Reads an expression from left to right."""

    def __init__(self, text: str, extended: bool) -> None:
        self.text = text
        self.extended = extended
        self.position = 0
        self.groups = 0
        self.depth = 0

    def choice(self) -> Choice:
        """Alternatives, up to the end or a closing parenthesis."""
        options = [self.sequence()]
        while self._takes("|"):
            options.append(self.sequence())
        have_one_length = all(fixed(option) is not None for option in options)
        # The longest stands first, so that Python takes it, too.
        return Choice(tuple(sorted(options, key=len, reverse=True) if have_one_length else options))

    def sequence(self) -> Concatenation:
        """What stands between alternatives."""
        nodes: list[Node] = []
        while self.position < len(self.text) and not self._sees("|") and not (self.depth and self._sees(")")):
            times = self._repetition() if nodes and nodes[-1] != Edge("^") else None
            if times is None:
                nodes.append(self._node(not nodes))
                continue
            last = nodes[-1]
            if not isinstance(last, One | Group):
                raise Inexact(f"{self.text} repeats what is no character")
            if isinstance(last, One) and len(last.members) == 1 and ord(next(iter(last.members))) in PLACEHOLDERS:
                raise Inexact(f"{self.text} repeats the end of a value")
            nodes[-1] = Repeat(last, *times)
        return tuple(nodes)

    def _node(self, is_first: bool) -> Node:
        if self._takes("("):
            return self._group()
        char = self.text[self.position]
        self.position += 1
        if char == "\\":
            return self._escaped()
        if char == ".":
            return One(UNIVERSE, ".")
        if char == "[":
            return self._bracket()
        if char == "^" and (is_first or self.extended):
            if not is_first:
                raise Inexact(f"{self.text} has a line begin in its middle")
            return Edge("^")
        if char == "$" and (self.extended or self._is_last()):
            if not self._is_last():
                raise Inexact(f"{self.text} has a line end in its middle")
            return Edge("$")
        if self.extended and char in "*+?{)":
            raise Inexact(f"{self.text} has a {char} where nothing stands before it")
        return literal(char)

    def _group(self) -> Group:
        self.groups += 1
        self.depth += 1
        body = self.choice()
        if not self._takes(")"):
            raise Inexact(f"{self.text} has an open parenthesis")
        self.depth -= 1
        return Group(body)

    def _escaped(self) -> Node:
        if self.position >= len(self.text):
            raise Inexact(f"{self.text} ends with a backslash")
        char = self.text[self.position]
        self.position += 1
        if char in _EDGES:
            return Edge(_EDGES[char])
        if char in _SHORTHANDS:
            return _shorthand(*_SHORTHANDS[char])
        if char in _CONTROLS:
            return literal(_CONTROLS[char])
        if char in "123456789n`'cdox" or (not self.extended and char in "{}+?") or char == ")":
            raise Inexact(f"{self.text} has a \\{char}, which Python's expressions do not have there")
        return literal(char)

    def _repetition(self) -> tuple[int, int | None] | None:
        for sign, times in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._takes(sign, always=sign == "*"):
                return times
        if not self._takes("{"):
            return None
        end = self.text.find("}" if self.extended else "\\}", self.position)
        low, comma, high = self.text[self.position : end].partition(",")
        if end < 0 or not (low.isdigit() or (comma and not low)) or not (high.isdigit() or not high):
            raise Inexact(f"{self.text} has no number of times in its braces")
        self.position = end + (1 if self.extended else 2)
        first = int(low or "0")
        return first, (int(high) if high else None) if comma else first

    def _is_last(self) -> bool:
        return self.position >= len(self.text) or self._sees("|") or (self.depth > 0 and self._sees(")"))

    def _sees(self, sign: str, *, always: bool = False) -> bool:
        """Whether a sign with a meaning comes next: in a basic expression it has a backslash."""
        wanted = sign if always or self.extended else "\\" + sign
        return self.text.startswith(wanted, self.position)

    def _takes(self, sign: str, *, always: bool = False) -> bool:
        if not self._sees(sign, always=always):
            return False
        self.position += 1 if always or self.extended else 2
        return True

    def _bracket(self) -> One:
        is_negated = self.text.startswith("^", self.position)
        start = self.position + is_negated
        end = bracket_end(self.text, start)
        members, python = _elements(self.text[start : end - 1])
        if not python and not is_negated:
            raise Inexact(f"{self.text} has an end of a line in its brackets")
        self.position = end
        if any(ord(char) in PLACEHOLDERS for char in self.text[start:end]):
            raise Inexact(f"{self.text} has a value in its brackets")
        if is_negated:
            return One(UNIVERSE - members, f"[^{python}\\n]")
        return One(members, f"[{python}]")


def bracket_end(text: str, start: int) -> int:
    """Where a bracket that was opened before `start` (and before its `^`) is closed; raises `Inexact` where it is not."""
    position = start + text.startswith("]", start)
    while position < len(text) and text[position] != "]":
        if text[position] == "[" and text[position + 1 : position + 2] in (":", ".", "="):
            closing = text.find(text[position + 1] + "]", position + 2)
            position = closing + 1 if closing >= 0 else len(text)
        position += 1
    if position >= len(text):
        raise Inexact(f"{text} has an open bracket")
    return position + 1


def _elements(text: str) -> tuple[frozenset[str], str]:
    members: set[str] = set()
    python, position = "", 0
    while position < len(text):
        if text.startswith("[:", position):
            name = text[position + 2 : text.find(":]", position)]
            if name not in _CLASSES:
                raise Inexact(f"the class {name} is not known")
            members |= _named(name)
            python += _CLASSES[name]
            position += len(name) + 4
            continue
        if text.startswith(("[.", "[="), position):
            raise Inexact("a bracket holds a class of a locale")
        char, position = _element(text, position)
        if text[position : position + 1] == "-" and position + 1 < len(text):
            high, position = _element(text, position + 1)
            if high < char:
                raise Inexact(f"the range {char}-{high} is empty")
            members |= {other for other in UNIVERSE if char <= other <= high}
            python += f"{_in_bracket(char)}-{_in_bracket(high)}"
        elif char != "\n":
            members.add(char)
            python += _in_bracket(char)
    return frozenset(members), python


def _element(text: str, position: int) -> tuple[str, int]:
    if text[position] == "\\" and text[position + 1 : position + 2] in ("n", "t", "f", "v", "a", "r"):
        return {**_CONTROLS, "n": "\n"}[text[position + 1]], position + 2
    if text[position] == "\\" and text[position + 1 : position + 2] in ("c", "d", "o", "x"):
        raise Inexact("a bracket holds a number of a character")
    return text[position], position + 1


def _in_bracket(char: str) -> str:
    return "\\" + char if char in "\\]^-[&~|" else char


def _named(name: str) -> frozenset[str]:
    test = _MEMBERS[name]
    return frozenset(char for char in UNIVERSE if (char.isascii() or name in ("alpha", "alnum", "word")) and test(char))


def _shorthand(name: str, is_negated: bool) -> One:
    if is_negated:
        return One(UNIVERSE - _named(name), r"[^\w\n]" if name == "word" else r"\S")
    return One(_named(name), r"\w" if name == "word" else f"[{_CLASSES[name]}]")
