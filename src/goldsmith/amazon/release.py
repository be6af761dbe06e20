"""How each thing that a build holds in AWS is released: by its name, so that a later run can do it for one that was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from goldsmith.amazon.account import Account, wait_for
from goldsmith.amazon.api import Ec2, Image, Instance
from goldsmith.aws import Filter, error_code
from goldsmith.hcl.diagnostics import UserError
from goldsmith.machines.cancellation import Cancellation

ENDED = ("terminated",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What is held: its kind, its name, and what else is needed to find it and nothing else.

    Names of temporary things are unique. An AMI has a name that the user chose, so it counts as ours only when it comes from
    `origin`: an instance, an AMI or a snapshot of this build.
    """

    kind: str
    name: str
    region: str = ""
    origin: str = ""
    keeps: tuple[str, ...] = ()
    """Devices of an instance whose volumes stay, because the template asks for them."""


def release(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    """Release a thing; whether there was anything. Raises `UserError` and `MachineError`. Repeating it changes nothing."""
    return _RELEASES[thing.kind](thing, account, cancellation)


def instances(ec2: Ec2, filters: Mapping[str, str]) -> list[Instance]:
    """The instances that match and are not terminated."""
    answer = ec2.describe_instances(Filters=[Filter(Name=name, Values=[value]) for name, value in filters.items()])
    found = [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]
    return [instance for instance in found if instance["State"]["Name"] not in ENDED]


def snapshots_of(image: Image) -> list[str]:
    """The snapshots behind an AMI."""
    devices = image.get("BlockDeviceMappings", ())
    return [device["Ebs"]["SnapshotId"] for device in devices if device.get("Ebs", {}).get("SnapshotId")]


def deregister(ec2: Ec2, account: Account, image: Image, *, with_snapshots: bool) -> None:
    """Remove an AMI, and the snapshots behind it."""
    with account.telling(f"Deregistering the AMI {image['ImageId']}"):
        ec2.deregister_image(ImageId=image["ImageId"])
    for snapshot in snapshots_of(image) if with_snapshots else ():
        with account.telling(f"Deleting the snapshot {snapshot}"), passing_over("InvalidSnapshot.NotFound"):
            ec2.delete_snapshot(SnapshotId=snapshot)


def _key_pair(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    with account.telling(f"Deleting the key pair {thing.name}"):
        account.ec2(thing.region).delete_key_pair(KeyName=thing.name)
    return True


def _security_group(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    ec2 = account.ec2(thing.region)

    def gone() -> bool | None:
        """Whether there was one; None while something still uses it."""
        with account.telling(f"Deleting the security group {thing.name}"):
            groups = ec2.describe_security_groups(Filters=[Filter(Name="group-name", Values=[thing.name])])["SecurityGroups"]
        try:
            for group in groups:
                with account.telling(f"Deleting the security group {thing.name}"):
                    ec2.delete_security_group(GroupId=group["GroupId"])
        except UserError as error:
            # The interface of an instance goes a while after the instance.
            if error_code(error) not in ("DependencyViolation", "InvalidGroup.InUse", "InvalidGroup.NotFound"):
                raise
            return None
        return bool(groups)

    return wait_for(gone, f"the security group {thing.name} to be free", account.quick, cancellation)


def _instance(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    return _terminate({"client-token": thing.name}, thing, account, cancellation)


def _terminate(filters: Mapping[str, str], thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    """Terminate instances and wait until they are gone; then their volumes, but for those that are to stay."""
    ec2 = account.ec2(thing.region)
    doing = "Terminating the instance"
    with account.telling(doing):
        found = instances(ec2, filters)
    if not found:
        return False
    volumes = [volume for instance in found for volume in _volumes(instance, thing.keeps)]
    with account.telling(doing):
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"] for instance in found])

    def gone() -> bool | None:
        with account.telling(doing):
            return None if instances(ec2, filters) else True

    wait_for(gone, "the instance to terminate", account.quick, cancellation)
    if volumes:
        with account.telling("Cleaning up any extra volumes"):
            left = ec2.describe_volumes(Filters=[Filter(Name="volume-id", Values=volumes)])["Volumes"]
        for volume in left:
            with account.telling(f"Deleting the volume {volume['VolumeId']}"), passing_over("InvalidVolume.NotFound"):
                ec2.delete_volume(VolumeId=volume["VolumeId"])
    return True


def _volumes(instance: Instance, keeps: Sequence[str]) -> Iterator[str]:
    for device in instance.get("BlockDeviceMappings", ()):
        volume = device.get("Ebs", {}).get("VolumeId")
        if volume and device.get("DeviceName") not in keeps:
            yield volume


def _launch_template(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    """A launch template and the instances that were started by it."""
    ec2 = account.ec2(thing.region)
    doing = f"Deleting the launch template {thing.name}"
    with account.telling(doing):
        found = ec2.describe_launch_templates(Filters=[Filter(Name="launch-template-name", Values=[thing.name])])
    for template in found["LaunchTemplates"]:
        _terminate({"tag:aws:ec2launchtemplate:id": template["LaunchTemplateId"]}, thing, account, cancellation)
        with account.telling(doing), passing_over("InvalidLaunchTemplateId.NotFound"):
            ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
    return bool(found["LaunchTemplates"])


def _image(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    """An AMI of this build, with its snapshots. One that is still being made is waited for: its snapshots are told then."""
    ec2 = account.ec2(thing.region)
    doing = f"Looking for the AMI {thing.name}"

    def ours() -> list[Image] | None:
        with account.telling(doing):
            named = ec2.describe_images(Owners=["self"], Filters=[Filter(Name="name", Values=[thing.name])])["Images"]
        found = [image for image in named if comes_from(image, thing.origin)]
        return None if any(image.get("State") == "pending" for image in found) else found

    found = wait_for(ours, f"the AMI {thing.name} to be made", account.slow, cancellation)
    for image in found:
        deregister(ec2, account, image, with_snapshots=True)
    return bool(found)


def comes_from(image: Image, origin: str) -> bool:
    """Whether an AMI was made of an instance, an AMI or a snapshot."""
    return bool(origin) and origin in (
        image.get("SourceInstanceId"),
        image.get("SourceImageId"),
        *snapshots_of(image),
    )


def _snapshot(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    """A snapshot that is tagged with a run of ours."""
    ec2 = account.ec2(thing.region)
    with account.telling("Looking for the snapshot"):
        filters = [Filter(Name=f"tag:{RUN_TAG}", Values=[thing.name])]
        found = ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]
    for snapshot in found:
        with account.telling(f"Deleting the snapshot {snapshot['SnapshotId']}"), passing_over("InvalidSnapshot.NotFound"):
            ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    return bool(found)


RUN_TAG = "goldsmith:run"
"""The tag by which a snapshot is found that was begun and whose name was never told."""


def _instance_profile(thing: Thing, account: Account, cancellation: Cancellation) -> bool:
    """An instance profile and the role in it, which have one name."""
    iam, name = account.iam(), thing.name
    for call, request in (
        (iam.remove_role_from_instance_profile, {"InstanceProfileName": name, "RoleName": name}),
        (iam.delete_instance_profile, {"InstanceProfileName": name}),
        (iam.delete_role_policy, {"RoleName": name, "PolicyName": name}),
        (iam.delete_role, {"RoleName": name}),
    ):
        with account.telling(f"Deleting the instance profile {name}"), passing_over("NoSuchEntity"):
            call(**request)
    return True


@contextmanager
def passing_over(*codes: str) -> Iterator[None]:
    """Pass over answers of AWS that say what is wanted: that a thing is not there any more, or there already."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


_RELEASES: Mapping[str, Callable[[Thing, Account, Cancellation], bool]] = {
    "image": _image,
    "instance": _instance,
    "instance-profile": _instance_profile,
    "key-pair": _key_pair,
    "launch-template": _launch_template,
    "security-group": _security_group,
    "snapshot": _snapshot,
}
