"""Rules that turn a command into tasks, a family in each file; `rule_for` finds the one for a command by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module

from goldsmith.assist.commands import Command
from goldsmith.assist.rules.installers import by_name, is_known
from goldsmith.assist.tasks import Inexact, Outcome, Residue, Rule

FAMILIES: tuple[str, ...] = (
    "archives",
    "builds",
    "containers",
    "environments",
    "copying",
    "downloads",
    "edits",
    "files",
    "finding",
    "firewall",
    "installers",
    "kernel",
    "languages",
    "mounts",
    "packages_apt",
    "packages_dpkg",
    "packages_files_rpm",
    "packages_rpm",
    "permissions",
    "python",
    "refresh",
    "registration",
    "repositories_apt",
    "runtime",
    "sealing",
    "security",
    "services",
    "shells",
    "sources_git",
    "system",
    "users",
    "writing",
)
"""The files beside this one. Each has `RULES`, from names of commands to rules."""


def rule_for(name: str) -> Rule | None:
    """The rule for commands of this name (without a directory), or None where there is none. It raises nothing."""
    rule = _rules().get(name) or (by_name if is_known(name) else None)
    return partial(_outcome, rule) if rule else None


def _outcome(rule: Rule, command: Command) -> Outcome:
    try:
        return rule(command)
    except Inexact as inexact:
        return Residue(str(inexact))


@cache
def _rules() -> Mapping[str, Rule]:
    rules: dict[str, Rule] = {}
    for family in FAMILIES:
        found: Mapping[str, Rule] = import_module(f"goldsmith.assist.rules.{family}").RULES
        rules |= found
    return rules
