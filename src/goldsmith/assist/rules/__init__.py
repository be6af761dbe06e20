"""Rules that turn a command into tasks, a family in each file; `rule_for` finds the one for a command by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from goldsmith.assist.tasks import Rule

FAMILIES: tuple[str, ...] = ()
"""The files beside this one. Each has `RULES`, from names of commands to rules."""


def rule_for(name: str) -> Rule | None:
    """The rule for commands of this name (without a directory), or None where there is none."""
    return _rules().get(name)


@cache
def _rules() -> Mapping[str, Rule]:
    rules: dict[str, Rule] = {}
    for family in FAMILIES:
        found: Mapping[str, Rule] = import_module(f"goldsmith.assist.rules.{family}").RULES
        rules |= found
    return rules
