"""Retention: what nothing keeps goes, in steps that can be cut short anywhere; everything else stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.registry import ArtifactFile, ExpirePlan, Expiring, Inventory, KeepRule, RetentionPolicy
from goldsmith.registry import expire as expiration
from goldsmith.registry.local_store import LocalStore
from goldsmith.registry.pins import pin, release
from goldsmith.registry.transaction import Transaction
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, policy

NOW = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, bytes_wait_s=0)
LATER = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=600)


def kept(bench: Bench, policy: RetentionPolicy) -> dict[str, tuple[str, ...]]:
    return {item.ref: item.by for item in bench.registry.expire_plan(policy).kept}


def going(bench: Bench, policy: RetentionPolicy) -> dict[str, str]:
    return {item.ref: item.step for item in bench.registry.expire_plan(policy).going}


def storage(bench: Bench, reference: str) -> str:
    return bench.registry.resolve(reference).storage


@contextmanager
def cut_short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The store fails when bytes are to be taken away, as when the process is killed there."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def die(self: LocalStore, digest: str) -> None:
            raise KeyboardInterrupt

        patch.setattr(LocalStore, "bury", die)
        yield


def test_the_plan_names_what_would_go_and_what_keeps_the_rest(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy(keep=1))
    for build in range(1, 7):
        bench.build("web", build)
        if build in (2, 3, 4):
            bench.promote("web", "prod", f"web:{build}")
    bench.registry.pin("web:5", "hold", "carol", actor=ACTOR)
    before = bench.types()

    assert kept(bench, NOW) == {
        "web:6": ("the newest version of web",),
        "web:5": ("hold by carol",),
        "web:4": ("in web@prod",),
        "web:3": ("a rollback of web@prod may go to it",),
    }
    assert going(bench, NOW) == {"web:1": "delete", "web:2": "delete"}
    assert bench.types() == before


def test_what_the_plan_tells_is_what_happens(bench: Bench) -> None:
    for build in (1, 2, 3):
        bench.build("web", build)
    plan = bench.registry.expire_plan(NOW)
    files = [bench.blob(bench.registry.show(f"web:{number}").artifacts[0].digest) for number in (1, 2, 3)]

    expired = bench.registry.expire(NOW, actor=ACTOR)

    assert [item.ref for item in expired.deleted] == [item.ref for item in plan.going] == ["web:2", "web:1"]
    assert expired.collected.freed == plan.freed > 0
    assert [file.exists() for file in files] == [False, False, True]
    assert [storage(bench, f"web:{number}") for number in (1, 2, 3)] == ["deleted", "deleted", "present"]
    assert bench.registry.show("web:1").artifacts == ()


def test_young_versions_are_kept(bench: Bench) -> None:
    bench.build("web", 1)
    bench.turn(3600)
    bench.build("web", 2)
    bench.build("web", 3)

    day = RetentionPolicy(keep_last=1, keep_for_s=1800, grace_s=0)

    assert list(going(bench, day)) == ["web:1"]
    assert kept(bench, day)["web:2"] == ("younger than 30 min",)


def test_the_newest_version_stays_whatever_the_policy_says(bench: Bench) -> None:
    bench.build("web", 1)

    assert going(bench, RetentionPolicy(keep_last=0, keep_for_s=0, grace_s=0)) == {}


def test_nothing_goes_while_retention_is_disabled(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    off = RetentionPolicy(enabled=False, keep_last=1, keep_for_s=0, grace_s=0)

    assert bench.registry.expire(off, actor=ACTOR).deleted == ()
    assert "retention is disabled" in kept(bench, off)["web:1"]


def test_a_marked_version_waits_for_its_grace(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)

    first = bench.registry.expire(LATER, actor=ACTOR)
    bench.turn(500)
    second = bench.registry.expire(LATER, actor=ACTOR)

    assert ([item.ref for item in first.marked], first.deleted, second.deleted) == (["web:1"], (), ())
    assert storage(bench, "web:1") == "expiring"
    bench.turn(200)
    assert [item.ref for item in bench.registry.expire(LATER, actor=ACTOR).deleted] == ["web:1"]
    assert bench.types()[-3:] == ["retention.marked", "retention.deleting", "retention.deleted"]


def test_a_pin_within_the_grace_keeps_the_version(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.registry.expire(LATER, actor=ACTOR)

    bench.registry.pin("web:1", "hold", "carol", until=bench.now + 2000 * SECOND, actor=ACTOR)

    assert storage(bench, "web:1") == "present"
    bench.turn(1000)
    assert bench.registry.expire(LATER, actor=ACTOR).marked == ()
    bench.turn(2000)
    assert [item.ref for item in bench.registry.expire(LATER, actor=ACTOR).marked] == ["web:1"]


def test_a_released_pin_keeps_nothing(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.registry.pin("web:1", "lease", "build 7", actor=ACTOR)
    assert going(bench, NOW) == {}

    bench.registry.release("web:1", "lease", "build 7", actor=ACTOR)

    assert going(bench, NOW) == {"web:1": "delete"}


def test_a_deleted_version_cannot_be_pinned(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.registry.expire(NOW, actor=ACTOR)

    with pytest.raises(UserError, match="its bytes are deleted"):
        bench.registry.pin("web:1", "hold", "carol", actor=ACTOR)


def test_a_version_that_is_used_again_within_the_grace_is_unmarked(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.registry.expire(LATER, actor=ACTOR)

    generous = RetentionPolicy(keep_last=2, keep_for_s=0, grace_s=600)

    assert bench.registry.expire(generous, actor=ACTOR).kept_again == ("web:1",)
    assert storage(bench, "web:1") == "present"


def test_a_parent_stays_as_long_as_a_version_built_on_it(bench: Bench) -> None:
    base = bench.build("base", 1)
    bench.build("base", 2)
    bench.build("web", 1, base)
    bench.build("web", 2, bench.build("base", 2))
    bench.registry.pin("web:1", "hold", "carol", actor=ACTOR)
    assert kept(bench, NOW)["base:1"] == ("web:1 is built on it",)

    bench.registry.release("web:1", "hold", "carol", actor=ACTOR)

    assert [item.ref for item in bench.registry.expire(NOW, actor=ACTOR).deleted] == ["web:1", "base:1"]


def test_a_parent_waits_until_its_child_is_deleted(bench: Bench) -> None:
    base = bench.build("base", 1)
    bench.build("web", 1, base)
    bench.build("base", 2)
    bench.registry.expire(LATER, actor=ACTOR)
    bench.build("web", 2)
    bench.turn(700)
    bench.registry.expire(LATER, actor=ACTOR)
    assert [storage(bench, ref) for ref in ("web:1", "base:1")] == ["expiring", "expiring"]

    bench.turn(500)

    assert going(bench, LATER) == {"web:1": "wait", "base:1": "wait"}
    plan = bench.registry.expire_plan(LATER)
    assert [item.why for item in plan.going if item.ref == "base:1"] == ["it waits for web:1, which is built on it"]


def test_a_new_child_keeps_a_parent_that_was_marked(bench: Bench) -> None:
    base = bench.build("base", 1)
    bench.build("base", 2)
    bench.registry.expire(LATER, actor=ACTOR)
    assert storage(bench, "base:1") == "expiring"

    bench.build("web", 1, base)

    assert storage(bench, "base:1") == "present"


def test_bytes_that_another_version_shares_stay(bench: Bench) -> None:
    shared = bench.file("shared.iso", b"shared" * 5000)
    for build in (1, 2):
        version = bench.build("web", build)
        bench.registry.register(
            "web",
            bench.registry.show(version.ref).document,
            artifacts=[ArtifactFile("iso", shared)],
            packages={},
            builder="test",
            actor=ACTOR,
        )
    iso = next(item for item in bench.registry.show("web:2").artifacts if item.kind == "iso")

    bench.registry.expire(NOW, actor=ACTOR)

    assert bench.registry.blobs.is_intact(iso.digest)


def test_a_deletion_that_was_cut_short_is_finished_by_the_next_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    file = bench.blob(bench.registry.show("web:1").artifacts[0].digest)
    with cut_short(monkeypatch):
        bench.registry.expire(NOW, actor=ACTOR)
    assert (storage(bench, "web:1"), file.exists()) == ("deleted", True)

    bench.registry.expire(NOW, actor=ACTOR)

    assert (storage(bench, "web:1"), file.exists()) == ("deleted", False)


def test_bytes_that_are_stored_while_they_are_deleted_are_not_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = bench.build("web", 1)
    bench.build("web", 2)
    artifact = bench.registry.show("web:1").artifacts[0]
    with cut_short(monkeypatch):
        bench.registry.expire(NOW, actor=ACTOR)

    other = bench.registry.register(
        "shop",
        {**bench.registry.show(old.ref).document, "image": "shop"},
        artifacts=[ArtifactFile("raw", bench.root / "output/web-1.raw", artifact.digest)],
        packages={},
        builder="test",
        actor=ACTOR,
    )
    bench.registry.expire(NOW, actor=ACTOR)

    assert other.storage == "present"
    assert bench.registry.blobs.is_intact(artifact.digest)


def test_bytes_that_no_version_names_are_collected_after_a_day(bench: Bench) -> None:
    bench.build("web", 1)
    stray = bench.registry.blobs.put_bytes(b"of a registration that was killed")
    os.utime(bench.blob(stray.digest), (bench.now / SECOND, bench.now / SECOND))

    bench.turn(23 * 3600)
    bench.registry.expire(NOW, actor=ACTOR)
    assert bench.registry.blobs.has(stray.digest)
    bench.turn(2 * 3600)
    bench.registry.expire(NOW, actor=ACTOR)

    assert not bench.registry.blobs.has(stray.digest)
    assert bench.registry.blobs.has(bench.registry.show("web").artifacts[0].digest)


def test_the_plan_of_an_unknown_image_is_refused(bench: Bench) -> None:
    bench.build("web", 1)

    with pytest.raises(UserError, match="no image"):
        bench.registry.expire_plan(NOW, image="wbe")


def test_one_image_can_be_expired_alone(bench: Bench) -> None:
    for image in ("web", "base"):
        bench.build(image, 1)
        bench.build(image, 2)

    assert [item.ref for item in bench.registry.expire(NOW, image="web", actor=ACTOR).deleted] == ["web:1"]
    assert storage(bench, "base:1") == "present"


@contextmanager
def between_the_checks(monkeypatch: pytest.MonkeyPatch, happens: Callable[[Transaction], object]) -> Iterator[None]:
    """Something happens after the marking and before the second check."""
    mark = expiration._mark

    def mark_then(
        tx: Transaction, plan: ExpirePlan, policy: RetentionPolicy, inventories: Sequence[Inventory]
    ) -> Sequence[Expiring]:
        marked = mark(tx, plan, policy, inventories)
        happens(tx)
        return marked

    with monkeypatch.context() as patch:
        patch.setattr(expiration, "_mark", mark_then)
        yield


def test_a_version_that_becomes_a_candidate_between_both_checks_waits_for_the_next_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for build in (1, 2, 3):
        bench.build("web", build)
    bench.registry.pin("web:2", "hold", "carol", actor=ACTOR)

    with between_the_checks(monkeypatch, lambda tx: release(tx, "web:2", "hold", "carol")):
        first = bench.registry.expire(NOW, actor=ACTOR)

    assert [item.ref for item in first.deleted] == ["web:1"]
    assert [item.ref for item in bench.registry.expire(NOW, actor=ACTOR).deleted] == ["web:2"]


def test_a_parent_waits_for_a_child_that_was_pinned_for_a_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.build("web", 1, bench.build("base", 1))
    bench.build("web", 2, bench.build("base", 2))

    def hold_and_release(tx: Transaction) -> None:
        pin(tx, "web:1", "hold", "carol", None)
        release(tx, "web:1", "hold", "carol")

    with between_the_checks(monkeypatch, hold_and_release):
        first = bench.registry.expire(NOW, actor=ACTOR)

    assert first.deleted == ()
    assert [item.ref for item in bench.registry.expire(NOW, actor=ACTOR).deleted] == ["web:1", "base:1"]


def test_an_image_with_a_rule_of_its_own_is_kept_by_that(bench: Bench) -> None:
    for image in ("base", "web"):
        for build in (1, 2, 3):
            bench.build(image, build)
    bench.turn(60)
    own = {"base": KeepRule(keep_last=2, keep_for_s=0), "web": KeepRule(keep_last=1, keep_for_s=3600)}
    rules = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, images=own)

    assert going(bench, rules) == {"base:1": "delete"}
    assert kept(bench, rules)["base:2"] == ("among the newest 2 of base",)
    assert kept(bench, rules)["web:1"] == ("younger than 60 min",)
    assert rules.digest != NOW.digest
