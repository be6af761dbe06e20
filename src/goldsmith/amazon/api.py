"""The calls of AWS that builds of AMIs make: what they are given is a request of boto3, what they answer is typed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypedDict

from goldsmith.aws import MachineImage


class StateReason(TypedDict, total=False):
    """Why something is in its state."""

    Code: str
    Message: str


class Named(TypedDict):
    """A state."""

    Name: str


class Volume(TypedDict, total=False):
    """A volume of an instance, or the snapshot behind one of an AMI."""

    VolumeId: str
    SnapshotId: str
    VolumeSize: int


class Device(TypedDict, total=False):
    """A disk of an instance or of an AMI."""

    DeviceName: str
    Ebs: Volume


class Instance(TypedDict, total=False):
    """What EC2 tells of an instance."""

    InstanceId: str
    State: Named
    StateReason: StateReason
    StateTransitionReason: str
    PublicIpAddress: str
    PrivateIpAddress: str
    PublicDnsName: str
    PrivateDnsName: str
    Ipv6Address: str
    VpcId: str
    BlockDeviceMappings: Sequence[Device]


class Reservation(TypedDict):
    """Instances that were started together."""

    Instances: Sequence[Instance]


class Reservations(TypedDict):
    """The answer to `describe_instances`."""

    Reservations: Sequence[Reservation]


class Image(MachineImage, total=False):
    """What EC2 tells of an AMI, its disks and origin included."""

    State: str
    StateReason: StateReason
    BlockDeviceMappings: Sequence[Device]
    RootDeviceName: str
    SourceInstanceId: str
    SourceImageId: str


class Images(TypedDict):
    """The answer to `describe_images`."""

    Images: Sequence[Image]


class MadeImage(TypedDict):
    """The answer to `create_image`, `copy_image` and `register_image`."""

    ImageId: str


class Region(TypedDict):
    """A region."""

    RegionName: str


class Regions(TypedDict):
    """The answer to `describe_regions`."""

    Regions: Sequence[Region]


class Vpc(TypedDict):
    """A VPC."""

    VpcId: str


class Vpcs(TypedDict):
    """The answer to `describe_vpcs`."""

    Vpcs: Sequence[Vpc]


class Subnet(TypedDict):
    """A subnet."""

    SubnetId: str
    VpcId: str
    AvailabilityZone: str
    AvailableIpAddressCount: int


class Subnets(TypedDict):
    """The answer to `describe_subnets`."""

    Subnets: Sequence[Subnet]


class SecurityGroup(TypedDict):
    """A security group."""

    GroupId: str


class SecurityGroups(TypedDict):
    """The answer to `describe_security_groups`."""

    SecurityGroups: Sequence[SecurityGroup]


class KeyPair(TypedDict):
    """The answer to `create_key_pair`."""

    KeyMaterial: str


class Snapshot(TypedDict, total=False):
    """What EC2 tells of a snapshot."""

    SnapshotId: str
    State: str
    StateMessage: str
    VolumeSize: int
    StartTime: datetime
    Encrypted: bool
    KmsKeyId: str


class Snapshots(TypedDict):
    """The answer to `describe_snapshots`."""

    Snapshots: Sequence[Snapshot]


class AttachedVolume(TypedDict):
    """A volume."""

    VolumeId: str


class Volumes(TypedDict):
    """The answer to `describe_volumes`."""

    Volumes: Sequence[AttachedVolume]


class Template(TypedDict):
    """A launch template."""

    LaunchTemplateId: str


class MadeTemplate(TypedDict):
    """The answer to `create_launch_template`."""

    LaunchTemplate: Template


class Templates(TypedDict):
    """The answer to `describe_launch_templates`."""

    LaunchTemplates: Sequence[Template]


class FleetInstances(TypedDict):
    """Instances that a fleet started."""

    InstanceIds: Sequence[str]


class FleetError(TypedDict, total=False):
    """Why a fleet started nothing."""

    ErrorCode: str
    ErrorMessage: str


class Fleet(TypedDict, total=False):
    """The answer to `create_fleet`."""

    Instances: Sequence[FleetInstances]
    Errors: Sequence[FleetError]


class Console(TypedDict, total=False):
    """The answer to `get_console_output`."""

    Output: str


class PasswordData(TypedDict, total=False):
    """The answer to `get_password_data`."""

    PasswordData: str


class Ec2(Protocol):
    """EC2, as far as builds use it; each call takes what EC2's action of that name takes."""

    def describe_regions(self, **request: object) -> Regions:
        """The regions of the account."""

    def describe_images(self, **request: object) -> Images:
        """AMIs."""

    def create_image(self, **request: object) -> MadeImage:
        """Make an AMI of an instance."""

    def copy_image(self, **request: object) -> MadeImage:
        """Copy an AMI from a region."""

    def register_image(self, **request: object) -> MadeImage:
        """Make an AMI of a snapshot."""

    def deregister_image(self, **request: object) -> object:
        """Remove an AMI; its snapshots stay."""

    def modify_image_attribute(self, **request: object) -> object:
        """Share an AMI, or change it."""

    def enable_image_deprecation(self, **request: object) -> object:
        """Set the time when an AMI is deprecated."""

    def enable_image_deregistration_protection(self, **request: object) -> object:
        """Guard an AMI."""

    def describe_snapshots(self, **request: object) -> Snapshots:
        """Snapshots."""

    def modify_snapshot_attribute(self, **request: object) -> object:
        """Share a snapshot."""

    def delete_snapshot(self, **request: object) -> object:
        """Delete a snapshot."""

    def create_tags(self, **request: object) -> object:
        """Tag resources."""

    def describe_vpcs(self, **request: object) -> Vpcs:
        """VPCs."""

    def describe_subnets(self, **request: object) -> Subnets:
        """Subnets."""

    def describe_security_groups(self, **request: object) -> SecurityGroups:
        """Security groups."""

    def create_security_group(self, **request: object) -> SecurityGroup:
        """Make a security group."""

    def authorize_security_group_ingress(self, **request: object) -> object:
        """Let somebody in."""

    def delete_security_group(self, **request: object) -> object:
        """Delete a security group."""

    def describe_key_pairs(self, **request: object) -> object:
        """Key pairs; one that is not there is an error."""

    def create_key_pair(self, **request: object) -> KeyPair:
        """Make a key pair."""

    def delete_key_pair(self, **request: object) -> object:
        """Delete a key pair."""

    def run_instances(self, **request: object) -> Reservation:
        """Start instances."""

    def create_launch_template(self, **request: object) -> MadeTemplate:
        """Make a launch template."""

    def describe_launch_templates(self, **request: object) -> Templates:
        """Launch templates."""

    def delete_launch_template(self, **request: object) -> object:
        """Delete a launch template."""

    def create_fleet(self, **request: object) -> Fleet:
        """Start spot instances."""

    def describe_instances(self, **request: object) -> Reservations:
        """Instances."""

    def modify_instance_attribute(self, **request: object) -> object:
        """Change an instance that is stopped."""

    def stop_instances(self, **request: object) -> object:
        """Stop instances."""

    def terminate_instances(self, **request: object) -> object:
        """Terminate instances."""

    def get_console_output(self, **request: object) -> Console:
        """What an instance wrote to its serial console."""

    def get_password_data(self, **request: object) -> PasswordData:
        """The password that Windows made for its administrator, encrypted for the key pair; empty until it has."""

    def describe_volumes(self, **request: object) -> Volumes:
        """Volumes."""

    def delete_volume(self, **request: object) -> object:
        """Delete a volume."""


