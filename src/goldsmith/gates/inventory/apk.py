"""The packages of an Alpine image: apk's installed database (apk-tools' `doc/apk-v2.5`, `src/database.c`)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from goldsmith.gates.inventory.package import Found, Owned, Package
from goldsmith.gates.inventory.stack import Stack

DATABASES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_RECORD = re.compile(r"\n[ \t]*\n")
_FIELD = re.compile(r"^([A-Za-z]):(.*)$", re.MULTILINE)
_VERSION = re.compile(r"\d[A-Za-z0-9._~+-]*")


def read_apk(stack: Stack) -> Found:
    """The packages that apk has installed."""
    packages: list[Package] = []
    faults: list[str] = []
    for name in DATABASES:
        try:
            text = _text(stack, name)
        except OSError as error:
            faults.append(f'"/{name}" cannot be read: {error.strerror}')
            continue
        if text.strip() and not text.endswith("\n\n"):
            faults.append(f"/{name} is cut off: apk ends it with an empty line")
        for record in _records(text):
            found = _package(record)
            if isinstance(found, Package):
                packages.append(found)
            else:
                faults.append(f"{found} in /{name}")
    return Found(packages=tuple(packages), faults=tuple(faults))


def apk_owned(stack: Stack) -> Iterator[Owned]:
    """The files of each package. Raises `OSError` for a database that cannot be read."""
    for name in DATABASES:
        for record in _records(_text(stack, name)):
            fields = _fields(record)
            paths = (path for path, _ in _files(record))
            yield Owned(name=fields.get("P", ""), version=fields.get("V", ""), architecture=fields.get("A", ""), paths=paths)


def apk_sums(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Each packaged file: its package (name, version, architecture), path and digest in hexadecimal.

    Raises `OSError` for a database that cannot be read.
    """
    for name in DATABASES:
        for record in _records(_text(stack, name)):
            fields = _fields(record)
            package = f"{fields.get('P', '')} {fields.get('V', '')} {fields.get('A', '')}"
            yield from ((package, path, digest) for path, digest in _files(record) if digest)


def _text(stack: Stack, name: str) -> str:
    return (stack.read(name) or b"").decode(errors="surrogateescape")


def _records(text: str) -> Iterator[str]:
    yield from (record for record in _RECORD.split(text) if record.strip())


def _fields(record: str) -> Mapping[str, str]:
    """Those of the package; what stands behind the first directory is about files."""
    return dict(_FIELD.findall(record.partition("\nF:")[0]))


def _files(record: str) -> Iterator[tuple[str, str]]:
    """F: a directory, R: a file in it, Z: its digest, which is empty when there is none."""
    directory = path = ""
    for line in record.splitlines():
        if line.startswith(("F:", "R:", "Z:")):
            kind, value = line[0], line[2:]
            if kind != "Z" and path:
                yield path, ""
                path = ""
            if kind == "F":
                directory = value
            elif kind == "R":
                path = f"{directory}/{value}".lstrip("/")
            elif path:
                yield path, _digest(value)
                path = ""
    if path:
        yield path, ""


def _digest(value: str) -> str:
    """`Q1` is SHA-1 and `Q2` SHA-256 in base 64; a text without it is an MD5 in hexadecimal."""
    if not value.startswith(("Q1", "Q2")):
        return value.lower()
    try:
        return base64.b64decode(value[2:], validate=True).hex()
    except binascii.Error:
        return ""


def _package(record: str) -> Package | str:
    """The package of a record, or what is wrong with the record."""
    fields = _fields(record)
    name, version = fields.get("P", ""), fields.get("V", "")
    if not name:
        return f'a record without a name: "{record.strip().splitlines()[0][:60]}"'
    if not _VERSION.fullmatch(version):
        return f'package "{name}" has the version "{version}", which is none'
    return Package(
        kind="apk",
        name=name,
        version=version,
        architecture=fields.get("A", ""),
        source_name=fields.get("o") or name,
        source_version=version,
        licences=(fields["L"],) if fields.get("L") else (),
    )
