"""Post-processor `docker-import`: makes an exported file system an image of the engine."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import REQUIRED, Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.containers import EXPORTED, IMPORTED, EngineSettings, image_artifact, require_image
from goldsmith.postprocessors.artifice import BUILDER_ID as CHOSEN
from goldsmith.scripts import printed, say


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerImportConfig(EngineSettings):
    """Attributes of a `post-processor "docker-import"` block; names and defaults are Packer's."""

    repository: str = attribute(REQUIRED, "The name of the image without a tag.")
    tag: str = attribute("", "The tag; the engine's own, latest, when nothing is said.")
    changes: tuple[str, ...] = attribute((), "Instructions of a Dockerfile for the image.")
    platform: str = attribute("", "The platform of the image, such as linux/arm64.")


class DockerImport(PostProcessor[DockerImportConfig]):
    """The archive is not kept unless the user says so."""

    Config = DockerImportConfig

    def process(self, config: DockerImportConfig, artifact: Artifact, context: Context) -> Processed:
        """Import. Raises `UserError` for another artifact, and `MachineError` when the engine refuses."""
        require_image(artifact, "import", (EXPORTED, CHOSEN))
        engine = config.engine()
        name = config.repository + (f":{config.tag}" if config.tag else "")
        changes = [word for change in config.changes for word in ("--change", change)]
        platform = ["--platform", config.platform] if config.platform else []
        say(context, f"Importing image: {artifact.id}")
        say(context, f"Repository: {name}")
        path = str(context.cwd / artifact.files[0])
        call = ["import", *platform, *changes, path, name]
        engine.ask(call, output=printed(context), cancellation=context.cancellation)
        return Processed(artifact=image_artifact(IMPORTED, name, engine), keep_input=False)
