"""Post-processor `shell-local`: runs scripts on the host once there is an artifact."""

from __future__ import annotations

from goldsmith.components import Artifact, Context, PostProcessor, Processed
from goldsmith.local_scripts import LocalScriptConfig, check, run


class ShellLocal(PostProcessor[LocalScriptConfig]):
    """The artifact goes on as it is and is always kept: a script may have moved it to where it is needed."""

    Config = LocalScriptConfig

    def check(self, config: LocalScriptConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        check(config)

    def process(self, config: LocalScriptConfig, artifact: Artifact, context: Context) -> Processed:
        """Run the scripts. Raises `MachineError` when one ends with an exit code that is not valid."""
        from goldsmith.machines import Local

        run(config, Local(), context, component="shell-local")
        return Processed(artifact=artifact, keep_input=True, must_keep=True)
