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
    sandboxed: bool = False
    """Whether evaluating reads nothing outside of the template's own directory (`-sandboxed-files`)."""

    def fence(self, root: Path) -> Path | None:
        """The directory outside of which nothing may be read for the template in `root`; None: there is no such rule."""
        return self.cwd / root if self.sandboxed else None


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
    sandboxed: bool


def load_options(**partial: Unpack[PartialOptions]) -> LoadOptions:
    """Options with what is not given taken from the process: its environment, clock and directory.

    SOURCE_DATE_EPOCH in the environment pins the clock.
    """
    environment = partial.get("environment", os.environ)
    return LoadOptions(
        variables=tuple((name, _well_formed(value)) for name, value in partial.get("variables", ())),
        variable_files=partial.get("variable_files", ()),
        environment={name: _well_formed(value) for name, value in environment.items()},
        only=partial.get("only", ()),
        except_=partial.get("except_", ()),
        clock_s=partial.get("clock_s", int(environment.get("SOURCE_DATE_EPOCH") or time.time())),
        cwd=partial.get("cwd", Path.cwd()),
        warn_undeclared=partial.get("warn_undeclared", False),
        evaluate_data=partial.get("evaluate_data", True),
        run_uuid=partial.get("run_uuid") or str(uuid.uuid4()),
        sandboxed=partial.get("sandboxed", False),
    )


def _well_formed(text: str) -> str:
    """What the system gives need not be UTF-8, while all text of the language is."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
