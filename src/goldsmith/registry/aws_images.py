"""Takes AMIs away from one region of one AWS account, step by step, each seen to have happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from goldsmith.aws import Answer, AwsAccess, aws_errors, client, error_code, items
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError

_NO_IMAGE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")
_NO_SNAPSHOT = ("InvalidSnapshot.NotFound",)


class Images(Protocol):
    """EC2, as far as the removal of images uses it."""

    def describe_images(self, *, ImageIds: Sequence[str], IncludeDeprecated: bool, IncludeDisabled: bool) -> Answer:
        """Images by their ids."""

    def disable_image(self, *, ImageId: str) -> Answer:
        """Forbid new instances of an image, and end its sharing."""

    def deregister_image(self, *, ImageId: str) -> Answer:
        """Remove an image; its snapshots stay."""

    def delete_snapshot(self, *, SnapshotId: str) -> Answer:
        """Delete a snapshot."""

    def describe_snapshots(self, *, SnapshotIds: Sequence[str]) -> Answer:
        """Snapshots by their ids."""


class AwsImages:
    """The images of one region. The client is made at the first call, or given."""

    def __init__(self, access: AwsAccess, images: Images | None = None) -> None:
        self._access = access
        self._given = images

    @property
    def _ec2(self) -> Images:
        if self._given is None:
            self._given = cast("Images", client("ec2", self._access))
        return self._given

    def disable(self, image: str) -> tuple[str, ...] | None:
        """As `removal.Cloud` says."""
        seen = self._seen(image)
        if seen is None:
            return None
        if seen.get("State") != "disabled":
            with aws_errors(f"disabling {image}", self._access):
                self._ec2.disable_image(ImageId=image)
            after = self._seen(image)
            if after is not None and after.get("State") != "disabled":
                raise _not_yet(f"{image} is not disabled yet: EC2 says {after.get('State')}")
        return tuple(_snapshots(seen))

    def deregister(self, image: str) -> None:
        """As `removal.Cloud` says. An image that is protected against it stays: who protected it has a reason."""
        seen = self._seen(image)
        if seen is None:
            return
        protection = str(seen.get("DeregistrationProtection") or "disabled")
        if protection != "disabled":
            raise UserError(
                Diagnostic(
                    code="expire.copy-protected",
                    what=f"{image} is protected against deregistration ({protection})",
                    next=f"When that is right no more: aws ec2 disable-image-deregistration-protection --image-id {image}; "
                    "with a cool-down it holds for 24 h more.",
                )
            )
        with aws_errors(f"deregistering {image}", self._access):
            self._ec2.deregister_image(ImageId=image)
        if self._seen(image) is not None:
            raise _not_yet(f"{image} is still there after it was deregistered")

    def delete_snapshot(self, snapshot: str) -> None:
        """As `removal.Cloud` says. EC2 refuses a snapshot of another image, a locked and a shared one: it stays."""
        try:
            with aws_errors(f"deleting {snapshot}", self._access):
                self._ec2.delete_snapshot(SnapshotId=snapshot)
        except UserError as error:
            if error_code(error) not in _NO_SNAPSHOT:
                raise
        try:
            with aws_errors(f"looking for {snapshot}", self._access):
                left = items(self._ec2.describe_snapshots(SnapshotIds=[snapshot]), "Snapshots")
        except UserError as error:
            if error_code(error) in _NO_SNAPSHOT:
                return
            raise
        if left:
            raise _not_yet(f"{snapshot} is still there after it was deleted")

    def _seen(self, image: str) -> Answer | None:
        """What EC2 says of an image, or None when it is gone."""
        try:
            with aws_errors(f"looking for {image}", self._access):
                answer = self._ec2.describe_images(ImageIds=[image], IncludeDeprecated=True, IncludeDisabled=True)
        except UserError as error:
            if error_code(error) in _NO_IMAGE:
                return None
            raise
        found = [item for item in items(answer, "Images") if item.get("State") != "deregistered"]
        return found[0] if found else None


def _snapshots(image: Answer) -> Iterator[str]:
    for mapping in items(image, "BlockDeviceMappings") if image.get("BlockDeviceMappings") else ():
        ebs = mapping.get("Ebs")
        if isinstance(ebs, Mapping) and isinstance(id := ebs.get("SnapshotId"), str):
            yield id


def _not_yet(what: str) -> MachineError:
    return MachineError(Diagnostic(code="expire.copy-not-yet", what=what, next="The next run looks again."))
