"""Revocation: reaches every descendant and every channel in one change."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import Refused, UserError
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, policy


def fleet(bench: Bench) -> None:
    """Two bases, a web image on each, both promoted to prod in turn."""
    for build in (1, 2):
        base = bench.build("base", build)
        bench.build("web", build, base)
    for image in ("base", "web"):
        bench.channel(image, "prod", policy())
        bench.promote(image, "prod", f"{image}:1")
        bench.promote(image, "prod", f"{image}:2")


def test_revoking_a_base_takes_every_channel_off_it_and_its_children(bench: Bench) -> None:
    fleet(bench)

    revocation = bench.registry.revoke("base:2", "backdoor", actor=ACTOR)

    assert [(item.image, item.number, item.kind) for item in revocation.moved] == [("base", 1, "revoke"), ("web", 1, "revoke")]
    assert bench.registry.resolve("web:2").revoked == "its ancestor base:2 is revoked: backdoor"
    assert (bench.number("base", "prod"), bench.number("web", "prod")) == (1, 1)


def test_a_revoked_version_is_not_promoted(bench: Bench) -> None:
    fleet(bench)
    bench.registry.revoke("base:2", "backdoor", actor=ACTOR)

    with pytest.raises(Refused, match="its ancestor base:2") as caught:
        bench.promote("web", "prod", "web:2")

    assert caught.value.diagnostics[0].code == "promote.revoked"


def test_a_child_registered_after_the_revocation_of_its_parent_is_revoked(bench: Bench) -> None:
    base = bench.build("base", 1)
    bench.registry.revoke("base:1", "backdoor", actor=ACTOR)

    assert bench.build("web", 1, base).revoked.endswith("backdoor")


def test_a_channel_without_a_fit_version_is_quarantined_and_opens_again_with_one(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy())
    bench.promote("web", "prod", "web")

    revocation = bench.registry.revoke("web", "bad", actor=ACTOR)

    assert revocation.quarantined == ("web@prod",)
    assert bench.registry.channels("web")[0].state == "quarantined"
    with pytest.raises(Refused, match="web:1, which is revoked: bad"):
        bench.registry.resolve("web@prod")
    bench.build("web", 2)
    bench.promote("web", "prod", "web:2")
    assert bench.registry.channels("web")[0].state == "open"


def test_channels_can_be_left_where_they_are_but_do_not_resolve(bench: Bench) -> None:
    fleet(bench)

    bench.registry.revoke("base:2", "backdoor", channels="leave", actor=ACTOR)

    assert bench.number("web", "prod") == 2
    with pytest.raises(Refused) as caught:
        bench.registry.resolve("web@prod")
    assert "web:1: goldsmith rollback web prod" in caught.value.diagnostics[0].next


def test_a_revocation_for_later_takes_effect_by_itself(bench: Bench) -> None:
    fleet(bench)
    bench.registry.revoke("web:2", "end of life", effective_at=bench.now + 60 * SECOND, actor=ACTOR)
    assert bench.registry.resolve("web@prod").number == 2

    bench.turn(61)

    with pytest.raises(Refused, match="end of life"):
        bench.registry.resolve("web@prod")


def test_revoking_again_changes_nothing(bench: Bench) -> None:
    fleet(bench)
    first = bench.registry.revoke("base:2", "backdoor", actor=ACTOR)
    before = bench.types()

    again = bench.registry.revoke("base:2", "another reason", actor="user:carol")

    assert (again.reason, again.effective_at, again.moved) == (first.reason, first.effective_at, ())
    assert bench.types() == before


def test_a_withdrawn_revocation_lets_the_version_move_again(bench: Bench) -> None:
    fleet(bench)
    bench.registry.revoke("base:2", "backdoor", actor=ACTOR)

    assert bench.registry.withdraw("base:2", "false alarm", actor=ACTOR).revoked == ""

    assert bench.number("web", "prod") == 1
    assert bench.promote("web", "prod", "web:2") == 4


def test_an_exemption_frees_one_descendant_only(bench: Bench) -> None:
    base = bench.build("base", 1)
    web = bench.build("web", 1, base)
    bench.build("shop", 1, web)
    bench.registry.revoke("base:1", "backdoor", actor=ACTOR)

    bench.registry.exempt("web:1", "the file is removed in it", actor=ACTOR)

    assert [bool(bench.registry.resolve(ref).revoked) for ref in ("base:1", "web:1", "shop:1")] == [True, False, True]


def test_a_dry_run_of_a_revocation_shows_what_would_move(bench: Bench) -> None:
    fleet(bench)
    before = bench.types()

    would = bench.registry.revoke("base:2", "backdoor", dry_run=True, actor=ACTOR)

    assert len(would.moved) == 2
    assert (bench.types(), bench.number("web", "prod")) == (before, 2)


def test_each_act_needs_a_reason_and_something_to_act_on(bench: Bench) -> None:
    bench.build("web", 1)

    with pytest.raises(UserError, match="needs a reason"):
        bench.registry.revoke("web", " ", actor=ACTOR)
    with pytest.raises(UserError, match="not revoked"):
        bench.registry.withdraw("web", "why", actor=ACTOR)
    with pytest.raises(UserError, match="not revoked"):
        bench.registry.exempt("web", "why", actor=ACTOR)


def test_a_revocation_for_later_moves_channels_when_its_time_has_come(bench: Bench) -> None:
    fleet(bench)
    bench.registry.revoke("base:2", "end of life", owner="team-os", effective_at=bench.now + 100 * SECOND, actor=ACTOR)
    assert bench.registry.carry_out_revocations(actor=ACTOR) == ()

    bench.turn(101)
    done = bench.registry.carry_out_revocations(actor=ACTOR)

    assert [(item.image, item.number) for item in done[0].moved] == [("base", 1), ("web", 1)]
    assert (done[0].owner, done[0].reason) == ("team-os", "end of life")
    assert bench.registry.carry_out_revocations(actor=ACTOR) == (), "once is enough"


def test_a_channel_that_finds_nothing_fit_is_quarantined_once(bench: Bench) -> None:
    fleet(bench)
    for build in (1, 2):
        bench.registry.revoke(f"base:{build}", "bad", effective_at=bench.now + 100 * SECOND, actor=ACTOR)
    bench.turn(101)

    done = bench.registry.carry_out_revocations(actor=ACTOR)

    assert sorted(name for item in done for name in item.quarantined) == ["base@prod", "web@prod"]
    assert bench.registry.carry_out_revocations(actor=ACTOR) == ()


def test_a_rollback_may_hold_the_channel_where_it_goes(bench: Bench) -> None:
    fleet(bench)

    bench.registry.rollback("web", "prod", reason="502s", freeze=True, actor=ACTOR)

    with pytest.raises(Refused, match="502s"):
        bench.promote("web", "prod", "web:2")
