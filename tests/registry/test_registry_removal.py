"""Copies in clouds go step by step, each seen; whatever refuses or is lost on the way is told and tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.registry import CopyPlace, Expired, Outlook, Reference, RetentionPolicy
from tests.registry.registry_workbench import ACTOR, Bench

RULES = RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, disabled_s=86_400, bytes_wait_s=0)
KEY = ("aws", "1", "eu-west-1")
AMI, SNAPSHOT = "ami-0000abcd", "snap-0000abcd"
OTHER = Reference(external_id="ami-ffffffff", kind="instance", place="i-1")


@dataclass
class FakeCloud:
    """A region with one image; `refuses` names the calls that fail."""

    images: dict[str, str] = field(default_factory=lambda: {AMI: "available"})
    snapshots: set[str] = field(default_factory=lambda: {SNAPSHOT})
    refuses: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.refuses:
            raise MachineError(Diagnostic(code="aws.refused", what=f"{name} was refused"))

    def disable(self, image: str) -> tuple[str, ...] | None:
        self._called("disable")
        if image not in self.images:
            return None
        self.images[image] = "disabled"
        return (SNAPSHOT,)

    def deregister(self, image: str) -> None:
        self._called("deregister")
        assert self.images.pop(image, "disabled") == "disabled"

    def delete_snapshot(self, snapshot: str) -> None:
        self._called("delete_snapshot")
        assert not self.images
        self.snapshots.discard(snapshot)


def run(bench: Bench, cloud: FakeCloud | None, *uses: Reference) -> Expired:
    reading = bench.reading(OTHER, *uses, platform="aws", account="1", region="eu-west-1")
    return bench.registry.expire(RULES, outlook=Outlook(readings=[reading], clouds={KEY: cloud} if cloud else {}), actor=ACTOR)


def leaving(bench: Bench, cloud: FakeCloud | None) -> Expired:
    """A registry in which web:1, with an AMI, has just come to be deleted."""
    bench.build("web", 1)
    bench.build("web", 2)
    place = CopyPlace(platform="aws", account="1", region="eu-west-1", external_id=AMI, kind="ami")
    bench.registry.add_copy("web:1", place, actor=ACTOR)
    run(bench, cloud)
    bench.turn(2 * 3600)
    return run(bench, cloud)


def state(bench: Bench) -> tuple[str, list[str]]:
    return bench.registry.show("web:1").version.storage, [copy.state for copy in bench.registry.copies("web:1")]


def waiting(done: Expired) -> Sequence[str]:
    return [f"{item.copy}: {item.why.what}" for item in done.left]


def test_an_image_is_disabled_then_deregistered_then_its_snapshots_go_and_then_the_version(bench: Bench) -> None:
    cloud = FakeCloud()

    first = leaving(bench, cloud)

    assert (cloud.calls, state(bench)) == (["disable"], ("deleting", ["disabled", "published"]))
    assert waiting(first) == [
        f"{AMI}: {AMI} is disabled, and is deregistered in 24 h",
        f"{SNAPSHOT}: {SNAPSHOT} goes after its image",
    ]
    bench.turn(20 * 3600)
    assert waiting(run(bench, cloud))[0] == f"{AMI}: {AMI} is disabled, and is deregistered in 3 h"
    bench.turn(4 * 3600)

    last = run(bench, cloud)

    assert cloud.calls == ["disable", "deregister", "delete_snapshot"]
    assert (cloud.images, cloud.snapshots) == ({}, set())
    assert [item.ref for item in last.deleted] == ["web:1"]
    assert state(bench) == ("deleted", [])
    assert [name for name in bench.types() if name.startswith("artifact.")] == [
        "artifact.published",
        "artifact.disabled",
        "artifact.gone",
        "artifact.gone",
    ]


@pytest.mark.parametrize(("refused", "left"), [("disable", AMI), ("deregister", AMI), ("delete_snapshot", SNAPSHOT)])
def test_a_step_that_is_refused_is_told_and_tried_again(bench: Bench, refused: str, left: str) -> None:
    cloud = FakeCloud(refuses={refused})
    leaving(bench, cloud)
    bench.turn(25 * 3600)
    run(bench, cloud)

    done = run(bench, cloud)

    assert f"{left}: {refused} was refused" in waiting(done)
    assert state(bench)[0] == "deleting"
    cloud.refuses.clear()
    run(bench, cloud)
    bench.turn(25 * 3600)
    run(bench, cloud)
    assert (state(bench), cloud.images, cloud.snapshots) == (("deleted", []), {}, set())


def test_an_image_that_somebody_else_has_deleted_is_no_trouble(bench: Bench) -> None:
    leaving(bench, FakeCloud(images={}))

    assert state(bench) == ("deleted", [])


def test_a_use_that_is_seen_after_the_image_was_disabled_keeps_it_from_being_deregistered(bench: Bench) -> None:
    cloud = FakeCloud()
    leaving(bench, cloud)
    bench.turn(25 * 3600)

    done = run(bench, cloud, Reference(external_id=AMI, kind="launch-template", place="lt-1:3"))

    assert waiting(done)[0] == (
        f"{AMI}: {AMI} is disabled and will not be deregistered: it is in use by 1 × launch-template (lt-1:3)"
    )
    assert done.left[0].why.next.endswith(f"aws ec2 enable-image --image-id {AMI}")
    assert "deregister" not in cloud.calls


def test_without_an_access_a_copy_stays_and_says_so(bench: Bench) -> None:
    done = leaving(bench, None)

    assert "no inventory names an access to that account and region" in waiting(done)[0]
    assert state(bench) == ("deleting", ["published"])
    bench.registry.lose_copy("web:1", AMI, actor=ACTOR)
    run(bench, None)
    assert state(bench) == ("deleted", [])


def test_what_a_killed_run_had_done_in_the_cloud_is_found_by_the_next_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = FakeCloud()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("goldsmith.registry.removal.Removal._write", die)
        leaving(bench, cloud)
    assert (cloud.images, state(bench)) == ({AMI: "disabled"}, ("deleting", ["published"]))

    run(bench, cloud)
    bench.turn(25 * 3600)
    run(bench, cloud)

    assert (state(bench), cloud.images, cloud.snapshots) == (("deleted", []), {}, set())


def test_a_run_that_is_stopped_by_an_inventory_takes_nothing_away(bench: Bench) -> None:
    from goldsmith.hcl.diagnostics import Refused

    cloud = FakeCloud()
    leaving(bench, cloud)
    bench.turn(25 * 3600)
    empty = bench.reading(platform="aws", account="1", region="eu-west-1")

    with pytest.raises(Refused, match="is empty"):
        bench.registry.expire(RULES, outlook=Outlook(readings=[empty], clouds={KEY: cloud}), actor=ACTOR)

    assert cloud.calls == ["disable"]
