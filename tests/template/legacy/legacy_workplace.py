"""Legacy JSON templates written on the spot, and what planning them gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias, Unpack

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.template import Plan, load_options, read_plan
from goldsmith.template.contexts import bare_context
from goldsmith.template.options import PartialOptions
from goldsmith.template.uses import Build, ComponentUse
from tests.template.template_doubles import MockConfig

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def write(root: Path, template: Json, name: str = "t.json") -> Path:
    path = root / name
    path.write_text(template if isinstance(template, str) else json.dumps(template, indent=2))
    return path


def planned(root: Path, template: Json, **options: Unpack[PartialOptions]) -> Plan:
    """The plan, with a fixed clock and an empty environment unless the options say otherwise."""
    chosen: PartialOptions = {"environment": {}, "clock_s": 1_700_000_000, "cwd": root, **options}
    return read_plan(write(root, template), load_options(**chosen))


def faults(root: Path, template: Json, **options: Unpack[PartialOptions]) -> tuple[Diagnostic, ...]:
    """Everything that planning and preparing complains about."""
    try:
        plan = planned(root, template, **options)
    except UserError as error:
        return error.diagnostics
    return tuple(dict.fromkeys(item for _, error in plan.failed for item in error.diagnostics))


def told(root: Path, template: Json, **options: Unpack[PartialOptions]) -> list[str]:
    """As `faults`: line, summary, and reason."""
    return [
        f"{item.where.start.line if item.where else 0} {item.what}: {item.why}" for item in faults(root, template, **options)
    ]


def config(plan: Plan, use: ComponentUse, build: Build, generated: dict[str, str] | None = None) -> MockConfig:
    """The configuration of a double when its build runs and knows the `build` values in `generated`."""
    place: Context = bare_context(
        plan.root,
        load_options(environment={}, clock_s=1_700_000_000),
        build=build.full_name,
        type=build.type,
        name=build.source_name,
        generated=generated or {},
        legacy=plan.legacy,
    )
    decoded = use.config(place)
    assert isinstance(decoded, MockConfig)
    return decoded
