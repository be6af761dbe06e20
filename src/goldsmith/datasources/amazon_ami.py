"""Data source `amazon-ami`: finds an AMI by filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from goldsmith.amis import chosen, filters_of
from goldsmith.aws import AwsAccess, access_faults, aws_errors, ec2
from goldsmith.components import Context, DataSource, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.types import STRING, MapType, ObjectType, Type
from goldsmith.hcl.values import Value, object_of, string


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiConfig(AwsAccess):
    """Attributes of a `data "amazon-ami"` block; names and defaults are Packer's."""

    filters: Mapping[str, str] = attribute({}, "Filters of EC2's DescribeImages, by name.")
    owners: tuple[str, ...] = attribute((), 'Accounts, "self", or "amazon", "aws-marketplace", "microsoft".')
    most_recent: bool = attribute(False, "Whether the newest of several is taken.")
    include_deprecated: bool = attribute(False, "Whether deprecated AMIs count.")


class AmazonAmi(DataSource[AmiConfig]):
    """An object with `id`, `name`, `creation_date`, `owner`, `owner_name` and `tags` of the AMI."""

    Config: ClassVar[type[AmiConfig]] = AmiConfig
    outputs: ClassVar[Type] = ObjectType(
        {
            **dict.fromkeys(("id", "name", "creation_date", "owner", "owner_name"), STRING),
            "tags": MapType(STRING),
        }
    )

    def check(self, config: AmiConfig, context: Context) -> None:
        """Packer's checks: filters, and an owner, because anybody may publish an AMI under any name."""
        faults = list(access_faults(config))
        if not config.filters and not config.owners:
            faults.append(Diagnostic(code="ami.settings", what="The `filters` must be specified", next='Add "filters".'))
        if not config.owners:
            what = "For security reasons, you must declare an owner."
            faults.append(Diagnostic(code="ami.settings", what=what, next='Add "owners".'))
        if faults:
            raise UserError(*faults)

    def read(self, config: AmiConfig, context: Context) -> Value:
        """Ask EC2. Raises `UserError` when no AMI matches, or several do and `most_recent` is not set."""
        self.check(config, context)
        filters = filters_of(config.filters)
        api = ec2(config)
        with aws_errors("Querying AMI", config):
            answer = api.describe_images(
                Filters=filters, Owners=list(config.owners), IncludeDeprecated=config.include_deprecated
            )
        image = chosen(answer["Images"], config)
        tags = sorted(image.get("Tags", ()), key=lambda tag: tag["Key"])
        return object_of(
            {
                "id": string(image.get("ImageId", "")),
                "name": string(image.get("Name", "")),
                "creation_date": string(image.get("CreationDate", "")),
                "owner": string(image.get("OwnerId", "")),
                "owner_name": string(image.get("ImageOwnerAlias", "")),
                "tags": Value(MapType(STRING), {tag["Key"]: string(tag["Value"]) for tag in tags}),
            }
        )
