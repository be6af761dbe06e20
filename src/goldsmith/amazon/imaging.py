"""From a stopped instance to AMIs in all regions: made, copied, encrypted, guarded, shared and tagged."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from goldsmith.amazon.account import Account, wait_for
from goldsmith.amazon.api import Image, tag_list, tag_specifications
from goldsmith.amazon.holding import Holdings
from goldsmith.amazon.image_settings import ImageSettings
from goldsmith.amazon.release import Thing, comes_from, snapshots_of
from goldsmith.amazon.source_image import named_like
from goldsmith.aws import error_code
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.scripts import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The rendered texts of an AMI."""

    description: str
    run_tags: Mapping[str, str]
    tags: Mapping[str, str]
    snapshot_tags: Mapping[str, str]


class Imaging:
    """Makes the AMIs of one build. What it makes is held until `stack` ends well."""

    def __init__(
        self, config: ImageSettings, words: Words, account: Account, context: Context, held: Holdings, stack: ExitStack
    ) -> None:
        self._config = config
        self._words = words
        self._account = account
        self._context = context
        self._held = held
        self._stack = stack

    def of_instance(self, instance_id: str) -> dict[str, str]:
        """The AMIs of an instance, by region. Raises `UserError` and `MachineError`; nothing is left then."""
        config, home = self._config, self._account.region
        copied = config.encrypt_boot is True or config.skip_save_build_region
        if not copied:
            first = self._create(config.ami_name, instance_id, Thing(kind="image", name=config.ami_name, origin=instance_id))
            return self._everywhere(first, {home: first})
        # AWS encrypts while it copies; the AMI that is copied has a name of its own and goes afterwards.
        name = f"packer-{uuid.uuid4()}"
        with ExitStack() as passing:
            thing = Thing(kind="image", name=name, origin=instance_id)
            passing.enter_context(self._held.hold(thing, said="Deregistering the intermediary AMI..."))
            first = self._create(name, instance_id, None)
            return self._everywhere(first, {})

    def of_snapshot(self, snapshot_id: str, registration: Mapping[str, object]) -> dict[str, str]:
        """The AMIs of a snapshot, by region; `registration` is what `register_image` takes besides name and tags."""
        name, words = self._config.ami_name, self._words
        thing = Thing(kind="image", name=name, origin=snapshot_id)
        self._stack.enter_context(self._held.hold(thing, said=_REMOVING, is_result=True))
        say(self._context, f"Registering AMI {name}")
        request = {**registration, "TagSpecifications": tag_specifications({"image": words.tags})}
        if words.description:
            request["Description"] = words.description
        try:
            with self._account.telling("Error registering AMI: the call"):
                image = self._account.ec2().register_image(Name=name, **request)["ImageId"]
        except UserError as error:
            image = self._made_already(error, name, snapshot_id)
        say(self._context, f"AMI: {image}")
        self.wait_until_ready("", image)
        return self._everywhere(image, {self._account.region: image})

    def _create(self, name: str, instance_id: str, thing: Thing | None) -> str:
        say(self._context, f"Creating AMI {name} from instance {instance_id}")
        if thing is not None:
            self._stack.enter_context(self._held.hold(thing, said=_REMOVING, is_result=True))
        run_tags = self._words.run_tags
        request: dict[str, object] = {
            "Name": name,
            "InstanceId": instance_id,
            "Description": self._words.description,
            "BlockDeviceMappings": [device.request() for device in self._config.ami_block_device_mappings],
            "TagSpecifications": tag_specifications({"image": run_tags, "snapshot": run_tags}),
        }
        given = {key: value for key, value in request.items() if value}
        try:
            with self._account.telling("Error creating AMI: the call"):
                image = self._account.ec2().create_image(**given)["ImageId"]
        except UserError as error:
            image = self._made_already(error, name, instance_id)
        say(self._context, f"AMI: {image}")
        say(self._context, "Waiting for AMI to become ready...")
        self.wait_until_ready("", image)
        return image

    def _made_already(self, error: UserError, name: str, origin: str) -> str:
        """The AMI of a call that was tried again because its answer was lost; else the name is somebody else's."""
        if error_code(error) != "InvalidAMIName.Duplicate":
            raise error
        for image in named_like(name, "", self._account):
            if comes_from(image, origin):
                return image["ImageId"]
        raise error

    def _everywhere(self, first: str, made: dict[str, str]) -> dict[str, str]:
        """Copy the first AMI to where it is wanted, and finish all of them."""
        config, home = self._config, self._account.region
        regions = [region for region in dict.fromkeys(config.ami_regions) if region not in made]
        if not made and not config.skip_save_build_region:
            regions = list(dict.fromkeys([home, *regions]))
        if regions:
            say(self._context, f"Copying/Encrypting AMI ({first}) to other regions...")
        for region in regions:
            made[region] = self._copy(first, region)
        if regions:
            say(self._context, "Waiting for all copies to complete...")
        for region in regions:
            self.wait_until_ready(region, made[region])
        for region in sorted(made):
            self.finish(region, made[region])
        return made

    def _copy(self, first: str, region: str) -> str:
        config = self._config
        say(self._context, f"Copying to: {region}")
        thing = Thing(kind="image", name=config.ami_name, region=region, origin=first)
        self._stack.enter_context(self._held.hold(thing, said=_REMOVING, is_result=True))
        own = region == self._account.region
        key = config.region_kms_key_ids.get(region, config.kms_key_id if own else "")
        request: dict[str, object] = {
            "ClientToken": str(uuid.uuid4()),
            "Name": config.ami_name,
            "SourceImageId": first,
            "SourceRegion": self._account.region,
            "Description": self._words.description,
            "Encrypted": config.encrypt_boot,
            "KmsKeyId": key if config.encrypt_boot else "",
            "SnapshotCopyCompletionDurationMinutes": config.snapshot_copy_duration_minutes,
        }
        given = {name: value for name, value in request.items() if value not in ("", None, 0)}
        with self._account.telling(f"Error copying AMI ({first}) to region ({region}): the call"):
            return self._account.ec2(region).copy_image(**given)["ImageId"]

    def wait_until_ready(self, region: str, image_id: str) -> Image:
        """Wait until an AMI can be used. Raises `MachineError` with EC2's reason when it cannot be made."""
        ec2 = self._account.ec2(region)

        def ready() -> Image | None:
            try:
                with self._account.telling(f"Error waiting for AMI ({image_id}): the call"):
                    found = ec2.describe_images(ImageIds=[image_id])["Images"]
            except UserError as error:
                if error_code(error) == "InvalidAMIID.NotFound":
                    return None
                raise
            for image in found:
                if image.get("State") == "available":
                    return image
                if image.get("State") != "pending":
                    raise _failed(image)
            return None

        return wait_for(ready, f"AMI {image_id}", self._account.slow, self._context.cancellation)

    def finish(self, region: str, image_id: str) -> None:
        """Deprecation, guard, rights and tags of one AMI."""
        config, ec2 = self._config, self._account.ec2(region)
        snapshots = snapshots_of(self.wait_until_ready(region, image_id))
        if config.deprecate_at:
            say(self._context, f"Adding deprecation to AMI ({image_id})...")
            with self._account.telling(f"Deprecating AMI ({image_id})"):
                ec2.enable_image_deprecation(ImageId=image_id, DeprecateAt=config.deprecate_at)
        self._share(region, image_id, snapshots)
        self._tag(region, image_id, snapshots)
        # Last: nobody could take the AMI back after that.
        if config.deregistration_protection.enabled:
            say(self._context, f"Enabling deregistration protection on AMI ({image_id})...")
            with self._account.telling(f"Guarding AMI ({image_id})"):
                cooldown = config.deregistration_protection.with_cooldown
                ec2.enable_image_deregistration_protection(ImageId=image_id, WithCooldown=cooldown)

    def _share(self, region: str, image_id: str, snapshots: list[str]) -> None:
        config, ec2 = self._config, self._account.ec2(region)
        allowed: list[dict[str, str]] = [
            *({"UserId": user} for user in config.ami_users),
            *({"Group": group} for group in config.ami_groups),
            *({"OrganizationArn": arn} for arn in config.ami_org_arns),
            *({"OrganizationalUnitArn": arn} for arn in config.ami_ou_arns),
        ]
        requests: list[dict[str, object]] = []
        if allowed:
            requests.append({"LaunchPermission": {"Add": allowed}})
        if config.ami_product_codes:
            requests.append({"ProductCodes": list(config.ami_product_codes)})
        if config.imds_support:
            requests.append({"ImdsSupport": {"Value": config.imds_support}})
        if requests:
            say(self._context, f"Modifying attributes on AMI ({image_id})...")
        for request in requests:
            with self._account.telling(f"Error modify AMI attributes ({', '.join(request)}): the call"):
                ec2.modify_image_attribute(ImageId=image_id, **request)
        volumes: list[dict[str, str]] = [
            *({"UserId": user} for user in config.snapshot_users),
            *({"Group": group} for group in config.snapshot_groups),
        ]
        for snapshot in snapshots if volumes else ():
            say(self._context, f"Modifying attributes on snapshot ({snapshot})...")
            with self._account.telling("Error modify snapshot attributes: the call"):
                ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": volumes})

    def _tag(self, region: str, image_id: str, snapshots: list[str]) -> None:
        words, ec2 = self._words, self._account.ec2(region)
        # What the first AMI got when it was made, copies do not have yet.
        tags = {**words.run_tags, **words.tags}
        if tags:
            say(self._context, f"Adding tags to AMI ({image_id})...")
            with self._account.telling("Error adding tags to the AMI: the call"):
                ec2.create_tags(Resources=[image_id, *snapshots], Tags=tag_list(tags))
        if words.snapshot_tags and snapshots:
            say(self._context, "Creating snapshot tags")
            with self._account.telling("Error adding tags to the snapshots: the call"):
                ec2.create_tags(Resources=snapshots, Tags=tag_list(words.snapshot_tags))


_REMOVING = "Deregistering the AMI and deleting associated snapshots because of cancellation, or error..."


def _failed(image: Image) -> MachineError:
    reason = image.get("StateReason", {})
    return MachineError(
        Diagnostic(
            code="amazon.image-failed",
            what=f"the AMI {image['ImageId']} could not be made: it is {image.get('State', 'unknown')}",
            why=": ".join(filter(None, (reason.get("Code", ""), reason.get("Message", "")))) or "EC2 gives no reason",
            next="The reason tells what to change: a key of KMS, a limit, or the disks of the instance.",
        )
    )
