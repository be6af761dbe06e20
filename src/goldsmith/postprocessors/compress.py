"""Post-processor `compress`: puts an artifact's files into one archive, or compresses its one file."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.events import Output, Warned
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.packer_templates import render
from goldsmith.postprocessors.compression import ALGORITHMS, Algorithm, CompressedWriter
from goldsmith.postprocessors.tarball import write_tar

BUILDER_ID = "packer.post-processor.compress"

_CHUNK = 4 << 20
_ENDINGS = {"gz": "pgzip", "bgzf": "bgzf", "bz2": "bzip2", "xz": "xz", "zst": "zstd", "lz4": "lz4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressConfig:
    """Attributes of a `post-processor "compress"` block; names and defaults are Packer's."""

    output: str = attribute(
        "packer_{{.BuildName}}_{{.BuilderType}}",
        "The file that is written; its ending chooses the format. It knows {{.BuildName}} and {{.BuilderType}}.",
        rendered=False,
    )
    format: str = attribute("", "The format where the ending does not say it: tar.gz, gz, zip, tar, tar.xz, …")
    compression_level: int = attribute(-1, "1 (fastest) to 9 (smallest); -1 or 0 for the format's own.")
    archive: str = attribute("", "Accepted and ignored, as by Packer.")
    algorithm: str = attribute("", "Accepted and ignored, as by Packer.")


@dataclass(frozen=True, slots=True)
class Form:
    """An archive (tar, zip or none) and how it is compressed (or not)."""

    archive: str
    algorithm: str


class Compress(PostProcessor[CompressConfig]):
    """The input is not kept unless the user says so. Equal files give equal archives: times and owners are not stored."""

    Config = CompressConfig

    def check(self, config: CompressConfig, context: Context) -> None:
        """The level must be no less than -1, and the output a good template. Packer takes a level above 9 for 9."""
        if config.compression_level < -1:
            raise UserError(
                Diagnostic(
                    code="compress.level",
                    what="Invalid compression level. Expected an integer from -1 to 9.",
                    why=f"compression_level is {config.compression_level}",
                    next="Leave it out for the format's own level.",
                )
            )
        _target(config, context)

    def process(self, config: CompressConfig, artifact: Artifact, context: Context) -> Processed:
        """Write the archive. Raises `UserError` when it cannot hold the files."""
        self.check(config, context)
        target = _target(config, context)
        form = _form(config, context)
        path = context.cwd / target
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_one_file(form, artifact)
        _announce(form, artifact, target, context)
        temporary = path.with_name(path.name + ".new")
        try:
            _write(form, _level(config), _entries(artifact, form, context), temporary, context)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _say(context, f"Archive {target} completed")
        made = Artifact(
            builder_id=BUILDER_ID,
            id="",
            text=f"compressed artifacts in: {target}",
            files=(target,),
            state=artifact.state,
        )
        return Processed(artifact=made, keep_input=False)


def form_of(name: str) -> Form | None:
    """What the endings of a file name ask for, by Packer's rules; None when they say nothing."""
    endings = re.findall(r"\.([a-z0-9]+)", name)
    last, before = (endings[-1] if endings else ""), (endings[-2] if len(endings) > 1 else "")
    if last in ("tar", "zip"):
        return Form(last, "")
    if last in _ENDINGS:
        return Form("tar" if before == "tar" else "", _ENDINGS[last])
    return None


def _form(config: CompressConfig, context: Context) -> Form:
    """Packer looks at `output` before it is rendered, with `format` as one more ending; it falls back to tar.gz."""
    form = form_of(f"{config.output}.{config.format}" if config.format else config.output)
    if form is None and config.format:
        known = ", ".join(("tar", "zip", *_ENDINGS))
        text = f'the format "{config.format}" is not known; a gzipped tar is written, as by Packer. Known: {known}'
        context.emit(Warned(build=context.build, text=text))
    return form or Form("tar", "pgzip")


def _level(config: CompressConfig) -> int:
    # Packer cannot tell 0 from nothing.
    return min(config.compression_level, 9) or -1


def _target(config: CompressConfig, context: Context) -> Path:
    try:
        return Path(
            render(config.output, context, {**context.generated, "BuildName": context.name, "BuilderType": context.type})
        )
    except ValueError as error:
        raise UserError(
            Diagnostic(
                code="compress.output",
                what=f"Error parsing target template: {error}",
                why=f'"output" is "{config.output}"',
                next="Its fields are .BuildName and .BuilderType.",
            )
        ) from error


def _require_one_file(form: Form, artifact: Artifact) -> None:
    if form.archive or len(artifact.files) == 1:
        return
    raise UserError(
        Diagnostic(
            code="compress.files",
            what=f"Can only have 1 input file when not using tar/zip. Found {len(artifact.files)} files: "
            f"[{' '.join(map(str, artifact.files))}]",
            next='Let "output" end in .tar.gz or .zip.',
        )
    )


def _announce(form: Form, artifact: Artifact, target: Path, context: Context) -> None:
    if form.algorithm:
        _say(context, f"Using {form.algorithm} compression with {_cores()} cores for {target}")
    if form.archive == "zip":
        _say(context, f"Zipping {target}")
        return
    what = f"Tarring {target}" if form.archive else f"Archiving {artifact.files[0]}"
    _say(context, f"{what} with {form.algorithm or 'no compression'}")


def _entries(artifact: Artifact, form: Form, context: Context) -> dict[str, Path]:
    """The files by their names in the archive: in a zip with directories, in a tar without, as Packer names them.

    Where two files of a tar would have one name, they keep their directories: Packer loses one of them.
    """
    files = [context.cwd / path for path in artifact.files]
    bare = {path.name: path for path in files}
    if form.archive != "zip" and len(bare) == len(set(files)):
        return bare
    return {_relative(path, context.cwd): path for path in files}


def _relative(path: Path, cwd: Path) -> str:
    # The place of the directory on this host is nothing that an archive should tell.
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path).lstrip("/")


def _write(form: Form, level: int, entries: Mapping[str, Path], target: Path, context: Context) -> None:
    if form.archive == "zip":
        _write_zip(entries, target, level, context)
        return
    with target.open("wb") as file:
        if not form.algorithm:
            _write_content(form, entries, file, context)
            return
        algorithm: Algorithm = ALGORITHMS[form.algorithm]
        with CompressedWriter(file, algorithm, level, _cores()) as writer:
            _write_content(form, entries, cast("BinaryIO", writer), context)


def _write_content(form: Form, entries: Mapping[str, Path], file: BinaryIO, context: Context) -> None:
    if form.archive == "tar":
        write_tar(entries, file, context.cancellation)
        return
    (path,) = entries.values()
    with path.open("rb") as source:
        _copy(source, file, context)


def _write_zip(entries: Mapping[str, Path], target: Path, level: int, context: Context) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=None if level < 0 else level) as archive:
        for name, path in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (path.stat().st_mode & 0xFFFF) << 16
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(entry, "w") as inside:
                _copy(source, cast("BinaryIO", inside), context)


def _copy(source: BinaryIO, target: BinaryIO, context: Context) -> None:
    while chunk := source.read(_CHUNK):
        context.cancellation.check()
        target.write(chunk)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _say(context: Context, text: str) -> None:
    context.emit(Output(build=context.build, text=text, component="compress"))
