"""The packages of a Debian family image: dpkg's status file and the status.d of images without dpkg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from goldsmith.gates.inventory.package import Found, Owned, Package
from goldsmith.gates.inventory.stack import Stack

STATUS = "var/lib/dpkg/status"
STATUS_D = "var/lib/dpkg/status.d"
INFO = "var/lib/dpkg/info"

_FIELD = re.compile(r"^(Package|Status|Version|Architecture|Source):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")
_VERSION = re.compile(r"(\d+:)?\d[A-Za-z0-9.+~:-]*")
_PRESENT = ("installed", "triggers-awaited", "triggers-pending", "unpacked", "half-configured")
"""States in which the files of a package are there (dpkg(1))."""
_ABSENT = ("not-installed", "config-files")
_SHOWN = 5


def read_dpkg(stack: Stack) -> Found:
    """The packages that are installed by dpkg, or that an image without dpkg says were."""
    packages: list[Package] = []
    faults: list[str] = []
    known: set[str] = set()
    for name in _databases(stack):
        try:
            text = (stack.read(name) or b"").decode(errors="surrogateescape")
        except OSError as error:
            faults.append(f'"/{name}" cannot be read: {error.strerror}')
            continue
        if text and not text.endswith("\n"):
            faults.append(f"/{name} is cut off: its last line has no end")
        for paragraph in _paragraphs(text):
            fields: Mapping[str, str] = dict(_FIELD.findall(paragraph))
            known.add(fields.get("Package", ""))
            found = _package(paragraph, fields)
            if isinstance(found, Package):
                packages.append(found)
            elif found:
                faults.append(f"{found} in /{name}")
    return Found(packages=tuple(packages), faults=(*faults, *_forgotten(stack, known)))


def dpkg_owned(stack: Stack) -> Iterator[Owned]:
    """The files of each package. Raises `OSError` for a list that cannot be read."""
    for name in stack.files_in(INFO):
        if name.endswith(".list"):
            package, _, architecture = name[len(INFO) + 1 : -len(".list")].partition(":")
            text = (stack.read(name) or b"").decode(errors="surrogateescape")
            yield Owned(name=package, architecture=architecture, paths=text.replace("\n/", "\n").removeprefix("/").split("\n"))
    for name in stack.files_in(STATUS_D):
        if name.endswith(".md5sums"):
            package = name[len(STATUS_D) + 1 : -len(".md5sums")]
            lines = (stack.read(name) or b"").decode(errors="surrogateescape").split("\n")
            yield Owned(name=package, paths=[line.partition("  ")[2].lstrip("/") for line in lines if line])


def _databases(stack: Stack) -> Iterator[str]:
    if stack.path(STATUS) is not None:
        yield STATUS
    yield from (name for name in stack.files_in(STATUS_D) if not name.endswith(".md5sums"))


def _paragraphs(text: str) -> Iterator[str]:
    yield from (paragraph for paragraph in re.split(r"\n[ \t]*\n", text) if paragraph.strip())


def _forgotten(stack: Stack, known: set[str]) -> Iterator[str]:
    """Packages whose files are listed, but of which the status file has no record: its end is lost."""
    if stack.path(STATUS) is None:
        return
    lists = (name[len(INFO) + 1 :] for name in stack.files_in(INFO) if name.endswith(".list"))
    listed = {name.removesuffix(".list").partition(":")[0] for name in lists}
    lost = sorted(listed - known)
    if lost:
        shown = ", ".join(lost[:_SHOWN]) + (" …" if len(lost) > _SHOWN else "")
        yield f"/{STATUS} has no record of {len(lost)} packages whose files are listed in /{INFO}: {shown}"


def _package(paragraph: str, fields: Mapping[str, str]) -> Package | str | None:
    """The package of a record, None when it is not installed, or what is wrong with the record."""
    name = fields.get("Package", "")
    if not name:
        return f'a record without a name: "{paragraph.strip().splitlines()[0][:60]}"'
    state = fields.get("Status", "installed").rpartition(" ")[2]
    if state in _ABSENT:
        return None
    if state not in _PRESENT:
        return f'package "{name}" is in the state "{state}"'
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
