"""A template and its twin in JSON mean the same to every command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings

from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import Console, LoadOptions, Plan, inspect, load, load_options
from goldsmith.template.contexts import bare_context
from tests.template.template_twins import SHAPES, TEMPLATES, Node, Shape, Text, native, twin

Told: TypeAlias = "tuple[object, ...]"
"""What commands say of a template, without places."""

_WORDED_ALIKE = {
    "Extraneous JSON object property": "unexpected name",
    "Unsupported argument": "unexpected name",
    "Unsupported block type": "unexpected name",
}


def told(path: Path, options: LoadOptions) -> Told:
    return (_inspected(path, options), _planned(path, options), *(_answered(path, options, line) for line in LINES))


LINES = ("var.a", "local.a", "local.b", "variables")


def _inspected(path: Path, options: LoadOptions) -> str:
    try:
        return inspect(path, options)
    except UserError as error:
        return str(_summaries(error))


def _answered(path: Path, options: LoadOptions, line: str) -> str:
    try:
        return Console(path, options).answer(line)
    except UserError as error:
        return str(_summaries(error))


def _planned(path: Path, options: LoadOptions) -> Told:
    try:
        plan = load(path, options).plan()
    except UserError as error:
        return ("refused", *_summaries(error))
    failed = tuple((name, *_summaries(error)) for name, error in plan.failed)
    return (_configurations(plan, options), failed, tuple(item.what for item in plan.warnings), plan.secrets)


def _configurations(plan: Plan, options: LoadOptions) -> Told:
    found: list[object] = []
    for build in plan.builds:
        context = bare_context(
            plan.root, options, build=build.full_name, type=build.type, name=build.source_name, generated={"ID": "x"}
        )
        found += [(build.full_name, use.type, use.name, use.config(context)) for use in build.uses()]
    return tuple(found)


def _summaries(error: UserError) -> list[str]:
    return sorted(_worded_alike(item.what) for item in error.diagnostics)


def _worded_alike(what: str) -> str:
    return next((alike for start, alike in _WORDED_ALIKE.items() if what.startswith(start)), what)


def _written(place: Path, name: str, text: str) -> Path:
    path = place / name
    path.write_text(text)
    return path


@settings(max_examples=60)
@given(nodes=TEMPLATES, shape=SHAPES)
def test_both_syntaxes_mean_the_same(tmp_path: Path, nodes: tuple[Node, ...], shape: Shape) -> None:
    if shape == "merged":
        # Only the order within a type is kept, so the native one is put in that order as well.
        nodes = _grouped(nodes)
    options = load_options(environment={"A": "set"}, clock_s=0, cwd=tmp_path, run_uuid="r")
    one = told(_written(tmp_path, "t.pkr.hcl", native(nodes)), options)
    other = told(_written(tmp_path, "t.pkr.json", twin(nodes, shape)), options)

    assert one == other


def _grouped(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    types = list(dict.fromkeys(node.type for node in nodes))
    ordered = sorted(nodes, key=lambda node: types.index(node.type))
    return tuple(Node(node.type, node.labels, node.attributes, _grouped(node.blocks)) for node in ordered)


@pytest.mark.parametrize("shape", ["array", "repeated", "merged"])
def test_the_twins_of_the_examples_are_valid(tmp_path: Path, shape: Shape) -> None:
    nodes = (Node("source", ("mock", "a"), (("string", Text("${x}")),)), Node("build", (), (("sources", [Text("mock.a")]),)))
    text = twin(nodes, shape)
    json.loads(text)
    options = load_options(environment={}, clock_s=0, cwd=tmp_path)
    (build,) = load(_written(tmp_path, "t.pkr.json", text), options).plan().builds
    assert build.full_name == "mock.a"
