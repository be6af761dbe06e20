"""What is wrong with the settings of an `amazon-ebs` block, as far as that can be told without asking AWS; Packer's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from goldsmith.amazon.image_settings import ImageSettings
from goldsmith.amazon.instance_settings import InstanceSettings
from goldsmith.components import not_one_of
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.packer_templates import UNKNOWN_TEXT

INTERFACES = ("public_ip", "private_ip", "public_dns", "private_dns", "ipv6", "session_manager")
_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]*")


def name_faults(name: str) -> Iterator[Diagnostic]:
    """What is wrong with the name of an AMI (EC2's rule of 3 to 128 characters of a set)."""
    if UNKNOWN_TEXT in name:
        return
    if not 3 <= len(name) <= 128:
        yield _fault("ami_name must be between 3 and 128 characters long", f'"{name}" has {len(name)}', "Write another name.")
    if not _NAME.fullmatch(name):
        yield _fault(
            "AMIName should only contain letters, numbers, (), [], spaces, periods, slashes, dashes, single quotes, at-signs, "
            "or underscores.",
            f'"{name}" has others',
            "You can use the `clean_resource_name` template filter to automatically clean your ami name.",
        )


def image_faults(config: ImageSettings) -> Iterator[Diagnostic]:
    """What is wrong with the settings of the AMI."""
    yield from name_faults(config.ami_name)
    for device in config.ami_block_device_mappings:
        yield from device.faults("ami_block_device_mappings")
    yield from _encryption_faults(config)
    yield from _of(config, "imds_support", ("v2.0",))
    yield from _of(config, "ami_virtualization_type", ("hvm", "paravirtual"))
    if config.deprecate_at and not _is_time(config.deprecate_at):
        why = f'"{config.deprecate_at}" is no time of RFC 3339'
        yield _fault("deprecate_at is not a valid time", why, "Write it as 2026-01-02T15:04:05Z.")
    if config.fast_launch is not None and config.fast_launch.enable_fast_launch:
        yield _fault("fast_launch is not supported", "it is for Windows, which is not built yet", "Remove the block.")


def _encryption_faults(config: ImageSettings) -> Iterator[Diagnostic]:
    keys, regions = config.region_kms_key_ids, config.ami_regions
    if keys and config.encrypt_boot is not True:
        yield _fault("If you have set region_kms_key_ids, encrypt_boot must also be true.", "", "Write encrypt_boot = true.")
    if keys:
        for region in regions:
            if region not in keys:
                yield _fault(f"Region {region} is in ami_regions but not in region_kms_key_ids", "", "Name its key.")
        for region in keys:
            if region not in regions:
                yield _fault(f"Region {region} is in region_kms_key_ids but not in ami_regions", "", "Add it to ami_regions.")
    shared = config.ami_users or config.ami_org_arns or config.ami_ou_arns or config.snapshot_users
    if shared and config.encrypt_boot and not config.kms_key_id:
        yield _fault(
            "Cannot share AMI encrypted with default KMS key",
            "nobody else may use that key",
            "Write kms_key_id.",
        )
    if (config.ami_groups or config.snapshot_groups) and config.encrypt_boot:
        yield _fault(
            "Cannot share AMI with encrypted volumes with groups", "what is public is not encrypted", "Share it with accounts."
        )


def instance_faults(config: InstanceSettings) -> Iterator[Diagnostic]:
    """What is wrong with the settings of the instance."""
    yield from _source_faults(config)
    yield from _type_faults(config)
    yield from _network_faults(config)
    if config.user_data and config.user_data_file:
        yield _fault("Only one of user_data or user_data_file can be specified.", "", "Remove one of them.")
    yield from _of(config, "shutdown_behavior", ("stop", "terminate"))
    yield from _of(config, "ssh_interface", INTERFACES)
    if config.by_session_manager and not (config.iam_instance_profile or config.temporary_iam_instance_profile_policy_document):
        yield _fault(
            "no iam_instance_profile defined; session_manager connectivity requires a valid instance profile with "
            "AmazonSSMManagedInstanceCore permissions.",
            "",
            "Write iam_instance_profile, or temporary_iam_instance_profile_policy_document.",
        )
    for device in config.launch_block_device_mappings:
        yield from device.faults("launch_block_device_mappings")
    yield from _of(config, "tenancy", ("default", "dedicated", "host"))
    yield from _of(config, "capacity_reservation_preference", ("open", "none"))
    options = config.metadata_options
    if options is not None:
        yield from _of(options, "http_endpoint", ("enabled", "disabled"))
        yield from _of(options, "http_tokens", ("optional", "required"))
        yield from _of(options, "instance_metadata_tags", ("enabled", "disabled"))
        if not 1 <= options.http_put_response_hop_limit <= 64:
            yield _fault("http_put_response_hop_limit requires a number between 1 and 64", "", "Write 1, or 2 for containers.")


def _source_faults(config: InstanceSettings) -> Iterator[Diagnostic]:
    query = config.source_ami_filter
    if not config.source_ami and query is None:
        yield _fault("A source_ami or source_ami_filter must be specified", "", "Write one of them.")
    if query is not None and not query.owners:
        what = "For security reasons, your source AMI filter must declare an owner."
        yield _fault(what, "anybody may publish an AMI under any name", 'Add "owners".')


def _type_faults(config: InstanceSettings) -> Iterator[Diagnostic]:
    if not config.instance_type and not config.spot_instance_types:
        yield _fault("either instance_type or spot_instance_types should be specified", "", "Write one of them.")
    if config.instance_type and config.spot_instance_types:
        yield _fault("only one of instance_type and spot_instance_types can be specified", "", "Remove one of them.")
    if config.block_duration_minutes:
        yield _fault("block_duration_minutes is not offered by EC2 any more", "", "Remove it.")
    if config.enable_t2_unlimited and config.is_spot:
        yield _fault("Error: T2 Unlimited cannot be used in conjuction with Spot Instances", "", "Remove one of them.")
    if config.is_spot and config.disable_stop_instance:
        yield _fault("disable_stop_instance cannot be used with Spot Instances", "they are not stopped", "Remove one of them.")


def _network_faults(config: InstanceSettings) -> Iterator[Diagnostic]:
    if config.security_group_id and config.security_group_ids:
        yield _fault("Only one of security_group_id or security_group_ids can be specified.", "", "Remove one of them.")
    if config.temporary_security_group_source_cidrs and config.temporary_security_group_source_public_ip:
        yield _fault(
            "only one of temporary_security_group_source_cidrs and temporary_security_group_source_public_ip can be specified",
            "",
            "Remove one of them.",
        )


def _of(settings: object, name: str, choices: tuple[str, ...]) -> Iterator[Diagnostic]:
    value = getattr(settings, name)
    if value and value not in (*choices, UNKNOWN_TEXT):
        yield not_one_of(name, value, choices)


def _is_time(text: str) -> bool:
    if UNKNOWN_TEXT in text:
        return True
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _fault(what: str, why: str, next: str) -> Diagnostic:
    return Diagnostic(code="amazon.settings", what=what, why=why, next=next)
