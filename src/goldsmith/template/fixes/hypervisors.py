"""Fixers of builders of virtual machines."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from goldsmith.template.fixes.change import refuse, rename, rename_unless_set
from goldsmith.template.fixes.document import Document, Settings


def virtualbox_guest_additions(document: Document) -> None:
    """`guest_additions_attach` is a choice of `guest_additions_mode`."""
    for builder in document.builders("virtualbox"):
        attach = builder.get("guest_additions_attach")
        if isinstance(attach, bool):
            del builder["guest_additions_attach"]
            builder["guest_additions_mode"] = "attach" if attach else "upload"


def virtualbox_rename(document: Document) -> None:
    """The type `virtualbox` is `virtualbox-iso`, also in overrides of provisioners."""
    for builder in document.builders("virtualbox"):
        builder["type"] = "virtualbox-iso"
    for provisioner in document.provisioners():
        override = provisioner.get("override")
        if isinstance(override, dict):
            rename(override, "virtualbox", "virtualbox-iso")


def vmware_compaction(document: Document) -> None:
    """Disks on esx5 are not compacted unless they are thin."""
    for builder in document.builders("vmware-iso"):
        if builder.get("remote_type") != "esx5":
            continue
        disk = builder.setdefault("disk_type_id", "zeroedthick")
        if isinstance(disk, str) and disk != "thin" and isinstance(builder.get("skip_compaction", False), bool):
            builder["skip_compaction"] = True


def parallels_deprecations(document: Document) -> None:
    """`parallels_tools_host_path` is gone, `guest_os_distribution` is `guest_os_type`."""
    for builder in document.builders("parallels-iso", "parallels-pvm"):
        builder.pop("parallels_tools_host_path", None)
        rename(builder, "guest_os_distribution", "guest_os_type")


def hyperv_vmcx_path(document: Document) -> None:
    """`clone_from_vmxc_path` is spelled `vmcx`."""
    for builder in document.builders("hyperv-vmcx"):
        rename(builder, "clone_from_vmxc_path", "clone_from_vmcx_path")


def hyperv_cpu_and_ram(document: Document) -> None:
    """`cpu` is `cpus`, `ram_size` is `memory`."""
    for builder in document.builders("hyperv-vmcx", "hyperv-iso"):
        rename(builder, "cpu", "cpus")
        rename(builder, "ram_size", "memory")


def qemu_disk_size(document: Document) -> None:
    """`disk_size` is a text with its unit."""
    for builder in document.builders("qemu"):
        size = builder.get("disk_size")
        if isinstance(size, int | Decimal) and not isinstance(size, bool):
            builder["disk_size"] = f"{int(size)}M"


def vsphere_network_and_disk(document: Document) -> None:
    """Network cards and disks of vsphere-iso are lists; the settings of old make their first items."""
    for builder in document.builders("vsphere-iso"):
        rename_unless_set(builder, "networkCard", "network_card")
        _gather(builder, ("network", "network_card"), "network_adapters")
        _gather(builder, ("disk_size", "disk_thin_provisioned", "disk_eagerly_scrub"), "storage")


def _gather(builder: Settings, names: Sequence[str], into: str) -> None:
    first = {name: builder.pop(name) for name in names if name in builder}
    if not first:
        return
    rest = builder.get(into, [])
    if not isinstance(rest, list):
        raise refuse(f"{into} must be a list")
    builder[into] = [first, *rest]
