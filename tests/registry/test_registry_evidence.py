"""Evidence: accepted for exactly one version, once, and the newest counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from goldsmith.hcl.diagnostics import Refused
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, digest, policy


def test_evidence_is_kept_with_its_bundle(bench: Bench) -> None:
    web = bench.build("web", 1)

    evidence = bench.prove(web, "boot")

    assert evidence.verdict == "pass"
    with bench.registry.blobs.open(evidence.blob) as reader:
        assert reader.read() == b"bundle 1"


def test_a_known_statement_changes_nothing(bench: Bench) -> None:
    web = bench.build("web", 1)
    statement = bench.statement(web, "boot", "pass")
    first = bench.registry.attest(web, statement, b"bundle", ACTOR)

    again = bench.registry.attest(web, statement, b"bundle signed again", ACTOR)

    assert (again.seq, again.existed) == (first.seq, True)
    assert bench.types().count("evidence.accepted") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subjects": (digest("another"),)}, "evidence.foreign-subject"),
        ({"subjects": ()}, "evidence.no-subject"),
        ({"predicate_type": "https://example.com/mine/v9"}, "evidence.unknown-type"),
        ({"statement_digest": "sha256:short"}, "evidence.incomplete"),
        ({"verdict": "excellent"}, "evidence.incomplete"),
        ({"issued_at": 1_900_000_000 * SECOND}, "evidence.future"),
    ],
)
def test_evidence_that_cannot_count_is_refused_and_the_refusal_is_an_event(
    bench: Bench, changes: dict[str, Any], code: str
) -> None:
    web = bench.build("web", 1)

    with pytest.raises(Refused) as caught:
        bench.registry.attest(web, replace(bench.statement(web, "boot", "pass"), **changes), b"bundle", ACTOR)

    assert [item.code for item in caught.value.diagnostics] == [code]
    assert bench.types()[-1] == "evidence.refused"
    assert bench.registry.show("web").evidence == ()


def test_evidence_of_one_version_is_not_accepted_for_another(bench: Bench) -> None:
    first, second = bench.build("web", 1), bench.build("web", 2)

    with pytest.raises(Refused, match="not web:2"):
        bench.prove(second, "boot", subjects=(second.digest, first.digest))


def test_more_subjects_than_a_version_has_are_refused(bench: Bench) -> None:
    web = bench.build("web", 1, disks=17)
    disks = tuple(digest(f"disk web 1 {place}") for place in range(17))

    with pytest.raises(Refused, match="too many things"):
        bench.prove(web, "boot", subjects=disks)


def test_a_gate_is_met_only_when_every_disk_passed(bench: Bench) -> None:
    web = bench.build("web", 1, disks=2)
    bench.channel("web", "prod", policy("boot"))
    bench.prove(web, "boot", subjects=(digest("disk web 1 0"),))

    with pytest.raises(Refused, match="boot: no evidence"):
        bench.promote("web", "prod", "web")
    bench.prove(web, "boot", subjects=(digest("disk web 1 1"),))

    assert bench.promote("web", "prod", "web") == 1


def test_an_older_pass_does_not_outlive_a_newer_failure(bench: Bench) -> None:
    web = bench.build("web", 1)
    bench.channel("web", "prod", policy("boot"))
    passed = bench.statement(web, "boot", "pass")
    bench.registry.attest(web, passed, b"pass", ACTOR)
    bench.prove(web, "boot", "fail")

    bench.registry.attest(web, passed, b"pass", ACTOR)

    with pytest.raises(Refused, match="boot: FAIL: the gate found ssh-open"):
        bench.promote("web", "prod", "web")


def test_very_many_findings_are_kept_short_and_still_fail(bench: Bench) -> None:
    web = bench.build("web", 1)

    evidence = bench.prove(web, "boot", "fail", failing=tuple(f"CVE-{number}" for number in range(5000)))

    assert (len(evidence.failing), evidence.failing[-1]) == (1001, "and 4000 more")
