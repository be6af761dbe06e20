"""The request that starts an instance, and the one of a launch template for spot instances."""

from __future__ import annotations

import base64
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.amazon.api import tag_specifications
from goldsmith.amazon.instance_settings import InstanceSettings
from goldsmith.amazon.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that is known when an instance is started."""

    token: str
    """Unique: a call that is tried again starts nothing twice, and the instance is found by it."""
    image_id: str
    key_name: str
    groups: Sequence[str]
    network: Network
    profile: str
    user_data: str = field(repr=False)
    tags: Mapping[str, str]
    volume_tags: Mapping[str, str]
    spot_tags: Mapping[str, str] = field(default_factory=dict)
    fleet_tags: Mapping[str, str] = field(default_factory=dict)


def launch_request(config: InstanceSettings, launch: Launch) -> dict[str, object]:
    """What `run_instances` takes."""
    placement = _placement(config)
    if launch.network.zone:
        placement["AvailabilityZone"] = launch.network.zone
    request: dict[str, object] = {
        "ClientToken": launch.token,
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": config.instance_type,
        "InstanceInitiatedShutdownBehavior": config.shutdown_behavior,
        "UserData": launch.user_data,
        "Placement": placement,
        "TagSpecifications": tag_specifications({"instance": launch.tags, "volume": launch.volume_tags}),
        **_rights_and_disks(config, launch),
    }
    return {name: value for name, value in request.items() if value}


def template_request(config: InstanceSettings, launch: Launch, name: str) -> dict[str, object]:
    """What `create_launch_template` takes for spot instances."""
    market: dict[str, object] = {"MarketType": "spot"}
    if config.spot_price and config.spot_price != "auto":
        market["SpotOptions"] = {"MaxPrice": config.spot_price}
    data: dict[str, object] = {
        "InstanceMarketOptions": market,
        # Unlike `run_instances`, this call takes them encoded.
        "UserData": base64.b64encode(launch.user_data.encode()).decode(),
        "Placement": {**_placement(config), **({"AvailabilityZone": launch.network.zone} if launch.network.zone else {})},
        "TagSpecifications": tag_specifications(
            {"instance": {**launch.tags, **launch.spot_tags}, "volume": launch.volume_tags}
        ),
        **_rights_and_disks(config, launch),
    }
    return {
        "ClientToken": launch.token,
        "LaunchTemplateName": name,
        "LaunchTemplateData": {name: value for name, value in data.items() if value},
    }


def fleet_request(config: InstanceSettings, launch: Launch, template_id: str) -> dict[str, object]:
    """What `create_fleet` takes: one spot instance, at once, of whichever type."""
    types = config.spot_instance_types or (config.instance_type,)
    zone = {"AvailabilityZone": launch.network.zone} if launch.network.zone and not launch.network.subnet_id else {}
    request: dict[str, object] = {
        "ClientToken": f"{launch.token}-fleet",
        "Type": "instant",
        "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template_id, "Version": "1"},
                "Overrides": [{"InstanceType": type, **zone} for type in types],
            }
        ],
        "SpotOptions": {"AllocationStrategy": config.spot_allocation_strategy or "lowest-price"},
        "TagSpecifications": tag_specifications({"fleet": launch.fleet_tags}),
    }
    return {name: value for name, value in request.items() if value}


def _rights_and_disks(config: InstanceSettings, launch: Launch) -> dict[str, object]:
    """What both kinds of request have."""
    options = config.metadata_options
    request: dict[str, object] = {
        "ImageId": launch.image_id,
        "KeyName": launch.key_name,
        "EbsOptimized": config.ebs_optimized,
        "BlockDeviceMappings": _disks(config),
        "IamInstanceProfile": {"Name": launch.profile} if launch.profile else None,
        "EnclaveOptions": {"Enabled": True} if config.enable_nitro_enclave else None,
        "LicenseSpecifications": [
            {"LicenseConfigurationArn": item.license_configuration_request.license_configuration_arn}
            for item in config.license_specifications
        ],
        "CapacityReservationSpecification": _reservation(config),
        **_interfaces(config, launch),
    }
    if config.enable_t2_unlimited or config.enable_unlimited_credits:
        request["CreditSpecification"] = {"CpuCredits": "unlimited"}
    if options is not None:
        request["MetadataOptions"] = {
            "HttpEndpoint": options.http_endpoint,
            "HttpTokens": options.http_tokens,
            "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
            "InstanceMetadataTags": options.instance_metadata_tags,
        }
    return {name: value for name, value in request.items() if value}


def _interfaces(config: InstanceSettings, launch: Launch) -> dict[str, object]:
    """The subnet and the groups; inside of an interface when it is to have a public address, or none."""
    public = config.associate_public_ip_address
    if public is None:
        return {"SubnetId": launch.network.subnet_id, "SecurityGroupIds": list(launch.groups)}
    interface: dict[str, object] = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": public,
        "SubnetId": launch.network.subnet_id,
        "Groups": list(launch.groups),
        "DeleteOnTermination": True,
    }
    return {"NetworkInterfaces": [{name: value for name, value in interface.items() if value not in ("", [])}]}


def _placement(config: InstanceSettings) -> dict[str, object]:
    place = config.placement
    settings = {
        "HostResourceGroupArn": place.host_resource_group_arn,
        "HostId": place.host_id,
        "Tenancy": place.tenancy or config.tenancy,
    }
    return {name: value for name, value in settings.items() if value}


def _reservation(config: InstanceSettings) -> dict[str, object]:
    target = {
        "CapacityReservationId": config.capacity_reservation_id,
        "CapacityReservationResourceGroupArn": config.capacity_reservation_group_arn,
    }
    given = {name: value for name, value in target.items() if value}
    if given:
        return {"CapacityReservationTarget": given}
    preference = config.capacity_reservation_preference
    return {"CapacityReservationPreference": preference} if preference else {}


def _disks(config: InstanceSettings) -> list[dict[str, object]]:
    disks = [device.request() for device in config.launch_block_device_mappings]
    if config.no_ephemeral:
        # Windows AMIs name their instance stores so.
        disks += [{"DeviceName": f"xvdc{letter}", "NoDevice": ""} for letter in string.ascii_lowercase[:24]]
    return disks
