"""Settings that components had once, and that `fix` knows how to replace."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase


def is_deprecated(component: str, setting: str) -> bool:
    """Whether a component of this type had the setting."""
    return any(fnmatchcase(component, types) and setting in names for types, names in _DEPRECATED.items())


_DEPRECATED: Mapping[str, frozenset[str]] = {
    "*": frozenset(
        {
            "iso_md5",
            "ssh_key_path",
            "ssh_disable_agent",
            "ssh_host_port_min",
            "ssh_host_port_max",
            "ssh_skip_nat_mapping",
            "ssh_wait_timeout",
            "iso_checksum_url",
            "iso_checksum_type",
        }
    ),
    "amazon*": frozenset(
        {
            "shutdown_behaviour",
            "enhanced_networking",
            "ssh_private_ip",
            "temporary_security_group_source_cidr",
            "clean_ami_name",
            "spot_price_auto_product",
        }
    ),
    "ansible": frozenset({"galaxycommand"}),
    "azure*": frozenset({"clean_image_name", "exlude_from_latest"}),
    "docker": frozenset({"login_email"}),
    "docker-import": frozenset({"login_email"}),
    "docker-tag": frozenset({"tag"}),
    "googlecompute": frozenset({"clean_image_name"}),
    "hyperv*": frozenset({"vhd_temp_path", "clone_from_vmxc_path", "cpu", "ram_size"}),
    "manifest": frozenset({"filename"}),
    "parallels*": frozenset({"headless", "parallels_tools_host_path", "guest_os_distribution"}),
    "scaleway": frozenset({"access_key"}),
    "virtualbox*": frozenset({"guest_additions_attach"}),
    "vsphere*": frozenset(
        {"network_card", "network", "networkCard", "disk_size", "disk_thin_provisioned", "disk_eagerly_scrub"}
    ),
}
"""By the types of the components that had them (packer-plugin-sdk 0.6.10)."""
