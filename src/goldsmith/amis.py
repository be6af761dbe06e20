"""Finding an AMI by filters: what the data source `amazon-ami` and the block `source_ami_filter` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from goldsmith.aws import Filter, MachineImage
from goldsmith.hcl.diagnostics import Diagnostic, UserError


class AmiQuery(Protocol):
    """The settings that say which AMI is meant."""

    @property
    def filters(self) -> Mapping[str, str]:
        """Filters of EC2's DescribeImages, by name."""

    @property
    def owners(self) -> tuple[str, ...]:
        """Accounts and aliases."""

    @property
    def most_recent(self) -> bool:
        """Whether the newest of several is taken."""


def filters_of(filters: Mapping[str, str]) -> list[Filter]:
    """Filters as EC2 takes them."""
    return [Filter(Name=name, Values=[value]) for name, value in sorted(filters.items())]


def chosen(images: Sequence[MachineImage], query: AmiQuery) -> MachineImage:
    """The one that is meant. Raises `UserError` when there is none, or several and `most_recent` is not set."""
    if not images:
        told = ", ".join(f'{name} = "{value}"' for name, value in sorted(query.filters.items()))
        raise UserError(
            Diagnostic(
                code="ami.none",
                what="No AMI was found matching filters",
                why=f"filters: {told or 'none'}; owners: {', '.join(query.owners)}",
                next="Check the filters, the owner and the region.",
            )
        )
    if len(images) > 1 and not query.most_recent:
        raise UserError(
            Diagnostic(
                code="ami.several",
                what="Your query returned more than one result. Please try a more specific search, or set most_recent to true.",
                why=f"{len(images)} AMIs match, among them {', '.join(image.get('ImageId', '?') for image in images[:3])}",
            )
        )
    # Dates are RFC 3339 in UTC, which sort as text; the id decides between equal ones: the choice must not vary.
    return max(images, key=lambda image: (image.get("CreationDate", ""), image.get("ImageId", "")))
