"""Approvals: bound to what was approved, given by people who may, counted once; and what passes them by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from goldsmith.hcl.diagnostics import GoldsmithError, Refused, UserError
from goldsmith.registry import Order, Target, WaitsForApproval, digest_of
from tests.registry.registry_workbench import ACTOR, Bench, approver, digest, policy

WEEK_S = 7 * 86_400


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(GoldsmithError) as caught:
        act()
    return caught.value.diagnostics[0].code


def asked(bench: Bench, count: int = 2) -> int:
    """A promotion of web:1 to prod that waits for approvals; gives the number of its request."""
    bench.build("web", 1)
    bench.build("web", 2)
    bench.channel("web", "prod", policy(approvals=count, approvers=["alice", "bob", "carol", "tester"]))
    return ask(bench)


def ask(bench: Bench, reference: str = "web:1") -> int:
    with pytest.raises(WaitsForApproval) as caught:
        bench.promote("web", "prod", reference)
    assert caught.value.exit_code == 5
    assert "goldsmith approve" in caught.value.diagnostics[0].next
    return bench.registry.requests()[-1].id


def test_a_promotion_waits_for_as_many_people_as_the_policy_says(bench: Bench) -> None:
    request = asked(bench)

    bench.approve(request, "alice")
    assert ask(bench) == request, "asking again is the same request"
    bench.approve(request, "alice")
    assert ask(bench) == request, "the same person again is one"
    bench.approve(request, "bob")

    assert bench.promote("web", "prod", "web:1") == 1
    assert bench.registry.requests() == ()
    assert bench.registry.request(request).state == "committed"
    assert bench.types().count("request.opened") == 1


def test_who_asks_or_built_it_or_is_unknown_does_not_approve(bench: Bench) -> None:
    web = bench.build("web", 1)
    bench.prove(web, "boot", signer="key:carol")
    test = approver("test", user="test")
    bench.channel("web", "prod", policy(approvals=1, approvers=["alice", "carol", test, "tester"]))
    request = ask(bench)

    for name in ("tester", "test", "carol", "mallory"):
        assert code_of(partial(bench.approve, request, name)) == "approve.not-allowed"
    assert code_of(lambda: bench.approve(request, "alice", key="key:mallory")) == "approve.not-allowed"

    assert ask(bench) == request
    assert bench.types().count("approval.refused") == 5
    bench.approve(request, "alice")
    assert bench.promote("web", "prod", "web:1") == 1


def test_two_names_with_one_key_are_one(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy(approvals=2, approvers=["alice", approver("bob", key="key:alice")]))
    request = ask(bench)
    bench.approve(request, "alice")
    bench.approve(request, "bob", key="key:alice")

    assert ask(bench) == request


def test_an_approval_for_another_digest_does_not_count(bench: Bench) -> None:
    request = asked(bench)
    other = ask(bench, "web:2")
    replayed = digest_of(bench.registry.request(request).binding)

    assert code_of(lambda: bench.approve(other, "alice", binds_digest=replayed)) == "approve.other-request"
    assert code_of(lambda: bench.approve(request, "alice", binds_digest=digest("made up"))) == "approve.other-request"
    bench.approve(request, "alice")
    bench.approve(request, "bob")

    assert ask(bench, "web:2") == other
    assert bench.promote("web", "prod", "web:1") == 1


def test_a_moved_channel_and_another_policy_make_approvals_void(bench: Bench) -> None:
    request = asked(bench)
    bench.approve(request, "alice")
    bench.approve(request, "bob")
    wider = policy(approvals=2, approvers=["alice", "bob", "carol", "dave", "tester"])

    bench.channel("web", "prod", wider)

    assert bench.registry.request(request).state == "superseded"
    assert code_of(lambda: bench.approve(request, "carol")) == "approve.superseded"
    second = ask(bench)
    assert second != request
    bench.approve(second, "alice")
    bench.registry.promote_all(
        [Target(image="web", channel="prod", reference="web:2")], Order(reason="fire", break_glass_s=60), actor=ACTOR
    )
    assert bench.registry.request(second).state == "superseded"


def test_approvals_end_with_their_request(bench: Bench) -> None:
    request = asked(bench)
    bench.approve(request, "alice")
    bench.approve(request, "bob")

    bench.turn(WEEK_S)

    assert code_of(lambda: bench.approve(request, "carol")) == "approve.expired"
    assert ask(bench) != request


def test_nothing_is_asked_for_while_something_else_is_missing(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy("boot", approvals=1, approvers=["alice"]))

    with pytest.raises(Refused) as caught:
        bench.promote("web", "prod", "web:1")

    assert caught.value.exit_code == 2
    assert [item.code for item in caught.value.diagnostics] == ["promote.no-evidence", "promote.approvals"]
    assert bench.registry.requests() == ()


def test_a_dry_run_asks_nobody(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy(approvals=1, approvers=["alice"]))
    before = bench.types()

    with pytest.raises(WaitsForApproval):
        bench.registry.promote("web", "prod", "web", dry_run=True, actor=ACTOR)

    assert bench.types() == before


# ── sets ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_set_moves_as_a_whole_or_not_at_all(bench: Bench) -> None:
    base = bench.build("base", 1)
    web = bench.build("web", 1, base)
    bench.channel("base", "prod", policy("boot"))
    bench.channel("web", "prod", policy("boot"))
    bench.prove(base, "boot")
    both = [Target(image=name, channel="prod", reference=name) for name in ("base", "web")]

    with pytest.raises(Refused) as caught:
        bench.registry.promote_all(both, Order(), actor=ACTOR)

    assert [item.code for item in caught.value.diagnostics] == ["promote.no-evidence"]
    assert (bench.number("base", "prod"), bench.number("web", "prod")) == (None, None)
    bench.prove(web, "boot")
    moved = bench.registry.promote_all(both, Order(), actor=ACTOR)
    assert [(item.image, item.generation, item.moved) for item in moved] == [("base", 1, True), ("web", 1, True)]
    again = bench.registry.promote_all(both, Order(), actor=ACTOR)
    assert [item.moved for item in again] == [False, False]


def test_one_approval_covers_a_whole_set_and_no_part_of_it(bench: Bench) -> None:
    bench.build("base", 1)
    bench.build("web", 1)
    for image in ("base", "web"):
        bench.channel(image, "prod", policy(approvals=1, approvers=["alice"]))
    both = [Target(image=name, channel="prod", reference=name) for name in ("base", "web")]
    with pytest.raises(WaitsForApproval):
        bench.registry.promote_all(both, Order(), actor=ACTOR)

    bench.approve(bench.registry.requests()[0].id, "alice")

    with pytest.raises(WaitsForApproval):
        bench.promote("web", "prod", "web")
    assert [item.generation for item in bench.registry.promote_all(both, Order(), actor=ACTOR)] == [1, 1]


def test_a_set_names_each_channel_once(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy())
    twice = [Target(image="web", channel="prod", reference="web:1")] * 2

    assert code_of(lambda: bench.registry.promote_all(twice, Order(), actor=ACTOR)) == "promote.twice"


def test_a_call_with_a_key_is_carried_out_once(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.channel("web", "prod", policy())
    first = [Target(image="web", channel="prod", reference="web:1")]
    order = Order(key="deploy-17")

    answer = bench.registry.promote_all(first, order, actor=ACTOR)
    bench.promote("web", "prod", "web:2")

    assert bench.registry.promote_all(first, order, actor=ACTOR) == answer
    assert bench.number("web", "prod") == 2, "the answer was repeated, not the move"
    other = [Target(image="web", channel="prod", reference="web:2")]
    assert code_of(lambda: bench.registry.promote_all(other, order, actor=ACTOR)) == "promote.key-reused"


# ── freezing and breaking glass ───────────────────────────────────────────────────────────────────────────────────────


def test_a_frozen_channel_moves_only_backwards(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.channel("web", "prod", policy())
    bench.promote("web", "prod", "web:1")
    bench.promote("web", "prod", "web:2")

    assert code_of(lambda: bench.registry.freeze("web", "prod", " ", actor=ACTOR)) == "freeze.no-reason"
    bench.registry.freeze("web", "prod", "end of the year", actor=ACTOR)

    assert code_of(lambda: bench.promote("web", "prod", "web:1")) == "promote.frozen"
    assert bench.registry.rollback("web", "prod", actor=ACTOR).number == 1
    assert code_of(lambda: bench.promote("web", "prod", "web:2")) == "promote.frozen"
    assert bench.registry.thaw("web", "prod", actor=ACTOR).state == "open"


def breaking(bench: Bench, reference: str, reason: str = "the site is down") -> object:
    bench.turn(1)
    targets = [Target(image="web", channel="prod", reference=reference)]
    return bench.registry.promote_all(targets, Order(reason=reason, break_glass_s=3600), actor=ACTOR)[0]


def test_broken_glass_passes_by_the_policy_and_is_told_until_it_is_mended(bench: Bench) -> None:
    web = bench.build("web", 1)
    bench.channel("web", "staging", policy())
    bench.channel("web", "prod", policy("boot", after="staging", approvals=1, approvers=["alice"]))
    bench.registry.freeze("web", "prod", "end of the year", actor=ACTOR)

    assert code_of(lambda: breaking(bench, "web:1", reason="")) == "promote.no-reason"
    breaking(bench, "web:1")

    assert bench.number("web", "prod") == 1
    assert bench.types()[-1] == "promotion.broke_glass"
    passed_by = str(bench.registry.events()[-1].data["unmet"])
    assert all(f"'code': '{code}'" in passed_by for code in ("frozen", "no-evidence", "after", "approvals"))
    assert bench.registry.overdue("web", "prod") == ""
    bench.turn(7200)
    assert "the site is down" in bench.registry.overdue("web", "prod")
    bench.prove(web, "boot")
    assert bench.registry.overdue("web", "prod") != "", "the rest is unmet"


def test_broken_glass_passes_by_no_revocation_and_proves_nothing(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.channel("web", "prod", policy("boot"))
    bench.channel("web", "after", policy(after="prod"))
    bench.registry.revoke("web:2", "bad", actor=ACTOR)

    assert code_of(lambda: breaking(bench, "web:2")) == "promote.revoked"
    breaking(bench, "web:1")

    assert code_of(lambda: bench.promote("web", "after", "web:1")) == "promote.after"
    assert code_of(lambda: bench.registry.rollback("web", "prod", actor=ACTOR)) == "rollback.no-candidate"


def test_a_reason_without_words_breaks_nothing(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy("boot"))

    with pytest.raises(UserError):
        breaking(bench, "web:1", reason="  ")

    assert bench.number("web", "prod") is None
