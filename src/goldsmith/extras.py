"""Packages that only some features need: asking for one tells how to install it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from goldsmith.hcl.diagnostics import Diagnostic, UserError


def need(package: str, *, extra: str) -> ModuleType:
    """Import a package of an extra. Raises `UserError` with code `extra.missing` and the command that installs it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise UserError(
            Diagnostic(
                code="extra.missing",
                what=f"this needs the Python package {package}",
                why=f"{error}; it belongs to the extra [{extra}], which is not installed",
                next=f'uv pip install "goldsmith[{extra}]"',
            )
        ) from error
