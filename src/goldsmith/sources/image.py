"""Source `image`: builds on top of another image of the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goldsmith.components import REQUIRED, Base, Context, ImageLookup, LayeredSource, attribute
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.sealed import DiskConfig
from goldsmith.sources.disk import DiskSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig(DiskSettings):
    """Attributes of a `source "image"` block."""

    parent: str = attribute(REQUIRED, "The image of the project to build on.")
    channel: str = attribute("", "Build on what this channel points to.", one_of="parent version")
    version: str = attribute("", "Build on this version, by its number.", one_of="parent version")
    digest: str = attribute("", "Build on this version, by its digest.", one_of="parent version")


class Image(LayeredSource[ImageConfig]):
    """Builds that add layers to a parent; without channel, version or digest, to the parent as this run builds it."""

    Config: ClassVar[type[ImageConfig]] = ImageConfig

    def check(self, config: ImageConfig, context: Context) -> None:
        """Examine the settings of the disk; whether the parent exists is known when it is looked up."""
        faults = config.faults()
        if faults:
            raise UserError(*faults)

    def parent_image(self, config: ImageConfig) -> str | None:
        """The parent, when this run is to build it first."""
        return None if config.channel or config.version or config.digest else config.parent

    def base(self, config: ImageConfig, context: Context, images: ImageLookup) -> Base:
        """The layers of the parent."""
        return images.find(config.parent, channel=config.channel, version=config.version, digest=config.digest)

    def disk(self, config: ImageConfig) -> DiskConfig:
        """How the sealed disk is to look."""
        return config.disk()
