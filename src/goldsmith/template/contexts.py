"""The context of a component that is examined, not run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from goldsmith.components import Context, LegacyValues
from goldsmith.events import ignore
from goldsmith.machines.cancellation import Cancellation
from goldsmith.template.options import LoadOptions


def bare_context(
    root: Path,
    options: LoadOptions,
    *,
    build: str,
    type: str,
    name: str,
    generated: Mapping[str, str],
    legacy: LegacyValues | None = None,
) -> Context:
    """A context without a machine, a listener or a place to work in: enough to decode and check a configuration."""
    return Context(
        build=build,
        type=type,
        name=name,
        root=root,
        cwd=options.cwd,
        work=Path("/nonexistent"),
        emit=ignore,
        cancellation=Cancellation(),
        run_uuid=options.run_uuid,
        generated=generated,
        clock_s=options.clock_s,
        legacy=legacy,
    )
