"""Scrubbing: spoilt bytes are found, put aside, never deleted, and fetched from a place that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import Refused, UserError
from goldsmith.images.identity import CHUNK_BYTES
from goldsmith.registry import ArtifactFile, Order, OtherStore, RetentionPolicy, Target
from goldsmith.registry.local_store import LocalStore
from goldsmith.registry.sweeping import collect
from tests.registry.registry_workbench import ACTOR, Bench, document, policy
from tests.registry.test_registry_collection import states
from tests.registry.test_registry_stores import disk, spoil

DAY = 86_400


def built(bench: Bench, number: int = 1) -> str:
    """The digest of the disk of a new version."""
    (bench.root / "output").mkdir(exist_ok=True)
    path = disk(bench.root / "output" / f"{number}.raw", "dd0", tail=number)
    bench.turn(1)
    files = [ArtifactFile("raw", path)]
    bench.registry.register("web", document("web", number), artifacts=files, packages={}, builder="test", actor=ACTOR)
    return bench.registry.show("web").artifacts[0].digest


def mirror(bench: Bench) -> LocalStore:
    """Another store that has all disks."""
    store = LocalStore(bench.root / "mirror")
    for path in (bench.root / "output").glob("*.raw"):
        store.put(path)
    return store


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: CHUNK_BYTES + 5])


def flip(path: Path) -> None:
    spoil(LocalStore(path.parents[2]), f"sha256:{path.name}", 1)


def test_sound_blobs_stay_as_they_are(bench: Bench) -> None:
    built(bench)

    report = bench.registry.scrub(actor=ACTOR)

    assert (report.blobs, report.found, report.faults) == (1, (), ())
    assert report.size > 3 * CHUNK_BYTES


@pytest.mark.parametrize("damage", [lose, cut, flip])
def test_what_is_spoilt_is_put_aside_and_comes_back_from_another_store(bench: Bench, damage: Callable[[Path], None]) -> None:
    digest = built(bench)
    other = mirror(bench)
    damage(bench.blob(digest))

    found = bench.registry.scrub(actor=ACTOR)

    assert (found.found, [fault.code for fault in found.faults]) == ((digest,), ["store.damaged"])
    assert states(bench)[digest] == "damaged"
    assert not bench.registry.blobs.has(digest)
    assert (bench.root / "store/quarantine" / digest[7:]).exists() is (damage is not lose)

    mended = bench.registry.scrub(menders=[OtherStore(other)], actor=ACTOR)

    assert (mended.mended, mended.faults) == (((digest, other.name),), ())
    assert states(bench)[digest] == "live"
    assert bench.registry.check(deep=True).faults == ()
    assert list((bench.root / "store/quarantine").iterdir()) == []
    assert bench.types()[-2:] == ["blob.damaged", "blob.mended"]


def test_a_version_with_damaged_bytes_is_not_promoted_and_not_rolled_back_to(bench: Bench) -> None:
    digest = built(bench)
    built(bench, 2)
    bench.channel("web", "prod", policy())
    for number in (1, 2):
        bench.promote("web", "prod", f"web:{number}")
    flip(bench.blob(digest))
    bench.registry.scrub(actor=ACTOR)

    with pytest.raises(Refused, match="1 blobs of web:1 are damaged"):
        bench.registry.promote("web", "prod", "web:1", actor=ACTOR)
    with pytest.raises(Refused, match="its bytes are damaged"):
        bench.registry.rollback("web", "prod", actor=ACTOR)
    order = Order(reason="fire", break_glass_s=60)
    with pytest.raises(Refused, match="damaged"):
        bench.registry.promote_all([Target(image="web", channel="prod", reference="web:1")], order, actor=ACTOR)
    assert [fault.code for fault in bench.registry.check().faults] == ["check.blob-missing"]

    bench.registry.scrub(menders=[OtherStore(mirror(bench))], actor=ACTOR)
    assert bench.registry.rollback("web", "prod", actor=ACTOR).number == 1


def test_a_damaged_file_is_no_place_to_start_a_machine_from(bench: Bench) -> None:
    digest = built(bench)
    bench.channel("web", "dev", policy())
    bench.promote("web", "dev", "web:1")
    lose(bench.blob(digest))
    bench.registry.scrub(actor=ACTOR)

    found = bench.registry.resolve_channel("web", "dev")

    assert (found.artifacts, [item.digest for item in found.damaged]) == ((), [digest])
    with pytest.raises(Refused, match="is damaged"):
        found.in_place("local", "")
    assert [item.state for item in bench.registry.show("web:1").artifacts] == ["damaged"]

    bench.registry.scrub(menders=[OtherStore(mirror(bench))], actor=ACTOR)
    assert [item.digest for item in bench.registry.resolve_channel("web", "dev").artifacts] == [digest]


def test_a_damaged_blob_is_never_collected(bench: Bench) -> None:
    digest = built(bench)
    built(bench, 2)
    flip(bench.blob(digest))
    bench.registry.scrub(actor=ACTOR)

    bench.registry.expire(RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, bytes_wait_s=0), actor=ACTOR)
    bench.turn(3 * DAY)
    collect(bench.registry.database, bench.registry.blobs, ACTOR, wait_s=0)

    assert states(bench)[digest] == "damaged"
    assert (bench.root / "store/quarantine" / digest[7:]).exists()


def test_building_the_image_again_mends_its_bytes(bench: Bench) -> None:
    digest = built(bench)
    flip(bench.blob(digest))
    bench.registry.scrub(actor=ACTOR)

    built(bench)

    assert states(bench)[digest] == "live"
    assert bench.registry.check(deep=True).faults == ()


def test_what_was_read_within_a_month_is_not_due(bench: Bench) -> None:
    first = built(bench)
    bench.turn(20 * DAY)
    built(bench, 2)
    bench.turn(15 * DAY)
    flip(bench.blob(first))

    assert bench.registry.scrub(due_only=True, actor=ACTOR).found == (first,)
    bench.registry.scrub(menders=[OtherStore(mirror(bench))], due_only=True, actor=ACTOR)

    assert bench.registry.scrub(due_only=True, actor=ACTOR).blobs == 0


def test_a_place_without_the_bytes_and_one_with_wrong_ones_are_told(bench: Bench, tmp_path: Path) -> None:
    digest = built(bench)
    empty, wrong = LocalStore(tmp_path / "empty"), mirror(bench)
    flip(wrong.path(digest))
    lose(bench.blob(digest))

    report = bench.registry.scrub(menders=[OtherStore(empty), OtherStore(wrong)], actor=ACTOR)

    assert "empty does not have it" in report.faults[0].why
    assert "mirror" in report.faults[0].why
    assert states(bench)[digest] == "damaged"
    bench.registry.scrub(menders=[OtherStore(LocalStore(tmp_path / "none")), OtherStore(_good(bench))], actor=ACTOR)
    assert states(bench)[digest] == "live"


def _good(bench: Bench) -> LocalStore:
    store = LocalStore(bench.root / "good")
    store.put(bench.root / "output/1.raw")
    return store


def test_a_store_that_is_not_mounted_is_not_taken_for_a_damaged_one(bench: Bench) -> None:
    digest = built(bench)
    (bench.root / "store").rename(bench.root / "unmounted")

    with pytest.raises(UserError, match="is empty"):
        bench.registry.scrub(actor=ACTOR)

    assert states(bench)[digest] == "live"
    (bench.root / "unmounted").rename(bench.root / "store")


def test_who_stores_the_bytes_anew_while_they_are_read_is_not_disturbed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = built(bench)
    flip(bench.blob(digest))
    read = LocalStore.is_intact

    def meanwhile(self: LocalStore, digest: str) -> bool:
        found = read(self, digest)
        with monkeypatch.context() as patch:
            patch.setattr(LocalStore, "is_intact", read)
            bench.blob(digest).unlink()
            built(bench)
        return found

    monkeypatch.setattr(LocalStore, "is_intact", meanwhile)
    bench.registry.scrub(actor=ACTOR)
    monkeypatch.undo()

    assert states(bench)[digest] == "live"
    assert bench.registry.check(deep=True).faults == ()
