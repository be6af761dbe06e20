"""All fixers in Packer's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from goldsmith.hcl.source import SourceFile
from goldsmith.template.fixes import clouds, connections, hypervisors, images, steps
from goldsmith.template.fixes.change import remove, retype
from goldsmith.template.fixes.document import Document, read_document, text_of


@dataclass(frozen=True, slots=True)
class Fixer:
    """Replaces what Packer had once by what it has today."""

    name: str
    """Packer's."""
    does: str
    fix: Callable[[Document], None]


_SPOT = ("amazon-ebs", "amazon-ebssurrogate", "amazon-ebsvolume", "amazon-instance")
_PARALLELS = ("parallels-iso", "parallels-pvm")

FIXERS = (
    Fixer("iso-md5", "iso_md5 → iso_checksum", images.iso_md5),
    Fixer("createtime", "{{.CreateTime}} in names of images → {{timestamp}}", images.create_time),
    Fixer("virtualbox-gaattach", "guest_additions_attach → guest_additions_mode", hypervisors.virtualbox_guest_additions),
    Fixer("pp-vagrant-override", "vagrant: settings by provider → override", steps.vagrant_override),
    Fixer("virtualbox-rename", "type virtualbox → virtualbox-iso", hypervisors.virtualbox_rename),
    Fixer("vmware-rename", "type vmware → vmware-iso", retype("vmware", "vmware-iso")),
    Fixer("parallels-headless", "parallels: headless is removed", remove("headless", *_PARALLELS)),
    Fixer("parallels-deprecations", "guest_os_distribution → guest_os_type", hypervisors.parallels_deprecations),
    Fixer("sshkeypath", "ssh_key_path → ssh_private_key_file", connections.ssh_key_path),
    Fixer("sshdisableagent", "ssh_disable_agent → ssh_disable_agent_forwarding", connections.ssh_disable_agent),
    Fixer("scaleway-access-key", "access_key → organization_id", clouds.scaleway_access_key),
    Fixer("manifest-filename", "manifest: filename → output", steps.manifest_filename),
    Fixer("amazon-shutdown_behavior", "shutdown_behaviour → shutdown_behavior", clouds.amazon_shutdown_behavior),
    Fixer("amazon-enhanced-networking", "enhanced_networking → ena_support", clouds.amazon_enhanced_networking),
    Fixer("amazon-private-ip", "ssh_private_ip → ssh_interface", clouds.amazon_private_ip),
    Fixer("amazon-temp-sec-cidrs", "temporary_security_group_source_cidr → …cidrs", clouds.amazon_temporary_security_cidrs),
    Fixer("docker-email", "login_email is removed", steps.docker_email),
    Fixer("docker-tag-tags", "docker-tag: tag → tags", steps.docker_tags),
    Fixer("powershell-escapes", "powershell: escapes of old are removed", steps.powershell_escapes),
    Fixer("vmware-compaction", "esx5: skip_compaction unless disks are thin", hypervisors.vmware_compaction),
    Fixer("hyperv-deprecations", "hyperv-iso: vhd_temp_path is removed", remove("vhd_temp_path", "hyperv-iso")),
    Fixer("hyperv-vmxc-typo", "clone_from_vmxc_path → clone_from_vmcx_path", hypervisors.hyperv_vmcx_path),
    Fixer("hyperv-cpu-and-ram", "hyperv: cpu → cpus, ram_size → memory", hypervisors.hyperv_cpu_and_ram),
    Fixer("clean-image-name", "clean_image_name, clean_ami_name → clean_resource_name", images.clean_name),
    Fixer("spot-price-auto-product", "spot_price_auto_product is removed", remove("spot_price_auto_product", *_SPOT)),
    Fixer("qemu-disk-size", "qemu: disk_size gets its unit", hypervisors.qemu_disk_size),
    Fixer("galaxy-command", "ansible-local: galaxycommand → galaxy_command", steps.galaxy_command),
    Fixer("comm-config", "virtualbox: ssh_host_port_min, … → host_port_min, …", connections.virtualbox_ports),
    Fixer("ssh-wait-timeout", "ssh_wait_timeout → ssh_timeout", connections.ssh_wait_timeout),
    Fixer("vsphere-iso-net-disk", "vsphere-iso: network_adapters, storage", hypervisors.vsphere_network_and_disk),
    Fixer("iso-checksum-type-and-url", "iso_checksum_type, iso_checksum_url → iso_checksum", images.iso_checksum),
    Fixer("qemu-host-port", "qemu: ssh_host_port_min, … → host_port_min, …", connections.qemu_ports),
    Fixer("azure-exclude_from_latest", "exlude_from_latest → exclude_from_latest", clouds.azure_exclude_from_latest),
    Fixer("proxmox-type", "type proxmox → proxmox-iso", retype("proxmox", "proxmox-iso")),
)


def fix(source: SourceFile) -> str:
    """The text of a legacy template after all fixers, as Packer writes it. Raises `UserError` when it is no template."""
    document = read_document(source)
    for fixer in FIXERS:
        fixer.fix(document)
    return text_of(document.root) + "\n"
