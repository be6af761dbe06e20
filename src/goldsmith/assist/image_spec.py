"""What an image is to be: the one object that `goldsmith draft` fills, checks and renders.

It has no field for a password, an id of an AMI, a checksum of a download or a number of an account: data sources and the
build find those. Fields that it does not have are refused.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Package = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+._-]{1,80}$")]
Path = Annotated[str, Field(pattern=r"^/[^\s\"'\\{}]+$")]
Sentence = Annotated[
    str, Field(min_length=1, max_length=400, pattern=r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*\S)?$")
]
"""One line without space around it."""
Distribution: TypeAlias = Literal["debian", "ubuntu"]
GateName: TypeAlias = Literal["boot", "hardening", "patches", "secrets", "vulnerabilities"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Archive(_Part):
    """A root file system from the distribution's archive."""

    kind: Literal["archive"] = "archive"
    distribution: Distribution
    release: Name


class Parent(_Part):
    """A layer on top of another image of the project."""

    kind: Literal["parent"] = "parent"
    image: Name
    channel: Name | None = None


class CloudImage(_Part):
    """The distribution's own image for clouds, started as a machine."""

    kind: Literal["cloud-image"] = "cloud-image"
    distribution: Distribution
    release: Name
    arch: Literal["amd64", "arm64"] = "amd64"


class Disk(_Part):
    """Disk images without a machine; for archives and parents."""

    kind: Literal["disk"] = "disk"
    formats: Annotated[tuple[Literal["qcow2", "raw", "oci"], ...], Field(min_length=1)] = ("qcow2",)
    disk_gb: Annotated[int, Field(ge=1, le=2000)] | None = None


class Qemu(_Part):
    """A virtual machine on this host; for cloud images."""

    kind: Literal["qemu"] = "qemu"
    disk_gb: Annotated[int, Field(ge=2, le=2000)] = 8
    format: Literal["qcow2", "raw"] = "qcow2"
    memory_mb: Annotated[int, Field(ge=256, le=65536)] = 1024


class AmazonEbs(_Part):
    """An AMI by an instance on EC2; for cloud images."""

    kind: Literal["amazon-ebs"] = "amazon-ebs"
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    instance_type: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")] = "t3.small"
    encrypt: bool = True


class PackageSpec(_Part):
    """A package to install; `version` pins it."""

    name: Package
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+~:-]+$")] | None = None
    why: Sentence | None = None


class ServiceSpec(_Part):
    """A unit and what it is to be when the image boots."""

    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9@:._-]+\.(service|timer|socket|target|path|mount)$")]
    state: Literal["enabled", "disabled", "masked"] = "enabled"


class UserSpec(_Part):
    """A user without a password; keys come when a machine starts."""

    name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
    groups: tuple[Name, ...] = ()
    shell: Path = "/bin/bash"
    system: bool = False


class FileSpec(_Part):
    """A file of the image: its content, or a file beside the template that is copied."""

    path: Path
    mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = "0644"
    owner: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] = "root"
    content: Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\u2028\u2029]*$")] | None = (
        None
    )
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")] | None = Field(default=None, alias="from")

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    @model_validator(mode="after")
    def _is_one(self) -> FileSpec:
        if (self.content is None) == (self.source is None):
            raise ValueError("a file has either content or from")
        if self.source is not None and ".." in self.source.split("/"):
            raise ValueError("from stays below the template's directory")
        return self


