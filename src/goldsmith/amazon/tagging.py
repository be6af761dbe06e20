"""Tags: those of a map and of single blocks, with the `{{ }}` that know the source AMI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goldsmith.amazon.api import Image
from goldsmith.amazon.image_settings import TagBlock
from goldsmith.amazon.instance_settings import NamedValue
from goldsmith.components import Context
from goldsmith.scripts import rendered


def source_values(image: Image, region: str) -> dict[str, str]:
    """What `{{ }}` and `build.*` know of the source AMI."""
    return {
        "BuildRegion": region,
        "SourceAMI": image.get("ImageId", ""),
        "SourceAMICreationDate": image.get("CreationDate", ""),
        "SourceAMIName": image.get("Name", ""),
        "SourceAMIOwner": image.get("OwnerId", ""),
        "SourceAMIOwnerName": image.get("ImageOwnerAlias", ""),
    }


class Tags:
    """Renders the tags of a build."""

    def __init__(self, context: Context, image: Image, region: str) -> None:
        self._context = context
        self._values = source_values(image, region)
        self._tags = {tag["Key"]: tag["Value"] for tag in image.get("Tags", ())}

    def of(self, setting: str, tags: Mapping[str, str], blocks: Sequence[TagBlock | NamedValue]) -> dict[str, str]:
        """All tags of a setting. Raises `UserError` that names it."""
        single = {item.key if isinstance(item, TagBlock) else item.name: item.value for item in blocks}
        both = {**tags, **single}
        return {self.text(setting, key): self.text(setting, value) for key, value in both.items()}

    def text(self, setting: str, text: str) -> str:
        """A text of a setting."""
        # {{ .SourceAMITags.Name }}: a field of a field.
        data: dict[str, object] = {**self._values, "SourceAMITags": self._tags}
        return rendered(text, setting, self._context, data)
