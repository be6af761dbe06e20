"""rpm's databases: equal to what rpm says of them, and never silent when they are damaged."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.gates.inventory import Stack, read_inventory
from goldsmith.gates.inventory.rpm import read_rpm, rpm_owned, rpm_sums
from goldsmith.hcl.diagnostics import MachineError

from . import rpm_workbench as bench

pytestmark = pytest.mark.skipif(not bench.is_able(), reason=f"needs {', '.join(bench.SPECIAL)} of Debian's packages")
FORMS = {"rpmdb.sqlite": "sqlite", "Packages.db": "ndb", "Packages": "bdb_ro"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bench.installed_tree(tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="module")
def contents(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The database in each form."""
    blobs = bench.headers(installed)
    connection = sqlite3.connect(installed / bench.DATABASE / "rpmdb.sqlite")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return {
        "rpmdb.sqlite": (installed / bench.DATABASE / "rpmdb.sqlite").read_bytes(),
        "Packages.db": bench.as_ndb(blobs),
        "Packages": bench.as_bdb(blobs, tmp_path_factory.mktemp("bdb")),
    }


def told(root: Path) -> list[str]:
    found = read_inventory([root])
    assert found.faults == ()
    return sorted(
        f"{item.name} {item.version} {item.architecture} {item.module} "
        f"{item.source_name}-{item.source_version.partition(':')[2] or item.source_version}.src.rpm {item.licences[0]}"
        for item in found.packages
        if item.kind == "rpm"
    )


@pytest.mark.parametrize("name", FORMS)
def test_the_packages_are_those_of_rpm(name: str, contents: dict[str, bytes], tmp_path: Path, installed: Path) -> None:
    root = bench.tree_with(tmp_path / "root", name, contents[name])
    expected = bench.query(installed, "sqlite")

    assert told(root) == expected
    assert [line.split()[:2] for line in expected] == [
        ["hello", "2:1.5-3.el8"],
        ["hello-libs", "1.5-3.el8"],
        ["world", "2:7~rc1-3.el8"],
    ]
    if name != "Packages.db":  # Debian's rpm is built without ndb
        assert bench.query(root, FORMS[name]) == expected


@pytest.mark.parametrize("page_size", [512, 65536])
def test_hashes_of_any_page_size_are_read(page_size: int, installed: Path, tmp_path: Path) -> None:
    blobs = bench.headers(installed) * 30
    root = bench.tree_with(tmp_path / "root", "Packages", bench.as_bdb(blobs, tmp_path / "bdb", page_size))

    found = read_rpm(Stack([root]))

    assert (len(found.packages), found.faults) == (90, ())


@pytest.mark.parametrize("name", FORMS)
def test_files_have_owners_and_digests(name: str, contents: dict[str, bytes], tmp_path: Path) -> None:
    import hashlib

    stack = Stack([bench.tree_with(tmp_path / "root", name, contents[name])])
    files = {owned.name: set(owned.paths) for owned in rpm_owned(stack)}
    sums = {path: digest for _, path, digest in rpm_sums(stack)}

    assert {"usr/bin/hello", "usr/bin/hi"} <= files["hello"]
    assert len(files["world"]) == 302
    assert sums["usr/bin/hello"] == hashlib.sha256(b"hello\n").hexdigest()
    assert "usr/bin/hi" not in sums


def test_a_language_package_of_a_package_is_known_as_its(contents: dict[str, bytes], tmp_path: Path) -> None:
    root = bench.tree_with(tmp_path / "root", "Packages", contents["Packages"])
    metadata = "usr/lib/python3.6/site-packages/world-7.dist-info/METADATA"
    (root / metadata).parent.mkdir(parents=True)
    (root / metadata).write_text("Name: world\nVersion: 7\n")

    found = read_inventory([root]).packages

    assert [(item.name, item.files) for item in found if item.kind == "rpm" and item.files] == [("world", (metadata,))]
    assert [item.path for item in found if item.kind == "pypi"] == [metadata]


