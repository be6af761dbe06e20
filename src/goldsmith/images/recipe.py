"""How a disk is made from its layers: all that decides its bytes, so that it can be made again instead of being stored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path

from goldsmith.events import Emit, phase
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.image import make_image
from goldsmith.images.sealed import DiskConfig, SealedImage
from goldsmith.machines.cancellation import Cancellation


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A sealed disk as a function of its layers."""

    name: str
    """The name that the identifiers in the disk are derived from."""
    epoch: int
    disk: DiskConfig
    layers: tuple[str, ...]
    """Digests (diff_id) from the bottom."""
    files: Mapping[str, str]
    """`sha256:<hex>` of each file by its format."""
    sizes: Mapping[str, int]
    """Bytes of each file by its format."""
    disk_digest: str
    tools: Mapping[str, str]
    """Versions of the tools that made it, this program's among them."""
    archives: Mapping[str, str] = field(default_factory=dict)
    """By layer, the digest of the blob that holds it as a tar; empty while disks are stored."""

    def text(self) -> str:
        """The recipe as JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


def recipe_of(image: SealedImage, *, name: str, epoch: int, disk: DiskConfig) -> Recipe:
    """The recipe of a disk that `make_image` has made."""
    return Recipe(
        name=name,
        epoch=epoch,
        disk=replace(disk, output_directory="", vm_name=""),
        layers=image.layers,
        files=dict(image.file_digests),
        sizes={format: path.stat().st_size for format, path in image.files.items()},
        disk_digest=image.disk_digest,
        tools={**image.tools, "goldsmith": metadata.version("goldsmith")},
    )


def parse_recipe(text: str | bytes) -> Recipe:
    """The recipe that `Recipe.text` wrote. Raises `ValueError` for anything else."""
    try:
        data = json.loads(text)
        disk = DiskConfig(**{**data.pop("disk"), "formats": tuple(data["files"])})
        return Recipe(**{**data, "layers": tuple(data["layers"]), "disk": disk})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def make_again(
    recipe: Recipe, lowers: Sequence[Path], work: Path, emit: Emit, cancellation: Cancellation
) -> Mapping[str, Path]:
    """The files of the disk by format, in `work`, which is empty; each is the file of the recipe, byte for byte.

    `lowers` are the layers of the recipe, as `LayerStore.path` gives them. Raises `MachineError` with code `disk.not-again`
    when other bytes come out, which says what made the first ones.
    """
    with phase(emit, f"Making the disk of {recipe.name} from its layers"):
        made, _ = make_image(
            lowers,
            layer_digests=recipe.layers,
            parent_layers=0,
            parent=None,
            disk=recipe.disk,
            name=recipe.name,
            epoch=recipe.epoch,
            lock_digest="",
            work=work,
            build=recipe.name,
            emit=emit,
            cancellation=cancellation,
        )
    if made.disk_digest != recipe.disk_digest or dict(made.file_digests) != dict(recipe.files):
        now = {**made.tools, "goldsmith": metadata.version("goldsmith")}
        differing = [f"{tool} {version}, here {now.get(tool, 'none')}" for tool, version in recipe.tools.items()]
        others = [text for tool, text in zip(recipe.tools, differing, strict=True) if now.get(tool) != recipe.tools[tool]]
        raise MachineError(
            Diagnostic(
                code="disk.not-again",
                what=f"the disk of {recipe.name} does not come out of its layers again",
                why=f"it was made by {'; '.join(others)}" if others else f"its digest is {made.disk_digest} now",
                next="Make it on a host with these versions." if others else "Report this: its bytes depend on something else.",
            )
        )
    return made.files
