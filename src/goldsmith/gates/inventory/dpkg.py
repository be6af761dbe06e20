"""The packages of a Debian family image: dpkg's status file and the status.d of images without dpkg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.stack import Stack

STATUS = "var/lib/dpkg/status"
STATUS_D = "var/lib/dpkg/status.d"

_FIELD = re.compile(r"^(Package|Status|Version|Architecture|Source):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")
_VERSION = re.compile(r"(\d+:)?\d[A-Za-z0-9.+~:-]*")


def read_dpkg(stack: Stack) -> Found:
    """The packages that are installed by dpkg, or that an image without dpkg says were."""
    packages: list[Package] = []
    faults: list[str] = []
    for name in _databases(stack):
        try:
            text = (stack.read(name) or b"").decode(errors="surrogateescape")
        except OSError as error:
            faults.append(f'"/{name}" cannot be read: {error.strerror}')
            continue
        for paragraph in _paragraphs(text):
            found = _package(paragraph)
            if isinstance(found, Package):
                packages.append(found)
            elif found:
                faults.append(f"{found} in /{name}")
    return Found(packages=tuple(packages), faults=tuple(faults))


def _databases(stack: Stack) -> Iterator[str]:
    if stack.path(STATUS) is not None:
        yield STATUS
    yield from (name for name in stack.files_in(STATUS_D) if not name.endswith(".md5sums"))


def _paragraphs(text: str) -> Iterator[str]:
    yield from (paragraph for paragraph in re.split(r"\n[ \t]*\n", text) if paragraph.strip())


def _package(paragraph: str) -> Package | str | None:
    """The package of a record, None when it is not installed, or what is wrong with the record."""
    fields: Mapping[str, str] = dict(_FIELD.findall(paragraph))
    name = fields.get("Package", "")
    if not name:
        return f'a record without a name: "{paragraph.splitlines()[0][:60]}"'
    if "Status" in fields and not fields["Status"].endswith(" installed"):
        return None
    version = fields.get("Version", "")
    if not _VERSION.fullmatch(version):
        return f'package "{name}" has the version "{version}", which is none'
    source = _SOURCE.match(fields.get("Source", ""))
    return Package(
        kind="deb",
        name=name,
        version=version,
        architecture=fields.get("Architecture", ""),
        source_name=source[1] if source else name,
        source_version=(source[2] if source else None) or version,
    )
