"""What is linked into programs: Go modules, Rust crates."""

from __future__ import annotations

import sys
from pathlib import Path

import pygohcl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.inventory import Found, Stack
from goldsmith.gates.inventory.programs import read_programs
from tests.gates.elf_files import INTERPRETER, crates, go_text, inline_information, pointed_program, program

MODULES = go_text(
    "path example.com/app/cmd",
    "mod example.com/app v1.4.0 h1:abc=",
    "dep golang.org/x/net v0.7.0 h1:abc=",
    "dep github.com/old/name v1.0.0",
    "=> github.com/new/name v1.0.1 h1:abc=",
    "build CGO_ENABLED=0",
)
FOUND = [
    ("example.com/app", "v1.4.0"),
    ("github.com/new/name", "v1.0.1"),
    ("golang.org/x/net", "v0.7.0"),
    ("stdlib", "1.17.13"),
]


def read(root: Path, content: bytes, name: str = "usr/bin/app") -> Found:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return read_programs(Stack([root]))


def named(found: Found) -> list[tuple[str, str]]:
    return sorted((item.name, item.version) for item in found.packages)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sections", [True, False])
def test_the_modules_of_old_go_programs_are_found_by_their_pointers(
    tmp_path: Path, wide: bool, order: str, sections: bool
) -> None:
    found = read(tmp_path, pointed_program("go1.17.13", MODULES, wide=wide, order=order, named=sections))

    assert named(found) == FOUND
    assert found.faults == ()
    assert {item.path for item in found.packages} == {"usr/bin/app"}


@pytest.mark.parametrize("sections", [True, False])
def test_the_modules_of_go_programs_are_found_with_or_without_names_of_sections(tmp_path: Path, sections: bool) -> None:
    found = read(tmp_path, program({".go.buildinfo": inline_information("go1.17.13", MODULES)}, named=sections))

    assert named(found) == FOUND


@pytest.mark.parametrize(
    ("told", "version"),
    [("go1.22.3 X:boringcrypto", "1.22.3"), ("go1.22rc1", "1.22.0-rc.1"), ("go1.21", "1.21"), ("go1.21.5-fips", "1.21.5")],
)
def test_the_standard_library_has_the_version_that_advisories_know(tmp_path: Path, told: str, version: str) -> None:
    found = read(tmp_path, program({".go.buildinfo": inline_information(told, MODULES)}))

    assert ("stdlib", version) in named(found)


def test_modules_without_a_version_are_skipped_and_counted(tmp_path: Path) -> None:
    text = go_text("mod example.com/app (devel)", "dep example.com/lib v1.0.0", "=> ../lib", "dep golang.org/x/net v0.7.0")

    found = read(tmp_path, program({".go.buildinfo": inline_information("devel go1.23-1234abcd", text)}))

    assert named(found) == [("golang.org/x/net", "v0.7.0")]
    assert [item.count for item in found.skipped] == [3]
    assert found.skipped[0].sample[1] == "example.com/app in usr/bin/app"


def test_crates_are_those_that_are_linked_in(tmp_path: Path) -> None:
    listed = crates(
        {"name": "app", "version": "0.1.0", "source": "local", "root": True},
        {"name": "smallvec", "version": "1.6.0", "source": "crates.io"},
        {"name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build"},
    )

    assert named(read(tmp_path, program({".dep-v0": listed}))) == [("app", "0.1.0"), ("smallvec", "1.6.0")]


def test_real_programs_say_what_is_in_them(tmp_path: Path) -> None:
    library = next(Path(pygohcl.__file__).parent.parent.glob("**/pygohcl*.so"))
    uv = Path(sys.prefix).parent / ".tools/bin/uv"
    read(tmp_path, library.read_bytes(), "opt/go.so")

    found = read(tmp_path, uv.read_bytes())

    names = {item.name: item.version for item in found.packages}
    assert names["github.com/hashicorp/hcl/v2"].startswith("v2.")
    assert names["stdlib"].startswith("1.")
    assert {"tokio", "uv", "serde"} <= set(names)
    assert {item.kind for item in found.packages} == {"golang", "cargo"}
    assert found.faults == ()


def test_what_hides_its_libraries_is_told(tmp_path: Path) -> None:
    read(tmp_path, program({".gopclntab": b"1"}), "bin/go")
    read(tmp_path, program({".go.buildinfo": inline_information("go1.19.8", b"")}), "bin/gopath")
    read(tmp_path, program({".comment": b"rustc version 1.80"}), "bin/rust")
    read(tmp_path, program({".text": b"1"}, segments=[INTERPRETER]), "bin/linked")

    found = read(tmp_path, program({".text": b"1"}), "bin/static")

    assert {item.sample for item in found.skipped} == {("bin/go", "bin/gopath"), ("bin/rust",), ("bin/static",)}
    assert named(found) == [("stdlib", "1.19.8")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (program({".go.buildinfo": b"nothing"}), "holds no Go build information"),
        (program({".go.buildinfo": b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\xff\xff\xff"}), "breaks off"),
        (program({".go.buildinfo": b"\xff Go buildinf:\x05\x00" + bytes(16)}), "pointers of 5 bytes"),
        (program({".go.buildinfo": b"\xff Go buildinf:\x08\x00" + b"\xff" * 16}), "no version of Go"),
        (pointed_program("go1.17", MODULES).replace(b"\n0123", b"00123"), "without a beginning"),
        (program({".dep-v0": b"not zlib"}), "list of Rust crates"),
        (program({".dep-v0": crates({"name": "a", "version": "1"})[:-5]}), "list of Rust crates"),
        (program({".dep-v0": crates({"name": "a"})}), "list of Rust crates"),
    ],
)
def test_a_malformed_note_is_a_fault_that_names_the_file(tmp_path: Path, content: bytes, why: str) -> None:
    found = read(tmp_path, content)

    assert found.packages == ()
    assert len(found.faults) == 1
    assert found.faults[0].startswith('"/usr/bin/app" cannot be read: ')
    assert why in found.faults[0]


def test_a_list_of_crates_that_swells_is_refused(tmp_path: Path) -> None:
    swelling = crates({"name": "a" * (80 << 20), "version": "1"})

    assert "too large" in read(tmp_path, program({".dep-v0": swelling})).faults[0]


@given(st.data())
def test_no_bytes_make_the_reader_fall(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from(
            [
                pointed_program("go1.17", MODULES),
                pointed_program("go1.17", MODULES, wide=False, order=">"),
                program({".go.buildinfo": inline_information("go1.20", MODULES), ".dep-v0": crates()}),
            ]
        )
    )
    content = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=8)):
        content[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))

    read(tmp_path_factory.mktemp("tree"), bytes(content))
