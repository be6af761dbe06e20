"""Post-processor `docker-push`: sends an image of the engine to a registry."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.containers import IMPORTED, RegistrySettings, image_artifact, logged_in, require_image, tags_of
from goldsmith.hcl.diagnostics import UserError
from goldsmith.scripts import printed, say


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerPushConfig(RegistrySettings):
    """Attributes of a `post-processor "docker-push"` block; names and defaults are Packer's."""

    platform: str = attribute("", "The platform to push of an image that has several.")


class DockerPush(PostProcessor[DockerPushConfig]):
    """All names that docker-tag gave are pushed; without any, the image itself."""

    Config = DockerPushConfig

    def check(self, config: DockerPushConfig, context: Context) -> None:
        """Amazon's registry must be named."""
        if found := tuple(config.registry_faults()):
            raise UserError(*found)

    def process(self, config: DockerPushConfig, artifact: Artifact, context: Context) -> Processed:
        """Push. Raises `UserError` for another artifact, and `MachineError` when the engine or the registry refuses."""
        self.check(config, context)
        require_image(artifact, "push")
        tags = tags_of(artifact)
        platform = ["--platform", config.platform] if config.platform else []
        with logged_in(config, context) as engine:
            for name in tags or (artifact.id,):
                say(context, f"Pushing: {name}")
                engine.ask(["push", *platform, name], output=printed(context), cancellation=context.cancellation)
        last = tags[-1] if tags else artifact.id
        return Processed(artifact=image_artifact(IMPORTED, last, config.engine(), tags), keep_input=True)
