"""The attributes that say what AMI is made: its name, disks, encryption, copies, sharing and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldsmith.components import REQUIRED, attribute
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.packer_templates import UNKNOWN_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class TagBlock:
    """A block such as `tag { key = … value = … }`: the form of a tag for `dynamic`."""

    key: str = attribute("", "The key.", rendered=False)
    value: str = attribute("", "The value.", rendered=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """A block `ami_block_device_mappings` or `launch_block_device_mappings`: one disk."""

    device_name: str = attribute("", "The name of the device, such as /dev/sda1.")
    delete_on_termination: bool = attribute(False, "Whether the volume goes with its instance.")
    encrypted: bool | None = attribute(None, "Whether it is encrypted; what the account does when nothing is said.")
    kms_key_id: str = attribute("", "The key it is encrypted with; needs encrypted.")
    iops: int = attribute(0, "Operations a second: io1, io2 and gp3.")
    throughput: int = attribute(0, "MiB a second: gp3.")
    no_device: bool = attribute(False, "Takes the device of the source AMI away.")
    snapshot_id: str = attribute("", "The snapshot it is made of.")
    virtual_name: str = attribute("", "An instance store: ephemeral0 and so on.")
    volume_type: str = attribute("", "gp2, gp3, io1, io2, st1, sc1 or standard.")
    volume_size: int = attribute(0, "GiB.")

    def faults(self, place: str) -> Iterator[Diagnostic]:
        """What is wrong with it; `place` is the name of its block."""
        if not self.device_name:
            yield _fault(f"{place}: The `device_name` must be specified for every device in the block device mapping.")
        if self.kms_key_id and self.encrypted is not True:
            yield _fault(f"{place}: The device {self.device_name}, must also have `encrypted: true` when setting a kms_key_id.")
        if self.iops and self.volume_type not in ("io1", "io2", "gp3", UNKNOWN_TEXT):
            yield _fault(f"{place}: iops may not be set for volume type {self.volume_type or '(none)'}")
        if self.volume_type in ("io1", "io2") and not self.iops:
            yield _fault(f"{place}: a volume of type {self.volume_type} needs iops")
        if self.throughput and self.volume_type not in ("gp3", UNKNOWN_TEXT):
            yield _fault(f"{place}: Throughput is not available for device {self.device_name}: only gp3 has it")
        if self.throughput and not 125 <= self.throughput <= 2000:
            yield _fault(f"{place}: Throughput must be between 125 and 2000 for device {self.device_name}")

    def request(self) -> dict[str, object]:
        """The mapping as EC2 takes it."""
        if self.no_device:
            return {"DeviceName": self.device_name, "NoDevice": ""}
        if self.virtual_name.startswith("ephemeral"):
            return {"DeviceName": self.device_name, "VirtualName": self.virtual_name}
        volume: dict[str, object] = {
            "SnapshotId": self.snapshot_id,
            "VolumeType": self.volume_type,
            "VolumeSize": self.volume_size,
            "Iops": self.iops,
            "Throughput": self.throughput,
            "KmsKeyId": self.kms_key_id,
        }
        given = {name: value for name, value in volume.items() if value}
        encrypted = {} if self.encrypted is None else {"Encrypted": self.encrypted}
        return {
            "DeviceName": self.device_name,
            "Ebs": {"DeleteOnTermination": self.delete_on_termination, **given, **encrypted},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DeregistrationProtection:
    """The block `deregistration_protection`."""

    enabled: bool = attribute(False, "Whether the AMI cannot be deregistered.")
    with_cooldown: bool = attribute(False, "Whether that holds for a day after it was lifted.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTemplateOfRegion:
    """A block `region_launch_templates` of `fast_launch`."""

    region: str = attribute(REQUIRED, "The region.")
    enable_fast_launch: bool = attribute(True, "Whether it is on there.")
    template_id: str = attribute("", "The launch template.")
    template_name: str = attribute("", "Its name.")
    template_version: int = attribute(0, "Its version.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLaunch:
    """The block `fast_launch`: known, and refused."""

    enable_fast_launch: bool = attribute(False, "Whether Windows instances start from prepared snapshots.")
    template_id: str = attribute("", "The launch template.")
    template_name: str = attribute("", "Its name.")
    template_version: int = attribute(0, "Its version.")
    region_launch_templates: tuple[LaunchTemplateOfRegion, ...] = attribute((), "The same for regions.")
    max_parallel_launches: int = attribute(0, "How many instances prepare at once.")
    target_resource_count: int = attribute(0, "How many snapshots are kept.")


# Without slots: a source has these settings beside others, and only one of several bases may have slots.
@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """What AMI is made; names and defaults are Packer's."""

    ami_name: str = attribute(REQUIRED, "The name of the AMI.")
    ami_description: str = attribute("", "Its description; it knows {{.SourceAMI}} and so on.", rendered=False)
    ami_virtualization_type: str = attribute("", '"hvm" or "paravirtual"; the source AMI must be of that type.')
    ami_users: tuple[str, ...] = attribute((), "Accounts that may launch it.")
    ami_groups: tuple[str, ...] = attribute((), 'Groups that may launch it: "all" makes it public.')
    ami_org_arns: tuple[str, ...] = attribute((), "Organisations that may launch it.")
    ami_ou_arns: tuple[str, ...] = attribute((), "Organisational units that may launch it.")
    ami_product_codes: tuple[str, ...] = attribute((), "Product codes of the marketplace.")
    ami_regions: tuple[str, ...] = attribute((), "Regions that it is copied to.")
    skip_region_validation: bool = attribute(False, "Whether names of regions are taken as they are.")
    snapshot_copy_duration_minutes: int = attribute(0, "How fast snapshots are to be copied; costs more.")
    tags: Mapping[str, str] = attribute({}, "Tags of the AMI and its snapshots.", rendered=False)
    tag: tuple[TagBlock, ...] = attribute((), "The same, one by one.")
    ena_support: bool | None = attribute(None, "Whether it has enhanced networking (ENA).")
    sriov_support: bool = attribute(False, "Whether it has enhanced networking (SR-IOV).")
    force_deregister: bool = attribute(False, "Whether an AMI of the same name is deregistered first; -force does so too.")
    force_delete_snapshot: bool = attribute(False, "Whether that one's snapshots are deleted too.")
    encrypt_boot: bool | None = attribute(None, "Whether all its snapshots are encrypted.")
    kms_key_id: str = attribute("", "The key they are encrypted with; the account's default when nothing is said.")
    region_kms_key_ids: Mapping[str, str] = attribute({}, "The key for each region of ami_regions; empty for the default.")
    skip_save_build_region: bool = attribute(False, "Whether there is no AMI in the region of the build itself.")
    imds_support: str = attribute("", '"v2.0": instances of it ask for tokens by default.')
    deprecate_at: str = attribute("", "When it is deprecated, as 2026-01-02T15:04:05Z.")
    deregistration_protection: DeregistrationProtection = attribute(DeregistrationProtection(), "Guards the AMI.")
    snapshot_tags: Mapping[str, str] = attribute({}, "Tags of its snapshots; they win over tags.", rendered=False)
    snapshot_tag: tuple[TagBlock, ...] = attribute((), "The same, one by one.")
    snapshot_users: tuple[str, ...] = attribute((), "Accounts that may make volumes of its snapshots.")
    snapshot_groups: tuple[str, ...] = attribute((), 'Groups that may do so: "all".')
    ami_block_device_mappings: tuple[BlockDevice, ...] = attribute((), "The disks of the AMI besides its root.")
    skip_create_ami: bool = attribute(False, "Whether no AMI is made: the build only shows that it works.")
    fast_launch: FastLaunch | None = attribute(None, "Not supported: it is for Windows.")


def _fault(what: str) -> Diagnostic:
    return Diagnostic(code="amazon.settings", what=what)
