"""Real rpm packages, and their databases in each of rpm's three forms."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

SPEC = """
Name: hello
Epoch: 2
Version: 1.5
Release: 3.el8
Summary: a greeting
License: MIT and BSD
ModularityLabel: greetings:1:2:3
%description
a greeting
%package libs
Summary: its library
Epoch: 0
%description libs
its library
%package -n world
Summary: somebody to greet
Version: 7~rc1
BuildArch: noarch
%description -n world
somebody
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/lib64 %{buildroot}/usr/lib/python3.6/site-packages/world-7.dist-info
echo hello > %{buildroot}/usr/bin/hello
ln -s hello %{buildroot}/usr/bin/hi
head -c 300000 /dev/urandom > %{buildroot}/usr/lib64/libhello.so
printf 'Name: world\\nVersion: 7\\n' > %{buildroot}/usr/lib/python3.6/site-packages/world-7.dist-info/METADATA
for i in $(seq 300); do echo $i > %{buildroot}/usr/lib/python3.6/site-packages/world-7.dist-info/file-with-a-long-name-$i; done
%files
/usr/bin/*
%files libs
/usr/lib64/libhello.so
%files -n world
/usr/lib/python3.6/site-packages/world-7.dist-info
"""
RELEASE = 'ID="almalinux"\nVERSION_ID="8.10"\n'
DATABASE = "var/lib/rpm"
SPECIAL = ("rpm", "rpmbuild", "db5.3_load")


def is_able() -> bool:
    """Whether rpm's own programs are here."""
    return all(shutil.which(name) for name in SPECIAL)


def installed_tree(place: Path) -> Path:
    """A tree into which rpm itself has installed three packages of one source."""
    spec, top, root = place / "hello.spec", place / "top", place / "root"
    spec.write_text(SPEC)
    defines = ("--define", f"_topdir {top}", "--define", "_build_id_links none", "--define", "debug_package %{nil}")
    _run("rpmbuild", "--quiet", "-bb", *defines, str(spec))
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text(RELEASE)
    packages = sorted(str(path) for path in top.rglob("*.rpm"))
    _run("rpm", "--root", str(root), "--dbpath", f"/{DATABASE}", "-i", "--nodeps", "--noscripts", "--nosignature", *packages)
    return root


def query(root: Path, backend: str) -> list[str]:
    """What `rpm -qa` says: name, version, architecture, module, source."""
    form = "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH} %{MODULARITYLABEL} %{SOURCERPM} %{LICENSE}\\n"
    where = ("--root", str(root), "--dbpath", f"/{DATABASE}", "--define", f"_db_backend {backend}")
    return sorted(line.replace(" 0:", " ") for line in _run("rpm", *where, "-qa", "--qf", form).splitlines())


def headers(root: Path) -> list[bytes]:
    """The headers in the SQLite database of a tree."""
    connection = sqlite3.connect(root / DATABASE / "rpmdb.sqlite")
    found = [blob for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum")]
    connection.close()
    return found


def tree_with(place: Path, name: str, content: bytes) -> Path:
    """A tree with one database file."""
    (place / "etc").mkdir(parents=True)
    (place / "etc/os-release").write_text(RELEASE)
    (place / DATABASE).mkdir(parents=True)
    (place / DATABASE / name).write_bytes(content)
    return place


def as_ndb(blobs: Sequence[bytes]) -> bytes:
    """The headers as rpm's ndb: one page of slots, then the blobs."""
    slots, bodies, block = [b"RpmP" + struct.pack("<III", 0, 1, 1) + bytes(16)], [], 4096 // 16
    for number, blob in enumerate(blobs, 1):
        padded = b"BlbS" + struct.pack("<III", number, 1, len(blob)) + blob
        padded += bytes(-(len(padded) + 12) % 16)
        body = padded + struct.pack("<II", zlib.adler32(padded), len(blob)) + b"BlbE"
        slots.append(b"Slot" + struct.pack("<III", number, block, len(body) // 16))
        bodies.append(body)
        block += len(body) // 16
    free = (4096 - 16 - 16 * len(slots)) // 16
    return b"".join(slots) + (b"Slot" + bytes(12)) * free + b"".join(bodies)


def as_bdb(blobs: Sequence[bytes], place: Path, page_size: int = 4096) -> bytes:
    """The headers as a hash that Berkeley DB itself wrote."""
    pairs = [(bytes(4), struct.pack("<I", len(blobs)))]
    pairs += [(struct.pack("<I", number), blob) for number, blob in enumerate(blobs, 1)]
    lines = ["VERSION=3", "format=bytevalue", "type=hash", f"db_pagesize={page_size}", "HEADER=END"]
    lines += [f" {item.hex()}" for pair in pairs for item in pair]
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["db5.3_load", str(place / "Packages")], input="\n".join([*lines, "DATA=END", ""]), text=True, check=True)
    return (place / "Packages").read_bytes()


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
