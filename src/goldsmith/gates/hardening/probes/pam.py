"""Probes of PAM by its effective stacks, `@include` and `include` followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.gates.hardening.scene import Arguments, Fault, Scene

PLACES = ("etc/pam.d", "usr/lib/pam.d")
"""Where the stacks of services are, the first that has one first (pam.d(5))."""

_LINE = re.compile(r"^-?(auth|account|password|session)\s+(\[[^]]*\]|\S+)\s+(\S+)\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of a stack."""

    kind: str
    module: str
    options: tuple[str, ...]
    path: str
    line: int


def stack(scene: Scene, service: str, kind: str = "", depth: int = 0) -> Iterator[Rule]:
    """The rules of a service, in order. Raises `ValueError` when a line cannot be read or includes go in circles."""
    path = next((path for path in (f"{place}/{service}" for place in PLACES) if scene.tree.has(path)), "")
    if not path:
        raise ValueError(f"/{PLACES[0]}/{service} is included, and not there")
    if depth > 16:
        raise ValueError(f"/{path}: includes go in circles")
    joined = (scene.tree.text(path) or "").replace("\\\n", " ")
    for number, text in enumerate(joined.splitlines(), 1):
        line = text.partition("#")[0].strip()
        if not line:
            continue
        if line.startswith("@include"):
            yield from stack(scene, line.split()[1], kind, depth + 1)
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"/{path} line {number} cannot be read")
        if kind and match[1] != kind:
            continue
        if match[2] in ("include", "substack"):
            yield from stack(scene, match[3], match[1], depth + 1)
        else:
            yield Rule(match[1], match[3].rpartition("/")[2], tuple(match[4].split()), path, number)


def pam_without(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No service has a rule with one of `options`."""
    told: set[tuple[str, int]] = set()
    for path in [path for place in PLACES for path in scene.tree.glob(f"{place}/*")]:
        for rule in stack(scene, path.rpartition("/")[2]):
            for option in set(rule.options) & set(arguments.texts("options")):
                if (rule.path, rule.line) not in told:
                    told.add((rule.path, rule.line))
                    yield Fault(f"{rule.module} has {option}", rule.path, rule.line)


def pam_modules(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """In each service of `services`, the `kind` stack has each module, with its options: `pam_unix.so minlen>=12`."""
    for service in arguments.texts("services"):
        rules = list(stack(scene, service)) if any(scene.tree.has(f"{place}/{service}") for place in PLACES) else []
        for wanted in arguments.texts("modules"):
            kind, module, *options = wanted.split()
            same = [rule for rule in rules if (rule.kind, rule.module) == (kind, module)]
            if not any(all(_has(rule, option) for option in options) for rule in same):
                yield Fault(f"the service {service} has no `{wanted}`", f"etc/pam.d/{service}")


def _has(rule: Rule, wanted: str) -> bool:
    name, sign, number = wanted.partition(">=")
    if not sign:
        return wanted in rule.options
    values = (option.partition("=")[2] for option in rule.options if option.startswith(f"{name}="))
    return any(value.isdigit() and int(value) >= int(number) for value in values)
