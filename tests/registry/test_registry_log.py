"""The log: every change of the database from outside is found, and the guards in the database hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import Bug, MachineError, UserError
from goldsmith.registry import LogReport, RetentionPolicy, open_registry, schema
from tests.registry.registry_workbench import ACTOR, Bench, policy


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[Bench]:
    """A registry that has seen every kind of change; the test spoils it."""
    bench = live(Bench(tmp_path))
    yield bench
    bench.registry.close()


def live(bench: Bench) -> Bench:
    """Let every kind of change happen."""
    base = bench.build("base", 1)
    versions = [bench.build("web", build, base) for build in (1, 2, 3)]
    bench.channel("web", "prod", policy("boot", keep=0))
    for version in versions:
        bench.prove(version, "boot")
        bench.promote("web", "prod", version.ref)
    bench.registry.rollback("web", "prod", actor=ACTOR)
    bench.registry.revoke("web:1", "bad", actor=ACTOR)
    bench.registry.withdraw("web:1", "not bad", actor=ACTOR)
    bench.registry.pin("web:3", "hold", "carol", actor=ACTOR)
    bench.registry.expire(RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, bytes_wait_s=0), actor=ACTOR)
    return bench


def spoil(bench: Bench, *statements: str) -> LogReport:
    """Edit the file as its owner can: without triggers and foreign keys."""
    with closing(sqlite3.connect(bench.root / "registry.db")) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0
        connection.commit()
    return bench.registry.verify_chain()


def codes(report: LogReport) -> set[str]:
    return {fault.code for fault in report.faults}


def test_an_untouched_log_is_whole(lived: Bench) -> None:
    report = lived.registry.verify_chain()

    assert (report.is_whole, report.faults) == (True, ())
    assert report.events == len(lived.registry.events()) > 15
    assert report.hash == lived.registry.events()[-1].hash


EDITS = (
    ("UPDATE event SET body = replace(body, 'not bad', 'fine') WHERE type = 'revocation.withdrawn'", "audit.hash"),
    ("UPDATE event SET actor = 'user:mallory' WHERE seq = 3", "audit.columns"),
    ("UPDATE event SET at = at - 60000000 WHERE seq = 9", "audit.time"),
    ("DELETE FROM event WHERE seq = 5", "audit.gap"),
    ("DELETE FROM event WHERE seq = (SELECT MAX(seq) FROM event)", "audit.head"),
    ("UPDATE evidence SET verdict = 'fail' WHERE id = 1", "audit.row"),
    ("UPDATE channel SET version = 4 WHERE id = 1", "audit.row"),
    ("UPDATE storage SET state = 'present' WHERE state = 'deleted'", "audit.row"),
    ("DELETE FROM revocation", "audit.missing-row"),
    ("DELETE FROM pin", "audit.missing-row"),
    ("INSERT INTO withdrawal VALUES ('revocation', '77', 'user:mallory', 'ha', 3)", "audit.extra-row"),
    ("UPDATE version SET manifest = replace(manifest, 'vmlinuz', 'evil') WHERE id = 2", "audit.document"),
    ("UPDATE policy SET doc = replace(doc, '\"boot\"', '\"none\"')", "audit.document"),
    ("DELETE FROM closure WHERE version = 2", "audit.derived"),
    ("UPDATE version_layer SET layer = 'sha256:0' WHERE version = 2 AND position = 1", "audit.derived"),
    ("UPDATE version_disk SET digest = 'sha256:0' WHERE version = 2", "audit.derived"),
    ("UPDATE layer_package SET version = '9' WHERE name = 'base'", "audit.packages"),
)
"""What the owner of the database may do behind our back, and the fault that tells of it."""


@pytest.mark.parametrize(("statement", "code"), EDITS)
def test_a_change_from_outside_is_found(lived: Bench, statement: str, code: str) -> None:
    assert code in codes(spoil(lived, statement))


def test_every_single_edited_value_of_every_table_is_found(lived: Bench) -> None:
    with closing(sqlite3.connect(lived.root / "registry.db")) as connection:
        columns = {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in schema.CHAINED}
        newest = {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone() for table in columns
        }
        there = [
            (table, column)
            for table, row in newest.items()
            for column, value in zip(columns[table], row or (), strict=False)
            if value is not None
        ]
        missed = [f"{table}.{column}" for table, column in there if not _is_edit_found(lived, connection, table, column)]

    assert len({table for table, _ in there}) >= 12
    assert missed == []


def _is_edit_found(bench: Bench, original: sqlite3.Connection, table: str, column: str) -> bool:
    """Whether the newest row's edited value is found in a copy, or the database refuses the edit by itself."""
    path = bench.root / "copies" / f"{table}-{column}.db"
    path.parent.mkdir(exist_ok=True)
    other = f"CASE typeof({column}) WHEN 'integer' THEN {column} + 1000003 ELSE {column} || 'x' END"
    with closing(sqlite3.connect(path)) as copy:
        original.backup(copy)
        for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            copy.execute(f"DROP TRIGGER {name}")
        try:
            copy.execute(f"UPDATE {table} SET {column} = {other} WHERE rowid = (SELECT MAX(rowid) FROM {table})")
        except sqlite3.IntegrityError:
            return True
        copy.commit()
    with open_registry(f"sqlite:///{path}", bench.root / "store") as registry:
        return not registry.verify_chain().is_whole


