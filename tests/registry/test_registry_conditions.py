"""Conditions of a channel: whatever is not true, for whatever reason, keeps a version out."""

from __future__ import annotations

import pytest

from goldsmith.hcl import SourceFile, parse_expression
from goldsmith.hcl.diagnostics import Refused, UserError
from goldsmith.registry.conditions import check
from tests.registry.registry_workbench import Bench, policy

MET = [
    'evidence.boot.verdict == "pass"',
    'evidence["boot"].age_s < 3600 && version.age_s < 3600',
    'contains(evidence.boot.signers, "key:ci") && length(evidence.boot.failing) == 0',
    'version.image == "web" && version.number == 1 && version.parent == null && version.builder == "test"',
    'channel.image == "web" && channel.name == "prod"',
    'try(evidence.secrets.verdict, "none") == "none"',
]
UNMET = [
    ('evidence.boot.verdict == "fail"', "false"),
    ('evidence.secrets.verdict == "pass"', "cannot be told"),
    ("evidence.boot.verdict", "cannot be told"),
    ("version.parent", "cannot be told"),
    ("version.age_s <", "cannot be told"),
    ("version.parent > 3", "cannot be told"),
    ('file("/etc/passwd") != ""', "cannot be told"),
    ('timestamp() != ""', "cannot be told"),
    ("somebody.age_s > 3", "cannot be told"),
]


@pytest.mark.parametrize("condition", MET)
def test_a_condition_that_is_true_lets_a_version_in(bench: Bench, condition: str) -> None:
    web = bench.build("web", 1)
    bench.channel("web", "prod", policy(conditions=[condition]))
    bench.prove(web, "boot")

    assert bench.promote("web", "prod", "web") == 1


@pytest.mark.parametrize(("condition", "found"), UNMET)
def test_a_condition_that_is_not_true_keeps_it_out_and_shows_where(sqlite_bench: Bench, condition: str, found: str) -> None:
    bench = sqlite_bench
    web = bench.build("web", 1)
    bench.channel("web", "prod", policy(conditions=["true", condition]))
    bench.prove(web, "boot")

    with pytest.raises(Refused) as caught:
        bench.promote("web", "prod", "web")

    (unmet,) = caught.value.diagnostics
    assert (unmet.code, unmet.what) == ("promote.condition", f"condition 2 of web@prod: {found}")
    assert unmet.where is not None
    assert unmet.where.source.text == condition
    assert unmet.next


def test_a_gate_has_the_worst_verdict_of_all_disks(sqlite_bench: Bench) -> None:
    bench = sqlite_bench
    web = bench.build("web", 1, disks=2)
    first, second = (str(disk) for disk in bench.registry.show("web").document["disks"].values())  # type: ignore[union-attr]
    bench.channel("web", "prod", policy(conditions=['evidence.boot.verdict == "none"']))
    bench.prove(web, "boot", subjects=(first,))

    bench.promote("web", "prod", "web")
    bench.channel("web", "dev", policy(conditions=['evidence.boot.verdict == "warn"']))
    bench.prove(web, "boot", "warn", subjects=(second,))

    assert bench.promote("web", "dev", "web") == 1


@pytest.mark.parametrize("text", ["evidence.boot.verdict", "version.labels[0] == 1 || true", MET[0]])
def test_a_condition_that_could_be_true_is_accepted_before_anything_is_known(text: str) -> None:
    check(parse_expression(SourceFile("goldsmith.hcl", text)))


@pytest.mark.parametrize("text", ["7", '"pass"', "evidnce.boot.verdict", 'file("x") == ""', "uuidv4() != null", "null"])
def test_a_condition_that_could_never_be_true_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        check(parse_expression(SourceFile("goldsmith.hcl", text)))

    assert caught.value.diagnostics[0].where is not None
