"""Post-processor `checksum`: writes the checksums of an artifact's files beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.events import Progress
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.packer_templates import render

BUILDER_ID = "packer.post-processor.checksum"
TYPES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")

_CHUNK = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksumConfig:
    """Attributes of a `post-processor "checksum"` block; names and defaults are Packer's."""

    checksum_types: tuple[str, ...] = attribute(("md5",), f"Any of {', '.join(TYPES)}.")
    output: str = attribute(
        "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum",
        "The file that is written; it knows {{.BuildName}}, {{.BuilderType}} and {{.ChecksumType}}.",
        rendered=False,
    )


class Checksum(PostProcessor[ChecksumConfig]):
    """Adds a line to the output for each file: its checksum, a tab and its name without directory."""

    Config = ChecksumConfig

    def check(self, config: ChecksumConfig, context: Context) -> None:
        """The types must be known, and the name of the output a good template."""
        unknown = [name for name in config.checksum_types if name not in TYPES]
        if unknown:
            raise UserError(
                *(
                    Diagnostic(
                        code="checksum.type",
                        what=f"Unrecognized checksum type: {name}",
                        next=f"Use one of {', '.join(TYPES)}.",
                    )
                    for name in unknown
                )
            )
        _output(config, "md5", context)

    def process(self, config: ChecksumConfig, artifact: Artifact, context: Context) -> Processed:
        """Write the checksums; the artifact gains the files that hold them."""
        self.check(config, context)
        files = list(artifact.files)
        outputs = [(type, _output(config, type, context)) for type in config.checksum_types]
        lines = {type: "" for type, _ in outputs}
        for path in artifact.files:
            for type, digest in _digests(context.cwd / path, tuple(lines), context):
                lines[type] += f"{digest}\t{path.name}\n"
        for type, output in outputs if artifact.files else ():
            _append(context.cwd / output, lines[type])
            if output not in files:
                files.append(output)
        text = f"Created artifact from files: {', '.join(map(str, files))}"
        made = replace(artifact, builder_id=BUILDER_ID, id="", text=text, files=tuple(files))
        return Processed(artifact=made, keep_input=True, must_keep=True)


def _output(config: ChecksumConfig, type: str, context: Context) -> Path:
    data = {**context.generated, "BuildName": context.name, "BuilderType": context.type, "ChecksumType": type}
    try:
        return Path(render(config.output, context, data))
    except ValueError as error:
        raise UserError(
            Diagnostic(
                code="checksum.output",
                what=f"Error parsing target template: {error}",
                why=f'"output" is "{config.output}"',
                next="Its fields are .BuildName, .BuilderType and .ChecksumType.",
            )
        ) from error


def _digests(path: Path, types: tuple[str, ...], context: Context) -> Iterator[tuple[str, str]]:
    """All digests of a file in one pass over it."""
    hashes = [hashlib.new(type) for type in types]
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            context.cancellation.check()
            for each in hashes:
                each.update(chunk)
            done += len(chunk)
            context.emit(Progress(build=context.build, what=f"checksum of {path.name}", done=done, total=total))
    return zip(types, (each.hexdigest() for each in hashes), strict=True)


def _append(path: Path, lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(lines)
