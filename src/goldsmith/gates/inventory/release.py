"""Which distribution an image is, from its os-release."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.gates.inventory.package import Distribution
from goldsmith.hcl.diagnostics import Diagnostic, MachineError

KNOWN: Mapping[str, frozenset[str]] = {"debian": frozenset({"11", "12", "13"}), "ubuntu": frozenset({"22.04", "24.04"})}
"""Releases whose archives these gates know how to read. `ID_LIKE` is never enough: derivatives differ where it matters."""


def read_distribution(roots: Sequence[Path]) -> Distribution:
    """The distribution of a stack of layers, lowest first. Raises `MachineError` with code `inventory.unknown-distribution`."""
    path = visible(roots, "etc/os-release") or visible(roots, "usr/lib/os-release")
    if path is None:
        raise _unknown("neither /etc/os-release nor /usr/lib/os-release is there")
    fields = _fields(path.read_text(errors="replace"))
    id, release = fields.get("ID", ""), fields.get("VERSION_ID", "")
    if release not in KNOWN.get(id, frozenset()):
        raise _unknown(f'its os-release says "{id} {release}"')
    codename, name = fields.get("VERSION_CODENAME", ""), fields.get("PRETTY_NAME", "")
    return Distribution(id=id, family=id, release=release, codename=codename, name=name)


def visible(roots: Sequence[Path], name: str) -> Path | None:
    """The regular file that the topmost layer shows under a name without following links, or None."""
    for root in reversed(roots):
        path = root / name
        if path.is_symlink() or path.is_char_device():
            return None
        if path.is_file():
            return path
    return None


def _fields(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            fields[key.strip()] = "".join(shlex.split(value, comments=True))
    return fields


def _unknown(why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="inventory.unknown-distribution",
            what="the distribution of the image is not known",
            why=why,
            next=f"Gates know: {', '.join(f'{name} {version}' for name in KNOWN for version in sorted(KNOWN[name]))}.",
        )
    )
