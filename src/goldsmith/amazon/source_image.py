"""The AMI that a build starts from, and AMIs that stand in the way of the new one."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.amazon.account import Account
from goldsmith.amazon.api import Image
from goldsmith.amazon.image_settings import ImageSettings
from goldsmith.amazon.instance_settings import InstanceSettings
from goldsmith.amazon.release import deregister
from goldsmith.amis import chosen, filters_of
from goldsmith.aws import Filter
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.scripts import say


def find_source(config: InstanceSettings, account: Account, context: Context) -> Image:
    """The AMI to start from. Raises `UserError` when there is none, or several and `most_recent` is not set."""
    query = config.source_ami_filter
    ec2 = account.ec2()
    with account.telling("Querying the source AMI"):
        if query is None or config.source_ami:
            found = ec2.describe_images(ImageIds=[config.source_ami])["Images"]
        else:
            found = ec2.describe_images(
                Filters=filters_of(query.filters), Owners=list(query.owners), IncludeDeprecated=query.include_deprecated
            )["Images"]
    if query is None and not found:
        raise UserError(
            Diagnostic(
                code="ami.none",
                what=f"Source AMI '{config.source_ami}' was not found!",
                why=f"it was looked for in {account.region}",
                next="Check the id and the region.",
            )
        )
    if query is None:
        image = found[0]
    else:
        newest = chosen(found, query)["ImageId"]
        image = next(item for item in found if item["ImageId"] == newest)
    say(context, f"Found Image ID: {image['ImageId']}")
    return image


def check_regions(config: ImageSettings, account: Account) -> None:
    """Refuse a region that the account does not have."""
    if config.skip_region_validation or not config.ami_regions:
        return
    with account.telling("Querying the regions"):
        known = {region["RegionName"] for region in account.ec2().describe_regions(AllRegions=True)["Regions"]}
    for region in config.ami_regions:
        if region not in known:
            raise UserError(
                Diagnostic(
                    code="amazon.region",
                    what=f"Unknown region: {region}",
                    why=f"EC2 knows: {', '.join(sorted(known))}",
                    next="Correct ami_regions, or set skip_region_validation.",
                )
            )


def named_like(name: str, region: str, account: Account) -> Sequence[Image]:
    """The account's AMIs of a name in a region: one, or none."""
    with account.telling("Querying AMIs of the same name"):
        filters = [Filter(Name="name", Values=[name])]
        # A filter takes * and ? as wild cards; no name of an AMI has them.
        return account.ec2(region).describe_images(Owners=["self"], Filters=filters, IncludeDeprecated=True)["Images"]


def check_name_is_free(name: str, regions: Sequence[str], account: Account) -> None:
    """Refuse a name that an AMI has already in one of the regions: before anything is made, not an hour later."""
    for region in regions:
        for image in named_like(name, region, account):
            raise UserError(
                Diagnostic(
                    code="amazon.name-in-use",
                    what=f"AMI Name: '{name}' is used by an existing AMI: {image['ImageId']}",
                    why=f"a name is given once in an account and region; this one is in {region or account.region}",
                    next="Choose another ami_name, or set force_deregister (or -force) to replace that AMI.",
                )
            )


def deregister_old(name: str, regions: Sequence[str], config: ImageSettings, account: Account, context: Context) -> None:
    """Remove the AMIs of the name, for `force_deregister`."""
    for region in regions:
        for image in named_like(name, region, account):
            deregister(account.ec2(region), account, image, with_snapshots=config.force_delete_snapshot)
            say(context, f"Deregistered AMI {name}, id: {image['ImageId']}")
