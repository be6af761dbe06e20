"""The post-processor `amazon-direct`: which blocks travel, what the AMI holds, and that nothing is left of what fails."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.amazon.snapshot_blocks import BlockRecords
from goldsmith.components import Artifact, Context
from goldsmith.hcl.diagnostics import GoldsmithError, UserError
from goldsmith.images.identity import disk_digest
from goldsmith.images.sealed import SealedImage
from goldsmith.machines.cancellation import Cancelled
from goldsmith.postprocessors.amazon_direct import AmazonDirect, AmazonDirectConfig
from tests.amazon.cloud import Call, Cloud
from tests.amazon.conftest import log_in
from tests.amazon.ebs_direct import BLOCK

HERE = "us-east-1"


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud without instances: nothing of this needs the server behind the front."""
    with Cloud("http://127.0.0.1:1") as cloud:
        log_in(cloud, tmp_path, monkeypatch)
        yield cloud


def disk(path: Path, size: int, blocks: dict[int, bytes]) -> Artifact:
    """A sparse disk in which some blocks begin with something."""
    with path.open("wb") as file:
        for index, content in blocks.items():
            file.seek(index * BLOCK)
            file.write(content)
        file.truncate(size)
    image = SealedImage(
        disk_digest=disk_digest(path),
        layers=(),
        parent_layers=0,
        parent=None,
        boot={},
        files={"raw": path},
        file_digests={},
        lock_digest="",
        tools={},
    )
    return Artifact(builder_id="goldsmith.disk", id=image.disk_digest, text="Disk files", files=(path,), image=image)


def publish(artifact: Artifact, context: Context, name: str = "golden", **settings: Any) -> str:
    made = AmazonDirect().process(replace(AmazonDirectConfig(ami_name=name), **settings), artifact, context)
    assert made.artifact is not None
    assert made.keep_input
    return made.artifact.id.partition(":")[2]


