"""A set of scripts from files and directories: what runs, in which order, and what is only there to be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from goldsmith.assist.effects import Script
from goldsmith.hcl.diagnostics import Diagnostic, UserError

_SUFFIXES = (".sh", ".bash")


def read_scripts(paths: Sequence[Path]) -> tuple[Script, ...]:
    """The scripts that are named. Those at the top of a directory run in the order of their names; those below it do not run.

    Raises `UserError` for a directory without scripts, or for two scripts of one name.
    """
    scripts: list[Script] = []
    for path in paths:
        scripts += _of_directory(path) if path.is_dir() else [Script(name=path.name, content=path.read_bytes())]
    names = [script.name for script in scripts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            Diagnostic(
                code="trace.same-name",
                what=f'two scripts are called "{twice}"',
                next="Put them into one directory, and name that.",
            )
        )
    return tuple(scripts)


def _of_directory(directory: Path) -> list[Script]:
    found = [path for path in sorted(directory.rglob("*")) if path.is_file() and _is_script(path)]
    if not any(path.parent == directory for path in found):
        next = "Name the scripts themselves."
        raise UserError(Diagnostic(code="trace.no-scripts", what=f'there is no script right in "{directory}"', next=next))
    return [
        Script(name=str(path.relative_to(directory)), content=path.read_bytes(), runs=path.parent == directory)
        for path in found
    ]


def _is_script(path: Path) -> bool:
    if path.suffix in _SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.readline(128).startswith((b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash", b"#!/bin/dash"))
