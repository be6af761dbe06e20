"""The functions of the language, a file for each family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from goldsmith.hcl.scope import Function, Parameter
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import string

__all__ = ["default_functions", "functions"]


def functions(root: Path, clock_s: int, fence: Path | None = None) -> Mapping[str, Function]:
    """All functions by name, but for `env`: files are looked up from `root`, and it is `clock_s` seconds since 1970.

    With a `fence`, no file outside of that directory is looked at.
    """
    from goldsmith.hcl.library import (
        collections,
        combining,
        dates,
        digests,
        encoding,
        files,
        formatting,
        lazy,
        networks,
        numbers,
        patterns,
        refused,
        sequences,
        strings,
    )

    reach = files.Reach(root, fence)
    families = (
        *(collections.functions(), combining.functions(), dates.functions(clock_s), digests.functions()),
        *(encoding.functions(), files.functions(reach), formatting.functions(), lazy.functions(), networks.functions()),
        *(numbers.functions(), patterns.functions(), refused.functions(), sequences.functions(), strings.functions()),
    )
    named = {function.name: function for family in families for function in family}
    return named | {"templatefile": lazy.templatefile(reach, named)}


def default_functions(environment: Mapping[str, str]) -> Mapping[str, Function]:
    """The one function that the default of a variable may call: `env`, which is empty for what is not set."""
    name = Parameter("key", STRING)
    return {"env": Function("env", (name,), call=lambda given: string(environment.get(str(given[0].raw), "")), result=STRING)}
