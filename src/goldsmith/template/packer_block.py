"""The `packer` block: the version that a template needs and the plugins that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from goldsmith.hcl import evaluate
from goldsmith.hcl.ast import Attribute, Block, Body
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.types import ObjectType
from goldsmith.hcl.values import Value
from goldsmith.packer_templates import PACKER_VERSION
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.faults import Faults
from goldsmith.template.schema import BodySchema, check_body

_PACKER = BodySchema(attributes=("required_version",), blocks={"required_plugins": ()})


@dataclass(frozen=True, slots=True)
class RequiredPlugin:
    """An entry of `required_plugins`. It is only noted: a component is missed when a selected build uses it."""

    name: str
    source: str
    version: str


def check_version(bodies: Iterable[Body], faults: Faults) -> None:
    """Check `required_version` of all files, before anything else of them is looked at.

    A template that needs a newer Packer may hold syntax that we misread: the version is the fault to tell.
    """
    for body in bodies:
        for block in body.blocks_of("packer"):
            attribute = block.body.attributes.get("required_version")
            if attribute is not None:
                _check_required_version(attribute, faults)


def read_packer_blocks(bodies: Iterable[Body], faults: Faults) -> tuple[RequiredPlugin, ...]:
    """Check all `packer` blocks and return the plugins that they require."""
    plugins: list[RequiredPlugin] = []
    for body in bodies:
        for block in body.blocks_of("packer"):
            check_body(block.body, _PACKER, faults, block.range)
            for required in block.body.blocks_of("required_plugins"):
                plugins += _required_plugins(required, faults)
    return tuple(plugins)


def _check_required_version(attribute: Attribute, faults: Faults) -> None:
    value = faults.attempt(evaluate, attribute.expression, Scope())
    if value is None or value.is_null:
        return
    try:
        constraints = parse_constraints(str(value.raw))
    except ValueError as error:
        next = 'Write for example ">= 1.9.0".'
        faults.error("template.version-constraint", "Invalid version constraint", attribute.range, f"{error}.", next)
        return
    if not all(constraint.admits(PACKER_VERSION) for constraint in constraints):
        faults.error(
            "template.packer-version",
            "Unsupported Packer Core version",
            attribute.range,
            f"The template needs Packer {value.raw}; the template language understood here is that of Packer {PACKER_VERSION}.",
            "Change required_version, if the template needs nothing newer or older.",
        )


def _required_plugins(block: Block, faults: Faults) -> list[RequiredPlugin]:
    check_body(block.body, BodySchema(attributes=tuple(block.body.attributes)), faults, block.range)
    entries = (_required_plugin(attribute, faults) for attribute in block.body.attributes.values())
    return [entry for entry in entries if entry is not None]


def _required_plugin(attribute: Attribute, faults: Faults) -> RequiredPlugin | None:
    value = faults.attempt(evaluate, attribute.expression, Scope())
    if value is None:
        return None
    where = attribute.range
    example = f'Write {attribute.name} = {{ version = ">= 1.0.0", source = "github.com/hashicorp/NAME" }}'
    if not isinstance(value.type, ObjectType) or not isinstance(value.raw, dict):
        why = "A required plugin is an object with a version and a source."
        faults.error("template.required-plugin", "Invalid required_plugins object", where, why, example)
        return None
    for name in sorted(set(value.raw) - {"version", "source"}):
        why = f'"{name}" is not expected: a required plugin has only a version and a source.'
        faults.error("template.required-plugin", "Invalid required_plugins object", where, why, example)
    version, source = _text(value.raw.get("version")), _text(value.raw.get("source"))
    if not version:
        faults.error("template.required-plugin", "No version constraint was set", where, next=example)
    elif problem := _constraint_problem(version):
        faults.error("template.version-constraint", "Invalid version constraint", where, problem, example)
    if not source:
        faults.error("template.required-plugin", "No source was set", where, next=example)
    elif problem := _source_problem(source):
        faults.error("template.required-plugin", "Invalid plugin source string", where, problem, example)
    return RequiredPlugin(attribute.name, source, version)


def _text(value: Value | None) -> str:
    return value.raw if value is not None and isinstance(value.raw, str) else ""


def _constraint_problem(text: str) -> str:
    try:
        constraints = parse_constraints(text)
    except ValueError as error:
        return f"{error}."
    return "A constraint on a plugin names no pre-release." if any(item.prerelease for item in constraints) else ""


_PART = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


def _source_problem(source: str) -> str:
    parts = source.split("/")
    if "://" in source or "?" in source or "#" in source or "" in parts:
        return f'"{source}" is not a source address: it has no scheme, query, fragment or empty part.'
    if len(parts) < 3:
        return f'"{source}" needs a host, a namespace and a name.'
    if parts[-1].startswith("packer-"):
        return f'The name of a plugin is written without "packer-": "{parts[-1].removeprefix("packer-")}".'
    wrong = next((part for part in parts[1:] if not _PART.fullmatch(part)), None)
    return f'"{wrong}" holds more than letters, digits and single dashes.' if wrong is not None else ""
