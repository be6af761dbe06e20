"""Which arms of a script's choices and loops ran in a trace: what did not run, no proof speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldsmith.assist.counted import effect as effect_of
from goldsmith.assist.effects import Effect
from goldsmith.assist.ledger import Ledger
from goldsmith.assist.names import nodes
from goldsmith.assist.shell import Script, parse
from goldsmith.assist.syntax import Binary, Call, Case, For, ForArithmetic, Function, If, Span, Statement, Tree, While

_IGNORED = re.compile(r"[\s\\;'\"]+")
"""What the shell writes otherwise when it tells a command."""
_COMPARED = 60
_NOWHERE = frozenset({"/dev/null", "/dev/stderr", "/dev/stdout"})


@dataclass(frozen=True, slots=True, order=True)
class Arm:
    """A part of a script that runs or does not."""

    file: str
    line: int
    what: str
    """then, else, body (of a loop), case, and, or."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The arms that change something, and those of them that ran. What only prints, or ends the script, does not count."""

    arms: tuple[Arm, ...] = ()
    missed: tuple[Arm, ...] = ()

    @property
    def run(self) -> int:
        """How many ran."""
        return len(self.arms) - len(self.missed)


def coverage_of(scripts: Sequence[Script], ledger: Ledger) -> Coverage:
    """The arms of scripts and of the functions that they called, in order; a script that is not parsed has none."""
    trees, _ = parse(scripts)
    arms: list[Arm] = []
    missed: list[Arm] = []
    for tree in trees:
        effects = [effect for effect in ledger.effects if effect.site.file == tree.path]
        uncalled = [
            item.body.span for item in nodes(tree.statements) if isinstance(item, Function) and not _ran(item.body, effects)
        ]
        for what, statements in _arms(tree):
            if not statements:
                continue
            span = statements[0].span
            if any(_is_inside(span, body) for body in uncalled) or not _acts(statements):
                continue
            arm = Arm(tree.path, span.line, what)
            arms.append(arm)
            if not _began(statements, tree, effects):
                missed.append(arm)
    return Coverage(arms=tuple(arms), missed=tuple(missed))


def _arms(tree: Tree) -> Iterator[tuple[str, Sequence[Statement]]]:
    for node in nodes(tree.statements):
        match node:
            case If(then=then, otherwise=otherwise):
                yield from (("then", then), ("else", otherwise if isinstance(otherwise, tuple) else ()))
            case While(body=body) | For(body=body) | ForArithmetic(body=body):
                yield "body", body
            case Case(arms=arms):
                yield from (("case", arm.body) for arm in arms)
            case Binary(operator="&&" | "||" as operator, right=right):
                yield {"&&": "and", "||": "or"}[operator], (right,)


def _acts(statements: Sequence[Statement]) -> bool:
    """Whether something in these statements may change a machine."""
    return any(_changes(node) for node in nodes(tuple(statements)))


def _changes(node: object) -> bool:
    if isinstance(node, Statement):
        targets = [item.word.literal if item.word else None for item in node.redirections if ">" in item.operator]
        return any(target not in _NOWHERE and not (target or "x").isdigit() for target in targets)
    if not isinstance(node, Call) or not node.words:
        return False
    name, *rest = [word.literal for word in node.words]
    return name is None or effect_of(name.rpartition("/")[2], rest) == "state"


def _ran(body: Statement, effects: Sequence[Effect]) -> bool:
    return any(body.span.line <= effect.site.line <= body.span.end_line and effect.calls for effect in effects)


def _is_inside(span: Span, outer: Span) -> bool:
    return outer.start <= span.start and span.end <= outer.end


def _began(statements: Sequence[Statement], tree: Tree, effects: Sequence[Effect]) -> bool:
    """Whether any command of these statements ran, told apart from others on the same lines by how it begins."""
    first, last = statements[0].span.line, statements[-1].span.end_line
    beginnings = [_plain(tree.excerpt(node.span)) for node in nodes(tuple(statements)) if isinstance(node, Statement)]
    near = (_plain(effect.command) for effect in effects if first <= effect.site.line <= last)
    return any(_is_same(command, beginning) for command in near for beginning in beginnings)


def _is_same(command: str, beginning: str) -> bool:
    length = min(len(command), len(beginning), _COMPARED)
    return length > 0 and command[:length] == beginning[:length]


def _plain(text: str) -> str:
    return _IGNORED.sub("", text.partition("<<")[0])
