"""Fixers of cloud builders."""

from __future__ import annotations

from goldsmith.template.fixes.change import refuse, rename, rename_unless_set
from goldsmith.template.fixes.document import Document

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def amazon_shutdown_behavior(document: Document) -> None:
    """`shutdown_behaviour` is `shutdown_behavior`."""
    for builder in document.builders(prefix="amazon-"):
        rename(builder, "shutdown_behaviour", "shutdown_behavior")


def amazon_enhanced_networking(document: Document) -> None:
    """`enhanced_networking` is `ena_support`."""
    for builder in document.builders(prefix="amazon-"):
        rename(builder, "enhanced_networking", "ena_support", bool)


def amazon_private_ip(document: Document) -> None:
    """`ssh_private_ip` is a choice of `ssh_interface`, unless that is set."""
    for builder in document.builders(prefix="amazon-"):
        if "ssh_private_ip" not in builder or "ssh_interface" in builder:
            continue
        value = builder.pop("ssh_private_ip")
        if value is not True and value is not False and value not in (*_TRUE, *_FALSE):
            raise refuse(f"ssh_private_ip is not a boolean: {value!r}")
        builder["ssh_interface"] = "private_ip" if value is True or value in _TRUE else "public_ip"


def amazon_temporary_security_cidrs(document: Document) -> None:
    """`temporary_security_group_source_cidr` is a list with a name in the plural."""
    for builder in document.builders(prefix="amazon-"):
        value = builder.get("temporary_security_group_source_cidr")
        if isinstance(value, str):
            del builder["temporary_security_group_source_cidr"]
            builder["temporary_security_group_source_cidrs"] = [value]


def azure_exclude_from_latest(document: Document) -> None:
    """`exlude_from_latest` of azure-chroot is spelled with a c."""
    for builder in document.builders(prefix="azure-chroot"):
        destination = builder.get("shared_image_destination")
        if isinstance(destination, dict):
            rename(destination, "exlude_from_latest", "exclude_from_latest")


def scaleway_access_key(document: Document) -> None:
    """`access_key` is `organization_id`."""
    for builder in document.builders("scaleway"):
        rename_unless_set(builder, "access_key", "organization_id", str)
