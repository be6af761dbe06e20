"""Java libraries in archives (jar, war, ear and their like), those inside others too, by what Maven and manifests say."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from goldsmith.gates.inventory.maven import Coordinates, identify, properties
from goldsmith.gates.inventory.package import Found, Package
from goldsmith.gates.inventory.report import Report
from goldsmith.gates.inventory.stack import Stack
from goldsmith.gates.inventory.zip_directory import check_directory

_ARCHIVES = (".jar", ".war", ".ear", ".par", ".sar", ".kar", ".nar", ".jpi", ".hpi")
_MANIFEST = "META-INF/MANIFEST.MF"
_DEPTH = 3
"""Archives in archives: an application in a war in an ear has its libraries at depth 2."""
_LARGEST_MANIFEST = 1 << 20
_LARGEST_NESTED = 256 << 20
_MOST_NESTED = 10_000
_LARGEST_TOTAL = 1 << 30
_RATIO = 200
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, OverflowError)


@dataclass(slots=True)
class _Allowance:
    """What may still be read of the archives that are nested in one file."""

    bytes: int = _LARGEST_TOTAL
    archives: int = _MOST_NESTED


def read_java(stack: Stack) -> Found:
    """Each library with its `group:artifact` and version."""
    report = Report()
    for name in stack.names:
        if name.lower().endswith(_ARCHIVES):
            try:
                file = stack.open(name)
            except OSError as error:
                report.fault(name, f"cannot be read: {error.strerror}")
                continue
            if file is not None:
                with io.BufferedReader(file, 1 << 16) as buffered:
                    _archive(buffered, name, report, _Allowance(), 0)
    return report.found()


def _archive(file: IO[bytes], name: str, report: Report, allowance: _Allowance, depth: int) -> None:
    try:
        if not check_directory(file):
            report.skip("named as a Java archive, but no zip file", name)
            return
        with zipfile.ZipFile(file) as archive:
            _libraries(archive, name, report)
            for item in archive.infolist():
                if item.filename.lower().endswith(_ARCHIVES) and item.file_size:
                    _nested(archive, item, f"{name}!/{item.filename}", report, allowance, depth + 1)
    except _BROKEN as error:
        report.fault(name, f"cannot be read as a zip file: {error}")


def _libraries(archive: zipfile.ZipFile, name: str, report: Report) -> None:
    entries = archive.namelist()
    of_maven = [
        properties(_head(archive, entry))
        for entry in entries
        if entry.startswith("META-INF/maven/") and entry.endswith("/pom.properties")
    ]
    stated = _head(archive, _MANIFEST) if _MANIFEST in archive.NameToInfo else b""
    stem = posixpath.splitext(name.rpartition("/")[2])[0]
    manifest = _main_section(stated)
    licences = tuple(_licences(manifest.get("Bundle-License", "")))
    for found in identify(stem, of_maven, manifest):
        _report(found, name, licences, report)


def _licences(stated: str) -> Iterator[str]:
    """The names in a list like `Apache-2.0;link=https://…, MIT`; of some there are addresses only, which name nothing."""
    for part in stated.split(","):
        text = part.partition(";")[0].strip()
        if text and "://" not in text:
            yield text


def _report(found: Coordinates, name: str, licences: tuple[str, ...], report: Report) -> None:
    if not found.version:
        report.skip("a Java archive that does not say its version", name)
        return
    if found.is_guess:
        report.skip("a Java archive that does not say its Maven group: advisories of it may be missed", name)
    report.packages.append(Package(kind="maven", name=found.name, version=found.version, path=name, licences=licences))


def _nested(
    archive: zipfile.ZipFile, item: zipfile.ZipInfo, name: str, report: Report, allowance: _Allowance, depth: int
) -> None:
    if depth > _DEPTH:
        report.skip(f"a Java archive more than {_DEPTH} archives deep", name)
        return
    if item.file_size > _LARGEST_NESTED or item.file_size > _RATIO * max(item.compress_size, 1 << 16):
        report.fault(name, "is larger, or packed tighter, than nested archives may be")
        return
    if item.file_size > allowance.bytes or not allowance.archives:
        raise ValueError("more is nested in it than will be read")
    allowance.bytes -= item.file_size
    allowance.archives -= 1
    with archive.open(item) as file:
        content = file.read(item.file_size + 1)
    _archive(io.BytesIO(content), name, report, allowance, depth)


def _head(archive: zipfile.ZipFile, entry: str) -> bytes:
    with archive.open(entry) as file:
        return file.read(_LARGEST_MANIFEST)


def _main_section(manifest: bytes) -> Mapping[str, str]:
    """The attributes before the first empty line; a line that begins with a space goes on with the one before."""
    text = re.sub(r"\r\n?", "\n", manifest.decode(errors="replace")).split("\n\n", 1)[0].replace("\n ", "")
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
