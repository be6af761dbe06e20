"""apk's installed database."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.inventory import Stack, read_inventory
from goldsmith.gates.inventory.apk import apk_owned, apk_sums, read_apk
from goldsmith.hcl.diagnostics import MachineError

RELEASE = "ID=alpine\nVERSION_ID=3.18.4\n"
MUSL = """C:Q1pT6QEBGmlYFeBfAr4YLuxQ9SSpA=
P:musl
V:1.2.4-r2
A:x86_64
S:387000
I:634880
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Natanael Copa <ncopa@alpinelinux.org>
t:1696000000
c:a1b2c3
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1wt4WGeFDJw+RHvLCzVCSqH2Ihlc=
R:libc.musl-x86_64.so.1
a:0:0:777
Z:Q117yJ3JFNypA4mxhJJr0ou6CzsJVI=
M:0:0:1777
F:usr
F:usr/share/musl

"""
LIBSSL = """P:libssl3
V:3.1.4-r5
A:x86_64
L:Apache-2.0
o:openssl
F:lib
R:libssl.so.3
R:plain
Z:9e107d9d372bb6826bd81d3542a419d6
F:usr/lib/engines-3
R:x
Z:Q2LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=

"""


def tree(root: Path, text: str = MUSL + LIBSSL, place: str = "lib/apk/db/installed") -> Path:
    for name, content in {"etc/os-release": RELEASE, place: text}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize("place", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_installed_packages_are_read_with_their_origins(tmp_path: Path, place: str) -> None:
    found = read_inventory([tree(tmp_path, place=place)])

    assert [
        (item.kind, item.name, item.version, item.architecture, item.source_name, item.source_version, item.licences)
        for item in found.packages
    ] == [
        ("apk", "libssl3", "3.1.4-r5", "x86_64", "openssl", "3.1.4-r5", ("Apache-2.0",)),
        ("apk", "musl", "1.2.4-r2", "x86_64", "musl", "1.2.4-r2", ("MIT",)),
    ]
    assert found.faults == ()


def test_files_have_owners_and_digests(tmp_path: Path) -> None:
    stack = Stack([tree(tmp_path)])

    assert {owned.name: list(owned.paths) for owned in apk_owned(stack)} == {
        "musl": ["lib/ld-musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1"],
        "libssl3": ["lib/libssl.so.3", "lib/plain", "usr/lib/engines-3/x"],
    }
    sums = {path: digest for _, path, digest in apk_sums(stack)}
    assert sums["lib/ld-musl-x86_64.so.1"] == "c2de1619e143270f911ef2c2cd5092a87d888657"
    assert sums["lib/plain"] == "9e107d9d372bb6826bd81d3542a419d6"
    assert len(sums["usr/lib/engines-3/x"]) == 64
    assert "lib/libssl.so.3" not in sums


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MUSL + LIBSSL[:40], "cut off"),
        (MUSL + LIBSSL.replace("V:3.1.4-r5\n", ""), 'package "libssl3" has the version ""'),
        (MUSL + LIBSSL.replace("P:libssl3\n", ""), "a record without a name"),
        (MUSL + LIBSSL.replace("V:3.1.4-r5", "V:what"), "libssl3"),
    ],
)
def test_a_damaged_database_is_told(tmp_path: Path, text: str, told: str) -> None:
    found = read_apk(Stack([tree(tmp_path, text)]))

    assert told in found.faults[0]
    assert "installed" in found.faults[0]


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n"])
def test_an_empty_database_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(MachineError) as refused:
        read_inventory([tree(tmp_path, text)])

    assert refused.value.diagnostics[0].code == "inventory.no-database"
    assert "/lib/apk/db/installed" in refused.value.diagnostics[0].why


@given(content=st.binary(max_size=400) | st.text("PVAoFRZLC:Q1\n =/ab1.-r", max_size=200).map(str.encode))
def test_any_content_is_packages_or_faults(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tree(tmp_path_factory.mktemp("apk"))
    (root / "lib/apk/db/installed").write_bytes(content)
    stack = Stack([root])

    found = read_apk(stack)

    assert all(package.name and package.version for package in found.packages)
    assert found.packages or found.faults or not content.decode(errors="surrogateescape").strip()
    assert all(isinstance(path, str) for owned in apk_owned(stack) for path in owned.paths)
    assert all(digest for _, _, digest in apk_sums(stack))
