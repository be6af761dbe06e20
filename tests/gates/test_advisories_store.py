"""The advisories file as a thing that is passed on: only a whole, signed one of this schema counts."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from goldsmith.evidence import Statement, Subject, load_or_create_signer, sign
from goldsmith.gates.advisories import open_database
from goldsmith.gates.advisories.database import PREDICATE, fast_digest, statement_path
from goldsmith.gates.advisories.schema import Advisory, Record, Told
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.hcl.diagnostics import GoldsmithError, Refused, UserError

ROWS: list[Record] = [
    Advisory(eco="debian 12", package="openssl", vulnerability="CVE-2025-0001", scheme="dpkg", fixed="3.0.20-1"),
    Advisory(eco="debian 12", package="bash", vulnerability="CVE-2025-0002", scheme="dpkg"),
    Told(id="CVE-2025-0001", title="a fault"),
]


def filled(store: Store, built_s: int = 100, rows: int = len(ROWS)) -> Path:
    with store.changing(), Writer(store.directory) as writer:
        writer.add("debian", ROWS[:rows])
        writer.add_feed(FeedRow(id="debian", eco="debian 12", name="Debian", url="", published_s=1, fetched_s=1, records=rows))
        path = writer.finish(store.signer(), built_s)
        store.point_to(path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "here")


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "there")


def code(error: pytest.ExceptionInfo[GoldsmithError]) -> str:
    return error.value.diagnostics[0].code


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_the_same_rows_in_any_order_make_the_same_file(store: Store, tmp_path: Path) -> None:
    first = filled(store)
    with Writer(tmp_path) as writer:
        writer.add("debian", reversed(ROWS))
        writer.add_feed(FeedRow(id="debian", eco="debian 12", name="Debian", url="", published_s=1, fetched_s=1, records=3))
        second = writer.finish(store.signer(), 100)

    assert first.name == second.name


def test_a_file_is_named_by_its_digest_and_may_not_be_written(store: Store) -> None:
    path = filled(store)
    with store.open() as database:
        assert database.digest == f"sha256:{path.stem}"
        assert database.meta()["rows"].startswith("sha256:")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database._connection.execute("DELETE FROM advisory")


def test_without_a_file_there_is_a_way_to_get_one(store: Store) -> None:
    with pytest.raises(UserError) as error:
        store.open()

    assert code(error) == "advisories.missing"
    assert "goldsmith advisories update" in error.value.diagnostics[0].next


@pytest.mark.parametrize("place", [20, 4096, -1])
def test_a_changed_byte_is_found(store: Store, place: int) -> None:
    path = filled(store)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    rewrite(path, bytes(content))

    with pytest.raises(UserError) as error:
        store.open()
    assert code(error) == "advisories.altered"


@pytest.mark.parametrize("size", [0, 1, 4096, 10_000])
def test_a_file_that_was_not_written_to_its_end_is_found(store: Store, size: int) -> None:
    path = filled(store)
    rewrite(path, path.read_bytes()[:size])

    with pytest.raises(UserError) as error:
        store.open()
    assert code(error) == "advisories.altered"


def test_a_file_without_its_statement_does_not_count(store: Store) -> None:
    statement_path(filled(store)).unlink()

    with pytest.raises(UserError) as error:
        store.open()
    assert code(error) == "advisories.unsigned"


def test_a_statement_by_a_stranger_does_not_count(store: Store, other: Store, tmp_path: Path) -> None:
    filled(store)
    forged = filled(other, rows=1)
    for path in (forged, statement_path(forged)):
        path.rename(store.directory / path.name)
    store.point_to(store.directory / forged.name)

    with pytest.raises(UserError) as error:
        store.open()
    assert code(error) == "evidence.unknown-key"


def test_a_statement_about_something_else_does_not_count(store: Store) -> None:
    path = filled(store)
    statement = Statement(subjects=[Subject(name="a", sha256=path.stem)], predicate_type="https://other", predicate={})
    statement_path(path).write_bytes(sign(statement, store.signer()).bundle)

    with pytest.raises(UserError) as error:
        store.open()
    assert code(error) == "advisories.altered"


def test_a_file_of_another_schema_does_not_count(store: Store) -> None:
    path = filled(store)
    path.chmod(0o644)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        database.commit()
    predicate = {"blake3": fast_digest(path)}
    statement = Statement(subjects=[Subject(name="a", sha256="0" * 64)], predicate_type=PREDICATE, predicate=predicate)
    statement_path(path).write_bytes(sign(statement, store.signer()).bundle)

    with pytest.raises(UserError) as error:
        store.open()
    assert code(error) == "advisories.schema"


def test_what_is_signed_but_no_database_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"x" * 5000)
    signer = load_or_create_signer(tmp_path / "a.key")
    predicate = {"blake3": fast_digest(path)}
    statement = Statement(subjects=[Subject(name="a", sha256="0" * 64)], predicate_type=PREDICATE, predicate=predicate)
    statement_path(path).write_bytes(sign(statement, signer).bundle)

    with pytest.raises(UserError) as error:
        open_database(path, [signer.public_key])
    assert code(error) == "advisories.altered"


def test_a_file_goes_to_a_host_that_trusts_its_maker(store: Store, other: Store, tmp_path: Path) -> None:
    filled(store)
    file = store.give(tmp_path / "usb")

    with pytest.raises(UserError) as error:
        other.take(file, None)
    assert code(error) == "evidence.unknown-key"
    assert other.current() is None

    with other.take(file, tmp_path / "usb/advisories.pub") as taken, store.open() as given:
        assert taken.digest == given.digest
    with other.take(file, None) as again:  # the key is known now
        assert again.digest == f"sha256:{file.stem}"


@pytest.mark.parametrize("harm", ["cut", "changed", "alone"])
def test_a_file_that_was_harmed_on_its_way_is_refused(store: Store, other: Store, tmp_path: Path, harm: str) -> None:
    filled(store)
    file = store.give(tmp_path / "usb")
    content = file.read_bytes()
    if harm == "alone":
        statement_path(file).unlink()
    else:
        file.write_bytes(content[:-4096] if harm == "cut" else content[:-1] + b"x")

    with pytest.raises(UserError):
        other.take(file, tmp_path / "usb/advisories.pub")
    assert other.current() is None
    assert not list(other.directory.glob("*.sqlite"))


def test_an_older_file_is_taken_only_on_purpose(store: Store, other: Store, tmp_path: Path) -> None:
    filled(store, built_s=100)
    old = store.give(tmp_path / "old")
    filled(store, built_s=200, rows=2)
    new = store.give(tmp_path / "new")
    key = tmp_path / "new/advisories.pub"
    other.take(new, key).__exit__()

    with pytest.raises(Refused) as error:
        other.take(old, key)
    assert code(error) == "advisories.older"
    with other.take(old, key, older=True) as taken:
        assert taken.built_s == 100


def test_only_the_last_two_files_stay(store: Store) -> None:
    for number in range(5):
        os.utime(filled(store, built_s=number), (number, number))

    assert len(list(store.directory.glob("*.sqlite"))) == 2
    assert len(list(store.directory.glob("*.sigstore.json"))) == 2
    with store.open() as database:
        assert database.built_s == 4


def test_two_runs_do_not_change_a_store_at_once(store: Store) -> None:
    with store.changing(), pytest.raises(Refused) as error, store.changing():
        pass

    assert code(error) == "advisories.busy"


def test_what_a_killed_run_left_is_removed(store: Store) -> None:
    filled(store)
    (store.directory / ".gathering-x").write_bytes(b"x")
    (store.directory / ".writing-y").write_bytes(b"x")
    (store.directory / ".taking-z").mkdir()

    with store.changing():
        pass

    assert [path.name for path in store.directory.iterdir() if path.name.startswith(".")] == [".taking-z"] * 0
