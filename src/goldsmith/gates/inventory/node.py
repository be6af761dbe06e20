"""Node packages: each `package.json` where Node looks for modules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.report import Report
from goldsmith.gates.inventory.stack import Stack

_HOMES = ("usr/share/nodejs/", "usr/lib/nodejs/")
"""Directories that Debian's Node searches besides every `node_modules`."""
_LARGEST = 16 << 20


def read_node(stack: Stack) -> Found:
    """Each package that says its name and version; a `package.json` without them only describes a directory."""
    report = Report()
    for name in stack.names:
        if name.endswith("/package.json") and (place := _place(name)) is not None:
            _package(stack, name, place, report)
    return report.found()


def _place(name: str) -> str | None:
    """Where in its module directory a file is: `@scope/name`, or deeper; None for a file of no module directory."""
    _, separator, rest = f"/{name}".rpartition("/node_modules/")
    if not separator:
        rest = next((name.removeprefix(home) for home in _HOMES if name.startswith(home)), "")
    return rest.removesuffix("/package.json") if rest and rest != "package.json" else None


def _package(stack: Stack, name: str, place: str, report: Report) -> None:
    data = report.read(stack, name, _LARGEST)
    if data is None:
        return
    try:
        described = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        described = None
    if not isinstance(described, dict):
        # Packages bring broken ones along to test themselves; Node reads only that at the top of each.
        if place.count("/") == place.startswith("@"):
            report.fault(name, "is no JSON object")
        else:
            report.skip("a package.json inside a package that is no JSON object", name)
        return
    package, version = described.get("name"), described.get("version")
    if not (isinstance(package, str) and isinstance(version, str) and package and version):
        report.skip("a package.json without a name or version, which describes no package", name)
        return
    report.packages.append(
        Package(kind="npm", name=package, version=version.strip(), path=name, licences=tuple(_licences(described)))
    )


def _licences(described: Mapping[str, object]) -> Iterator[str]:
    """`license` as text or `{type}`, or `licenses` as a list of them, which is the old form."""
    old = described.get("licenses")
    for item in (described.get("license"), *(old if isinstance(old, list) else ())):
        text = item.get("type") if isinstance(item, dict) else item
        if isinstance(text, str) and text:
            yield text
