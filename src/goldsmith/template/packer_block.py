"""The `packer` block: the version that a template needs and the plugins that it names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from goldsmith.hcl import evaluate
from goldsmith.hcl.body import Attribute, Block, Body, Content, Schema
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL, NUMBER, STRING, ObjectType
from goldsmith.hcl.values import Value
from goldsmith.packer_templates import PACKER_VERSION
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.faults import Faults
from goldsmith.template.plugin_address import PluginAddress, name_problem, parse_address
from goldsmith.template.schema import ATTRIBUTES_ONLY, read_body

_PACKER = Schema(attributes=("required_version",), blocks={"required_plugins": ()})


@dataclass(frozen=True, slots=True)
class RequiredPlugin:
    """An entry of `required_plugins`. It is only noted: a component is missed when a selected build uses it."""

    name: str
    address: PluginAddress
    version: str
    """A constraint, such as ">= 1.1.0, < 2"."""
    where: Range


def check_version(bodies: Iterable[Body], faults: Faults) -> None:
    """Check `required_version` of all files, before anything else of them is looked at.

    A template that needs a newer Packer may hold syntax that we misread: the version is the fault to tell.
    """
    for body in bodies:
        for block in body.content(Schema(blocks={"packer": ()})).blocks:
            attribute = block.body.content(_PACKER).attributes.get("required_version")
            if attribute is not None:
                _check_required_version(attribute, faults)


def read_packer_blocks(contents: Iterable[Content], faults: Faults) -> tuple[RequiredPlugin, ...]:
    """Check all `packer` blocks and return the plugins that they require."""
    plugins: list[RequiredPlugin] = []
    for content in contents:
        for block in content.blocks_of("packer"):
            for required in read_body(block.body, _PACKER, faults, block.range).blocks:
                plugins += _required_plugins(required, faults)
    return _once(plugins, faults)


def _once(plugins: Iterable[RequiredPlugin], faults: Faults) -> tuple[RequiredPlugin, ...]:
    by_name: dict[str, RequiredPlugin] = {}
    for plugin in plugins:
        if plugin.name in by_name:
            why = f"The first one is at {by_name[plugin.name].where}; the components of a plugin are named after its entry."
            what = f'Duplicate required_plugin."{plugin.name}" block'
            faults.error("template.required-plugin", what, plugin.where, why, "Keep one of them, or rename it.")
        else:
            by_name[plugin.name] = plugin
    return tuple(by_name.values())


def _check_required_version(attribute: Attribute, faults: Faults) -> None:
    value = faults.attempt(evaluate, attribute.literal, Scope())
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
    content = read_body(block.body, ATTRIBUTES_ONLY, faults, block.range)
    entries = (_required_plugin(attribute, faults) for attribute in content.attributes.values())
    return [entry for entry in entries if entry is not None]


def _required_plugin(attribute: Attribute, faults: Faults) -> RequiredPlugin | None:
    value = faults.attempt(evaluate, attribute.literal, Scope())
    if value is None:
        return None
    _check_name(attribute, faults)
    where = attribute.range
    example = f'Write {attribute.name} = {{ version = ">= 1.0.0", source = "github.com/hashicorp/{attribute.name}" }}'
    if not isinstance(value.type, ObjectType) or not isinstance(value.raw, dict):
        primitive = value.type in (STRING, NUMBER, BOOL)
        what = "Invalid plugin requirement" if primitive else "Invalid required_plugins syntax"
        why = "A required plugin is an object with a version and a source."
        faults.error("template.required-plugin", what, where, why, example)
        return None
    for name in sorted(set(value.raw) - {"version", "source"}):
        why = f'"{name}" is not expected: a required plugin has only a version and a source.'
        faults.error("template.required-plugin", "Invalid required_plugins object", where, why, example)
    version = _version(value.raw.get("version"), where, example, faults)
    address = _address(value.raw.get("source"), where, example, faults)
    return RequiredPlugin(attribute.name, address, version, where) if version and address else None


def _check_name(attribute: Attribute, faults: Faults) -> None:
    name = attribute.name
    problem = name_problem(name) or (
        f'names must be normalized: replace it with "{name.lower()}"' if name != name.lower() else ""
    )
    if problem:
        why = f'"{name}" is an invalid plugin local name: {problem}.'
        next = "The components of a plugin are named after its entry: use lower-case letters, digits and single dashes."
        faults.error("template.required-plugin", "Invalid plugin local name", attribute.name_range, why, next)


def _version(value: Value | None, where: Range, example: str, faults: Faults) -> str:
    """The version constraint, or nothing after noting what is wrong with it."""
    if value is None:
        faults.error("template.required-plugin", "No version constraint was set", where, next=example)
        return ""
    text = value.raw if isinstance(value.raw, str) else ""
    if problem := _constraint_problem(text) if text else "The version must be specified as a string.":
        faults.error("template.version-constraint", "Invalid version constraint", where, problem, example)
        return ""
    return text


def _address(value: Value | None, where: Range, example: str, faults: Faults) -> PluginAddress | None:
    if value is None:
        faults.error("template.required-plugin", "No source was set", where, next=example)
        return None
    if not isinstance(value.raw, str):
        why = "The source must be specified as a string."
        faults.error("template.required-plugin", "Invalid source", where, why, example)
        return None
    return faults.attempt(parse_address, value.raw, where)


def _constraint_problem(text: str) -> str:
    try:
        constraints = parse_constraints(text)
    except ValueError as error:
        return f"{error}."
    return "A constraint on a plugin names no pre-release." if any(item.prerelease for item in constraints) else ""
