"""From a block to `Settings`: every expression evaluated, `dynamic` blocks expanded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from goldsmith.components import Setting, Settings, Unevaluated
from goldsmith.hcl import evaluate
from goldsmith.hcl.body import Attribute, Block, Schema
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.values import unknown
from goldsmith.template.config_types import field_types, label_of, nested_configs, schema_of, without_none
from goldsmith.template.dynamic import Expanded, expand
from goldsmith.template.faults import Faults
from goldsmith.template.schema import note_labels, note_strangers


def settings_of(block: Block, config: type[Any], scope: Scope) -> Settings:
    """Evaluate the body of a block in a scope, as what `config` declares.

    Names that `config` does not have are noted in the result, for `decode` to tell them with what else is wrong. Raises
    `UserError` with the faults of all expressions in it, and then with those names as well.
    """
    faults = Faults()
    settings = _read(block, config, scope, faults)
    if faults.errors:
        _tell_strangers(settings, config, faults)
    faults.raise_if_any()
    return settings


def evaluated(attributes: Mapping[str, Attribute], scope: Scope, faults: Faults) -> dict[str, Setting]:
    """The values of attributes; those that have none are left out after noting why."""
    found: dict[str, Setting] = {}
    for name, attribute in attributes.items():
        value = faults.attempt(evaluate, attribute.expression, scope)
        if value is not None:
            found[name] = Setting(value, attribute.range)
    return found


def _tell_strangers(settings: Settings, config: type[Any], faults: Faults) -> None:
    note_strangers(settings.strangers, schema_of(config), faults)
    nested = nested_configs(config)
    for name, inner in settings.blocks:
        _tell_strangers(inner, nested[name], faults)


def _read(block: Block, config: type[Any], scope: Scope, faults: Faults) -> Settings:
    content = expand(block.body, schema_of(config), scope, faults)
    types = field_types(config)
    kept = {name: item for name, item in content.attributes.items() if without_none(types.get(name)) is Unevaluated}
    plain = {name: item for name, item in content.attributes.items() if name not in kept}
    attributes = evaluated(plain, scope, faults)
    attributes |= {name: Setting(unknown(), item.range, item.expression) for name, item in kept.items()}
    nested = nested_configs(config)
    blocks = tuple((item.block.type, _read_nested(item, nested[item.block.type], scope, faults)) for item in content.blocks)
    return Settings(attributes, blocks, block.range, content.strangers)


def _read_nested(expanded: Expanded, config: type[Any], scope: Scope, faults: Faults) -> Settings:
    block = expanded.block
    if label := label_of(config):
        note_labels((block,), Schema(blocks={block.type: (label,)}), faults)
    elif block.labels:
        why = "A block inside a component has no label."
        faults.error("template.labels", f"Extraneous label for {block.type}", block.label_ranges[0], why)
    settings = _read(block, config, scope.child(expanded.iterators) if expanded.iterators else scope, faults)
    return replace(settings, label=block.labels[0]) if label and block.labels else settings
