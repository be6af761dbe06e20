"""Rollback: to the newest earlier version that is still fit, and never forth again."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import Refused
from tests.registry.registry_workbench import ACTOR, Bench, Json, policy


@pytest.fixture
def four(bench: Bench) -> Bench:
    """A channel that went through four versions."""
    bench.build("web", 1)
    bench.channel("web", "prod", policy())
    for build in (1, 2, 3, 4):
        bench.build("web", build)
        bench.promote("web", "prod", f"web:{build}")
    return bench


def test_each_rollback_goes_one_version_further_back(four: Bench) -> None:
    went = [four.registry.rollback("web", "prod", actor=ACTOR).number for _ in range(3)]

    assert went == [3, 2, 1]
    with pytest.raises(Refused, match="no earlier version"):
        four.registry.rollback("web", "prod", actor=ACTOR)
    assert four.types()[-1] == "rollback.refused"


def test_a_rollback_passes_over_revoked_versions_and_says_so(four: Bench) -> None:
    four.registry.revoke("web:3", "leaks a key", actor=ACTOR)

    went = four.registry.rollback("web", "prod", reason="alarm", actor=ACTOR)

    assert (went.number, went.kind, went.reason) == (2, "rollback", "alarm")
    assert went.notes == ("web:3 was passed over: revoked: leaks a key",)


def test_a_rollback_does_not_go_to_a_version_that_was_rolled_back(four: Bench) -> None:
    four.registry.rollback("web", "prod", actor=ACTOR)
    four.build("web", 5)
    four.promote("web", "prod", "web:5")
    four.registry.revoke("web:3", "bad", actor=ACTOR)

    went = four.registry.rollback("web", "prod", actor=ACTOR)

    assert went.number == 2
    assert "web:4 was passed over: the channel was rolled back from it" in went.notes


def test_a_named_version_is_held_to_the_same_rule(four: Bench) -> None:
    four.build("web", 5)
    four.registry.revoke("web:2", "bad", actor=ACTOR)

    with pytest.raises(Refused, match="web:2: revoked: bad"):
        four.registry.rollback("web", "prod", to="web:2", actor=ACTOR)
    with pytest.raises(Refused, match="web:5 was never in this channel"):
        four.registry.rollback("web", "prod", to="web:5", actor=ACTOR)
    assert four.registry.rollback("web", "prod", to="web:1", actor=ACTOR).number == 1


def test_the_gates_of_a_rollback_are_asked_again_but_not_for_their_age(bench: Bench) -> None:
    document = policy("boot", "secrets", max_age_s=100)
    rollback: Json = {"requires": ["secrets"], "keep": 5}
    document["rollback"] = rollback
    versions = [bench.build("web", build) for build in (1, 2, 3)]
    bench.channel("web", "prod", document)
    for version in versions:
        bench.prove(version, "boot")
        bench.prove(version, "secrets")
        bench.promote("web", "prod", version.ref)
    bench.turn(10_000)
    bench.prove(versions[1], "secrets", "fail")
    bench.prove(versions[0], "boot", "fail")

    went = bench.registry.rollback("web", "prod", actor=ACTOR)

    assert went.number == 1
    assert went.notes == ("web:2 was passed over: secrets is FAIL", "web:1: boot is FAIL")


def test_a_dry_run_of_a_rollback_keeps_nothing(four: Bench) -> None:
    before = four.types()

    would = four.registry.rollback("web", "prod", dry_run=True, actor=ACTOR)

    assert (would.number, would.moved) == (3, False)
    assert (four.number("web", "prod"), four.types()) == (4, before)


def test_a_channel_that_never_moved_cannot_go_back(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy())

    with pytest.raises(Refused, match="cannot go back"):
        bench.registry.rollback("web", "prod", actor=ACTOR)
