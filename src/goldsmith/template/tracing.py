"""Tells of a fault where the values come from: local.a = var.b, var.b = "x" by its default."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from goldsmith.hcl import references
from goldsmith.hcl.ast import Expression, Reference
from goldsmith.hcl.body import Body
from goldsmith.hcl.diagnostics import Diagnostic, Related
from goldsmith.hcl.display import display, quoted
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value
from goldsmith.template.declared import Declared, Local

_MOST_STEPS = 6
_LONGEST_TEXT = 60
_ORIGINS = {"default": "its default", "env": "the environment", "varfile": "a variable file", "cmd": "-var"}


@dataclass(frozen=True)
class Tracer:
    """Knows what a template declares and the values of its variables."""

    declared: Declared
    inputs: Mapping[str, Value]

    def traced(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The diagnostics, each with the chain of references that led to the values at its place; equal ones once."""
        wanted = tuple(dict.fromkeys(diagnostics))
        if not any(item.where for item in wanted):
            return wanted
        return tuple(replace(item, context=item.context or tuple(self._chain(self._places.at(item.where)))) for item in wanted)

    @cached_property
    def _places(self) -> _Places:
        return _Places(reference for content in self._contents() for reference in references(content))

    def _contents(self) -> Iterator[Expression | Body]:
        declared = self.declared
        for local in declared.locals.values():
            yield local.expression
        for block in (*declared.data.values(), *declared.sources.values(), *declared.builds, *declared.registries):
            yield block.body

    def _chain(self, waiting: list[Reference]) -> Iterator[Related]:
        """The steps from references to where their values are written, without a step twice."""
        told: set[tuple[str, str]] = set()
        while waiting and len(told) < _MOST_STEPS:
            reference = waiting.pop(0)
            name = reference.parts[:2]
            if len(name) < 2 or (name[0], name[1]) in told:
                continue
            local = self.declared.locals.get(name[1]) if name[0] == "local" else None
            step = self._local(local) if local else self._variable(name[1]) if name[0] == "var" else None
            if step is None:
                continue
            told.add((name[0], name[1]))
            yield step
            if local:
                waiting = [*references(local.expression), *waiting]

    def _local(self, local: Local) -> Related:
        text = "<sensitive>" if local.sensitive else _shortened(local.expression.range.text)
        return Related(f"local.{local.name} = {text}", local.where)

    def _variable(self, name: str) -> Related | None:
        given = self.declared.assignments.get(name, ())
        value = self.inputs.get(name)
        if not given or value is None:
            return None
        text = "<sensitive>" if value.is_sensitive_anywhere else _shortened(_text(value))
        return Related(f"var.{name} = {text}, from {_ORIGINS[given[-1].origin]}", given[-1].where)


class _Places:
    """References by where they stand, so that many faults do not each look at all of them."""

    def __init__(self, found: Iterable[Reference]) -> None:
        self._by_file: dict[str, list[Reference]] = {}
        for reference in found:
            self._by_file.setdefault(reference.range.file, []).append(reference)
        for ordered in self._by_file.values():
            ordered.sort(key=_first)
        spans = (item.range.span for ordered in self._by_file.values() for item in ordered)
        self._longest = max((after - first for first, after in spans), default=0)

    def at(self, where: Range | None) -> list[Reference]:
        """The references that a place touches, in the order of the text."""
        ordered = self._by_file.get(where.file, []) if where is not None else []
        if where is None or not ordered:
            return []
        first, after = where.span
        begin, end = (bisect_left(ordered, offset, key=_first) for offset in (first - self._longest, after))
        return [item for item in ordered[begin:end] if item.range.touches(where)]


def _first(reference: Reference) -> int:
    return reference.range.span[0]


def _text(value: Value) -> str:
    return quoted(value.raw) if isinstance(value.raw, str) else display(value)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…"
