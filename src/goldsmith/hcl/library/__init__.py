"""The functions of the language, a file for each family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from goldsmith.hcl.function import Function, Parameter
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import string


def functions(root: Path, clock_s: int) -> Mapping[str, Function]:
    """All functions; files are looked up in `root`, the time is `clock_s`."""
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
        remote,
        sequences,
        strings,
    )

    families = (
        collections.functions(),
        combining.functions(),
        dates.functions(clock_s),
        digests.functions(),
        encoding.functions(),
        files.functions(root),
        formatting.functions(),
        lazy.functions(root),
        networks.functions(),
        numbers.functions(),
        patterns.functions(),
        remote.functions(),
        sequences.functions(),
        strings.functions(),
    )
    return {function.name: function for family in families for function in family}


def default_functions(environment: Mapping[str, str]) -> Mapping[str, Function]:
    """The one function of variable defaults: `env`."""
    read = Function(
        "env", (Parameter("key", STRING),), call=lambda given: string(environment.get(str(given[0].raw), "")), result=STRING
    )
    return {"env": read}
