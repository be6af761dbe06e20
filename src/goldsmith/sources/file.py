"""Source `file`: writes a file from a text or from another file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from goldsmith.components import REQUIRED, Artifact, Context, DirectSource, attribute
from goldsmith.events import Output, Warned
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import Machine
from goldsmith.sources.no_machine import NoMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConfig:
    """Attributes of a `source "file"` block; names and defaults are Packer's."""

    target: str = attribute(REQUIRED, "The file to write.")
    content: str = attribute("", "Its content.")
    source: str = attribute("", "A file to copy.", names_file=True)


class File(DirectSource[FileConfig]):
    """Writes `target` and then runs the provisioners, without a machine."""

    Config: ClassVar[type[FileConfig]] = FileConfig

    def check(self, config: FileConfig, context: Context) -> None:
        """Packer's checks: a target, and not both a content and a source."""
        faults = []
        if not config.target:
            faults.append(Diagnostic(code="file.no-target", what="target required", next="Name the file to write."))
        if config.content and config.source:
            faults.append(
                Diagnostic(
                    code="file.content-and-source",
                    what="Cannot specify source file AND content",
                    next='Remove "source" or "content".',
                )
            )
        if faults:
            raise UserError(*faults)
        if not config.content and not config.source:
            text = "Both source file and contents are blank; target will have no content"
            context.emit(Warned(build=context.build, text=text))

    def run(self, config: FileConfig, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        """Write the file. Raises `UserError` with code `file.unreadable` or `file.unwritable`."""
        target = context.cwd / config.target
        content = _read(context.cwd / config.source) if config.source else config.content.encode()
        if config.source:
            context.emit(Output(build=context.build, text=f"Copying {config.source} to {config.target}"))
        # A text may hold a secret; a copy is as open as any new file. Both as Packer's.
        _write(target, content, mode=0o666 if config.source else 0o600)
        if config.source:
            context.emit(Output(build=context.build, text=f"Copied {len(content)} bytes"))
        # Packer's builder gives no build.* values at all.
        provision(NoMachine("file"), {})
        return Artifact(builder_id="packer.file", id="File", text=f"Stored file: {config.target}", files=(Path(config.target),))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(_fault("file.unreadable", f'the source file "{path}" cannot be read', error)) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=mode)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(_fault("file.unwritable", f'the target "{path}" cannot be written', error)) from error


def _fault(code: str, what: str, error: OSError) -> Diagnostic:
    return Diagnostic(code=code, what=what, why=error.strerror or str(error), next="Check the name and the permissions.")
