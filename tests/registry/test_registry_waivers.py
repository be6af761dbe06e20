"""Waivers: a finding counts again when its waiver has ended, was withdrawn, is for something else, or is nobody's to give."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import Refused, UserError
from goldsmith.registry import Order, Target, Version
from tests.registry.registry_workbench import ACTOR, Bench, policy


def failing(bench: Bench, *findings: str, gate: str = "vulnerabilities", build: int = 1) -> Version:
    """A version that fails by these findings, and a channel that wants the gate."""
    web = bench.build("web", build)
    bench.channel("web", "prod", policy(gate, security=["sam"]))
    bench.prove(web, gate, "fail", failing=findings)
    return web


def refusal(bench: Bench, reference: str = "web") -> Refused:
    with pytest.raises(Refused) as caught:
        bench.promote("web", "prod", reference)
    return caught.value


def test_a_failed_gate_is_met_when_each_of_its_findings_is_waived(bench: Bench) -> None:
    failing(bench, "CVE-1 openssl", "CVE-2 curl")
    bench.waive("CVE-1 openssl", "web@prod", "sam")

    why = refusal(bench).diagnostics[0].why

    assert "CVE-2 curl; 1 are waived" in why
    assert "CVE-1" not in why
    bench.waive("CVE-2 curl", "*", "sam")
    assert bench.promote("web", "prod", "web") == 1


def test_the_refusal_gives_the_command_of_whoever_may_waive_it(bench: Bench) -> None:
    failing(bench, "CVE-1 openssl")

    assert 'sam may waive it: goldsmith waive "CVE-1 openssl" web:1' in refusal(bench).diagnostics[0].next


@pytest.mark.parametrize("scope", ["*", "web", "web@prod", "web:1"])
def test_a_waiver_counts_in_its_scope(bench: Bench, scope: str) -> None:
    failing(bench, "CVE-1 openssl")
    bench.waive("CVE-1 openssl", scope, "sam")

    assert bench.promote("web", "prod", "web") == 1


@pytest.mark.parametrize("scope", ["other", "web@dev", "web:2"])
def test_a_waiver_does_not_count_outside_of_its_scope(bench: Bench, scope: str) -> None:
    bench.build("other", 1)
    failing(bench, "CVE-1 openssl")
    bench.build("web", 2)
    bench.channel("web", "dev", policy())
    bench.waive("CVE-1 openssl", scope, "sam")

    assert refusal(bench, "web:1").diagnostics[0].code == "promote.verdict"


def test_a_waiver_of_somebody_whom_the_policy_does_not_name_does_not_count(bench: Bench) -> None:
    failing(bench, "CVE-1 openssl")
    bench.waive("CVE-1 openssl", "web", "mallory")

    assert refusal(bench).diagnostics[0].code == "promote.verdict"


def test_a_waiver_ends(bench: Bench) -> None:
    failing(bench, "CVE-1 openssl")
    bench.waive("CVE-1 openssl", "web", "sam", seconds=100)
    assert bench.promote("web", "prod", "web") == 1
    bench.turn(100)
    bench.registry.empty("web", "prod", "anew", actor=ACTOR)

    with pytest.raises(Refused, match="CVE-1"):
        bench.registry.promote_all([Target(image="web", channel="prod", reference="web")], Order(), actor=ACTOR)


def test_a_withdrawn_waiver_counts_no_more(bench: Bench) -> None:
    failing(bench, "CVE-1 openssl")
    given = bench.waive("CVE-1 openssl", "web", "sam")
    assert bench.registry.waivers() == (given,)

    bench.registry.withdraw_waiver(given.id, "it is reachable after all", actor=ACTOR)

    assert refusal(bench).diagnostics[0].code == "promote.verdict"
    assert bench.registry.waivers() == ()
    for number, reason in ((given.id, "again"), (given.id, " "), (99, "unknown")):
        with pytest.raises(UserError):
            bench.registry.withdraw_waiver(number, reason, actor=ACTOR)


@pytest.mark.parametrize("verdict", ["error", "warn"])
def test_only_a_fail_can_be_waived(bench: Bench, verdict: str) -> None:
    web = bench.build("web", 1)
    bench.channel("web", "prod", policy("boot", security=["sam"], strict=True))
    bench.prove(web, "boot", verdict, failing=("CVE-1 openssl",))  # type: ignore[arg-type]  # one of the verdicts
    bench.waive("CVE-1 openssl", "web", "sam")

    assert refusal(bench).diagnostics[0].code == "promote.verdict"


def test_a_fail_without_findings_cannot_be_waived(bench: Bench) -> None:
    failing(bench)

    assert refusal(bench).diagnostics[0].code == "promote.verdict"


def test_waived_evidence_still_has_to_be_young_and_of_an_allowed_signer(bench: Bench) -> None:
    web = failing(bench, "CVE-1 openssl")
    bench.waive("CVE-1 openssl", "web", "sam")
    bench.channel("web", "prod", policy("vulnerabilities", security=["sam"], signers=["key:other"]))
    assert refusal(bench).diagnostics[0].code == "promote.other-signer"
    bench.channel("web", "prod", policy("vulnerabilities", security=["sam"], max_age_s=10))
    bench.turn(20)

    assert refusal(bench).diagnostics[0].code == "promote.stale-evidence"
    bench.prove(web, "vulnerabilities", "fail", failing=("CVE-1 openssl",))
    assert bench.promote("web", "prod", "web") == 1


def test_a_waiver_needs_a_finding_a_reason_and_an_end_to_come(bench: Bench) -> None:
    bench.build("web", 1)

    for finding, seconds in (("and 12 more", 10), (" ", 10), ("CVE-1", 0), ("CVE-1", -5), ("CVE-1", 181 * 86_400)):
        with pytest.raises(UserError):
            bench.waive(finding, "web", "sam", seconds)
    for scope in ("nothing", "web@nowhere", "web:9"):
        with pytest.raises(UserError):
            bench.registry.scope(scope)
    assert bench.registry.waivers() == ()


def test_the_decision_names_the_waivers_that_it_rests_on(bench: Bench) -> None:
    failing(bench, "CVE-1 openssl")
    given = bench.waive("CVE-1 openssl", "web", "sam")
    bench.waive("CVE-1 openssl", "web", "mallory")
    bench.promote("web", "prod", "web")

    summary = bench.registry.summary_of(bench.registry.unsigned()[0])

    named = [item["digest"]["sha256"] for item in summary.predicate["inputAttestations"]]  # type: ignore[attr-defined]
    assert named[1:] == [given.statement_digest.removeprefix("sha256:")]
