"""Post-processor `artifice`: makes files that earlier steps left behind the artifact."""

from __future__ import annotations

from dataclasses import dataclass
from glob import glob
from pathlib import Path

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.events import Output, Warned
from goldsmith.hcl.diagnostics import Diagnostic, UserError

BUILDER_ID = "packer.post-processor.artifice"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtificeConfig:
    """Attributes of a `post-processor "artifice"` block."""

    files: tuple[str, ...] = attribute((), "Files that become the artifact; * ? and [ ] stand for any that match.")


class Artifice(PostProcessor[ArtificeConfig]):
    """Replaces the artifact's list of files."""

    Config = ArtificeConfig

    def check(self, config: ArtificeConfig, context: Context) -> None:
        """At least one name must be given."""
        if not config.files:
            raise UserError(
                Diagnostic(
                    code="artifice.settings",
                    what="No files specified in artifice configuration",
                    next='Name the files of the artifact by "files".',
                )
            )

    def process(self, config: ArtificeConfig, artifact: Artifact, context: Context) -> Processed:
        """Look up the files. Raises `UserError` when none of the names matches a file."""
        self.check(config, context)
        files = tuple(dict.fromkeys(path for pattern in config.files for path in _matches(pattern, context)))
        if not files:
            raise UserError(
                Diagnostic(
                    code="artifice.no-match",
                    what=f"the post-processor artifice finds no file that matches {' or '.join(map(_quoted, config.files))}",
                    why=f'names are looked up from "{context.cwd}"',
                    next="Check the names, and that an earlier step makes the files.",
                )
            )
        if artifact.files:
            _say(context, f"Discarding files from artifact: {_listed(artifact.files)}")
        _say(context, f"Using these artifact files: {_listed(files)}")
        made = Artifact(
            builder_id=BUILDER_ID,
            id="",
            text=f"Created artifact from files: {_listed(files)}",
            files=files,
            state=artifact.state,
        )
        return Processed(artifact=made, keep_input=True)


def _matches(pattern: str, context: Context) -> list[Path]:
    names = glob(pattern, root_dir=context.cwd)  # noqa: PTH207 - Path.glob refuses absolute patterns
    found = [Path(name) for name in sorted(names) if (context.cwd / name).is_file()]
    if not found:
        text = f"artifice: no file matches {_quoted(pattern)}"
        context.emit(Warned(build=context.build, text=text, next="Check the name, and that an earlier step makes the file."))
    return found


def _quoted(text: str) -> str:
    return f'"{text}"'


def _listed(files: tuple[Path, ...]) -> str:
    return ", ".join(map(str, files))


def _say(context: Context, text: str) -> None:
    context.emit(Output(build=context.build, text=text, component="artifice"))
