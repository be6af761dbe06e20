"""Fixers of how builders connect to a machine."""

from __future__ import annotations

from goldsmith.template.fixes.change import rename, rename_unless_set
from goldsmith.template.fixes.document import Document


def ssh_key_path(document: Document) -> None:
    """`ssh_key_path` is `ssh_private_key_file`."""
    for builder in document.builders():
        rename_unless_set(builder, "ssh_key_path", "ssh_private_key_file", str)


def ssh_disable_agent(document: Document) -> None:
    """`ssh_disable_agent` is `ssh_disable_agent_forwarding`."""
    for builder in document.builders():
        rename_unless_set(builder, "ssh_disable_agent", "ssh_disable_agent_forwarding", bool)


def ssh_wait_timeout(document: Document) -> None:
    """`ssh_wait_timeout` is `ssh_timeout`."""
    for builder in document.builders():
        rename_unless_set(builder, "ssh_wait_timeout", "ssh_timeout", None if "ssh_timeout" in builder else str)


def virtualbox_ports(document: Document) -> None:
    """Port forwarding of VirtualBox builders is not of ssh only."""
    for builder in document.builders(prefix="virtualbox"):
        rename_unless_set(builder, "ssh_host_port_min", "host_port_min")
        rename_unless_set(builder, "ssh_host_port_max", "host_port_max")
        rename_unless_set(builder, "ssh_skip_nat_mapping", "skip_nat_mapping", None if "skip_nat_mapping" in builder else bool)


def qemu_ports(document: Document) -> None:
    """Nor is it of qemu builders."""
    for builder in document.builders("qemu"):
        rename(builder, "ssh_host_port_min", "host_port_min")
        rename(builder, "ssh_host_port_max", "host_port_max")
