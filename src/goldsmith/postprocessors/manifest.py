"""Post-processor `manifest`: keeps a JSON list of what was built, for scripts to read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestConfig:
    """Attributes of a `post-processor "manifest"` block; names and defaults are Packer's."""

    output: str = attribute("packer-manifest.json", "The file that the build is added to.")
    strip_path: bool = attribute(False, "Whether files are named without their directories.")
    strip_time: bool = attribute(False, "Whether the time of the build is left out.")
    custom_data: Mapping[str, str] = attribute({}, "Further words for the reader of the manifest.")


class Manifest(PostProcessor[ManifestConfig]):
    """Adds the artifact to the manifest; several builds may do so at once. The artifact goes on as it is."""

    Config = ManifestConfig

    def process(self, config: ManifestConfig, artifact: Artifact, context: Context) -> Processed:
        """Add the artifact. Raises `UserError` when the file is there but is no manifest."""
        path = context.cwd / config.output
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + ".lock")):
            builds, last = _read(path)
            if context.force and last != context.run_uuid:
                builds = []
            builds.append(_entry(config, artifact, context))
            _replace(path, _go_json({"builds": builds, "last_run_uuid": context.run_uuid}))
        return Processed(artifact=artifact, keep_input=True, must_keep=True)


def _entry(config: ManifestConfig, artifact: Artifact, context: Context) -> dict[str, object]:
    """The fields in Packer's order; what Go holds as nil is null."""
    time = {} if config.strip_time or not context.clock_s else {"build_time": context.clock_s}
    return {
        "name": context.name,
        "builder_type": context.type,
        **time,
        "files": [_file(path, config, context) for path in artifact.files] or None,
        "artifact_id": artifact.id,
        "packer_run_uuid": context.run_uuid,
        "custom_data": dict(sorted(config.custom_data.items())) or None,
    }


def _file(path: Path, config: ManifestConfig, context: Context) -> dict[str, object]:
    try:
        size = (context.cwd / path).stat().st_size
    except FileNotFoundError:
        size = 0
    return {"name": path.name if config.strip_path else str(path), "size": size}


def _read(path: Path) -> tuple[list[object], str]:
    try:
        text = path.read_text(encoding="utf-8")
        if not text:
            return [], ""
        document = json.loads(text)
        return list(document["builds"] or ()), str(document.get("last_run_uuid", ""))
    except FileNotFoundError:
        return [], ""
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            Diagnostic(
                code="manifest.unreadable",
                what=f"Unable to parse content from {path}",
                why=f"it is not a manifest that Packer or Goldsmith wrote: {error}",
                next="Move it away, or give the manifest another output.",
            )
        ) from error


def _go_json(document: object) -> str:
    """JSON as Go's encoder writes it: two spaces, no last line end, and no characters that HTML would mistake."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file; unlike Packer's, one that a killed process left behind does not block anyone."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_still_there(path, descriptor):
                continue
            try:
                yield
            finally:
                path.unlink()
            return
        finally:
            os.close(descriptor)


def _is_still_there(path: Path, descriptor: int) -> bool:
    # The holder before us removed the file that we waited for: whoever comes now locks a new one.
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
