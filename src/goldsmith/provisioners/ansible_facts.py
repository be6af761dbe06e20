"""What both Ansible provisioners read out of a build and out of a galaxy file."""

from __future__ import annotations

from pathlib import Path

from goldsmith.components import Context


def http_address(context: Context) -> str:
    """The address of the build's HTTP server, or empty when its source has none."""
    address = context.generated.get("PackerHTTPAddr", "")
    return "" if address == "<unknown>" or address.startswith("ERR_") else address


def galaxy_kinds(path: Path) -> tuple[str, ...]:
    """What a galaxy file asks for: "roles" and "collections". A file of the old form is a list of roles."""
    words = {line.split(":")[0] for line in path.read_text(encoding="utf-8").splitlines()}
    roles = ["roles"] if "roles" in words or "collections" not in words else []
    return (*roles, *(["collections"] if "collections" in words else []))
