"""The database as a thing to keep: what a server may do to it, migrations, backups, and finding damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import GoldsmithError, MachineError, UserError
from goldsmith.registry import db, open_registry, outbox, schema
from goldsmith.registry.engines import host_clock
from goldsmith.registry.postgresql import next_step
from goldsmith.registry.transaction import Cells
from tests.registry.registry_postgresql import Server
from tests.registry.registry_workbench import ACTOR, Bench, policy

HOUR_US = 3_600_000_000


@pytest.fixture
def shared(tmp_path: Path, postgresql: Server) -> Iterator[Bench]:
    """A workbench on PostgreSQL, whose database the test may spoil."""
    made = Bench(tmp_path, postgresql.url(postgresql.registry()))
    yield made
    made.registry.close()


def database_of(bench: Bench) -> str:
    return bench.url.partition("@/")[2].partition("?")[0]


def code_of(caught: pytest.ExceptionInfo[GoldsmithError]) -> str:
    return caught.value.diagnostics[0].code


# ── a server ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_that_is_lost_in_a_change_leaves_nothing_of_it(shared: Bench, postgresql: Server) -> None:
    web = shared.build("web", 1)
    shared.channel("web", "dev", policy())
    before = len(shared.registry.events())

    with pytest.raises(MachineError) as caught, shared.registry.database.write(ACTOR) as tx:
        tx.event("hold.placed", {"version": web.digest})
        with closing(postgresql.connect(database_of(shared))) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
        tx.rows("SELECT 1 AS one")

    assert code_of(caught) == "registry.connection"
    assert len(shared.registry.events()) == before
    assert shared.promote("web", "dev", "web") == 1, "the next change connects anew"


def test_a_host_whose_clock_is_an_hour_off_changes_nothing(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = host_clock
    with open_registry(postgresql.url(postgresql.registry()), tmp_path / "store") as registry:
        for off in (HOUR_US, -HOUR_US):
            monkeypatch.setattr(db, "host_clock", lambda off=off: right() + off)
            with pytest.raises(MachineError) as caught, registry.database.write(ACTOR) as tx:
                tx.event("hold.placed", {})
            assert code_of(caught) == "registry.clock-skew"
        assert registry.events() == ()


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "registry.db").mkdir()

    with pytest.raises(MachineError) as caught:
        open_registry(f"sqlite:///{tmp_path / 'registry.db'}", tmp_path / "store")

    assert code_of(caught) == "registry.unopened"


def test_a_server_that_only_reads_is_told(shared: Bench, postgresql: Server) -> None:
    shared.registry.close()
    with closing(postgresql.connect("postgres")) as other:
        other.execute(f"ALTER DATABASE {database_of(shared)} SET default_transaction_read_only = on")

    with pytest.raises(MachineError) as caught:
        shared.build("web", 1)

    assert code_of(caught) == "registry.read-only"


def test_the_server_itself_refuses_to_change_facts(shared: Bench, postgresql: Server) -> None:
    web = shared.build("web", 1)
    shared.channel("web", "dev", policy())
    shared.promote("web", "dev", "web")
    with closing(postgresql.connect(database_of(shared))) as other:
        for statement in (
            "UPDATE event SET at = 0",
            "DELETE FROM version",
            f"UPDATE storage SET state = 'expiring' WHERE version = {web.id}",
        ):
            with pytest.raises(Exception, match=r"append-only|names this version|no certificate"):
                other.execute(statement)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://", "registry.url"),
        ("postgresql://:x", "registry.url"),
        ("postgresql://nobody:hush@/there_is_none?host={root}", "registry.connection"),
        ("postgresql://nobody:hush@/x?host=/nowhere", "registry.connection"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    tmp_path: Path, postgresql: Server, url: str, code: str
) -> None:
    with pytest.raises((MachineError, UserError)) as caught:
        open_registry(url.format(root=postgresql.root), tmp_path)

    assert code_of(caught) == code
    assert "hush" not in str(caught.value)


def test_every_state_of_a_server_has_a_next_step() -> None:
    assert next_step("55P03")[0] == next_step("57014")[0] == "registry.busy"
    assert next_step("57P01")[0] == next_step("08006")[0] == next_step("")[0] == "registry.connection"
    assert next_step("53100")[0] == "registry.disk-full"
    assert next_step("42501")[0] == "registry.denied"
    assert next_step("XX000")[0] == "registry.database"


# ── migrations ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_newer_schema_on_a_server_is_refused_and_left_alone(shared: Bench, postgresql: Server) -> None:
    shared.registry.close()
    with closing(postgresql.connect(database_of(shared))) as other:
        other.execute("INSERT INTO written_by VALUES ('0999', 'goldsmith 99.1')")
        other.execute("UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(UserError, match=r"goldsmith 99\.1") as caught:
        open_registry(shared.url, shared.root / "store", migrate=True)

    assert code_of(caught) == "registry.schema-newer"


def old_registry(url: str, root: Path) -> None:
    """A registry of the first revision with a fact in a table that has grown since."""
    with open_registry(url, root / "store") as registry, registry.database.write(ACTOR) as tx:
        image = tx.insert("image", {"name": "web", "labels": "{}", "seq": tx.seq, "retired_seq": None})
        made: Cells = {"image": image, "number": 1, "digest": "sha256:" + "1" * 64, "manifest": "{}", "builder": "x"}
        empty: Cells = {"parent": None, "inputs_digest": "", "build": None, "created_at": 1, "seq": tx.seq}
        version = tx.insert("version", {**made, **empty})
        row: Cells = {
            "version": version,
            "effective_at": 1,
            "reason": "bad",
            "actor": ACTOR,
            "channels": "leave",
            "seq": tx.seq,
        }
        tx.insert("revocation", row)
        tx.event("revocation.declared", {})


def test_an_older_file_is_copied_and_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    with monkeypatch.context() as older:
        older.setattr(schema, "REVISION", "0001")
        older.setattr(outbox, "queue", lambda tx: None)  # there were no targets yet
        old_registry(url, tmp_path)

    with open_registry(url, tmp_path / "store") as registry:
        assert (registry.database.migrated_from, registry.database.revision()) == ("0001", schema.REVISION)
        faults = {fault.code for fault in registry.verify_chain().faults}
    with closing(sqlite3.connect(tmp_path / "registry.db.0001")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    # The made-up version has a digest that is not that of its document; the revocation is as the log says.
    assert faults == {"audit.document"}


def test_an_older_server_is_migrated_only_when_asked(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.url(postgresql.database())
    with monkeypatch.context() as older:
        older.setattr(schema, "REVISION", "0001")
        older.setattr(outbox, "queue", lambda tx: None)  # there were no targets yet
        old_registry(url, tmp_path)

    with pytest.raises(UserError) as caught:
        open_registry(url, tmp_path / "store")
    assert code_of(caught) == "registry.schema-older"
    with open_registry(url, tmp_path / "store", migrate=True) as registry:
        assert registry.database.migrated_from == "0001"
        assert {fault.code for fault in registry.verify_chain().faults} == {"audit.document"}


# ── backups ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def lived(bench: Bench) -> None:
    base = bench.build("base", 1)
    for build in (1, 2):
        web = bench.build("web", build, base)
        bench.prove(web, "boot")
    bench.channel("web", "prod", policy("boot"))
    bench.promote("web", "prod", "web:1")
    bench.promote("web", "prod", "web:2")
    bench.registry.pin("web:1", "hold", "carol", actor=ACTOR)


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty registry."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'elsewhere.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.url(server.registry())


def test_a_backup_restores_into_either_database_and_goes_on(bench: Bench, elsewhere: str) -> None:
    lived(bench)
    backup = bench.root / "backup.db"

    events = bench.registry.back_up(backup)
    with open_registry(elsewhere, bench.root / "store", clock=lambda: bench.now) as restored:
        report = restored.restore(backup)

        assert (report.faults, report.events) == ((), events)
        assert restored.events() == bench.registry.events()
        assert restored.resolve("web@prod") == bench.registry.resolve("web@prod")
        assert restored.rollback("web", "prod", actor=ACTOR).generation == 3
        assert restored.verify_chain().faults == ()


def test_a_backup_replaces_nothing(bench: Bench) -> None:
    lived(bench)
    backup = bench.root / "backup.db"
    bench.registry.back_up(backup)

    with pytest.raises(UserError) as twice:
        bench.registry.back_up(backup)
    with pytest.raises(UserError) as full:
        bench.registry.restore(backup)
    with pytest.raises(UserError) as absent:
        bench.registry.restore(bench.root / "absent.db")

    assert [code_of(item) for item in (twice, full, absent)] == [
        "registry.backup-exists",
        "registry.not-empty",
        "registry.no-backup",
    ]
    assert sorted(path.name for path in bench.root.iterdir() if "backup" in path.name) == ["backup.db"]


def test_a_backup_that_was_changed_is_not_restored(bench: Bench, elsewhere: str) -> None:
    lived(bench)
    backup = bench.root / "backup.db"
    bench.registry.back_up(backup)
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("UPDATE channel SET generation = 9")
        connection.commit()

    with open_registry(elsewhere, bench.root / "store") as restored:
        with pytest.raises(UserError) as caught:
            restored.restore(backup)
        assert restored.events() == ()

    assert code_of(caught) == "audit.row"


# ── damage ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_registry_checks_out(bench: Bench) -> None:
    lived(bench)

    report = bench.registry.check(deep=True)

    assert report.is_sound
    assert (report.revision, report.events) == (schema.REVISION, len(bench.registry.events()))
    assert report.blobs == 5


@pytest.mark.parametrize(
    ("damage", "deep", "code"),
    [
        (lambda content: content[:-1], False, "check.blob-size"),
        (lambda content: b"X" + content[1:], True, "check.blob-bytes"),
        (lambda content: None, False, "check.blob-missing"),
    ],
)
def test_damaged_bytes_are_found(tmp_path: Path, damage: object, deep: bool, code: str) -> None:
    bench = Bench(tmp_path)
    lived(bench)
    path = bench.blob(bench.registry.show("web:1").artifacts[0].digest)
    content = damage(path.read_bytes())  # type: ignore[operator]  # one of the lambdas above
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with bench.registry as registry:
        assert [fault.code for fault in registry.check(deep=deep).faults] == [code]


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    lived(bench)
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection:
        connection.execute("UPDATE channel SET version = 99")
        connection.commit()

    with bench.registry as registry:
        codes = {fault.code for fault in registry.check().faults}

    assert {"check.database", "audit.row"} <= codes
