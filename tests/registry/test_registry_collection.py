"""The collection of bytes that nothing needs (I15): it never beats an upload, and whatever is cut short is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.registry import ArtifactFile, RetentionPolicy, Version, open_registry, records
from goldsmith.registry.local_store import LocalStore
from goldsmith.registry.sweeping import BATCH, Collected, collect, finish, sweep
from tests.registry.registry_mutants import sweeping_rescued
from tests.registry.registry_oracle import judge
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, document

HOUR = 3600
KEEP_ONE = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0)


def states(bench: Bench) -> dict[str, str]:
    with bench.registry.database.read() as reader:
        return {row.text("digest"): row.text("state") for row in reader.rows("SELECT digest, state FROM blob")}


def collected(bench: Bench, wait_s: int = HOUR) -> Collected:
    return collect(bench.registry.database, bench.registry.blobs, ACTOR, wait_s=wait_s)


def deleted(bench: Bench) -> str:
    """The digest of the bytes of a version that was deleted; they are condemned."""
    digest = bench.registry.show(bench.build("web", 1).ref).artifacts[0].digest
    bench.build("web", 2)
    bench.registry.expire(KEEP_ONE, actor=ACTOR)
    assert states(bench)[digest] == "condemned"
    return digest


def store_again(bench: Bench) -> Version:
    return bench.build("web", 1)


def test_bytes_of_a_deleted_version_wait_for_an_hour(bench: Bench) -> None:
    digest = deleted(bench)

    bench.turn(HOUR - 60)
    assert collected(bench) == Collected(deleted=(), freed=0, waiting=1)
    assert bench.blob(digest).exists()
    bench.turn(120)
    done = collected(bench)

    assert (done.deleted, done.waiting) == ((digest,), 0)
    assert done.freed > 0
    assert states(bench)[digest] == "gone"
    assert not bench.blob(digest).exists()


def test_bytes_that_are_stored_again_while_they_wait_live(bench: Bench) -> None:
    digest = deleted(bench)

    store_again(bench)
    bench.turn(2 * HOUR)
    collected(bench)

    assert states(bench)[digest] == "live"
    assert bench.blob(digest).exists()


def test_what_nothing_needs_is_condemned_after_a_day_without_use(bench: Bench) -> None:
    digest = deleted(bench)
    with bench.registry.database.write(ACTOR) as tx:
        tx.unlogged(
            "UPDATE blob SET state = 'live', touched_at = :at WHERE digest = :digest", [{"at": tx.at, "digest": digest}]
        )

    bench.turn(23 * HOUR)
    collected(bench)
    assert states(bench)[digest] == "live"
    bench.turn(2 * HOUR)
    collected(bench)

    assert states(bench)[digest] == "condemned"


@contextmanager
def happening_before_registration(patch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Something happens after the bytes were found in the store, and before the transaction that names them."""
    stored, happened = records._stored, False

    def then(*arguments: object) -> object:
        nonlocal happened
        found = stored(*arguments)  # type: ignore[arg-type]  # as the caller gave them
        if not happened:
            happened = True
            act()
        return found

    with patch.context() as inner:
        inner.setattr(records, "_stored", then)
        yield


def condemned_long_ago(bench: Bench) -> str:
    digest = deleted(bench)
    bench.turn(2 * HOUR)
    return digest


def start_sweeping(bench: Bench) -> None:
    with bench.registry.database.write(ACTOR) as tx:
        sweep(tx, tx.at)


@pytest.mark.parametrize("act", [start_sweeping, collected], ids=["sweeping", "gone"])
def test_an_upload_that_saw_bytes_which_go_before_it_is_registered_stores_them_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, act: Callable[[Bench], object]
) -> None:
    digest = condemned_long_ago(bench)

    with happening_before_registration(monkeypatch, lambda: act(bench)):
        version = store_again(bench)

    assert version.storage == "present"
    assert states(bench)[digest] == "live"
    assert bench.registry.blobs.is_intact(digest)


def test_a_registry_that_rescues_what_is_being_deleted_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    condemned_long_ago(bench)
    sweeping_rescued(monkeypatch)

    with happening_before_registration(monkeypatch, lambda: collected(bench)):
        store_again(bench)
    bench.registry.close()

    assert any("I4" in fault for fault in judge(tmp_path / "registry.db", tmp_path / "store"))


