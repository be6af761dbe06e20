"""`-only` and `-except`: globs over full build names, and over post-processors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.template.faults import Faults


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern: `*` any characters, `?` one, `[a-z]`, `[!a]`, `{a,b}`, and `\\` for the next character as it is."""

    pattern: str
    expression: re.Pattern[str]

    def matches(self, name: str) -> bool:
        """Whether the whole name is matched."""
        return self.expression.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which builds run, and where chains of post-processors are cut."""

    only: tuple[Glob, ...] = ()
    except_: tuple[Glob, ...] = ()
    rule: str = "A pattern matches the whole name of a build, with the name of the build block, as BUILD.TYPE.NAME."
    """How names are compared, for warnings."""

    def takes(self, build: str) -> bool:
        """Whether the build of this full name runs."""
        wanted = not self.only or any(glob.matches(build) for glob in self.only)
        return wanted and not any(glob.matches(build) for glob in self.except_)

    def cuts(self, post_processor: str) -> bool:
        """Whether a chain ends before the post-processor of this name (its type when it has no name)."""
        return any(glob.matches(post_processor) for glob in self.except_)

    def warn(self, builds: Sequence[str], post_processors: Iterable[str], faults: Faults) -> None:
        """Warn of each pattern that matches nothing."""
        possible = f"Possible build names: [{', '.join(builds)}]."
        for glob in self.only:
            if not any(map(glob.matches, builds)):
                what = "an 'only' option was passed, but not all matches were found for the given build."
                faults.warning("template.only", what, None, f'"{glob.pattern}" matches no build. {self.rule}', possible)
        names = (*builds, *post_processors)
        for glob in self.except_:
            if not any(map(glob.matches, names)):
                what = "an 'except' option was passed, but did not match any build."
                told = f'"{glob.pattern}" matches no build and no post-processor. {self.rule}'
                faults.warning("template.except", what, None, told, possible)


def select(only: Iterable[str], except_: Iterable[str]) -> Selection:
    """Read the patterns of both options. Raises `UserError` for a pattern that cannot be read."""
    return Selection(tuple(_glob("only", pattern) for pattern in only), tuple(_glob("except", pattern) for pattern in except_))


def select_names(only: Iterable[str], except_: Iterable[str]) -> Selection:
    """Read both options for a legacy JSON template, where names are compared as they are."""
    rule = "In a legacy JSON template a name is compared as it is, without globs and without the type."
    return Selection(tuple(map(_exactly, only)), tuple(map(_exactly, except_)), rule)


def _exactly(name: str) -> Glob:
    return Glob(name, re.compile(re.escape(name)))


def _glob(option: str, pattern: str) -> Glob:
    try:
        return Glob(pattern, re.compile(translate(pattern), re.DOTALL))
    except (ValueError, re.error) as error:
        raise UserError(
            Diagnostic(
                code="template.glob",
                what=f"Invalid -{option} pattern {pattern}: {error}",
                next=r"Write \ before a character that is meant as it is.",
            )
        ) from error


def translate(pattern: str) -> str:
    """The regular expression of a glob. Raises `ValueError` for brackets that do not close."""
    parts: list[str] = []
    depth = position = 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                raise ValueError("a [ is never closed")
            parts.append(_range(pattern[position:end]))
            position = end + 1
            continue
        if char == "\\":
            char, position = pattern[position : position + 1], position + 1
            parts.append(re.escape(char or "\\"))
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            raise ValueError("a } has no {")
        inside = {",": "|"} if depth else {}
        parts.append({"*": ".*", "?": ".", "{": "(?:", "}": ")", **inside}.get(char, re.escape(char)))
    if depth:
        raise ValueError("a { is never closed")
    return "".join(parts)


def _range(inside: str) -> str:
    negated = inside.startswith("!")
    chars = inside[negated:]
    if not chars:
        raise ValueError("a [ ] holds nothing")
    is_span = len(chars) == 3 and chars[1] == "-"
    told = f"{re.escape(chars[0])}-{re.escape(chars[2])}" if is_span else "".join(map(re.escape, chars))
    return f"[{'^' if negated else ''}{told}]"
