"""Which components the widely used Packer plugins offer, so that a template that names one finds ours, or a clear answer."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.components import Kind
from goldsmith.template.packer_block import RequiredPlugin

Offer = Mapping[Kind, tuple[str, ...]]

_HASHICORP: Mapping[str, Offer] = {
    "amazon": {
        "source": ("amazon-chroot", "amazon-ebs", "amazon-ebssurrogate", "amazon-ebsvolume", "amazon-instance"),
        "post-processor": ("amazon-import",),
        "data": ("amazon-ami", "amazon-parameterstore", "amazon-secretsmanager"),
    },
    "ansible": {"provisioner": ("ansible", "ansible-local")},
    "azure": {"source": ("azure-arm", "azure-chroot", "azure-dtl"), "provisioner": ("azure-dtlartifact",)},
    "chef": {"provisioner": ("chef-client", "chef-solo")},
    "docker": {
        "source": ("docker",),
        "post-processor": ("docker-import", "docker-push", "docker-save", "docker-tag"),
    },
    "googlecompute": {
        "source": ("googlecompute",),
        "post-processor": ("googlecompute-export", "googlecompute-import"),
        "data": ("googlecompute-image", "googlecompute-secretsmanager"),
    },
    "hyperv": {"source": ("hyperv-iso", "hyperv-vmcx")},
    "openstack": {"source": ("openstack",)},
    "oracle": {"source": ("oracle-classic", "oracle-oci")},
    "parallels": {"source": ("parallels-iso", "parallels-ipsw", "parallels-macvm", "parallels-pvm")},
    "proxmox": {"source": ("proxmox-clone", "proxmox-iso")},
    "puppet": {"provisioner": ("puppet-masterless", "puppet-server")},
    "qemu": {"source": ("qemu",)},
    "salt": {"provisioner": ("salt-masterless",)},
    "vagrant": {"source": ("vagrant",), "post-processor": ("vagrant", "vagrant-cloud", "vagrant-registry")},
    "virtualbox": {"source": ("virtualbox-iso", "virtualbox-ovf", "virtualbox-vm")},
    "vmware": {"source": ("vmware-iso", "vmware-vmx")},
    "vsphere": {
        "source": ("vsphere-clone", "vsphere-iso", "vsphere-supervisor"),
        "post-processor": ("vsphere", "vsphere-template"),
        "data": ("vsphere-virtualmachine",),
    },
}
_OTHERS: Mapping[str, Offer] = {
    "github.com/digitalocean/digitalocean": {
        "source": ("digitalocean",),
        "post-processor": ("digitalocean-import",),
        "data": ("digitalocean-image",),
    },
    "github.com/ethanmdavidson/git": {"data": ("git-commit", "git-repository", "git-tree")},
    "github.com/hetznercloud/hcloud": {"source": ("hcloud",)},
    "github.com/ivoronin/sshkey": {"data": ("sshkey",)},
    "github.com/linode/linode": {"source": ("linode",)},
    "github.com/parallels/parallels": _HASHICORP["parallels"],
    "github.com/rgl/windows-update": {"provisioner": ("windows-update",)},
}

_KNOWN: Mapping[str, Offer] = {
    **{f"github.com/hashicorp/{name}": offer for name, offer in _HASHICORP.items()},
    **_OTHERS,
}
"""Components by the address of the plugin that offers them."""


def offers(plugin: RequiredPlugin, kind: Kind, type: str) -> bool:
    """Whether a plugin has a component: as is known of it, else by its name, which begins with that of the entry."""
    known = _KNOWN.get(str(plugin.address))
    if known is not None:
        return type in known.get(kind, ())
    return type == plugin.name or type.startswith(f"{plugin.name}-")


def home_of(kind: Kind, type: str) -> str:
    """The address of the widely used plugin that has a component, or an empty string."""
    return next((address for address, offer in _KNOWN.items() if type in offer.get(kind, ())), "")
