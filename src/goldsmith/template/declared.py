"""What the files of a template declare, before anything but variable defaults is evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from goldsmith.hcl.ast import Expression
from goldsmith.hcl.body import Block, Body, Content, Schema
from goldsmith.hcl.library import default_functions
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import BOOL
from goldsmith.template.assignments import collect_assignments
from goldsmith.template.discovery import discover
from goldsmith.template.faults import Faults
from goldsmith.template.fence import check_fence
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin, check_version, read_packer_blocks
from goldsmith.template.parsing import parse_file
from goldsmith.template.schema import ATTRIBUTES_ONLY, read_body
from goldsmith.template.variables import Assignment, Variable, declare_variables, literal

ComponentName: TypeAlias = tuple[str, str]
"""Type and name of a source or a data source."""

_ROOT = Schema(
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
_LOCAL = Schema(attributes=("expression", "sensitive"), required=("expression",))


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
    every_file = (*files.variable_files, *options.variable_files)
    check_fence((*files.templates, *every_file), options.fence(files.root))
    bodies = _parsed(files.templates)
    check_version(bodies, faults)
    faults.raise_if_any()
    contents = [read_body(body, _ROOT, faults, body.range) for body in bodies]
    variables = declare_variables(contents, Scope({}, default_functions(options.environment)), faults)
    return Declared(
        root=files.root,
        plugins=read_packer_blocks(contents, faults),
        variables=variables,
        assignments=collect_assignments(variables, every_file, options, faults),
        locals=_locals(contents, faults),
        data=_named(contents, "data", "Duplicate data block", faults),
        sources=_named(contents, "source", "Duplicate source block", faults),
        builds=tuple(block for content in contents for block in content.blocks_of("build")),
        registries=tuple(block for content in contents for block in content.blocks_of("hcp_packer_registry")),
    )


def _parsed(paths: Iterable[Path]) -> tuple[Body, ...]:
    faults = Faults()
    bodies = [faults.attempt(parse_file, path) for path in paths]
    faults.raise_if_any()
    return tuple(body for body in bodies if body is not None)


def _locals(contents: Iterable[Content], faults: Faults) -> dict[str, Local]:
    declared: dict[str, Local] = {}
    for content in contents:
        for block in content.blocks_of("local", "locals"):
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
    if block.type == "locals":
        named = read_body(block.body, ATTRIBUTES_ONLY, faults, block.range).attributes
        return [Local(name, attribute.expression, attribute.name_range) for name, attribute in named.items()]
    attributes = read_body(block.body, _LOCAL, faults, block.range).attributes
    if len(block.labels) != 1 or "expression" not in attributes:
        return []
    sensitive = "sensitive" in attributes and literal(attributes["sensitive"], BOOL, faults) is True
    return [Local(block.labels[0], attributes["expression"].expression, block.range, sensitive)]


def _named(contents: Iterable[Content], type: str, duplicate: str, faults: Faults) -> dict[ComponentName, Block]:
    named: dict[ComponentName, Block] = {}
    for content in contents:
        for block in content.blocks_of(type):
            if len(block.labels) != 2:
                continue
            key = (block.labels[0], block.labels[1])
            if key in named:
                why = f"{type} {'.'.join(key)} is already declared at {named[key].range}."
                faults.error("template.duplicate-block", duplicate, block.range, why, "Rename one of them.")
            else:
                named[key] = block
    return named
