"""Channels while they hold a version: what new evidence, ended waivers and broken glass have as consequences."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import Refused
from goldsmith.registry import Order, Target
from tests.registry.registry_workbench import ACTOR, Bench, policy


def held(bench: Bench, on_unfit: str, **demands: object) -> None:
    """prod went from web:1 to web:2; both have passed."""
    bench.build("web", 1)
    bench.channel("web", "prod", policy("boot", on_unfit=on_unfit, security=["sam"], **demands))  # type: ignore[arg-type]
    for build in (1, 2):
        bench.prove(bench.build("web", build), "boot")
        bench.promote("web", "prod", f"web:{build}")


def state(bench: Bench) -> tuple[int | None, str]:
    (channel,) = bench.registry.channels("web")
    return channel.number, channel.state


@pytest.mark.parametrize(
    ("on_unfit", "after"), [("warn", (2, "open")), ("block", (2, "quarantined")), ("rollback", (1, "open"))]
)
def test_evidence_that_turns_bad_does_what_the_policy_says(bench: Bench, on_unfit: str, after: tuple[int, str]) -> None:
    held(bench, on_unfit)
    before = len(bench.types())

    bench.prove(bench.registry.resolve("web:2"), "boot", "fail")

    assert state(bench) == after
    assert bench.types()[before : before + 2] == ["evidence.accepted", "channel.unfit"]
    if on_unfit == "block":
        with pytest.raises(Refused, match="no longer meets the policy: boot"):
            bench.registry.resolve("web@prod")


def test_without_a_fit_earlier_version_the_channel_is_quarantined_until_one_is_promoted(bench: Bench) -> None:
    held(bench, "rollback")
    bench.registry.revoke("web:1", "bad", actor=ACTOR)

    bench.prove(bench.registry.resolve("web:2"), "boot", "error")

    assert state(bench) == (2, "quarantined")
    bench.prove(bench.build("web", 3), "boot")
    bench.promote("web", "prod", "web:3")
    assert state(bench) == (3, "open")


def test_good_news_and_news_of_versions_that_no_channel_holds_change_nothing(bench: Bench) -> None:
    held(bench, "block")

    bench.prove(bench.registry.resolve("web:2"), "boot", "warn")
    bench.prove(bench.registry.resolve("web:2"), "secrets", "fail")
    bench.prove(bench.registry.resolve("web:1"), "boot", "fail")

    assert state(bench) == (2, "open")
    assert "channel.unfit" not in bench.types()


def test_a_condition_is_asked_again_when_something_new_is_known(bench: Bench) -> None:
    held(bench, "block", conditions=['try(evidence.secrets.verdict, "pass") == "pass"'])

    bench.prove(bench.registry.resolve("web:2"), "secrets", "fail")

    assert state(bench) == (2, "quarantined")


def test_evidence_that_grew_old_moves_no_channel(bench: Bench) -> None:
    held(bench, "rollback", max_age_s=100)
    bench.turn(1000)

    bench.prove(bench.registry.resolve("web:2"), "secrets")

    assert state(bench) == (2, "open")
    assert bench.registry.hold_channels(actor=ACTOR) == 0
    assert [item.code for item in bench.registry.unmet("web", "prod")] == ["promote.stale-evidence"]


def test_a_channel_that_rests_on_a_waiver_suffers_when_it_is_withdrawn_or_ends(bench: Bench) -> None:
    held(bench, "rollback")
    given = bench.waive("ssh-open", "web", "sam", seconds=500)
    bench.prove(bench.registry.resolve("web:2"), "boot", "fail")
    assert state(bench) == (2, "open")

    bench.registry.withdraw_waiver(given.id, "not so", actor=ACTOR)

    assert state(bench) == (1, "open")
    bench.waive("ssh-open", "web", "sam", seconds=500)
    bench.registry.promote("web", "prod", "web:2", again=True, reason="waived", actor=ACTOR)
    assert bench.registry.hold_channels(actor=ACTOR) == 0
    bench.turn(500)
    assert bench.registry.hold_channels(actor=ACTOR) == 1
    assert state(bench) == (1, "open")


def test_broken_glass_is_left_alone_until_its_time_is_over(bench: Bench) -> None:
    held(bench, "rollback", approvals=0)
    bench.build("web", 3)
    target = Target(image="web", channel="prod", reference="web:3")
    bench.registry.promote_all([target], Order(reason="down", break_glass_s=100), actor=ACTOR)
    bench.prove(bench.registry.resolve("web:3"), "secrets")
    assert (state(bench), bench.registry.hold_channels(actor=ACTOR)) == ((3, "open"), 0)

    bench.turn(100)

    assert bench.registry.overdue("web", "prod")
    assert bench.registry.hold_channels(actor=ACTOR) == 1
    assert state(bench) == (2, "open")


def test_broken_glass_is_mended_by_a_promotion_of_the_same_version(bench: Bench) -> None:
    held(bench, "rollback")
    web = bench.build("web", 3)
    target = Target(image="web", channel="prod", reference="web:3")
    bench.registry.promote_all([target], Order(reason="down", break_glass_s=100), actor=ACTOR)
    bench.prove(web, "boot")

    assert bench.promote("web", "prod", "web:3") == 4

    assert [item.kind for item in bench.registry.history("web", "prod")][:2] == ["promote", "break_glass"]
    bench.turn(200)
    assert bench.registry.hold_channels(actor=ACTOR) == 0


def test_what_was_approved_stays_approved_while_the_channel_holds_it(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy(approvals=1, approvers=["alice"]))
    with pytest.raises(Refused):
        bench.promote("web", "prod", "web")
    bench.approve(1, "alice")
    bench.promote("web", "prod", "web")

    assert bench.registry.unmet("web", "prod") == ()