@pytest.mark.parametrize(
    "table", ["version", "evidence", "assignment", "event", "revocation", "policy", "decision", "certificate"]
)
@pytest.mark.parametrize("verb", ["UPDATE {0} SET seq = 0", "DELETE FROM {0}"])
def test_the_database_itself_refuses_to_change_facts(lived: Bench, table: str, verb: str) -> None:
    with (
        closing(sqlite3.connect(lived.root / "registry.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(verb.format(table))


def test_the_database_itself_refuses_to_delete_what_a_channel_or_a_pin_names(lived: Bench) -> None:
    update = "UPDATE storage SET state = 'deleting' WHERE version = ?"
    with closing(sqlite3.connect(lived.root / "registry.db")) as connection:
        versions = [connection.execute(f"SELECT version FROM {table}").fetchone()[0] for table in ("channel", "pin")]
        with pytest.raises(sqlite3.IntegrityError, match="no certificate allows this"):
            connection.execute(update, versions[:1])
        connection.execute("DROP TRIGGER storage_certified")
        for version in versions:
            with pytest.raises(sqlite3.IntegrityError, match="names this version"):
                connection.execute(update, (version,))


def test_a_change_without_an_event_is_not_kept(lived: Bench) -> None:
    before = lived.registry.images()

    with pytest.raises(Bug, match="without an event"), lived.registry.database.write(ACTOR) as tx:
        tx.insert("image", {"name": "stray", "labels": "{}", "seq": tx.seq, "retired_seq": None})

    assert lived.registry.images() == before


def test_the_time_of_events_never_runs_backwards(lived: Bench) -> None:
    last = lived.registry.events()[-1].at
    lived.now -= 86_400_000_000

    lived.registry.pin("web:3", "hold", "dave", actor=ACTOR)

    assert lived.registry.events()[-1].at == last


def test_a_clock_that_was_turned_back_does_not_revive_evidence(lived: Bench) -> None:
    lived.channel("web", "fresh", policy("boot", max_age_s=3600))
    lived.turn(7200)
    lived.registry.pin("web:3", "hold", "dave", actor=ACTOR)

    lived.now -= 7200_000_000

    with pytest.raises(Exception, match="the evidence is 2 h old"):
        lived.registry.promote("web", "fresh", "web:3", actor=ACTOR)


def test_a_newer_schema_is_refused_with_the_version_that_wrote_it(lived: Bench) -> None:
    lived.registry.close()
    with closing(sqlite3.connect(lived.root / "registry.db")) as connection:
        connection.execute("INSERT INTO written_by VALUES ('0999', 'goldsmith 99.1')")
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.commit()

    with pytest.raises(UserError, match="newer than this program") as caught:
        open_registry(lived.url, lived.root / "store")

    assert "goldsmith 99.1" in caught.value.diagnostics[0].why


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_text("not a database at all, but long enough to look like one" * 20)

    with pytest.raises(MachineError) as caught:
        open_registry(f"sqlite:///{tmp_path / 'registry.db'}", tmp_path / "store")

    assert caught.value.diagnostics[0].code == "registry.not-a-database"
