"""Locals and data sources: evaluated in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.hcl import evaluate, references
from goldsmith.hcl.ast import Body, Expression, Reference
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.values import Value, object_of, unknown
from goldsmith.template.datasources import DataReader
from goldsmith.template.declared import ComponentName, Declared
from goldsmith.template.faults import Faults

Node: TypeAlias = tuple[str, ...]
"""("local", name) or ("data", type, name)."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The values of all locals and data sources; one that failed is unknown."""

    locals: Mapping[str, Value]
    data: Mapping[ComponentName, Value]

    def variables(self) -> dict[str, Value]:
        """`local` and `data` as expressions see them."""
        types: dict[str, dict[str, Value]] = {}
        for (type, name), value in self.data.items():
            types.setdefault(type, {})[name] = value
        return {
            "local": object_of(self.locals),
            "data": object_of({type: object_of(named) for type, named in types.items()}),
        }


def evaluate_locals(declared: Declared, scope: Scope, reader: DataReader, faults: Faults) -> Evaluated:
    """Evaluate all locals and data sources of a template. A circle among them is an error that names it."""
    graph = _Graph(declared, faults)
    locals: dict[str, Value] = {}
    data: dict[ComponentName, Value] = {}
    for node in graph.in_order():
        if node in graph.broken:
            value = None
        elif node[0] == "local":
            value = _local(declared, node[1], scope.child(Evaluated(locals, data).variables()), faults)
        else:
            block = declared.data[node[1], node[2]]
            value = faults.attempt(reader.read, block, scope.child(Evaluated(locals, data).variables()))
        if value is None:
            graph.broken.add(node)
            value = unknown()
        if node[0] == "local":
            locals[node[1]] = value
        else:
            data[node[1], node[2]] = value
    return Evaluated(locals, data)


def _local(declared: Declared, name: str, scope: Scope, faults: Faults) -> Value | None:
    local = declared.locals[name]
    value = faults.attempt(evaluate, local.expression, scope)
    return value.marked(local.sensitive) if value is not None else None


class _Graph:
    """Which node needs which. What needs a broken node is not evaluated: its fault would only repeat the first one."""

    def __init__(self, declared: Declared, faults: Faults) -> None:
        self.faults = faults
        self.nodes: dict[Node, Expression | Body] = {
            **{("data", *name): block.body for name, block in declared.data.items()},
            **{("local", name): local.expression for name, local in declared.locals.items()},
        }
        self.broken: set[Node] = set()
        self.needs = {node: tuple(self._needed(node, content)) for node, content in self.nodes.items()}

    def _needed(self, node: Node, content: Expression | Body) -> Iterator[Node]:
        for reference in references(content):
            needed = _node_of(reference)
            if needed is None:
                continue
            if needed in self.nodes:
                yield needed
            else:
                self._missing(needed, reference)
                self.broken.add(node)

    def _missing(self, needed: Node, reference: Reference) -> None:
        told = ".".join(needed)
        known = [".".join(node) for node in self.nodes if node[0] == needed[0]]
        why = f"There is no {'local' if needed[0] == 'local' else 'data source'} {told}."
        self.faults.error("template.undefined", "Unsupported attribute", reference.range, why, did_you_mean(told, known))

    def in_order(self) -> list[Node]:
        """All nodes, each after what it needs."""
        ordered: list[Node] = []
        state: dict[Node, bool] = {}
        for node in self.nodes:
            self._visit(node, [], state, ordered)
        return ordered

    def _visit(self, node: Node, path: list[Node], state: dict[Node, bool], ordered: list[Node]) -> None:
        if state.get(node):
            return
        if node in path:
            self._cycle([*path[path.index(node) :], node])
            return
        for needed in self.needs[node]:
            self._visit(needed, [*path, node], state, ordered)
            if needed in self.broken:
                self.broken.add(node)
        if not state.get(node):
            state[node] = True
            ordered.append(node)

    def _cycle(self, circle: list[Node]) -> None:
        told = " → ".join(".".join(node) for node in circle)
        content = self.nodes[circle[0]]
        why = f"These need each other's values: {told}."
        self.faults.error("template.cycle", f"Cycle: {told}", content.range, why, "Take one of them out of the circle.")
        self.broken.update(circle)


def _node_of(reference: Reference) -> Node | None:
    if reference.root == "local" and len(reference.parts) >= 2:
        return reference.parts[:2]
    if reference.root == "data" and len(reference.parts) >= 3:
        return reference.parts[:3]
    return None
