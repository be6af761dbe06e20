"""Addresses of Packer plugins, "github.com/hashicorp/ansible", and the names that plugins may have."""

from __future__ import annotations

import re
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import Range

_PART = re.compile(r"[^\W_]+(-[^\W_]+)*")
_PREFIXES = ("packer-plugin-", "packer-")


@dataclass(frozen=True, slots=True, order=True)
class PluginAddress:
    """Where a plugin comes from."""

    host: str
    namespace: str
    """May have several parts, joined by slashes."""
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}/{self.name}"


def parse_address(text: str, where: Range) -> PluginAddress:
    """Read the `source` of a required plugin. Raises `UserError` in Packer's words."""
    parts = text.split("/")
    if "" in parts or len(parts) < 3 or any(sign in text for sign in ("://", "?", "#")):
        why = f'The "source" attribute must be in the format "hostname/namespace/name"; "{text}" is not.'
        raise _fault("Invalid plugin source string", where, why)
    host, *namespace, name = parts
    for part, what in ((name, "type"), *((part, "namespace") for part in namespace)):
        if problem := name_problem(part):
            raise _fault(f"Invalid plugin {what}", where, f'Invalid plugin {what} "{part}" in source "{text}": {problem}.')
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            plain = "/".join((host, *namespace, name.removeprefix(prefix)))
            why = f'Plugin source "{text}" has a type with the prefix "{prefix}", which is not part of the name.'
            raise _fault("Invalid plugin type", where, why, f'Did you mean "{plain}"?')
    return PluginAddress(host, "/".join(namespace).lower(), name.lower())


def name_problem(name: str) -> str:
    """Why this can be no part of an address, or an empty string."""
    if not name:
        return "must have at least one character"
    if "." in name:
        return "dots are not allowed"
    if "--" in name:
        return "cannot use multiple consecutive dashes"
    if not _PART.fullmatch(name):
        return "must contain only letters, digits, and dashes, and may not use leading or trailing dashes"
    return ""


def _fault(what: str, where: Range, why: str, next: str = "") -> UserError:
    example = next or 'Write for example "github.com/hashicorp/ansible".'
    return UserError(Diagnostic(code="template.required-plugin", what=what, where=where, why=why, next=example))
