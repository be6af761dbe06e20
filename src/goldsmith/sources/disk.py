"""The settings that decide how a layered source's disk looks: what may be written in them."""

from __future__ import annotations

from typing import Literal

from goldsmith.hcl.diagnostics import Diagnostic, did_you_mean

FORMATS = ("raw", "qcow2")
BOOTS = ("hybrid", "none")


def boot_of(boot: str) -> Literal["hybrid", "none"]:
    """The checked word for how a disk boots."""
    return "none" if boot == "none" else "hybrid"


def disk_faults(boot: str, formats: tuple[str, ...]) -> list[Diagnostic]:
    """What is wrong with the settings of a disk."""
    faults = [not_one_of("boot", boot, BOOTS)] if boot not in BOOTS else []
    return faults + [not_one_of("formats", name, FORMATS) for name in formats if name not in FORMATS]


def not_one_of(name: str, value: str, choices: tuple[str, ...]) -> Diagnostic:
    """The fault of a setting whose value is none of a closed set."""
    return Diagnostic(
        code="source.invalid-value",
        what=f'"{value}" is no value of "{name}"',
        why=f"it is one of: {', '.join(choices)}",
        next=did_you_mean(value, choices) or f'Write "{choices[0]}".',
    )