def test_a_sweep_that_was_cut_short_is_finished_by_the_next_collection(bench: Bench) -> None:
    digest = condemned_long_ago(bench)
    start_sweeping(bench)
    assert (states(bench)[digest], bench.blob(digest).exists()) == ("sweeping", True)

    assert collected(bench).deleted == (digest,)

    assert (states(bench)[digest], bench.blob(digest).exists()) == ("gone", False)


def test_what_was_found_under_the_name_of_no_row_is_read_before_one_names_it(bench: Bench) -> None:
    """Somebody put other bytes there."""
    made = bench.file("web.raw", b"the right bytes")
    right = bench.registry.blobs.put(made).digest
    bench.blob(right).chmod(0o644)
    bench.blob(right).write_bytes(b"the wrong bytes")

    bench.registry.register(
        "web", document("web", 1), artifacts=[ArtifactFile("raw", made, right)], packages={}, builder="t", actor=ACTOR
    )

    assert bench.blob(right).read_bytes() == b"the right bytes"


def test_many_blobs_go_in_several_holds_of_the_lock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    store = bench.registry.blobs
    blobs = [store.put_bytes(b"%d" % number) for number in range(BATCH + 5)]
    row = "INSERT INTO blob (digest, size, state, generation, touched_at, scrubbed_at, since)"
    with bench.registry.database.write(ACTOR) as tx:
        tx.unlogged(f"{row} VALUES (:digest, 1, 'sweeping', 1, 0, NULL, 0)", [{"digest": blob.digest} for blob in blobs])
    # A store that needs several calls for a blob, as an object store does for a large one.
    bury, calls = LocalStore.bury, dict.fromkeys((blob.digest for blob in blobs), 0)

    def twice(self: LocalStore, digest: str) -> bool:
        calls[digest] += 1
        return bury(self, digest) and calls[digest] > 1

    monkeypatch.setattr(LocalStore, "bury", twice)

    finish(bench.registry.database, store, [blob.digest for blob in blobs], ACTOR)

    assert set(states(bench).values()) == {"gone"}
    assert set(calls.values()) == {2}


def test_who_slept_with_the_lock_deletes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server gives the lock of a process that sleeps to another one: by then the bytes may be needed."""
    digest = condemned_long_ago(bench)
    start_sweeping(bench)
    times = iter([0.0, 60.0])

    with monkeypatch.context() as patch, pytest.raises(MachineError, match="held up"):
        patch.setattr("goldsmith.registry.sweeping.time.monotonic", lambda: next(times))
        finish(bench.registry.database, bench.registry.blobs, [digest], ACTOR)

    assert bench.blob(digest).exists()
    collected(bench)
    assert not bench.blob(digest).exists()


# ── one registry, one store ───────────────────────────────────────────────────────────────────────────────────────────


def test_two_registries_on_one_store_are_refused_and_delete_nothing(bench: Bench) -> None:
    bench.build("web", 1)
    made = bench.root / "output/web-1.raw"
    url = f"sqlite:///{bench.root / 'other.db'}"

    with open_registry(url, bench.root / "store", clock=lambda: bench.now + 100 * 86_400 * SECOND) as other:
        with pytest.raises(UserError, match="belongs to another registry") as caught:
            other.register(
                "web", document("web", 1), artifacts=[ArtifactFile("raw", made)], packages={}, builder="t", actor=ACTOR
            )
        with pytest.raises(UserError, match="belongs to another registry"):
            other.expire(KEEP_ONE, actor=ACTOR)
        with pytest.raises(UserError, match="belongs to another registry"):
            other.write_index(actor=ACTOR)

    assert caught.value.diagnostics[0].code == "store.foreign"
    assert bench.registry.check(deep=True).faults == ()


def test_a_restored_registry_goes_on_with_its_store(bench: Bench) -> None:
    bench.build("web", 1)
    bench.registry.back_up(bench.root / "backup.db")

    with open_registry(f"sqlite:///{bench.root / 'restored.db'}", bench.root / "store") as restored:
        restored.restore(bench.root / "backup.db")
        restored.expire(KEEP_ONE, actor=ACTOR)

        assert restored.check(deep=True).faults == ()


def test_a_note_that_does_not_say_whose_the_store_is_is_told(bench: Bench) -> None:
    bench.build("web", 1)
    (bench.root / "store/registry.json").write_text("[]")

    with pytest.raises(UserError, match="does not say whose"):
        bench.build("web", 2)
