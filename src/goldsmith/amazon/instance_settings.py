"""The attributes that say on which instance an AMI is built: its source AMI, type, place, network, rights and disks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.amazon.image_settings import BlockDevice, TagBlock
from goldsmith.components import Duration, attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValue:
    """A block such as `filter { name = … value = … }`: the form for `dynamic`."""

    name: str = attribute("", "The name.", rendered=False)
    value: str = attribute("", "The value.", rendered=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiFilter:
    """The block `source_ami_filter`."""

    filters: Mapping[str, str] = attribute({}, "Filters of EC2's DescribeImages, by name.")
    owners: tuple[str, ...] = attribute((), 'Accounts, "self", or "amazon", "aws-marketplace", "microsoft".')
    most_recent: bool = attribute(False, "Whether the newest of several is taken.")
    include_deprecated: bool = attribute(False, "Whether deprecated AMIs count.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFilter:
    """The blocks `vpc_filter` and `security_group_filter`."""

    filters: Mapping[str, str] = attribute({}, "Filters of EC2, by name.")
    filter: tuple[NamedValue, ...] = attribute((), "The same, one by one.")

    def all_filters(self) -> Mapping[str, str]:
        """All filters."""
        return {**self.filters, **{item.name: item.value for item in self.filter}}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetFilter:
    """The block `subnet_filter`."""

    filters: Mapping[str, str] = attribute({}, "Filters of EC2's DescribeSubnets, by name.")
    filter: tuple[NamedValue, ...] = attribute((), "The same, one by one.")
    most_free: bool = attribute(False, "Of several, the one with the most free addresses.")
    random: bool = attribute(False, "Of several, any.")

    def all_filters(self) -> Mapping[str, str]:
        """All filters."""
        return {**self.filters, **{item.name: item.value for item in self.filter}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataOptions:
    """The block `metadata_options`: how the instance asks about itself."""

    http_endpoint: str = attribute("enabled", "Whether it may: enabled or disabled.")
    http_tokens: str = attribute("optional", "Whether it needs a token (IMDSv2): optional or required.")
    http_put_response_hop_limit: int = attribute(1, "How many hops a token may travel: 1 to 64.")
    instance_metadata_tags: str = attribute("disabled", "Whether it sees its tags: enabled or disabled.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The block `placement`."""

    host_resource_group_arn: str = attribute("", "The group of dedicated hosts.")
    host_id: str = attribute("", "The dedicated host.")
    tenancy: str = attribute("", "default, dedicated or host.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A block `Statement` of a policy."""

    Effect: str = attribute("", "Allow or Deny.")
    Action: tuple[str, ...] = attribute((), "The actions.")
    Resource: tuple[str, ...] = attribute((), "The resources.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The block `temporary_iam_instance_profile_policy_document`."""

    Version: str = attribute("", "The version of the language: 2012-10-17.")
    Statement: tuple[Statement, ...] = attribute((), "What is allowed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRequest:
    """The block `license_configuration_request`."""

    license_configuration_arn: str = attribute("", "The licence configuration.")


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """A block `license_specifications`."""

    license_configuration_request: LicenseRequest = attribute(LicenseRequest(), "The licence.")


# Without slots: a source has these settings beside others, and only one of several bases may have slots.
@dataclass(frozen=True, kw_only=True)
class InstanceSettings:
    """On which instance an AMI is built; names and defaults are Packer's."""

    source_ami: str = attribute("", "The AMI to start from.", one_of="source")
    source_ami_filter: AmiFilter | None = attribute(None, "How that AMI is found.", one_of="source")
    instance_type: str = attribute("", "The type of the instance.")
    associate_public_ip_address: bool | None = attribute(None, "Whether it gets a public address; what the subnet says.")
    availability_zone: str = attribute("", "The zone.")
    capacity_reservation_preference: str = attribute("", '"open" or "none".')
    capacity_reservation_id: str = attribute("", "The reserved capacity to use.")
    capacity_reservation_group_arn: str = attribute("", "The group of reserved capacity to use.")
    disable_stop_instance: bool = attribute(False, "Whether the instance stops by itself, or by you.")
    ebs_optimized: bool = attribute(False, "Whether it has a way of its own to its volumes.")
    enable_nitro_enclave: bool = attribute(False, "Whether it may have enclaves.")
    enable_t2_unlimited: bool = attribute(False, "The old name of enable_unlimited_credits.")
    enable_unlimited_credits: bool = attribute(False, "Whether it may use more processor time than it has saved.")
    iam_instance_profile: str = attribute("", "The profile whose role it has.")
    skip_profile_validation: bool = attribute(False, "Whether nobody looks first if the profile is there.")
    temporary_iam_instance_profile_policy_document: Policy | None = attribute(None, "Makes a profile for the build.")
    shutdown_behavior: str = attribute("stop", 'What a shutdown from within does: "stop" or "terminate".')
    security_group_filter: ResourceFilter | None = attribute(None, "How its security groups are found.")
    security_group_id: str = attribute("", "Its security group; else one is made for the build.")
    security_group_ids: tuple[str, ...] = attribute((), "Its security groups.")
    temporary_security_group_source_cidrs: tuple[str, ...] = attribute((), "Who may reach it meanwhile; anybody if not said.")
    temporary_security_group_source_public_ip: bool = attribute(False, "Whether only this host's public address may.")
    run_tags: Mapping[str, str] = attribute({}, "Tags of what is made for the build, and of the AMI.", rendered=False)
    run_tag: tuple[TagBlock, ...] = attribute((), "The same, one by one.")
    run_volume_tags: Mapping[str, str] = attribute({}, "Tags of the instance's volumes.", rendered=False)
    run_volume_tag: tuple[NamedValue, ...] = attribute((), "The same, one by one.")
    skip_ami_run_tags: bool = attribute(False, "Whether the AMI does not get run_tags.")
    fleet_tags: Mapping[str, str] = attribute({}, "Tags of the fleet, for spot instances.", rendered=False)
    fleet_tag: tuple[TagBlock, ...] = attribute((), "The same, one by one.")
    spot_instance_types: tuple[str, ...] = attribute((), "Types of spot instances, any of which will do.")
    spot_price: str = attribute("", 'The most to pay for an hour; "auto" for up to the price of others.')
    spot_price_auto_product: str = attribute("", "Not needed any more.")
    spot_allocation_strategy: str = attribute(
        "", "How EC2 chooses: lowest-price, capacity-optimized, price-capacity-optimized."
    )
    spot_tags: Mapping[str, str] = attribute({}, "Tags of spot instances.", rendered=False)
    spot_tag: tuple[TagBlock, ...] = attribute((), "The same, one by one.")
    block_duration_minutes: int = attribute(0, "Not offered by EC2 any more.")
    subnet_filter: SubnetFilter | None = attribute(None, "How its subnet is found.")
    subnet_id: str = attribute("", "Its subnet.")
    vpc_filter: ResourceFilter | None = attribute(None, "How its VPC is found.")
    vpc_id: str = attribute("", "Its VPC.")
    license_specifications: tuple[License, ...] = attribute((), "Licences that it counts for.")
    placement: Placement = attribute(Placement(), "Where it is put.")
    tenancy: str = attribute("", "The old name of placement { tenancy }.")
    user_data: str = attribute("", "What cloud-init is given.")
    user_data_file: str = attribute("", "A file with the same.", names_file=True)
    metadata_options: MetadataOptions | None = attribute(None, "How it asks about itself.")
    windows_password_timeout: Duration = attribute(Duration(1200), "How long to wait for the password that Windows makes.")
    ssh_interface: str = attribute("", "Which of its addresses is used; or session_manager.")
    pause_before_ssm: Duration = attribute(Duration(0), "The wait before Session Manager is asked.")
    session_manager_port: int = attribute(0, "The port of this host that Session Manager leads from; any if not said.")
    launch_block_device_mappings: tuple[BlockDevice, ...] = attribute((), "Disks of the instance.")
    no_ephemeral: bool = attribute(False, "Whether it has no instance stores.")

    @property
    def is_spot(self) -> bool:
        """Whether a spot instance is asked for."""
        return bool(self.spot_instance_types or self.spot_price)

    @property
    def by_session_manager(self) -> bool:
        """Whether the instance is reached through Session Manager."""
        return self.ssh_interface == "session_manager"
