"""Post-processor `docker-save`: writes an image of the engine, with its layers and names, into an archive."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import REQUIRED, Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.containers import EngineSettings, require_image, tags_of
from goldsmith.scripts import say


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSaveConfig(EngineSettings):
    """Attributes of a `post-processor "docker-save"` block; names and defaults are Packer's."""

    path: str = attribute(REQUIRED, "The archive that is written.")


class DockerSave(PostProcessor[DockerSaveConfig]):
    """The image goes on down the chain."""

    Config = DockerSaveConfig

    def process(self, config: DockerSaveConfig, artifact: Artifact, context: Context) -> Processed:
        """Write the archive. Raises `UserError` for another artifact, and `MachineError` when the engine refuses."""
        require_image(artifact, "save Docker images")
        path = context.cwd / config.path
        path.parent.mkdir(parents=True, exist_ok=True)
        names = tags_of(artifact) or (artifact.id,)
        say(context, f"Saving image: {artifact.id}")
        temporary = path.with_name(path.name + ".new")
        temporary.unlink(missing_ok=True)  # podman adds to an archive that is there
        try:
            config.engine().ask(["save", "--output", str(temporary), *names], cancellation=context.cancellation)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        say(context, f"Saved to: {config.path}")
        return Processed(artifact=artifact, keep_input=True)
