"""Regular expressions of POSIX with GNU's additions, as trees, and as expressions of Python that match the same.

Lines are what both sides look at: what sed does in a line, Python does in a whole file, so nothing may match a line's
end. POSIX takes the longest match and Python the first that it finds: only what gives the same either way is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.assist.tasks import Inexact

UNIVERSE = frozenset(chr(code) for code in range(1, 128) if code != 10) | {"é"}
"""Characters that stand for all: ASCII without the end of a line, and one for the rest."""
PLACEHOLDERS = range(0xE000, 0xE100)
"""Code points that stand for values of the playbook."""


@dataclass(frozen=True, slots=True)
class One:
    """One character of a set. `python` matches it."""

    members: frozenset[str]
    python: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A place between characters: `^`, `$`, the edge of a word."""

    python: str


@dataclass(frozen=True, slots=True)
class Group:
    """What is in parentheses."""

    body: Choice


@dataclass(frozen=True, slots=True)
class Repeat:
    """A character or a group several times; None for any number."""

    item: One | Group
    low: int
    high: int | None

    @property
    def varies(self) -> bool:
        """Whether the text decides how often."""
        return self.low != self.high


Node: TypeAlias = One | Edge | Group | Repeat
Concatenation: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives, one of which matches."""

    options: tuple[Concatenation, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """An expression that was read."""

    body: Choice
    groups: int
    ignores_case: bool = False

    @property
    def starts_line(self) -> bool:
        """Whether the first match of a line begins where the line does."""
        return all(option and (option[0] == Edge("^") or _is_anything(option[0])) for option in self.body.options)

    @property
    def ends_line(self) -> bool:
        """Whether every match ends where its line does."""
        return all(option and (option[-1] == Edge("$") or _is_anything(option[-1])) for option in self.body.options)

    @property
    def may_be_empty(self) -> bool:
        """Whether it matches an empty text."""
        return _first_of_choice(self.body)[1]

    def python(self, *, captures: bool = True) -> str:
        """The expression in Python; without `captures`, parentheses only hold together."""
        text = _choice(self.body, captures)
        return f"(?:{text})" if len(self.body.options) > 1 else text

    def group(self, number: int) -> str:
        """What a group matches, as an expression without captures."""
        found = list(_groups(self.body))
        if number > len(found):
            raise Inexact(f"there is no group {number}")
        return f"(?:{_choice(found[number - 1].body, False)})"

    def samples(self) -> Iterator[str]:
        """Texts that it matches, few and short."""
        for repeats in (0, 1):
            for last in (False, True):
                yield _sample(self.body, repeats, last)


def is_exact(regex: Regex, *, uses_groups: bool) -> bool:
    """Whether Python takes the same match as POSIX, which takes the longest.

    Single characters, however often, are the same either way. Alternatives and repeated groups are where a text leaves
    no choice between them, and where a match goes to the end of its line whatever is chosen.
    """
    if regex.ends_line and not uses_groups:
        return True
    return _is_forced_choice(regex.body, frozenset(), False)


def _is_forced_choice(choice: Choice, follow: frozenset[str], is_before_choice: bool) -> bool:
    if len(choice.options) > 1:
        if not _excludes_itself(choice, bool(follow) or is_before_choice):
            return False
        is_before_choice = True
    return all(_is_forced(option, follow, is_before_choice) for option in choice.options)


def _is_forced(sequence: Concatenation, follow: frozenset[str], is_before_choice: bool) -> bool:
    for index, node in enumerate(sequence):
        rest = sequence[index + 1 :]
        first, is_empty = _first(rest)
        after = first | follow if is_empty else first
        chooses = is_before_choice or any(_has_choice(item) for item in rest)
        if isinstance(node, Group) and not _is_forced_choice(node.body, after, chooses):
            return False
        if isinstance(node, Repeat):
            if isinstance(node.item, Group):
                own, is_nothing = _first_of_choice(node.item.body)
                if is_nothing or own & after or not _is_forced_choice(node.item.body, after | own, True):
                    return False
            elif node.varies and chooses and node.item.members & after:
                return False
    return True


def _excludes_itself(choice: Choice, is_followed: bool) -> bool:
    """Whether no text fits two alternatives; where nothing follows, the longest stands first and is taken."""
    for index, option in enumerate(choice.options):
        for other in choice.options[index + 1 :]:
            one, two = fixed(option), fixed(other)
            if one is None or two is None:
                first, second = _first(option), _first(other)
                if first[1] or second[1] or first[0] & second[0]:
                    return False
            elif is_followed and all(mine & yours for mine, yours in zip(one, two, strict=False)):
                return False
    return True


def fixed(option: Concatenation) -> list[frozenset[str]] | None:
    """The characters that an alternative of one length takes, place by place; None where its length differs."""
    nodes = [node for node in option if not isinstance(node, Edge)]
    return [node.members for node in nodes if isinstance(node, One)] if all(isinstance(node, One) for node in nodes) else None


def _has_choice(node: Node) -> bool:
    if isinstance(node, Repeat):
        return isinstance(node.item, Group)
    if isinstance(node, Group):
        return len(node.body.options) > 1 or any(_has_choice(item) for option in node.body.options for item in option)
    return False


def _first(sequence: Sequence[Node]) -> tuple[frozenset[str], bool]:
    """With which characters a sequence begins, and whether it may be empty."""
    found: frozenset[str] = frozenset()
    for node in sequence:
        if isinstance(node, Edge):
            continue
        inner = node.item if isinstance(node, Repeat) else node
        first, is_empty = (inner.members, False) if isinstance(inner, One) else _first_of_choice(inner.body)
        found |= first
        if not (is_empty or (isinstance(node, Repeat) and node.low == 0)):
            return found, False
    return found, True


def _first_of_choice(choice: Choice) -> tuple[frozenset[str], bool]:
    found = [_first(option) for option in choice.options]
    return frozenset().union(*(first for first, _ in found)), any(is_empty for _, is_empty in found)


def _is_anything(node: Node) -> bool:
    return (
        isinstance(node, Repeat)
        and isinstance(node.item, One)
        and node.item.members == UNIVERSE
        and (node.low, node.high) == (0, None)
    )


def _groups(choice: Choice) -> Iterator[Group]:
    for option in choice.options:
        for node in option:
            inner = node.item if isinstance(node, Repeat) else node
            if isinstance(inner, Group):
                yield inner
                yield from _groups(inner.body)


def _choice(choice: Choice, captures: bool) -> str:
    return "|".join("".join(_python(node, captures) for node in option) for option in choice.options)


def _python(node: Node, captures: bool) -> str:
    match node:
        case One(python=python) | Edge(python=python):
            return python
        case Group(body=body):
            return f"{'(' if captures else '(?:'}{_choice(body, captures)})"
        case Repeat(item=item, low=low, high=high):
            return _python(item, captures) + _times(low, high)


def _times(low: int, high: int | None) -> str:
    known = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if (low, high) in known:
        return known[low, high]
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _sample(choice: Choice, repeats: int, last: bool) -> str:
    return "".join(_sample_of(node, repeats, last) for node in choice.options[-1 if last else 0])


def _sample_of(node: Node, repeats: int, last: bool) -> str:
    match node:
        case One(members=members):
            return min(members, key=lambda char: (not char.isalnum(), char in "\t\r\f\v", char)) if members else ""
        case Group(body=body):
            return _sample(body, repeats, last)
        case Repeat(item=item, low=low, high=high):
            count = low if high is not None and high < low + repeats else low + repeats
            return _sample_of(item, repeats, last) * count
    return ""


def literal(char: str) -> One:
    """A character that means itself."""
    return One(frozenset(char), "\\" + char if char in "\\.^$*+?{}[]|()" else char)
