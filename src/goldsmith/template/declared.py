"""What the files of a template declare, before anything but variable defaults is evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from goldsmith.hcl import parse, read_source
from goldsmith.hcl.ast import Block, Body, Expression
from goldsmith.hcl.diagnostics import Severity
from goldsmith.hcl.library import default_functions
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL
from goldsmith.template.assignments import collect_assignments
from goldsmith.template.discovery import discover
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin, check_version, read_packer_blocks
from goldsmith.template.schema import BodySchema, check_body
from goldsmith.template.variables import Assignment, Variable, declare_variables, literal

ComponentName: TypeAlias = tuple[str, str]
"""Type and name of a source or a data source."""

_ROOT = BodySchema(
    blocks={
        "build": (),
        "communicator": ("type", "name"),
        "data": ("type", "name"),
        "hcp_packer_registry": (),
        "local": ("name",),
        "locals": (),
        "packer": (),
        "source": ("type", "name"),
        "variable": ("name",),
        "variables": (),
    }
)
_LOCAL = BodySchema(attributes=("expression", "sensitive"), required=("expression",))


@dataclass(frozen=True, slots=True)
class Local:
    """A local: its expression and whether its value is sensitive."""

    name: str
    expression: Expression
    where: Range
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All blocks of a template by what they declare, in source order."""

    root: Path
    plugins: tuple[RequiredPlugin, ...]
    variables: Mapping[str, Variable]
    assignments: Mapping[str, tuple[Assignment, ...]]
    locals: Mapping[str, Local]
    data: Mapping[ComponentName, Block]
    sources: Mapping[ComponentName, Block]
    builds: tuple[Block, ...]
    registries: tuple[Block, ...]


def read_declarations(path: Path, options: LoadOptions, faults: Faults) -> Declared:
    """Read all files of the template at `path` and the values of its variables.

    Raises `UserError` when there is no template, when a file has a syntax error, or when the template wants another version
    of Packer: what follows would only be noise. Every other fault is noted in `faults`.
    """
    files = discover(path)
    bodies = _parsed(files.templates)
    check_version(bodies, faults)
    faults.raise_if_any()
    for body in bodies:
        check_body(body, _ROOT, faults, body.range)
    variables = declare_variables(bodies, Scope({}, default_functions(options.environment)), faults)
    every_file = (*files.variable_files, *options.variable_files)
    return Declared(
        root=files.root,
        plugins=read_packer_blocks(bodies, faults),
        variables=variables,
        assignments=collect_assignments(variables, every_file, options, faults),
        locals=_locals(bodies, faults),
        data=_named(bodies, "data", "Duplicate data block", faults),
        sources=_named(bodies, "source", "Duplicate source block", faults),
        builds=tuple(block for body in bodies for block in body.blocks_of("build")),
        registries=tuple(block for body in bodies for block in body.blocks_of("hcp_packer_registry")),
    )


def _parsed(paths: Iterable[Path]) -> tuple[Body, ...]:
    faults = Faults()
    bodies: list[Body] = []
    for path in paths:
        source = faults.attempt(read_source, path)
        if source is None:
            continue
        body, diagnostics = parse(source)
        if any(item.severity is Severity.ERROR for item in diagnostics) and source.text.lstrip().startswith("{"):
            why = 'The file begins with "{", so it is a legacy JSON template; these are not supported.'
            next = 'Rename it to end in ".json", convert it with "packer hcl2_upgrade FILE", and use the new file.'
            faults.error("template.json", f'"{path}" is not a template in HCL', body.range, why, next)
            continue
        faults.add(diagnostics)
        bodies.append(body)
    faults.raise_if_any()
    return tuple(bodies)


def _locals(bodies: Iterable[Body], faults: Faults) -> dict[str, Local]:
    declared: dict[str, Local] = {}
    for body in bodies:
        for block in body.blocks_of("local", "locals"):
            for local in _locals_of(block, faults):
                if local.name in declared:
                    why = f'Local "{local.name}" is already declared at {declared[local.name].where}.'
                    faults.error(
                        "template.duplicate-local", "Duplicate local definition", local.where, why, "Rename one of them."
                    )
                else:
                    declared[local.name] = local
    return declared


def _locals_of(block: Block, faults: Faults) -> list[Local]:
    attributes = block.body.attributes
    if block.type == "locals":
        check_body(block.body, BodySchema(attributes=tuple(attributes)), faults, block.range)
        return [Local(name, attribute.expression, attribute.name_range) for name, attribute in attributes.items()]
    check_body(block.body, _LOCAL, faults, block.range)
    if len(block.labels) != 1 or "expression" not in attributes:
        return []
    sensitive = "sensitive" in attributes and literal(attributes["sensitive"], BOOL, faults) is True
    return [Local(block.labels[0], attributes["expression"].expression, block.range, sensitive)]


def _named(bodies: Iterable[Body], type: str, duplicate: str, faults: Faults) -> dict[ComponentName, Block]:
    named: dict[ComponentName, Block] = {}
    for body in bodies:
        for block in body.blocks_of(type):
            if len(block.labels) != 2:
                continue
            key = (block.labels[0], block.labels[1])
            if key in named:
                why = f"{type} {'.'.join(key)} is already declared at {named[key].range}."
                faults.error("template.duplicate-block", duplicate, block.range, why, "Rename one of them.")
            else:
                named[key] = block
    return named