def test_a_log_that_was_not_put_in_yet_counts(installed: Path, contents: dict[str, bytes], tmp_path: Path) -> None:
    root = bench.tree_with(tmp_path / "root", "rpmdb.sqlite", contents["rpmdb.sqlite"])
    database = root / bench.DATABASE / "rpmdb.sqlite"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("DELETE FROM Packages WHERE hnum = 1")
    connection.execute("DELETE FROM Name WHERE hnum = 1")
    connection.commit()
    before = {path: path.read_bytes() for path in database.parent.iterdir()}

    found = read_rpm(Stack([root]))

    assert len(found.packages) == 2
    assert found.faults == ()
    assert {path: path.read_bytes() for path in database.parent.iterdir()} == before
    connection.close()


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("share", [0.0005, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_database_is_told(name: str, share: float, contents: dict[str, bytes], tmp_path: Path) -> None:
    whole = contents[name]
    root = bench.tree_with(tmp_path / "root", name, whole[: int(len(whole) * share)])

    found = read_rpm(Stack([root]))

    assert found.faults
    assert f"/{bench.DATABASE}/{name}" in found.faults[0]


@pytest.mark.parametrize("name", FORMS)
def test_a_hole_in_a_header_is_told(name: str, contents: dict[str, bytes], installed: Path, tmp_path: Path) -> None:
    blob = max(bench.headers(installed), key=len)
    piece = blob[9000:9016]
    assert contents[name].count(piece) == 1
    root = bench.tree_with(tmp_path / "root", name, contents[name].replace(piece, bytes(len(piece))))

    found = read_rpm(Stack([root]))

    assert "digest than was recorded" in found.faults[0] or "checksum than was recorded" in found.faults[0]
    assert len(found.packages) in (0, 1, 2)


def test_a_lost_row_is_told(contents: dict[str, bytes], tmp_path: Path) -> None:
    root = bench.tree_with(tmp_path / "root", "rpmdb.sqlite", contents["rpmdb.sqlite"])
    connection = sqlite3.connect(root / bench.DATABASE / "rpmdb.sqlite")
    connection.execute("DELETE FROM Packages WHERE hnum = 2")
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()

    assert "headers of 1 packages are lost" in read_rpm(Stack([root])).faults[0]


def test_a_query_that_is_a_trap_ends(tmp_path: Path) -> None:
    root = bench.tree_with(tmp_path / "root", "rpmdb.sqlite", b"")
    connection = sqlite3.connect(root / bench.DATABASE / "rpmdb.sqlite")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS hnum, x AS blob FROM n"
    connection.execute(f"CREATE VIEW Packages AS {endless}")
    connection.commit()
    connection.close()

    assert "no table of packages" in read_rpm(Stack([root])).faults[0]


@pytest.mark.parametrize("name", FORMS)
def test_an_empty_or_endless_file_is_an_error(name: str, tmp_path: Path) -> None:
    empty = bench.tree_with(tmp_path / "empty", name, b"")
    holes = bench.tree_with(tmp_path / "holes", name, b"")
    with (holes / bench.DATABASE / name).open("r+b") as file:
        file.truncate(1 << 42)

    assert read_rpm(Stack([empty])).faults
    assert "at most" in read_rpm(Stack([holes])).faults[0]


def test_a_database_without_packages_is_an_error(tmp_path: Path) -> None:
    root = bench.tree_with(tmp_path / "root", "Packages.db", bench.as_ndb([]))

    with pytest.raises(MachineError) as refused:
        read_inventory([root])

    assert refused.value.diagnostics[0].code == "inventory.no-database"


def test_an_older_database_beside_the_one_in_use_is_told(contents: dict[str, bytes], tmp_path: Path) -> None:
    root = bench.tree_with(tmp_path / "root", "Packages", contents["Packages"])
    (root / bench.DATABASE / "rpmdb.sqlite").write_bytes(contents["rpmdb.sqlite"])

    found = read_rpm(Stack([root]))

    assert len(found.packages) == 3
    assert [(item.count, item.reason) for item in found.skipped] == [(3, "only in the older database /var/lib/rpm/Packages")]


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_is_never_more_than_a_fault(
    name: str, contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    root = bench.tree_with(tmp_path_factory.mktemp("damaged") / "root", name, bytes(content))

    found = read_rpm(Stack([root]))

    assert all(package.name and package.version for package in found.packages)
    for read in (rpm_owned, rpm_sums):
        with contextlib.suppress(ValueError, OSError):
            assert sum(1 for _ in read(Stack([root]))) >= 0
