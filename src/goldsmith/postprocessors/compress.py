"""Post-processor `compress`: puts an artifact's files into one archive, or compresses its one file."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.packer_templates import render
from goldsmith.postprocessors.compression import ALGORITHMS, Algorithm, CompressedWriter, MissingLibrary

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
    compression_level: int = attribute(-1, "0 (none) to 9 (smallest), -1 for the format's own.")
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
        """The level must be in range, the output a good template and the format known."""
        if not -1 <= config.compression_level <= 9:
            raise UserError(
                Diagnostic(
                    code="compress.level",
                    what="Invalid compression level. Expected an integer from -1 to 9.",
                    why=f"compression_level is {config.compression_level}",
                    next="Leave it out for the format's own level.",
                )
            )
        if config.format and form_of(f"x.{config.format}") is None:
            raise UserError(
                Diagnostic(
                    code="compress.format",
                    what=f'Unknown compression format "{config.format}"',
                    next=f"Use tar, zip, one of {', '.join(_ENDINGS)}, or tar. and one of these.",
                )
            )
        _target(config, context)

    def process(self, config: CompressConfig, artifact: Artifact, context: Context) -> Processed:
        """Write the archive. Raises `UserError` when it cannot hold the files, `MachineError` never."""
        self.check(config, context)
        target = _target(config, context)
        form = form_of(f"x.{config.format}" if config.format else target.name) or Form("tar", "pgzip")
        path = context.cwd / target
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_one_file(form, artifact)
        _announce(form, target, context)
        temporary = path.with_name(path.name + ".new")
        try:
            _write(form, config.compression_level, [context.cwd / file for file in artifact.files], temporary, context)
            temporary.replace(path)
        except MissingLibrary as error:
            raise UserError(error.diagnostic) from error
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
    """What the ending of a file name asks for, by Packer's rules; None when it says nothing."""
    endings = re.findall(r"\.([a-z0-9]+)", name)
    last, before = (endings[-1] if endings else ""), (endings[-2] if len(endings) > 1 else "")
    if last in ("tar", "zip"):
        return Form(last, "")
    if last in _ENDINGS:
        return Form("tar" if before == "tar" else "", _ENDINGS[last])
    return None


def _target(config: CompressConfig, context: Context) -> Path:
    try:
        return Path(render(config.output, context, {"BuildName": context.name, "BuilderType": context.type}))
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


def _announce(form: Form, target: Path, context: Context) -> None:
    if form.algorithm:
        _say(context, f"Using {form.algorithm} compression with {_cores()} cores for {target}")
    word = {"tar": "Tarring", "zip": "Zipping"}.get(form.archive, "Archiving")
    _say(context, f"{word} {target}" + (f" with {form.algorithm}" if form.algorithm else ""))


def _write(form: Form, level: int, files: Sequence[Path], target: Path, context: Context) -> None:
    if form.archive == "zip":
        _write_zip(files, target, level, context)
        return
    with target.open("wb") as file:
        if not form.algorithm:
            _write_content(form, files, file, context)
            return
        algorithm: Algorithm = ALGORITHMS[form.algorithm]
        with CompressedWriter(file, algorithm, level, _cores()) as writer:
            _write_content(form, files, cast("BinaryIO", writer), context)


def _write_content(form: Form, files: Sequence[Path], file: BinaryIO, context: Context) -> None:
    if form.archive == "tar":
        _write_tar(files, file, context)
        return
    with files[0].open("rb") as source:
        _copy(source, file, context)


def _write_tar(files: Sequence[Path], file: BinaryIO, context: Context) -> None:
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in files:
            context.cancellation.check()
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, path.stat().st_mode & 0o777
            with path.open("rb") as source:
                archive.addfile(entry, source)


def _write_zip(files: Sequence[Path], target: Path, level: int, context: Context) -> None:
    method = zipfile.ZIP_STORED if level == 0 else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w", method, compresslevel=None if level < 0 else level) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.name)
            entry.compress_type, entry.external_attr = method, (path.stat().st_mode & 0xFFFF) << 16
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
