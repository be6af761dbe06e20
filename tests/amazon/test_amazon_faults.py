"""Faults at every single call of a build of `amazon-ebs`: whatever fails, nothing is left, as the cloud itself tells."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.sources.amazon_ebs import AmazonEbsConfig
from tests.amazon.builds import HERE, build, config
from tests.amazon.cloud import Call, Cloud, FaultKind

pytestmark = pytest.mark.slow

# All kinds at all calls take minutes; what differs is when the call acts, so that two kinds tell most.
ALL: tuple[FaultKind, ...] = ("throttle", "error", "denied", "expired", "lost")
KINDS: tuple[FaultKind, ...] = ALL if os.environ.get("GOLDSMITH_ALL_FAULTS") else ("lost", "denied")
TRIED_AGAIN = ("throttle", "error", "lost")
RELEASES = ("TerminateInstances", "DeleteSecurityGroup", "DescribeInstances", "DescribeVolumes", "DescribeSecurityGroups")


def settings(cloud: Cloud, source: str) -> AmazonEbsConfig:
    """A build with a copy, rights and tags: most of what builds do."""
    return config(
        cloud,
        source_ami=source,
        ami_regions=("eu-central-1",),
        skip_region_validation=True,
        ami_users=("111122223333",),
        snapshot_users=("111122223333",),
        tags={"Name": "golden"},
        deprecate_at="2099-01-02T15:04:05Z",
        max_retries=1,
    )


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits before it tries again."""
    monkeypatch.setattr("botocore.endpoint.time", type("Clock", (), {"sleep": staticmethod(lambda seconds: None)}))


def at(number: int, kind: FaultKind) -> Callable[[Call, int], FaultKind | None]:
    """The call of a number fails, and when the library tries it again, that too."""
    numbers = (number, number + 1) if kind in TRIED_AGAIN else (number,)

    def fault(call: Call, index: int) -> FaultKind | None:
        return kind if index in numbers else None

    return fault


def reset(cloud: Cloud) -> None:
    """Remove the AMIs of a build that went well; everything else was released by it."""
    for region in cloud.images.regions.values():
        made = [name for name, image in region.images.items() if image["Name"] == "golden"]
        for name in made:
            for device in region.images.pop(name)["BlockDeviceMappings"]:
                region.snapshots.pop(device["Ebs"]["SnapshotId"])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_whatever_call_fails(kind: FaultKind, cloud: Cloud, context: Context) -> None:
    source = cloud.images.publish(HERE, "base")
    build(settings(cloud, source), context)
    calls = [call.action for call in cloud.calls]
    reset(cloud)
    failed = 0

    for number, action in enumerate(calls):
        cloud.calls.clear()
        cloud.fault = at(number, kind)
        try:
            build(settings(cloud, source), context)
        except GoldsmithError:
            failed += 1
        cloud.fault = lambda call, index: None
        reset(cloud)
        # A release that is refused stays in the journal, and is done by the next sweep.
        for left in context.journal.directory.glob("*.jsonl"):
            assert action in RELEASES, left
            sweep(context)
        assert cloud.left() == {}, (kind, number, action)

    assert failed >= len(calls) // 2


def sweep(context: Context) -> None:
    """As a later process does, once this one has ended."""
    from goldsmith.machines import Journal

    elsewhere = context.cwd / "swept"
    elsewhere.mkdir(exist_ok=True)
    for path in context.journal.directory.glob("*.jsonl"):
        (elsewhere / path.name).write_text(path.read_text())
        path.write_text(path.read_text().splitlines()[0] + "\n")
    Journal(elsewhere).sweep(lambda event: None)
    assert not list(elsewhere.glob("*.jsonl"))
