"""Prepares builds: every component decodes its configuration and examines it, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from goldsmith.components import Context, LegacyValues
from goldsmith.hcl.diagnostics import UserError
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.template.contexts import bare_context
from goldsmith.template.faults import Faults, placed
from goldsmith.template.options import LoadOptions
from goldsmith.template.uses import Build, ComponentUse


def prepare(
    builds: Iterable[Build], root: Path, options: LoadOptions, noted: Faults, legacy: LegacyValues | None = None
) -> tuple[tuple[str, UserError], ...]:
    """What is wrong with the configurations of each build's components, by full name; nothing for builds that are right.

    What only a run tells is a placeholder. `noted` gets the warnings of the components.
    """
    found = ((build.full_name, _faults(build, root, options, noted, legacy)) for build in builds)
    return tuple((name, error) for name, error in found if error is not None)


def _faults(build: Build, root: Path, options: LoadOptions, noted: Faults, legacy: LegacyValues | None) -> UserError | None:
    context = bare_context(
        root,
        options,
        build=build.full_name,
        type=build.type,
        name=build.source_name,
        generated=dict.fromkeys(build.source.generated_names, UNKNOWN_TEXT),
        legacy=legacy,
    )
    faults = Faults()
    for use in build.uses():
        faults.attempt(_check, use, replace(context, emit=noted.listener(use.where)))
    return UserError(*faults.found) if faults.errors else None


def _check(use: ComponentUse, context: Context) -> None:
    config = use.config(context)
    try:
        use.component().check(config, context)
    except UserError as error:
        # A component that does not know where its fault stands leaves the place to us.
        raise placed(error, use.where) from error
