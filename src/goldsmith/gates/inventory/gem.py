"""Ruby gems: the specifications that RubyGems writes when it installs, of default gems too."""

from __future__ import annotations

import re

from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.report import Report
from goldsmith.gates.inventory.stack import Stack

_LARGEST = 4 << 20
_PLACE = re.compile(r"/specifications/(?:default/)?[^/]+\.gemspec$")
_STUB = re.compile(r"^# stub: (\S+) (\S+) \S+ ", re.MULTILINE)
_TEXT = r"""["']([^"'\n]+)["'](?:\.freeze)?"""
_ASSIGNED = re.compile(rf"^\s*\w+\.(name|version)\s*=\s*(?:Gem::Version\.new\s*\(?\s*)?{_TEXT}", re.MULTILINE)
_LICENCES = re.compile(r"^\s*\w+\.licenses?\s*=\s*(.*)$", re.MULTILINE)


def read_gems(stack: Stack) -> Found:
    """The gems that RubyGems would find. Specifications are Ruby: what is not written out in them is not evaluated."""
    report = Report()
    for name in stack.names:
        if name.endswith(".gemspec") and _PLACE.search(name):
            data = report.read(stack, name, _LARGEST)
            if data is not None:
                _specification(data.decode(errors="replace"), name, report)
    return report.found()


def _specification(text: str, name: str, report: Report) -> None:
    stub = _STUB.search(text)
    assigned = dict(_ASSIGNED.findall(text))
    gem, version = stub.groups() if stub else (assigned.get("name"), assigned.get("version"))
    if not gem or not version:
        report.fault(name, "is no specification of a gem: it does not spell out a name and a version")
        return
    report.packages.append(Package(kind="gem", name=gem, version=version, path=name, licences=_licences(text)))


def _licences(text: str) -> tuple[str, ...]:
    found = _LICENCES.search(text)
    return tuple(re.findall(_TEXT, found[1])) if found else ()
