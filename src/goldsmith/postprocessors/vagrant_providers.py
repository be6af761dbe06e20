"""What Vagrant's providers want in a box: the disk or files, metadata and a Vagrantfile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import Artifact, Context
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.formats import to_qcow2
from goldsmith.images.tools import run_tool

_BUILDERS = {
    "goldsmith.disk": "libvirt",
    "transcend.qemu": "libvirt",
    "packer.file": "file",
    "mitchellh.amazonebs": "aws",
    "mitchellh.amazon.instance": "aws",
    "mitchellh.virtualbox": "virtualbox",
    "mitchellh.vmware": "vmware",
    "mitchellh.vmware-esx": "vmware",
    "pearkes.digitalocean": "digitalocean",
    "packer.googlecompute": "google",
    "hashicorp.scaleway": "scaleway",
    "packer.parallels": "parallels",
    "MSOpenTech.hyperv": "hyperv",
    "ustream.lxc": "lxc",
    "Azure.ResourceManagement.VMImage": "azure",
    "packer.post-processor.docker-import": "docker",
    "packer.post-processor.docker-tag": "docker",
    "packer.post-processor.docker-push": "docker",
}
"""Which provider an artifact is for, by the id of its builder; the ids are Packer's."""

_GIB = 1 << 30
_ARTIFICE = "packer.post-processor.artifice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a provider puts into a box."""

    files: Mapping[str, Path]
    """By their names in the box."""
    metadata: Mapping[str, object]
    vagrantfile: str = ""


def provider_of(artifact: Artifact) -> str:
    """The provider that an artifact is for. Raises `UserError` when it is for none, or for one whose boxes we cannot make."""
    provider = _BUILDERS.get(artifact.builder_id)
    if provider is not None and provider not in MAKERS:
        raise refusal(provider)
    if provider is not None:
        return provider
    if artifact.builder_id == _ARTIFICE:
        what = "Unknown provider type: files of the artifice post-processor need the option provider_override"
        raise UserError(Diagnostic(code="vagrant.artifact", what=what, next='Set provider_override = "libvirt".'))
    what = f"Unknown artifact type, can't build box: {artifact.builder_id}"
    next = 'Put "vagrant" where the disk comes out, or set provider_override.'
    raise UserError(Diagnostic(code="vagrant.artifact", what=what, next=next))


def _libvirt(artifact: Artifact, place: Path, context: Context) -> Content:
    """A disk as qcow2, the one format that vagrant-libvirt reads; its size in whole GiB, rounded up."""
    path = _disk(artifact, context)
    context.emit(Output(build=context.build, text=f"Copying from artifact: {path}", component="vagrant"))
    told = _examined(context.cwd / path)
    if told.get("backing-filename"):
        why = f'"{path}" holds only what differs from "{told["backing-filename"]}"'
        next = "Flatten it first: qemu-img convert -O qcow2."
        raise UserError(Diagnostic(code="vagrant.backing-file", what="a box must hold the whole disk", why=why, next=next))
    disk = context.cwd / path
    if told["format"] != "qcow2":
        disk = place / "box.img"
        to_qcow2(context.cwd / path, disk, context.cancellation)
    size = -(-int(str(told["virtual-size"])) // _GIB)
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": size}
    return Content(files={"box.img": disk}, metadata=metadata, vagrantfile=_LIBVIRT.format(driver=_driver(artifact)))


_LIBVIRT = """
Vagrant.configure("2") do |config|
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = "{driver}"
  end
end
"""


def _driver(artifact: Artifact) -> str:
    """The libvirt driver for what the disk was built with; a disk that was built without a machine runs on any."""
    domain = artifact.state.get("domainType", "kvm")
    drivers = {"kvm": "kvm", "none": "qemu", "tcg": "qemu", "hvf": "qemu"}
    if domain not in drivers:
        what = f"Unknown libvirt domain type: {domain}"
        raise UserError(Diagnostic(code="vagrant.domain", what=what, next=f"Known: {', '.join(drivers)}."))
    return drivers[domain]


def _disk(artifact: Artifact, context: Context) -> Path:
    """The disk among the files: the one that the builder names, the only file, or the only one that is a qcow2 disk."""
    named = [path for path in artifact.files if path.name == artifact.state.get("diskName")]
    if named or len(artifact.files) == 1:
        return (named or artifact.files)[0]
    disks = [path for path in artifact.files if _examined(context.cwd / path)["format"] == "qcow2"]
    if len(disks) == 1:
        return disks[0]
    raise UserError(
        Diagnostic(
            code="vagrant.disk",
            what="it is not clear which file of the artifact is the disk",
            why=f"{len(disks)} of its {len(artifact.files)} files are qcow2 disks: {', '.join(map(str, artifact.files))}",
            next="Name the disk alone with the post-processor artifice.",
        )
    )


def _examined(path: Path) -> Mapping[str, object]:
    """What qemu-img tells of a disk. A raw disk never counts as anything else, whatever a guest wrote to its beginning."""
    known = ["-f", "raw"] if path.suffix == ".raw" else []
    told = json.loads(run_tool(["qemu-img", "info", "--output=json", *known, str(path)]))
    return {name: told.get(name) for name in ("format", "virtual-size", "backing-filename")}


def _file(artifact: Artifact, place: Path, context: Context) -> Content:
    files = {path.name: context.cwd / path for path in artifact.files}
    for path in artifact.files:
        context.emit(Output(build=context.build, text=f"Copying: {path}", component="vagrant"))
    return Content(files=files, metadata={"provider": "file"})


def refusal(provider: str) -> UserError:
    """What is said of a provider of Packer whose boxes we cannot make."""
    return UserError(
        Diagnostic(
            code="vagrant.provider",
            what=f"boxes for the provider {provider} cannot be made",
            why=f"only those for {' and '.join(MAKERS)} can",
            next='Leave the builds of other providers out with "only" or "except".',
        )
    )


MAKERS: Mapping[str, Callable[[Artifact, Path, Context], Content]] = {"libvirt": _libvirt, "file": _file}
"""What makes the content of a box, by provider; it may use a directory that is removed afterwards."""

ELSEWHERE = tuple(sorted({*_BUILDERS.values()} - {*MAKERS}))
"""Providers of Packer whose boxes we cannot make."""
