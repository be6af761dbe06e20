"""What a command says about the template that it loads."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Values for variables, the choice of builds, and what of the outside world a template may see."""

    variables: tuple[tuple[str, str], ...]
    """`-var` in order: name and text."""
    variable_files: tuple[Path, ...]
    """`-var-file` in order."""
    environment: Mapping[str, str]
    """Where `env()` and PKR_VAR_ look."""
    only: tuple[str, ...]
    except_: tuple[str, ...]
    clock_s: int
    """The one time of this run: seconds since 1970."""
    cwd: Path
    warn_undeclared: bool
    """Whether a variable file that sets an undeclared variable gets a warning."""
    evaluate_data: bool
    """Whether data sources are read; otherwise their values are unknown."""
    run_uuid: str


class PartialOptions(TypedDict, total=False):
    """The options that `load_options` takes; each may be left out."""

    variables: tuple[tuple[str, str], ...]
    variable_files: tuple[Path, ...]
    environment: Mapping[str, str]
    only: tuple[str, ...]
    except_: tuple[str, ...]
    clock_s: int
    cwd: Path
    warn_undeclared: bool
    evaluate_data: bool
    run_uuid: str


def load_options(**partial: Unpack[PartialOptions]) -> LoadOptions:
    """Options with what is not given taken from the process: its environment, clock and directory.

    SOURCE_DATE_EPOCH in the environment pins the clock.
    """
    environment = partial.get("environment", os.environ)
    return LoadOptions(
        variables=partial.get("variables", ()),
        variable_files=partial.get("variable_files", ()),
        environment=dict(environment),
        only=partial.get("only", ()),
        except_=partial.get("except_", ()),
        clock_s=partial.get("clock_s", int(environment.get("SOURCE_DATE_EPOCH") or time.time())),
        cwd=partial.get("cwd", Path.cwd()),
        warn_undeclared=partial.get("warn_undeclared", False),
        evaluate_data=partial.get("evaluate_data", True),
        run_uuid=partial.get("run_uuid") or str(uuid.uuid4()),
    )
