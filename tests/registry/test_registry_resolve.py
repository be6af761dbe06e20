"""What a channel points at, in which place, and the other way round."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import GoldsmithError, Refused, UserError
from goldsmith.registry import CopyPlace, Order, Target, Version
from tests.registry.registry_workbench import ACTOR, Bench, policy


def copy(region: str, id: str, kind: str = "ami") -> CopyPlace:
    return CopyPlace(platform="aws", account="123456789012", region=region, external_id=id, kind=kind)


@pytest.fixture
def spread(bench: Bench) -> Bench:
    """web:1 and web:2, the second in prod and in two regions."""
    base = bench.build("base", 1)
    for build in (1, 2):
        bench.build("web", build, base)
    bench.channel("web", "prod", policy())
    for reference in ("web:1", "web:2"):
        bench.promote("web", "prod", reference)
    for region in ("eu-west-1", "us-east-1"):
        bench.registry.add_copy("web:2", copy(region, f"ami-{region}"), actor=ACTOR)
    return bench


def refused(bench: Bench) -> GoldsmithError:
    with pytest.raises(GoldsmithError) as caught:
        bench.registry.resolve_channel("web", "prod")
    return caught.value


def test_a_channel_is_resolved_with_the_places_of_its_version(spread: Bench) -> None:
    found = spread.registry.resolve_channel("web", "prod")

    assert (found.version.ref, found.generation) == ("web:2", 2)
    assert found.version == spread.registry.show("web:2").version
    assert found.in_place("aws", "us-east-1").external_id == "ami-us-east-1"
    assert found.in_place("local", "").in_store
    with pytest.raises(UserError, match="2 artifacts in aws") as several:
        found.in_place("aws", "")
    assert several.value.diagnostics[0].code == "resolve.several"
    with pytest.raises(Refused, match="no artifact in aws eu-north-1"):
        found.in_place("aws", "eu-north-1")


def test_what_cannot_be_started_any_more_is_no_place(spread: Bench) -> None:
    spread.registry.lose_copy("web:2", "ami-eu-west-1", actor=ACTOR)

    found = spread.registry.resolve_channel("web", "prod")

    assert sorted(item.external_id for item in found.artifacts if not item.in_store) == ["ami-us-east-1"]


@pytest.mark.parametrize("reference", ["web:2", "base:1"])
def test_a_revoked_version_is_not_given_until_that_is_taken_back(spread: Bench, reference: str) -> None:
    spread.registry.revoke(reference, "bad", channels="leave", actor=ACTOR)
    assert refused(spread).diagnostics[0].code == "resolve.unfit"
    assert spread.registry.resolve_channel_at("web", "prod", time=spread.now).version.ref == "web:2"

    spread.registry.withdraw(reference, "another file", actor=ACTOR)
    assert spread.registry.resolve_channel("web", "prod").version.ref == "web:2"


def test_who_asks_for_a_revoked_version_is_told_what_a_rollback_would_bring(spread: Bench) -> None:
    base = spread.registry.resolve("base:1")
    for build in (3, 4):
        spread.build("web", build, base)
    glass = Order(reason="fire", break_glass_s=60)
    spread.registry.promote_all([Target(image="web", channel="prod", reference="web:3")], glass, actor=ACTOR)
    spread.promote("web", "prod", "web:4")
    spread.registry.revoke("web:4", "bad", channels="leave", actor=ACTOR)
    assert "web:2: goldsmith rollback web prod" in refused(spread).diagnostics[0].next

    spread.registry.revoke("web:2", "bad", channels="leave", actor=ACTOR)
    assert "web:1" in refused(spread).diagnostics[0].next


def test_a_revocation_for_later_counts_from_its_time_on(spread: Bench) -> None:
    spread.registry.revoke("web:2", "bad", effective_at=spread.now + 60_000_000, actor=ACTOR)
    assert spread.registry.resolve_channel("web", "prod").version.ref == "web:2"

    spread.turn(60)

    assert refused(spread).diagnostics[0].code == "resolve.unfit"


def test_a_quarantined_or_empty_channel_is_refused(spread: Bench) -> None:
    spread.channel("web", "dev", policy())
    with pytest.raises(Refused, match="web@dev is empty"):
        spread.registry.resolve_channel("web", "dev")
    spread.registry.revoke("web:2", "bad", channels="quarantine", actor=ACTOR)
    spread.registry.withdraw("web:2", "another file", actor=ACTOR)

    assert "the channel is quarantined: bad" in str(refused(spread))


def test_an_artifact_leads_to_its_versions(spread: Bench) -> None:
    def refs(artifact: str) -> list[str]:
        found: list[Version] = [version for version, _ in spread.registry.with_artifact(artifact)]
        return [version.ref for version in found]

    stored = spread.registry.show("web:1").artifacts[0].digest
    assert refs("ami-us-east-1") == ["web:2"]
    assert refs(stored) == ["web:1"]
    with pytest.raises(UserError, match='no version has the artifact "ami-us-east-2"') as caught:
        refs("ami-us-east-2")
    assert caught.value.diagnostics[0].next == 'Did you mean "ami-us-east-1"?'
