"""The source `amazon-ebs` in a cloud without machines: what it asks for, what it makes, and that it leaves nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldsmith.amazon.image_settings import BlockDevice, DeregistrationProtection, TagBlock
from goldsmith.amazon.instance_settings import (
    AmiFilter,
    MetadataOptions,
    NamedValue,
    Policy,
    ResourceFilter,
    Statement,
    SubnetFilter,
)
from goldsmith.components import Context, Duration
from goldsmith.events import Event, Output
from goldsmith.hcl.diagnostics import GoldsmithError, UserError
from goldsmith.machines.machine import Machine
from goldsmith.sources.amazon_ebs import AmazonEbs, AmazonEbsConfig
from tests.amazon.builds import HERE, build, config
from tests.amazon.cloud import Cloud
from tests.machines.windows_server import PASSWORD, USER, Windows, WindowsServer

pytestmark = pytest.mark.slow

THERE = "eu-central-1"


def image_of(cloud: Cloud, made: Mapping[str, str], region: str = HERE) -> dict[str, Any]:
    return cloud.images.region(region).images[made[region]]


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing["Tags"]}


def asked(cloud: Cloud, action: str) -> list[Mapping[str, Any]]:
    return [call.request for call in cloud.calls if call.action == action]


def refused(config: AmazonEbsConfig, context: Context) -> tuple[str, str]:
    with pytest.raises(GoldsmithError) as caught:
        build(config, context)
    return caught.value.diagnostics[0].code, str(caught.value)


# ── what is made ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_instance_becomes_an_ami_and_nothing_else_is_left(cloud: Cloud, context: Context, events: list[Event]) -> None:
    made = build(config(cloud), context)

    said = [event.text for event in events if isinstance(event, Output)]
    assert image_of(cloud, made)["Name"] == "golden"
    assert cloud.left().keys() == {"image", "snapshot"}
    assert cloud.left()["image"] == [f"{HERE}:{made[HERE]}"]
    assert "Waiting for AMI to become ready..." in said
    assert not list(context.journal.directory.glob("*.jsonl"))


def test_tags_reach_what_they_are_meant_for(cloud: Cloud, context: Context) -> None:
    made = build(
        config(
            cloud,
            run_tags={"Stage": "build", "Of": "{{.SourceAMIName}}"},
            run_volume_tag=(NamedValue(name="Kind", value="scratch"),),
            tags={"Name": "{{.SourceAMI}} in {{.BuildRegion}}", "Release": "{{.SourceAMITags.Release}}"},
            tag=(TagBlock(key="One", value="{{build_name}}"),),
            snapshot_tags={"Name": "disk"},
            ami_description="on {{.SourceAMIName}}",
        ),
        context,
    )

    image = image_of(cloud, made)
    snapshot = cloud.images.region(HERE).snapshots[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]]
    source = asked(cloud, "RunInstances")[0]["ImageId"]
    by_type = {item["ResourceType"]: item["Tags"] for item in asked(cloud, "RunInstances")[0]["TagSpecifications"]}
    everywhere = {"Stage": "build", "Of": "base", "Release": "12", "One": "a"}
    assert tags_of(image) == {**everywhere, "Name": f"{source} in {HERE}"}
    assert tags_of(snapshot) == {**everywhere, "Name": "disk"}
    assert image["Description"] == "on base"
    assert {"Key": "Name", "Value": "Packer Builder"} in by_type["instance"]
    assert by_type["volume"] == [{"Key": "Kind", "Value": "scratch"}]


def test_run_tags_may_stay_away_from_the_ami(cloud: Cloud, context: Context) -> None:
    made = build(config(cloud, run_tags={"Stage": "build"}, skip_ami_run_tags=True), context)

    assert tags_of(image_of(cloud, made)) == {}


def test_an_ami_is_copied_shared_deprecated_and_guarded(cloud: Cloud, context: Context) -> None:
    made = build(
        config(
            cloud,
            ami_regions=(THERE,),
            ami_users=("111122223333",),
            ami_org_arns=("arn:aws:organizations::1:organization/o-1",),
            ami_ou_arns=("arn:aws:organizations::1:ou/o-1/ou-1",),
            snapshot_users=("111122223333",),
            ami_product_codes=("code",),
            imds_support="v2.0",
            deprecate_at="2099-01-02T15:04:05Z",
            deregistration_protection=DeregistrationProtection(enabled=True, with_cooldown=True),
            run_tags={"Stage": "build"},
            tags={"Name": "golden"},
        ),
        context,
    )

    assert made.keys() == {HERE, THERE}
    for region in made:
        image, home = image_of(cloud, made, region), cloud.images.region(region)
        allowed = [next(iter(item)) for item in home.permissions[image["ImageId"]]]
        assert allowed == ["UserId", "OrganizationArn", "OrganizationalUnitArn"]
        assert home.permissions[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]] == [{"UserId": "111122223333"}]
        assert image["DeprecationTime"] == "2099-01-02T15:04:00.000Z"
        assert image["DeregistrationProtection"] == "enabled-with-cooldown"
        assert image["ImdsSupport"] == "v2.0"
        assert image["ProductCodes"][0]["ProductCodeId"] == "code"
        assert tags_of(image) == {"Stage": "build", "Name": "golden"}


def test_encryption_goes_through_a_copy_that_is_removed(cloud: Cloud, context: Context) -> None:
    keys = {THERE: "alias/there"}
    made = build(
        config(cloud, encrypt_boot=True, kms_key_id="alias/here", ami_regions=(THERE,), region_kms_key_ids=keys), context
    )

    for region, key in ((HERE, "alias/here"), (THERE, "alias/there")):
        disk = image_of(cloud, made, region)["BlockDeviceMappings"][0]["Ebs"]
        assert disk["Encrypted"]
        assert cloud.images.region(region).snapshots[disk["SnapshotId"]]["KmsKeyId"] == key
    assert sorted(cloud.left()["image"]) == sorted(f"{region}:{image}" for region, image in made.items())
    assert len(cloud.left()["snapshot"]) == 2


def test_the_region_of_the_build_may_be_left_out(cloud: Cloud, context: Context) -> None:
    made = build(config(cloud, ami_regions=(THERE,), skip_save_build_region=True), context)

    assert made.keys() == {THERE}
    assert cloud.left()["image"] == [f"{THERE}:{made[THERE]}"]


def test_an_ami_of_the_same_name_is_replaced_when_that_is_asked(cloud: Cloud, context: Context) -> None:
    first = build(config(cloud), context)

    code, why = refused(config(cloud), context)
    second = build(config(cloud, force_delete_snapshot=True), replace(context, force=True))

    assert (code, first[HERE] in why) == ("amazon.name-in-use", True)
    assert cloud.left()["image"] == [f"{HERE}:{second[HERE]}"]
    assert len(cloud.left()["snapshot"]) == 1
    # The refusal came before anything was made.
    assert len(asked(cloud, "RunInstances")) == 2


def test_a_name_that_is_taken_in_a_region_of_copies_is_told_at_once(cloud: Cloud, context: Context) -> None:
    cloud.images.publish(THERE, "golden")

    code, why = refused(config(cloud, ami_regions=(THERE,)), context)

    assert (code, THERE in why) == ("amazon.name-in-use", True)
    assert not asked(cloud, "RunInstances")


def test_a_build_may_make_no_ami(cloud: Cloud, context: Context) -> None:
    artifact = AmazonEbs().run(config(cloud, skip_create_ami=True), context, lambda machine, generated: None)

    assert (artifact.id, cloud.left()) == ("", {})
    assert "skip_create_ami" in artifact.text


def test_an_artifact_that_is_not_kept_is_removed(cloud: Cloud, context: Context, tmp_path: Path) -> None:
    artifact = AmazonEbs().run(config(cloud, ami_regions=(THERE,)), context, lambda machine, generated: None)
    assert artifact.text.startswith("AMIs were created:\neu-central-1: ami-")

    artifact.destroy(tmp_path)

    assert cloud.left() == {}


def test_changes_of_the_stopped_instance_and_disks_of_the_ami(cloud: Cloud, context: Context) -> None:
    disks = (BlockDevice(device_name="/dev/sdb", volume_size=20, volume_type="gp3", encrypted=True),)
    made = build(config(cloud, ena_support=True, sriov_support=True, ami_block_device_mappings=disks), context)

    changed = asked(cloud, "ModifyInstanceAttribute")
    devices = {item["DeviceName"]: item["Ebs"] for item in image_of(cloud, made)["BlockDeviceMappings"]}
    assert [item.get("EnaSupport") or item.get("SriovNetSupport") for item in changed] == [
        {"Value": "simple"},
        {"Value": True},
    ]
    assert devices["/dev/sdb"]["VolumeSize"] == 20
    assert devices["/dev/sdb"]["Encrypted"]


# ── where it starts ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_newest_ami_of_a_filter_is_the_source(cloud: Cloud, context: Context) -> None:
    for name in ("debian-12-a", "debian-12-b", "debian-13"):
        cloud.images.publish(HERE, name, owner="136693071363")
    query = AmiFilter(filters={"name": "debian-12-*"}, owners=("136693071363",))

    code, _ = refused(config(cloud, source_ami="", source_ami_filter=query), context)
    seen: dict[str, str] = {}
    settings = config(cloud, source_ami="", source_ami_filter=replace(query, most_recent=True))
    AmazonEbs().run(settings, context, lambda machine, generated: seen.update(generated))

    assert code == "ami.several"
    assert seen["SourceAMIName"] == "debian-12-b"
    assert seen["ConnType"] == "none"


def test_network_filters_and_public_addresses(cloud: Cloud, context: Context) -> None:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    small = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/28")["Subnet"]["SubnetId"]
    large = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.2.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[vpc, small, large], Tags=[{"Key": "For", "Value": "images"}])
    tagged = {"tag:For": "images"}
    network: dict[str, Any] = {"vpc_filter": ResourceFilter(filters=tagged), "subnet_filter": SubnetFilter(filters=tagged)}
    query = SubnetFilter(filter=(NamedValue(name="tag:For", value="images"),), most_free=True)

    code, _ = refused(config(cloud, **network), context)
    build(config(cloud, **{**network, "subnet_filter": query}, associate_public_ip_address=True), context)

    request = asked(cloud, "RunInstances")[0]
    assert code == "amazon.filter"
    assert request["NetworkInterfaces"][0]["SubnetId"] == large
    assert request["NetworkInterfaces"][0]["AssociatePublicIpAddress"]
    assert "SubnetId" not in request
    assert asked(cloud, "CreateSecurityGroup")[0]["VpcId"] == vpc
    ec2.delete_subnet(SubnetId=small)
    ec2.delete_subnet(SubnetId=large)


def test_groups_that_are_named_are_used_and_stay(cloud: Cloud, context: Context) -> None:
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="ours-to-keep", Description="x")["GroupId"]

    build(config(cloud, security_group_filter=ResourceFilter(filters={"group-name": "ours-to-keep"})), context)

    assert asked(cloud, "RunInstances")[0]["SecurityGroupIds"] == [group]
    assert len(asked(cloud, "CreateSecurityGroup")) == 1
    ec2.delete_security_group(GroupId=group)


def test_a_spot_instance_is_had_through_a_fleet(cloud: Cloud, context: Context) -> None:
    settings = config(
        cloud,
        instance_type="",
        spot_instance_types=("t3.micro", "t3a.micro"),
        spot_price="0.01",
        spot_allocation_strategy="capacity-optimized",
        fleet_tags={"Kind": "fleet"},
        spot_tags={"Kind": "spot"},
        user_data="#!/bin/sh",
    )

    made = build(settings, context)

    fleet = asked(cloud, "CreateFleet")[0]
    template = asked(cloud, "CreateLaunchTemplate")[0]["LaunchTemplateData"]
    assert cloud.left().keys() == {"image", "snapshot"}
    assert made.keys() == {HERE}
    assert fleet["Type"] == "instant"
    assert [item["InstanceType"] for item in fleet["LaunchTemplateConfigs"][0]["Overrides"]] == ["t3.micro", "t3a.micro"]
    assert template["InstanceMarketOptions"]["SpotOptions"]["MaxPrice"] == "0.01"
    assert template["UserData"] == "IyEvYmluL3No"
    assert not asked(cloud, "StopInstances")


def test_a_temporary_profile_gives_the_instance_rights(cloud: Cloud, context: Context) -> None:
    policy = Policy(Version="2012-10-17", Statement=(Statement(Effect="Allow", Action=("s3:GetObject",), Resource=("*",)),))

    build(config(cloud, temporary_iam_instance_profile_policy_document=policy), context)

    assert asked(cloud, "RunInstances")[0]["IamInstanceProfile"]["Name"].startswith("packer-")
    assert cloud.left().keys() == {"image", "snapshot"}


def test_a_profile_that_is_not_there_is_told_before_anything_starts(cloud: Cloud, context: Context) -> None:
    code, why = refused(config(cloud, iam_instance_profile="nobody"), context)

    assert (code, "nobody" in why) == ("aws.refused", True)
    assert cloud.left() == {}


def test_imdsv2_disks_and_placement_are_asked_for(cloud: Cloud, context: Context) -> None:
    disks = (BlockDevice(device_name="/dev/sda1", volume_size=12, delete_on_termination=True),)
    options = MetadataOptions(http_tokens="required", http_put_response_hop_limit=2)

    build(config(cloud, launch_block_device_mappings=disks, metadata_options=options, tenancy="dedicated"), context)

    request = asked(cloud, "RunInstances")[0]
    assert request["MetadataOptions"]["HttpTokens"] == "required"
    assert request["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert request["BlockDeviceMappings"][0]["Ebs"] == {"VolumeSize": 12, "DeleteOnTermination": True}
    assert request["Placement"] == {"Tenancy": "dedicated"}


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        ("denied", "aws.denied", "the action ec2:RunInstances is not allowed"),
        ("expired", "aws.expired", "RequestExpired"),
    ],
)
def test_who_may_not_is_told_what(kind: Any, code: str, told: str, cloud: Cloud, context: Context) -> None:
    cloud.fault = lambda call, number: kind if call.action == "RunInstances" else None

    with pytest.raises(UserError) as caught:
        build(config(cloud), context)

    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.code == code
    assert told in str(caught.value)
    if kind == "denied":
        assert "arn:aws:iam::123456789012:user/ci" in diagnostic.next
        assert f"arn:aws:ec2:{HERE}:123456789012:thing/*" in diagnostic.next
    assert cloud.left() == {}


def test_an_instance_that_ends_is_told_with_its_reason(cloud: Cloud, context: Context) -> None:
    def end(machine: Machine, generated: Mapping[str, str]) -> None:
        cloud.end(generated["ID"], "Client.InternalError", "Client error on launch: the key is disabled")
        raise UserError()

    with pytest.raises(GoldsmithError) as caught:
        AmazonEbs().run(config(cloud), context, end)

    assert caught.value.diagnostics[0].code == "amazon.instance-ended"
    assert "the key is disabled" in str(caught.value)


def test_a_spot_instance_that_is_taken_away_is_told_so(cloud: Cloud, context: Context) -> None:
    def end(machine: Machine, generated: Mapping[str, str]) -> None:
        cloud.end(generated["ID"], "Server.SpotInstanceTermination", "there is no spot capacity")
        raise UserError()

    with pytest.raises(GoldsmithError) as caught:
        AmazonEbs().run(config(cloud, instance_type="", spot_instance_types=("t3.micro",)), context, end)

    assert caught.value.diagnostics[0].code == "amazon.spot-interrupted"
    assert "image" not in cloud.left()


def test_an_ami_that_cannot_be_made_is_told_and_removed(cloud: Cloud, context: Context) -> None:
    cloud.images.fails["golden"] = {"Code": "Client.InternalError", "Message": "the snapshot failed"}

    code, why = refused(config(cloud), context)

    assert (code, "the snapshot failed" in why) == ("amazon.image-failed", True)
    assert cloud.left() == {}


def test_a_copy_that_fails_takes_all_amis_with_it(cloud: Cloud, context: Context) -> None:
    cloud.fault = lambda call, number: "denied" if call.action == "CopyImage" and call.region == "eu-west-1" else None

    code, _ = refused(config(cloud, ami_regions=(THERE, "eu-west-1")), context)

    assert code == "aws.denied"
    assert cloud.left() == {}


def test_an_unknown_region_is_told_before_anything_starts(cloud: Cloud, context: Context) -> None:
    assert refused(config(cloud, ami_regions=("eu-nowhere-1",)), context)[0] == "amazon.region"
    assert not asked(cloud, "RunInstances")


def test_an_abort_leaves_the_instance_for_a_person(cloud: Cloud, context: Context) -> None:
    def fail(machine: Machine, generated: Mapping[str, str]) -> None:
        raise UserError()

    with pytest.raises(UserError):
        AmazonEbs().run(config(cloud), replace(context, on_error="abort"), fail)

    left = cloud.left()
    assert left.keys() == {"instance", "group"}
    assert not list(context.journal.directory.glob("*.jsonl"))
    ec2 = cloud.client("ec2", behind=True)
    ec2.terminate_instances(InstanceIds=[name.partition(":")[2] for name in left["instance"]])
    for name in left["group"]:
        ec2.delete_security_group(GroupName=name.partition(":")[2])


def test_what_cannot_be_released_stays_in_the_journal_for_later(cloud: Cloud, context: Context, events: list[Event]) -> None:
    cloud.fault = lambda call, number: "denied" if call.action == "DeleteSecurityGroup" else None
    made = build(config(cloud), context)
    assert cloud.left().keys() == {"image", "snapshot", "group"}
    assert any("goldsmith clean" in getattr(event, "next", "") for event in events)
    cloud.fault = lambda call, number: None
    # The journal of a process that lives is left alone; this one has ended as far as anybody can tell.
    text = next(context.journal.directory.glob("*.jsonl")).read_text()
    other = context.cwd / "journal"
    other.mkdir()
    (other / "1-killed.jsonl").write_text(text)

    from goldsmith.machines import Journal

    released = Journal(other).sweep(events.append)

    assert len(released) == 1
    assert "packer_" in released[0]
    assert cloud.left()["image"] == [f"{HERE}:{made[HERE]}"]
    assert cloud.left().keys() == {"image", "snapshot"}


# ── Windows ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_windows_is_reached_with_the_password_that_it_made(cloud: Cloud, context: Context) -> None:
    cloud.windows_password, cloud.windows_address = PASSWORD, "127.0.0.1"
    seen: dict[str, str] = {}

    def provision(machine: Machine, generated: Mapping[str, str]) -> None:
        machine.put(b"here", "C:/here")
        seen.update(generated)

    with WindowsServer(Windows()) as server:
        settings = config(cloud, communicator="winrm", winrm_username=USER, winrm_port=server.port, winrm_timeout=Duration(5))
        AmazonEbs().run(settings, context, provision)
        assert server.windows.files == {"C:/here": b"here"}

    assert (seen["ConnType"], seen["WinRMPassword"]) == ("winrm", PASSWORD)
    assert asked(cloud, "AuthorizeSecurityGroupIngress")[0]["IpPermissions"][0]["FromPort"] == server.port
    assert cloud.left().keys() == {"image", "snapshot"}


def test_windows_that_makes_no_password_is_told(cloud: Cloud, context: Context) -> None:
    settings = config(cloud, communicator="winrm", winrm_username=USER, windows_password_timeout=Duration(0))

    assert refused(settings, context)[0] == "amazon.no-windows-password"
    assert cloud.left() == {}