class RoleSpec(_Part):
    """A role of Ansible Galaxy, with its version."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+(\.[a-z0-9_]+)?$")]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]+$")]
    vars: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")], Sentence | int | bool] = Field(default_factory=dict)


class ScriptSpec(_Part):
    """A script beside the template that is run as it is; its digest says which one was meant."""

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class ExceptionSpec(_Part):
    """A control that does not count: why, who answers for it, and until when."""

    control: Annotated[str, Field(pattern=r"^GS-\d{3}$")]
    reason: Sentence
    owner: Sentence
    until: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]


class HardeningSpec(_Part):
    """Which controls count."""

    profile: Literal["baseline", "strict"] = "baseline"
    exceptions: tuple[ExceptionSpec, ...] = ()


class ChannelSpec(_Part):
    """A channel and what a version must have passed to come into it."""

    name: Name
    after: Name | None = None
    requires: tuple[GateName, ...] = ()
    approvals: Annotated[int, Field(ge=0, le=9)] = 0


class FirstBootSpec(_Part):
    """A command that a machine runs once, when it boots for the first time."""

    name: Name
    command: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$", max_length=400)]


class Assumption(_Part):
    """What was taken for granted, and how sure that is."""

    text: Sentence
    confidence: Literal["low", "medium", "high"]


class OpenQuestion(_Part):
    """What a person has to say; a blocking one stops the draft until it is answered."""

    text: Sentence
    default: Sentence | None = None
    blocking: bool = False


class ImageSpec(_Part):
    """One image of a project."""

    name: Name
    purpose: Sentence
    kind: Literal["base", "app"] = "base"
    start: Annotated[Archive | Parent | CloudImage, Field(discriminator="kind")]
    sources: Annotated[
        tuple[Annotated[Disk | Qemu | AmazonEbs, Field(discriminator="kind")], ...], Field(min_length=1, max_length=6)
    ]
    packages: tuple[PackageSpec, ...] = ()
    services: tuple[ServiceSpec, ...] = ()
    users: tuple[UserSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    roles: tuple[RoleSpec, ...] = ()
    scripts: tuple[ScriptSpec, ...] = ()
    hardening: HardeningSpec | None = None
    ports: tuple[Annotated[str, Field(pattern=r"^(tcp|udp)/\d{1,5}$")], ...] = ("tcp/22",)
    """All that listens, ssh too; the boot gate compares."""
    gates: tuple[GateName, ...] = ("secrets", "boot")
    channels: tuple[ChannelSpec, ...] = ()
    first_boot: tuple[FirstBootSpec, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    open_questions: tuple[OpenQuestion, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _is_normal(cls, values: object) -> object:
        return _normal(values)

    @model_validator(mode="after")
    def _agrees(self) -> ImageSpec:
        fits = {"archive": {"disk"}, "parent": {"disk"}, "cloud-image": {"qemu", "amazon-ebs"}}[self.start.kind]
        for source in self.sources:
            if source.kind not in fits:
                raise ValueError(
                    f"a start from {self.start.kind} is built by {' or '.join(sorted(fits))}, not by {source.kind}"
                )
        kinds = [source.kind for source in self.sources]
        if len(set(kinds)) != len(kinds):
            raise ValueError("each kind of source stands once; other regions and formats are made of its result")
        for what, names in self._named().items():
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {', '.join(twice)} stands there twice")
        if self.hardening is not None and "hardening" not in self.gates:
            raise ValueError("hardening is wanted, and the gate hardening is not among gates")
        known = {channel.name for channel in self.channels}
        for channel in self.channels:
            if channel.after is not None and channel.after not in known - {channel.name}:
                raise ValueError(f'channel {channel.name} comes after "{channel.after}", which is none of the other channels')
            if not set(channel.requires) <= set(self.gates):
                raise ValueError(f"channel {channel.name} requires gates that are not among gates")
        return self

    def _named(self) -> dict[str, list[str]]:
        return {
            "package": [item.name for item in self.packages],
            "unit": [item.unit for item in self.services],
            "user": [item.name for item in self.users],
            "file": [item.path for item in self.files],
            "role": [item.name for item in self.roles],
            "script": [item.path for item in self.scripts],
            "channel": [item.name for item in self.channels],
            "gate": list(self.gates),
            "first_boot": [item.name for item in self.first_boot],
        }


def _normal(value: object, name: str = "") -> object:
    """All texts but contents of files in the normal form C, in which HCL reads them back."""
    match value:
        case str():
            return value if name == "content" else unicodedata.normalize("NFC", value)
        case dict():
            return {key: _normal(item, str(key)) for key, item in value.items()}
        case list() | tuple():
            return [_normal(item) for item in value]
    return value
