"""The settings that decide how a layered source's disk looks: what may be written in them."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import attribute, not_one_of
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.images.formats import FORMATS
from goldsmith.images.sealed import DiskConfig

BOOTS = ("hybrid", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSettings:
    """The attributes that every source with a disk has."""

    hostname: str = attribute("localhost", "The host name of the image.")
    output_directory: str = attribute("", "Where the disks are put; default: output- and the name of the source.")
    formats: tuple[str, ...] = attribute(("qcow2",), 'The disk as "raw" or "qcow2", the tree as an "oci" image.')
    disk_size: str = attribute("", "The size of the disk, such as 10G; default: as large as the content needs.")
    kernel_arguments: str = attribute("", "Words to add to the kernel's command line.")
    boot: str = attribute("hybrid", '"hybrid" boots by BIOS and by UEFI, "none" makes a disk without boot loader.')
    vm_name: str = attribute("", "The name of the disk files; default: the name of the source.")

    def faults(self) -> list[Diagnostic]:
        """What is wrong with the settings."""
        faults = [not_one_of("boot", self.boot, BOOTS)] if self.boot not in BOOTS else []
        return faults + [not_one_of("formats", name, FORMATS) for name in self.formats if name not in FORMATS]

    def disk(self) -> DiskConfig:
        """How the sealed disk is to look."""
        return DiskConfig(
            formats=self.formats,
            output_directory=self.output_directory,
            size=self.disk_size,
            boot="none" if self.boot == "none" else "hybrid",
            kernel_arguments=self.kernel_arguments,
            hostname=self.hostname,
            vm_name=self.vm_name,
        )
