"""The packages of an rpm family image, from whichever form of rpm's database it has."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory import rpm_header as tags
from goldsmith.gates.inventory.package import Found, Owned, Package
from goldsmith.gates.inventory.rpm_bdb import bdb_headers
from goldsmith.gates.inventory.rpm_header import Header, parse_header
from goldsmith.gates.inventory.rpm_ndb import ndb_headers
from goldsmith.gates.inventory.rpm_sqlite import sqlite_headers
from goldsmith.gates.inventory.stack import Stack

DIRECTORIES = ("usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm")
"""Where the database is: rpm's place of today, that of before, that of ostree."""
FILES = ("rpmdb.sqlite", "Packages.db", "Packages")
"""The database as SQLite, ndb and Berkeley DB, the newest form first."""
LARGEST = 2 << 30
_SOURCE = re.compile(r"(.+)-([^-]+)-([^-]+)\.(?:no)?src\.rpm")


def read_rpm(stack: Stack) -> Found:
    """The packages that rpm has installed."""
    skipped: list[Skipped] = []
    chosen = Found()
    for name in rpm_databases(stack):
        found = _read(stack, name)
        if not chosen.packages and not chosen.faults:
            chosen = found
        elif found.packages:
            # rpm itself reads one of them; the other is what a conversion left behind.
            sample = tuple(sorted({package.name for package in found.packages})[:10])
            skipped.append(Skipped(reason=f"only in the older database /{name}", count=len(found.packages), sample=sample))
    return Found(packages=chosen.packages, faults=chosen.faults, skipped=tuple(skipped))


def rpm_databases(stack: Stack) -> tuple[str, ...]:
    """The database files that are there, the one that counts first."""
    names = (f"{directory}/{file}" for directory in DIRECTORIES for file in FILES)
    return tuple(name for name in names if stack.path(name) is not None)


def rpm_owned(stack: Stack) -> Iterator[Owned]:
    """The files of each package. Raises `ValueError` or `OSError` for a damaged database."""
    for header in _chosen_headers(stack):
        yield Owned(
            name=header.text(tags.NAME), version=_version(header), architecture=header.text(tags.ARCH), paths=header.files()
        )


def rpm_sums(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Each packaged file: its package (name, version, architecture), path and digest in hexadecimal.

    Raises `ValueError` or `OSError` for a damaged database.
    """
    for header in _chosen_headers(stack):
        package = f"{header.text(tags.NAME)} {_version(header)} {header.text(tags.ARCH)}"
        yield from ((package, path, digest) for path, digest in header.digests())


def _chosen_headers(stack: Stack) -> Iterator[Header]:
    for name in rpm_databases(stack):
        is_empty = True
        for blob in _headers(stack, name):
            is_empty = False
            yield parse_header(blob)
        if not is_empty:
            return


def _read(stack: Stack, name: str) -> Found:
    packages: list[Package] = []
    faults: list[str] = []
    try:
        for blob in _headers(stack, name):
            try:
                packages.append(_package(parse_header(blob)))
            except ValueError as error:
                faults.append(f"/{name}: {error}")
    except ValueError as error:
        faults.append(f"/{name} is damaged: {error}")
    except OSError as error:
        faults.append(f'"/{name}" cannot be read: {error.strerror}')
    return Found(packages=tuple(packages), faults=tuple(faults))


def _headers(stack: Stack, name: str) -> Iterator[bytes]:
    path = stack.path(name)
    if path is None:
        return
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise ValueError(f"it is no file of at most {LARGEST:,} bytes")
        if name.endswith(".sqlite"):
            yield from sqlite_headers(path, _pending(stack, name))
        else:
            yield from _of_kind(name, file, status.st_size)


def _of_kind(name: str, file: BinaryIO, size: int) -> Iterator[bytes]:
    return ndb_headers(file, size) if name.endswith(".db") else bdb_headers(file, size)


def _pending(stack: Stack, name: str) -> Path | None:
    """A log that SQLite would put in before it reads."""
    for suffix in ("-wal", "-journal"):
        path = stack.path(name + suffix)
        if path is not None and path.stat().st_size > 0:
            if path.stat().st_size > LARGEST:
                raise ValueError(f"its log has more than {LARGEST:,} bytes")
            return path
    return None


def _package(header: Header) -> Package:
    name, version = header.text(tags.NAME), _version(header)
    if not name or version.startswith("-") or version.endswith("-"):
        raise ValueError(f'a package has the name "{name}" and the version "{version}"')
    source = _SOURCE.fullmatch(header.text(tags.SOURCE_RPM))
    epoch = version.partition(":")[0] + ":" if ":" in version else ""
    licence = header.text(tags.LICENSE)
    return Package(
        kind="rpm",
        name=name,
        version=version,
        architecture=header.text(tags.ARCH),
        source_name=source[1] if source else name,
        source_version=f"{epoch}{source[2]}-{source[3]}" if source else version,
        module=header.text(tags.MODULARITY_LABEL),
        licences=(licence,) if licence else (),
    )


def _version(header: Header) -> str:
    epoch = (header.numbers(tags.EPOCH) or (0,))[0]
    version = f"{header.text(tags.VERSION)}-{header.text(tags.RELEASE)}"
    return f"{epoch}:{version}" if epoch else version
