"""Post-processor `docker-tag`: gives an image of the engine names."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import REQUIRED, Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.containers import TAGGED, EngineSettings, image_artifact, require_image
from goldsmith.scripts import say


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerTagConfig(EngineSettings):
    """Attributes of a `post-processor "docker-tag"` block; names and defaults are Packer's."""

    repository: str = attribute(REQUIRED, "The name of the image without a tag.")
    tag: tuple[str, ...] = attribute((), "The tags; the engine's own, latest, when nothing is said.")
    tags: tuple[str, ...] = attribute((), "The same.")
    force: bool = attribute(False, "Accepted: engines of today move a tag without being forced.")


class DockerTag(PostProcessor[DockerTagConfig]):
    """The image stays whatever the user says: it is the one that is tagged."""

    Config = DockerTagConfig

    def process(self, config: DockerTagConfig, artifact: Artifact, context: Context) -> Processed:
        """Tag the image. Raises `UserError` for another artifact, and `MachineError` when the engine refuses."""
        require_image(artifact, "tag")
        engine = config.engine()
        names = tuple(f"{config.repository}:{tag}" for tag in (*config.tag, *config.tags))
        for name in names or (config.repository,):
            say(context, f"Tagging image: {artifact.id}")
            say(context, f"Repository: {name}")
            engine.ask(["tag", artifact.id, name], cancellation=context.cancellation)
        last = names[-1] if names else config.repository
        return Processed(artifact=image_artifact(TAGGED, last, engine, names), keep_input=True, must_keep=True)
