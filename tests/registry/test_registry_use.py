"""What is in use is kept, and nothing goes by an inventory that may not be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from goldsmith.hcl.diagnostics import Bug, Diagnostic, Refused, UserError
from goldsmith.registry import CopyPlace, Expired, Limits, Outlook, Reading, Reference, RetentionPolicy, certificates
from goldsmith.registry.inventory.accepted import accept
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, digest, policy

RULES = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=3 * 3600)
OTHERS = tuple(Reference(external_id=f"ami-{number:08}", kind="instance", place=f"i-{number}") for number in range(10))
"""Uses of images that are not ours."""


def two_versions(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)


def expire(bench: Bench, *readings: Reading, policy: RetentionPolicy = RULES) -> Expired:
    return bench.registry.expire(policy, outlook=Outlook(readings=readings), actor=ACTOR)


def use(id: str, count: int = 1) -> Reference:
    return Reference(external_id=id, kind="instance", place="i-web", count=count)


def kept(bench: Bench, *readings: Reading) -> dict[str, tuple[str, ...]]:
    return {item.ref: item.by for item in bench.registry.expire_plan(RULES, readings=readings, actor=ACTOR).kept}


def ami(bench: Bench, ref: str, id: str = "ami-0000abcd", region: str = "eu-west-1") -> CopyPlace:
    place = CopyPlace(platform="aws", account="1", region=region, external_id=id, kind="ami")
    bench.registry.add_copy(ref, place, actor=ACTOR)
    return place


def in_aws(bench: Bench, *references: Reference, region: str = "eu-west-1") -> Reading:
    return bench.reading(*OTHERS, *references, platform="aws", account="1", region=region)


@pytest.mark.parametrize("name", ["version", "disk", "file"])
def test_what_is_in_use_by_any_of_its_names_is_kept(bench: Bench, name: str) -> None:
    two_versions(bench)
    detail = bench.registry.show("web:1")
    disks = detail.document["disks"]
    assert isinstance(disks, dict)
    id = {"version": detail.version.digest, "disk": disks["arch0"], "file": detail.artifacts[0].digest}[name]

    assert kept(bench, bench.reading(use(id, 3)))["web:1"] == ("in use by 3 × instance (i-web) as test says",)
    assert "web:1" not in kept(bench, bench.reading(*OTHERS))


def test_a_use_seen_within_the_grace_keeps_a_marked_version(bench: Bench) -> None:
    two_versions(bench)
    assert [item.ref for item in expire(bench, bench.reading(*OTHERS)).marked] == ["web:1"]
    bench.turn(3 * 3600)

    done = expire(bench, bench.reading(*OTHERS, use(bench.registry.show("web:1").version.digest)))

    assert (done.kept_again, done.deleted) == (("web:1",), ())
    bench.turn(2 * 3600)
    assert [item.ref for item in expire(bench, bench.reading(*OTHERS)).marked] == ["web:1"]
    bench.turn(2 * 3600)
    assert expire(bench, bench.reading(*OTHERS)).deleted == (), "the grace has begun anew"


def test_who_only_asks_is_told_what_was_seen_last(bench: Bench) -> None:
    two_versions(bench)
    bench.look(use(bench.registry.show("web:1").version.digest))
    bench.turn(2 * 3600)

    plan = bench.registry.expire_plan(RULES)

    assert {item.ref: item.by for item in plan.kept}["web:1"] == ("in use by 1 × instance (i-web) as test says",)


def test_a_deletion_rests_on_two_certificates_with_inventories_of_their_own(bench: Bench) -> None:
    two_versions(bench)
    first, early = bench.reading(*OTHERS), bench.reading(*OTHERS)
    bench.turn(1)
    expire(bench, first)
    bench.turn(3 * 3600)

    assert expire(bench, replace(early, finished=bench.now)).deleted == (), "it was begun before the marking"
    bench.turn(60)
    assert [item.ref for item in expire(bench, bench.reading(*OTHERS)).deleted] == ["web:1"]
    with bench.registry.database.read() as reader:
        found = list(reader.rows("SELECT stage, digest, doc FROM certificate ORDER BY seq"))
    assert [row.whole("stage") for row in found] == [1, 2]
    assert f'"first":"{found[0].text("digest")}"' in found[1].text("doc")


def test_a_place_that_is_not_looked_at_any_more_stops_the_run_until_it_is_forgotten(bench: Bench) -> None:
    two_versions(bench)
    expire(bench, bench.reading(*OTHERS), bench.reading(*OTHERS, source="second"))
    bench.turn(4 * 3600)
    for readings in ([bench.reading(*OTHERS)], []):
        with pytest.raises(Refused, match="second is not looked at any more: it had 10 uses"):
            expire(bench, *readings)
        with pytest.raises(Refused, match="second is not looked at any more"):
            kept(bench, *readings)

    bench.registry.record_inventories([], forget=["second"], actor=ACTOR)

    done = expire(bench, bench.reading(*OTHERS))
    assert (done.kept_again, done.deleted) == (("web:1",), ()), "the grace begins anew"
    with pytest.raises(UserError, match="nothing to forget"):
        bench.registry.record_inventories([], forget=["second"], actor=ACTOR)
    with pytest.raises(Refused, match="has shrunk"):
        bench.look(*OTHERS[:3], source="second")


def test_a_grace_is_at_least_twice_as_long_as_an_inventory_may_be_old(bench: Bench) -> None:
    two_versions(bench)
    short = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0)
    slow = Limits(max_age_s=5 * 3600)
    expire(bench, bench.reading(*OTHERS, limits=slow), policy=short)
    bench.turn(9 * 3600)
    assert expire(bench, bench.reading(*OTHERS, limits=slow), policy=short).deleted == ()
    bench.turn(3600)

    assert [item.ref for item in expire(bench, bench.reading(*OTHERS, limits=slow), policy=short).deleted] == ["web:1"]


# ── guards ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _denied(reading: Reading) -> Reading:
    return replace(reading, trouble=(Diagnostic(code="aws.refused", what="listing instances failed"),))


def _older(reading: Reading, seconds: int) -> Reading:
    return replace(reading, started=reading.started - seconds * SECOND, finished=reading.finished - seconds * SECOND)


FAULTS: dict[str, tuple[Callable[[Reading], Reading], str]] = {
    "empty": (lambda reading: replace(reading, references=()), r"is empty: .* the one before had 10"),
    "shrunk": (lambda reading: replace(reading, references=OTHERS[:6]), r"has 6 uses, the one before had 10"),
    "forbidden": (_denied, "is not complete: listing instances failed"),
    "stale": (lambda reading: _older(reading, 3700), "is too old"),
    "an old copy": (lambda reading: _older(reading, 3 * 3600 + 5), "is older than the one before it"),
    "ahead": (lambda reading: _older(reading, -400), "is from a time to come"),
    "a clock that was turned back": (lambda reading: replace(reading, started=reading.finished + 1), "ends before it begins"),
    "below its floor": (lambda reading: replace(reading, limits=Limits(minimum=11)), "has 10 uses"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_stops_by_the_guard_of_one_inventory_and_nothing_is_changed(bench: Bench, name: str) -> None:
    two_versions(bench)
    spoil, words = FAULTS[name]
    bench.look(*OTHERS)
    bench.turn(3 * 3600)
    good = bench.reading(*OTHERS, source="good")

    with pytest.raises(Refused, match=words) as refused:
        expire(bench, good, spoil(bench.reading(*OTHERS)))

    assert refused.value.exit_code == 2
    assert bench.registry.show("web:1").version.storage == "present"
    assert "retention.marked" not in bench.types()
    assert bench.types()[-1] == "inventory.refused"
    with pytest.raises(Refused, match=words):
        bench.registry.expire_plan(RULES, readings=[spoil(bench.reading(*OTHERS))], actor=ACTOR)


def test_a_shrunk_inventory_is_not_what_the_next_one_is_compared_with(bench: Bench) -> None:
    bench.look(*OTHERS)
    for _ in range(2):
        with pytest.raises(Refused, match="shrunk"):
            bench.look(*OTHERS[:5])

    bench.look(*OTHERS[:5], limits=Limits(accepts_smaller=True))

    bench.look(*OTHERS[:4])
    assert [(item.size, item.previous) for item in bench.registry.inventories()] == [(4, 5)]


def test_a_place_may_be_empty_when_its_minimum_says_so(bench: Bench) -> None:
    bench.look(limits=Limits(minimum=0))

    assert bench.registry.inventories()[0].size == 0


def test_two_inventories_of_one_place_are_refused(bench: Bench) -> None:
    with pytest.raises(UserError, match="two inventories of test"):
        expire(bench, bench.reading(*OTHERS), bench.reading(*OTHERS))


def test_an_inventory_that_grew_old_while_another_run_was_waited_for_does_not_count(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_versions(bench)

    def slow(*arguments: object) -> object:
        accepted = accept(*arguments)  # type: ignore[arg-type]  # as the caller gave them
        bench.turn(3700)
        return accepted

    monkeypatch.setattr("goldsmith.registry.expire.accept", slow)
    with pytest.raises(Refused, match="does not count any more"):
        expire(bench, bench.reading(*OTHERS))

    assert bench.registry.show("web:1").version.storage == "present"


# ── copies ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_keeps_its_version_unless_an_inventory_sees_its_account_and_region(bench: Bench) -> None:
    two_versions(bench)
    ami(bench, "web:1")

    where = "no inventory says whether its copy ami-0000abcd in aws 1 eu-west-1 is in use"
    assert kept(bench, in_aws(bench, region="us-east-1"))["web:1"] == (where,)
    assert "web:1" not in kept(bench, in_aws(bench))
    assert kept(bench, in_aws(bench, use("ami-0000abcd")))["web:1"] == (
        "in use by 1 × instance (i-web) as test (aws 1 eu-west-1) says",
    )


def test_an_image_that_is_shared_keeps_its_version_unless_that_account_is_seen_too(bench: Bench) -> None:
    two_versions(bench)
    ami(bench, "web:1")
    shared = Reference(external_id="ami-0000abcd", kind="shared-with", place="2", count=0)

    assert kept(bench, in_aws(bench, shared))["web:1"] == (
        "ami-0000abcd is shared with 2 in eu-west-1, which no inventory sees",
    )
    second = bench.reading(*OTHERS, source="two", platform="aws", account="2", region="eu-west-1")
    assert "web:1" not in kept(bench, in_aws(bench, shared), second)


def test_a_copy_that_only_people_can_reach_keeps_its_version_until_it_is_told_to_be_gone(bench: Bench) -> None:
    two_versions(bench)
    place = CopyPlace(platform="rack", account="", region="", external_id="/srv/web.raw", kind="raw")
    bench.registry.add_copy("web:1", place, actor=ACTOR)
    assert "can only be deleted there" in kept(bench)["web:1"][0]

    bench.registry.lose_copy("web:1", "/srv/web.raw", actor=ACTOR)

    assert "web:1" not in kept(bench)


def test_a_copy_belongs_to_one_version(bench: Bench) -> None:
    two_versions(bench)
    place = ami(bench, "web:1")
    assert bench.registry.add_copy("web:1", place, actor=ACTOR).place == place

    with pytest.raises(UserError, match="is a copy of web:1"):
        bench.registry.add_copy("web:2", place, actor=ACTOR)
    with pytest.raises(UserError, match="has no copy ami-1"):
        bench.registry.lose_copy("web:1", "ami-1", actor=ACTOR)


def test_a_new_copy_shows_that_a_marked_version_is_wanted(bench: Bench) -> None:
    two_versions(bench)
    expire(bench)

    ami(bench, "web:1")

    assert bench.registry.show("web:1").version.storage == "present"


# ── rules of channels, requests ───────────────────────────────────────────────────────────────────────────────────────


def channel_rule(bench: Bench, **rule: int) -> dict[str, tuple[str, ...]]:
    from goldsmith.registry import KeepRule

    rules = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, channels={"prod": KeepRule(**rule)})
    return {item.ref: item.by for item in bench.registry.expire_plan(rules).kept}


def test_a_channel_keeps_versions_by_rules_of_its_own(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy(keep=0))
    for build in range(1, 7):
        bench.build("web", build)
        if build != 5:
            bench.promote("web", "prod", f"web:{build}")
            bench.turn(100)
    bench.turn(1000)

    assert set(channel_rule(bench)) == {"web:6"}
    assert channel_rule(bench, keep_last=3) == {
        "web:6": ("the newest version of web", "in web@prod", "among the last 3 of web@prod"),
        "web:4": ("among the last 3 of web@prod",),
        "web:3": ("among the last 3 of web@prod",),
    }
    assert list(channel_rule(bench, keep_for_s=1250)) == ["web:6", "web:4", "web:3"]
    bench.registry.revoke("web:4", "bad", actor=ACTOR)
    retained = "one of 3 fit versions that are retained for web@prod"
    assert channel_rule(bench, retain_at_least=3)["web:2"] == (retained,)
    assert "web:4" not in channel_rule(bench, retain_at_least=3)


def test_an_image_retains_versions_that_are_not_revoked_however_old(bench: Bench) -> None:
    for build in range(1, 6):
        bench.build("web", build)
    for ref in ("web:5", "web:3"):
        bench.registry.revoke(ref, "bad", actor=ACTOR)
    rules = RetentionPolicy(keep_last=1, keep_for_s=0, retain_at_least=2)

    found = {item.ref: item.by for item in bench.registry.expire_plan(rules).kept}

    retained = "one of 2 fit versions that web retains"
    assert found == {"web:5": ("the newest version of web",), "web:4": (retained,), "web:2": (retained,)}


def test_an_image_that_no_rule_speaks_of_is_kept(bench: Bench) -> None:
    two_versions(bench)
    rules = RetentionPolicy(keep_last=1, keep_for_s=0, others=frozenset({"base"}))

    assert {item.by for item in bench.registry.expire_plan(rules).kept} == {("no retention rule speaks of web",)}


def test_a_version_that_somebody_asks_for_is_kept(bench: Bench) -> None:
    two_versions(bench)
    bench.channel("web", "prod", policy(approvals=1, approvers=["alice"]))
    with pytest.raises(Refused):
        bench.promote("web", "prod", "web:1")

    assert kept(bench)["web:1"] == ("request 1 asks for it in web@prod",)

    bench.channel("web", "prod", policy(approvals=2, approvers=["alice", "bob"]))
    assert "web:1" not in kept(bench), "another policy has made the request void"


# ── certificates are demanded, not taken for granted ──────────────────────────────────────────────────────────────────


def test_a_certificate_is_refused_to_what_is_referred_to(bench: Bench) -> None:
    two_versions(bench)
    version = bench.registry.pin("web:1", "hold", "carol", actor=ACTOR)

    with pytest.raises(Bug, match="has 1 pins"), bench.registry.database.write(ACTOR) as tx:
        certificates.certify(tx, version.id, version.digest, certificates.begin(tx, RULES, 0, (), 1), 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda doc: {**doc, "at": doc["at"] + 1, "grace_s": 10**6}, "less than the grace apart"),
        (lambda doc: {**doc, "version": digest("another")}, "not the first and the second of this version"),
        (lambda doc: {**doc, "inventories": []}, "fewer inventories than the first"),
        (lambda doc: {**doc, "first": None, "stage": 1}, "not the first and the second"),
    ],
)
def test_a_deletion_with_a_certificate_that_does_not_allow_it_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, object]], object], words: str
) -> None:
    two_versions(bench)
    expire(bench, bench.reading(*OTHERS))
    bench.turn(3 * 3600)
    right = certificates._parsed

    def forged(text: str) -> object:
        document = dict(right(text))
        return change(document) if document["stage"] == 2 else document

    monkeypatch.setattr(certificates, "_parsed", forged)
    with pytest.raises(Bug, match=words):
        expire(bench, bench.reading(*OTHERS))
    assert bench.registry.show("web:1").version.storage == "expiring"
