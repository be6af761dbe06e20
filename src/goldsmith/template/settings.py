"""From a block to `Settings`: every expression evaluated, `dynamic` blocks expanded."""

from __future__ import annotations

from goldsmith.components import Setting, Settings
from goldsmith.hcl import evaluate
from goldsmith.hcl.ast import Block
from goldsmith.hcl.scope import Scope
from goldsmith.template.dynamic import Expanded, expand
from goldsmith.template.faults import Faults


def settings_of(block: Block, scope: Scope) -> Settings:
    """Evaluate the body of a block in a scope. Raises `UserError` with the faults of all expressions in it."""
    faults = Faults()
    settings = _read(block, scope, faults)
    faults.raise_if_any()
    return settings


def _read(block: Block, scope: Scope, faults: Faults) -> Settings:
    attributes: dict[str, Setting] = {}
    for name, attribute in block.body.attributes.items():
        value = faults.attempt(evaluate, attribute.expression, scope)
        if value is not None:
            attributes[name] = Setting(value, attribute.range)
    expanded = faults.attempt(expand, block.body, scope) or ()
    blocks = tuple((item.block.type, _read_nested(item, scope, faults)) for item in expanded)
    return Settings(attributes, blocks, block.range)


def _read_nested(expanded: Expanded, scope: Scope, faults: Faults) -> Settings:
    block = expanded.block
    if block.labels:
        why = "A block inside a component has no label."
        faults.error("template.labels", f"Extraneous label for {block.type}", block.label_ranges[0], why)
    return _read(block, scope.child(expanded.iterators) if expanded.iterators else scope, faults)
