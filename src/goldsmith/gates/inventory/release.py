"""Which distribution an image is, from its os-release."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from goldsmith.gates.inventory.package import Distribution
from goldsmith.gates.inventory.stack import Stack
from goldsmith.hcl.diagnostics import Diagnostic, MachineError

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
LONGEST = 1 << 20
"""Bytes of a file that says what a distribution is."""
KNOWN: Mapping[str, frozenset[str]] = {"debian": frozenset({"11", "12", "13"}), "ubuntu": frozenset({"22.04", "24.04"})}
"""Releases whose archives these gates know how to read. `ID_LIKE` is never enough: derivatives differ where it matters."""


def read_distribution(stack: Stack) -> Distribution:
    """The distribution of an image. Raises `MachineError` with code `inventory.unknown-distribution`."""
    fields = next((_fields(text) for name in OS_RELEASE if (text := _text(stack, name))), None)
    if fields is None:
        raise _unknown(f"neither {' nor '.join(f'/{name}' for name in OS_RELEASE)} is there")
    id, release = fields.get("ID", ""), fields.get("VERSION_ID", "")
    if release not in KNOWN.get(id, frozenset()):
        raise _unknown(f'its os-release says "{id} {release}"')
    codename, name = fields.get("VERSION_CODENAME", ""), fields.get("PRETTY_NAME", "")
    return Distribution(id=id, family=id, release=release, codename=codename, name=name)


def _text(stack: Stack, name: str) -> str:
    try:
        return (stack.read(name, LONGEST) or b"").decode(errors="replace")
    except OSError as error:
        raise _unknown(f'"/{name}" cannot be read: {error.strerror}') from error


def _fields(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            fields[key.strip()] = _unquoted(value)
    return fields


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value, comments=True))
    except ValueError:
        return value.strip()


def _unknown(why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="inventory.unknown-distribution",
            what="the distribution of the image is not known",
            why=why,
            next=f"Gates know: {', '.join(f'{name} {version}' for name in KNOWN for version in sorted(KNOWN[name]))}.",
        )
    )