def held(cloud: Cloud, ami: str, size: int) -> bytes:
    """What a volume of an AMI would hold."""
    snapshot = cloud.images.region(HERE).images[ami]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    blocks = cloud.ebs.snapshots[snapshot].blocks
    content = b"".join(blocks.get(index, bytes(BLOCK)) for index in range(-(-size // BLOCK)))
    assert not any(any(blocks[index]) for index in blocks if index >= -(-size // BLOCK))
    return content[:size]


def test_only_blocks_that_hold_something_travel(sky: Cloud, context: Context, tmp_path: Path) -> None:
    size = 3 * (1 << 30) + 512
    artifact = disk(tmp_path / "disk", size, {0: b"boot", 7: b"x" * BLOCK, 6000: b"far", 6144: b"end"})

    ami = publish(artifact, context, tags={"Team": "core"})

    image = sky.images.region(HERE).images[ami]
    snapshot = sky.images.region(HERE).snapshots[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]]
    assert sorted(index for _, index in sky.ebs.written) == [0, 7, 6000, 6144]
    assert snapshot["VolumeSize"] == 4
    assert image["BootMode"] == "uefi-preferred"
    assert image["EnaSupport"]
    assert image["RootDeviceName"] == "/dev/xvda"
    assert artifact.image is not None
    assert {"Key": "goldsmith:disk", "Value": artifact.image.disk_digest} in image["Tags"]
    assert {"Key": "goldsmith:bound-by", "Value": "full"} in image["Tags"]
    assert {"Key": "Team", "Value": "core"} in image["Tags"]


def test_the_next_version_sends_what_changed(sky: Cloud, context: Context, tmp_path: Path) -> None:
    size = 8 << 20
    before = {0: b"boot", 1: b"old", 2: b"gone", 9: b"same"}
    publish(disk(tmp_path / "one", size, before), context, "one")
    sent = len(sky.ebs.written)

    ami = publish(disk(tmp_path / "two", size, {0: b"boot", 1: b"new", 5: b"more", 9: b"same"}), context, "two")

    # Block 2 became zeros: it is written, or the parent's content would show through.
    assert sorted(index for _, index in sky.ebs.written[sent:]) == [1, 2, 5]
    assert held(sky, ami, size) == (tmp_path / "two").read_bytes()


def test_an_unchanged_disk_sends_nothing(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot", 3: b"x"})
    publish(artifact, context, "one")
    sent = len(sky.ebs.written)

    publish(artifact, context, "two")

    assert len(sky.ebs.written) == sent == 2


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_parent_of_another_host_is_read_when_it_is_named(damage: str, sky: Cloud, context: Context, tmp_path: Path) -> None:
    size = 8 << 20
    first = publish(disk(tmp_path / "one", size, {0: b"boot", 3: b"x", 4: b"y"}), context, "one")
    parent = sky.images.region(HERE).images[first]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    record = context.cache / "ebs" / parent
    if damage == "missing":
        record.unlink()
    else:
        record.write_bytes(record.read_bytes()[:-1] + b"?")
    sent = len(sky.ebs.written)
    artifact = disk(tmp_path / "two", size, {0: b"boot", 3: b"changed", 4: b"y"})

    named = publish(artifact, context, "two", parent_snapshot=parent)

    assert [index for _, index in sky.ebs.written[sent:]] == [3]
    assert held(sky, named, size) == (tmp_path / "two").read_bytes()


def test_without_a_parent_that_this_host_knows_all_is_sent(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot", 3: b"x"})
    publish(artifact, context, "one")
    other_host = replace(context, cache=tmp_path / "other")

    publish(artifact, other_host, "two")
    publish(artifact, context, "three", parent_snapshot="none")

    assert len(sky.ebs.written) == 6


BLOCKS = st.dictionaries(st.integers(0, 20), st.sampled_from([b"a", b"b", b"\0", b"c" * BLOCK]), max_size=8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=st.lists(st.tuples(BLOCKS, st.integers(1, 21 * BLOCK)), min_size=2, max_size=3))
def test_each_version_holds_exactly_its_disk(
    versions: list[tuple[dict[int, bytes], int]], sky: Cloud, context: Context, tmp_path: Path
) -> None:
    for blocks, size in versions:
        artifact = disk(tmp_path / "disk", size, blocks)

        ami = publish(artifact, context, f"version {len(sky.calls)}")

        assert held(sky, ami, size) == (tmp_path / "disk").read_bytes()


def test_a_bit_that_turns_over_in_the_snapshot_is_found(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot", 3: b"x"})
    sky.ebs.corrupts = {3}

    with pytest.raises(GoldsmithError) as caught:
        publish(artifact, context)

    assert caught.value.diagnostics[0].code == "amazon.not-the-disk"
    assert sky.images.region(HERE).snapshots == {}
    assert sky.images.region(HERE).images == {}


def test_a_snapshot_that_holds_another_disk_is_found(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot"})
    assert artifact.image is not None
    sealed = replace(artifact.image, disk_digest="sha256:" + "0" * 64)

    with pytest.raises(GoldsmithError, match="does not hold the disk that was sealed"):
        publish(replace(artifact, image=sealed), context)

    assert sky.images.region(HERE).snapshots == {}


def test_a_shown_record_that_lies_is_found_by_reading_back(sky: Cloud, context: Context, tmp_path: Path) -> None:
    size = 8 << 20
    first = publish(disk(tmp_path / "one", size, {3: b"x"}), context, "one")
    parent = sky.images.region(HERE).images[first]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    records = BlockRecords(context.cache / "ebs")
    known = records.find(parent)
    assert known is not None
    artifact = disk(tmp_path / "two", size, {3: b"x", 4: b"y"})
    records.keep(parent, {**known, 4: hashlib.sha256(b"y".ljust(BLOCK, b"\0")).digest()})

    with pytest.raises(GoldsmithError, match="does not hold the disk"):
        publish(artifact, context, "two")


def test_copies_encryption_and_shares(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot"})
    made = AmazonDirect().process(
        AmazonDirectConfig(
            ami_name="golden",
            ami_regions=("eu-central-1",),
            skip_region_validation=True,
            encrypt_boot=True,
            kms_key_id="arn:aws:kms:us-east-1:123456789012:key/a",
            region_kms_key_ids={"eu-central-1": "alias/theirs"},
            ami_users=("111122223333",),
            imds_support="v2.0",
        ),
        artifact,
        context,
    )

    assert made.artifact is not None
    amis = dict(part.split(":") for part in made.artifact.id.split(","))
    copy = sky.images.region("eu-central-1").images[amis["eu-central-1"]]
    assert amis.keys() == {HERE, "eu-central-1"}
    assert copy["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    assert sky.images.region("eu-central-1").permissions[copy["ImageId"]] == [{"UserId": "111122223333"}]
    assert sky.images.region(HERE).images[amis[HERE]]["ImdsSupport"] == "v2.0"


@pytest.mark.parametrize("kind", ["error", "lost"])
def test_nothing_is_left_of_a_build_that_fails_at_any_call(
    kind: str, sky: Cloud, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", type("Clock", (), {"sleep": staticmethod(lambda seconds: None)}))
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot"})
    publish(artifact, context, "whole", parent_snapshot="none")
    calls = len(sky.calls)
    home = sky.images.region(HERE)
    survived = 0

    for number in range(calls):
        home.images.clear()
        home.snapshots.clear()
        sky.ebs.snapshots.clear()
        sky.calls.clear()
        sky.fault = _at(number, kind)
        try:
            publish(artifact, context, "golden", max_retries=1, parent_snapshot="none")
            survived += 1
        except GoldsmithError:
            assert home.images == {}, sky.calls[number]
            assert home.snapshots == {}, sky.calls[number]
        else:
            assert len(home.images) == len(home.snapshots) == 1
        assert not list((tmp_path / "journal").glob("*.jsonl"))

    # A call whose answer was lost is tried again by the library, and finds what it has made.
    assert survived == (calls if kind == "lost" else 0)


def _at(number: int, kind: str) -> Any:
    """The call of a number fails, and so do those like it that follow at once: the library tries again."""
    first: list[Call] = []

    def fault(call: Call, index: int) -> Any:
        if index == number:
            first.append(call)
        again = kind == "error" and first and call.action == first[0].action and index <= number + 1
        return kind if index == number or again else None

    return fault


def test_a_name_in_use_is_told_before_anything_is_sent(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 8 << 20, {0: b"boot"})
    first = publish(artifact, context)

    with pytest.raises(UserError) as caught:
        publish(artifact, context)
    second = publish(artifact, context, force_deregister=True, force_delete_snapshot=True)

    assert caught.value.diagnostics[0].code == "amazon.name-in-use"
    assert first in str(caught.value)
    assert list(sky.images.region(HERE).images) == [second]
    assert len(sky.images.region(HERE).snapshots) == 1


def test_a_cancelled_build_leaves_nothing(sky: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = disk(tmp_path / "one", 64 << 20, {index: os.urandom(8) for index in range(128)})

    def cancel(call: Call, number: int) -> None:
        if call.action == "PutSnapshotBlock":
            context.cancellation.request()

    sky.fault = cancel
    with pytest.raises(Cancelled):
        publish(artifact, context)

    assert sky.images.region(HERE).snapshots == {}


def test_settings_that_mean_nothing_are_refused(context: Context) -> None:
    config = AmazonDirectConfig(ami_name="x", skip_create_ami=True, boot_mode="bios", architecture="amd64")

    with pytest.raises(UserError) as caught:
        AmazonDirect().check(config, context)

    assert len(caught.value.diagnostics) == 4


def test_an_artifact_without_a_disk_is_refused(sky: Cloud, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        publish(Artifact(builder_id="packer.file", id="File", text="Stored file: x"), context)

    assert caught.value.diagnostics[0].code == "amazon.no-disk"


def test_records_are_what_was_kept(tmp_path: Path) -> None:
    records = BlockRecords(tmp_path / "deep" / "ebs")
    digests = {index: random.Random(index).randbytes(32) for index in (0, 7, 4_000_000)}

    records.keep("snap-1", digests)

    assert records.find("snap-1") == digests
    assert records.find("snap-2") is None