class Iam(Protocol):
    """IAM, as far as builds use it."""

    def get_instance_profile(self, **request: object) -> object:
        """An instance profile; one that is not there is an error."""

    def create_instance_profile(self, **request: object) -> object:
        """Make an instance profile."""

    def create_role(self, **request: object) -> object:
        """Make a role."""

    def put_role_policy(self, **request: object) -> object:
        """Give a role rights."""

    def add_role_to_instance_profile(self, **request: object) -> object:
        """Put a role into a profile."""

    def remove_role_from_instance_profile(self, **request: object) -> object:
        """Take it out again."""

    def delete_role_policy(self, **request: object) -> object:
        """Take the rights away."""

    def delete_role(self, **request: object) -> object:
        """Delete a role."""

    def delete_instance_profile(self, **request: object) -> object:
        """Delete an instance profile."""


class SsmSession(TypedDict):
    """The answer to `start_session`."""

    SessionId: str
    TokenValue: str
    StreamUrl: str


class Ssm(Protocol):
    """Session Manager, as far as builds use it."""

    def start_session(self, **request: object) -> SsmSession:
        """Begin a session with an instance."""

    def terminate_session(self, **request: object) -> object:
        """End a session."""


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tag_specifications(tags: Mapping[str, Mapping[str, str]]) -> list[dict[str, object]]:
    """Tags by the type of resource, as EC2 takes them at creation; types without tags are left out."""
    return [{"ResourceType": type, "Tags": tag_list(of_type)} for type, of_type in tags.items() if of_type]
