"""AMIs as an artifact: named and told as Packer does, removed when a chain of post-processors does not keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.amazon.account import Account
from goldsmith.amazon.release import deregister
from goldsmith.components import Artifact
from goldsmith.images.sealed import SealedImage

BUILDER_ID = "mitchellh.amazonebs"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiArtifact(Artifact):
    """AMIs by region; the id is `region:ami,region:ami`."""

    account: Account = field(repr=False, compare=False)
    amis: Mapping[str, str]

    def destroy(self, cwd: Path) -> None:
        """Deregister the AMIs and delete the snapshots behind them."""
        for region, image_id in sorted(self.amis.items()):
            ec2 = self.account.ec2(region)
            with self.account.telling(f"Querying the AMI {image_id}"):
                found = ec2.describe_images(ImageIds=[image_id])["Images"]
            for image in found:
                deregister(ec2, self.account, image, with_snapshots=True)


def ami_artifact(
    amis: Mapping[str, str], account: Account, state: Mapping[str, str], image: SealedImage | None = None
) -> AmiArtifact:
    """The artifact of AMIs by region."""
    lines = [f"{region}: {ami}" for region, ami in sorted(amis.items())]
    return AmiArtifact(
        builder_id=BUILDER_ID,
        id=",".join(f"{region}:{ami}" for region, ami in sorted(amis.items())),
        text="\n".join(("AMIs were created:", *lines, "")) if amis else "No AMI was created: skip_create_ami is set",
        state=state,
        image=image,
        account=account,
        amis=dict(amis),
    )
