"""Python packages: the metadata that installers leave beside them, `*.dist-info/METADATA` and `*.egg-info`."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.report import Report
from goldsmith.gates.inventory.stack import Stack

_METADATA = (".dist-info/METADATA", ".egg-info/PKG-INFO", ".egg-info", "/EGG-INFO/PKG-INFO")
_LARGEST_METADATA = 16 << 20
_LARGEST_RECORD = 64 << 20
_FIELD = re.compile(r"^(Name|Version|License|License-Expression|Classifier):[ \t]*(.*?)[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
_LICENCE_CLASS = "License :: "


def read_python(stack: Stack) -> Found:
    """The packages that Python would find, copies that another one brings along included."""
    report = Report()
    for name in stack.names:
        if name.endswith(_METADATA):
            _metadata(stack, name, report)
        elif name.endswith((".whl", ".egg")):
            report.skip("a Python archive that is not unpacked: what is in it was not looked at", name)
    return report.found()


def _metadata(stack: Stack, name: str, report: Report) -> None:
    data = report.read(stack, name, _LARGEST_METADATA)
    if data is None:
        return
    fields = _fields(data)
    package, version = (fields.get(key, [""])[0] for key in ("name", "version"))
    if not package or not version:
        report.fault(name, "is no metadata of a Python package: it has no Name or no Version")
        return
    report.packages.append(
        Package(
            kind="pypi",
            name=package,
            version=version,
            path=name,
            files=_owned(stack, name, report),
            licences=tuple(_licences(fields)),
        )
    )


def _fields(data: bytes) -> Mapping[str, Sequence[str]]:
    """The values of each header field: what follows the first empty line is the description."""
    header = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0].decode(errors="replace")
    found: dict[str, list[str]] = {}
    for key, value in _FIELD.findall(header):
        found.setdefault(key.lower(), []).append(value)
    return found


def _licences(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The SPDX expression, or else what older metadata says: classifiers, or the first line of free text."""
    told = [text for text in fields.get("license-expression", ()) if text]
    classes = [text.rpartition(" :: ")[2] for text in fields.get("classifier", ()) if text.startswith(_LICENCE_CLASS)]
    free = [text for text in fields.get("license", ()) if text and text.upper() != "UNKNOWN"]
    yield from told or [text for text in classes if text != "OSI Approved"] or free


def _owned(stack: Stack, metadata: str, report: Report) -> tuple[str, ...]:
    """The files of a package as its RECORD (PEP 376) lists them; none for those of distributions, which have no RECORD."""
    place, _, last = metadata.rpartition("/")
    record = f"{place}/RECORD"
    if last != "METADATA" or stack.path(record) is None:
        return ()
    data = report.read(stack, record, _LARGEST_RECORD)
    if data is None:
        return ()
    base = place.rpartition("/")[0]
    try:
        rows = [row[0] for row in csv.reader(data.decode(errors="surrogateescape").splitlines()) if row]
    except csv.Error as error:
        report.fault(record, f"is no list of files: {error}")
        return ()
    paths = (row.lstrip("/") if row.startswith("/") else posixpath.normpath(f"{base}/{row}") for row in rows)
    return tuple(sorted({path for path in paths if path and not path.startswith("..")}))
