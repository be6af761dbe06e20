"""Locals and data sources: evaluated in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.hcl import evaluate, references
from goldsmith.hcl.ast import Expression, Reference
from goldsmith.hcl.body import Body
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

    locals: dict[str, Value]
    data: dict[ComponentName, Value]

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
    done = Evaluated({}, {})
    for node in graph.in_order():
        if node in graph.broken:
            value = None
        elif node[0] == "local":
            value = _local(declared, node[1], scope.child(graph.seen_by(node, done).variables()), faults)
        else:
            block = declared.data[node[1], node[2]]
            value = faults.attempt(reader.read, block, scope.child(graph.seen_by(node, done).variables()))
        if value is None:
            graph.broken.add(node)
            value = unknown()
        if node[0] == "local":
            done.locals[node[1]] = value
        else:
            done.data[node[1], node[2]] = value
    return done


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
        self.names = {kind: [".".join(node) for node in self.nodes if node[0] == kind] for kind in ("data", "local")}
        self.broken: set[Node] = set()
        self.sees_all: set[Node] = set()
        """Nodes that use `local` or `data` as a whole, or by a name that is not written out."""
        self.needs = {node: tuple(self._needed(node, content)) for node, content in self.nodes.items()}

    def _needed(self, node: Node, content: Expression | Body) -> Iterator[Node]:
        for reference in references(content):
            needed = _node_of(reference)
            if needed is None:
                if reference.root in ("local", "data"):
                    self.sees_all.add(node)
                continue
            if needed in self.nodes:
                yield needed
            else:
                self._missing(needed, reference)
                self.broken.add(node)

    def _missing(self, needed: Node, reference: Reference) -> None:
        told = ".".join(needed)
        why = f"There is no {'local' if needed[0] == 'local' else 'data source'} {told}."
        hint = did_you_mean(told, self.names[needed[0]])
        self.faults.error("template.undefined", "Unsupported attribute", reference.range, why, hint)

    def seen_by(self, node: Node, done: Evaluated) -> Evaluated:
        """The part of `done` that a node refers to. To show each node everything would take time that grows squared."""
        if node in self.sees_all:
            return done
        needed = self.needs[node]
        return Evaluated(
            {name[1]: done.locals[name[1]] for name in needed if name[0] == "local"},
            {(name[1], name[2]): done.data[name[1], name[2]] for name in needed if name[0] == "data"},
        )

    def in_order(self) -> list[Node]:
        """All nodes, each after what it needs."""
        # A stack of our own: a chain of locals may be longer than Python's.
        ordered: dict[Node, None] = {}
        for node in self.nodes:
            path: dict[Node, Iterator[Node]] = {}
            entered: Node | None = None if node in ordered else node
            while entered is not None or path:
                if entered is not None:
                    path[entered] = iter(self.needs[entered])
                entered = self._next(path, ordered)
        return list(ordered)

    def _next(self, path: dict[Node, Iterator[Node]], ordered: dict[Node, None]) -> Node | None:
        """What the last node of the path still waits for; None after moving that node from the path to `ordered`."""
        node, waiting = next(reversed(path.items()))
        for needed in waiting:
            if needed in path:
                names = list(path)
                self._cycle([*names[names.index(needed) :], needed])
            elif needed not in ordered:
                return needed
        del path[node]
        ordered[node] = None
        if any(needed in self.broken for needed in self.needs[node]):
            self.broken.add(node)
        return None

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
