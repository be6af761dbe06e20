"""Provisioner `file`: copies files and directories into the machine, or out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from goldsmith.components import Context, Provisioner, attribute
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.machine import Machine
from goldsmith.scripts import say


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConfig:
    """Attributes of a `provisioner "file"` block; names and defaults are Packer's."""

    content: str = attribute("", "The content of the destination, in place of a source.")
    source: str = attribute("", "What is copied. A directory that ends in / means what is in it.")
    sources: tuple[str, ...] = attribute((), "More than one source.")
    destination: str = attribute("", "Where to. A file goes into a destination that ends in /.")
    direction: str = attribute("upload", "upload, or download from the machine.")
    generated: bool = attribute(False, "Whether the source is made later, by the build itself.")


class File(Provisioner[FileConfig]):
    """Copies in one direction. A directory without a trailing / is copied itself, with one only its contents, as by rsync."""

    Config = FileConfig

    def check(self, config: FileConfig, context: Context) -> None:
        """Packer's checks of the settings."""
        if found := tuple(_faults(config, context)):
            raise UserError(*found)

    def files(self, config: FileConfig, context: Context) -> Sequence[Path]:
        """The sources of an upload; those that the build has yet to make are left out."""
        return [path for path in _local_sources(config, context) if path.exists()]

    def inputs(self, config: FileConfig, context: Context) -> Mapping[str, object]:
        """A download gives the host something and the image nothing: it is never taken from the cache."""
        if config.direction == "download":
            return {"download": context.run_uuid}
        return {"missing": [path.name for path in _local_sources(config, context) if not path.exists()]}

    def run(self, config: FileConfig, machine: Machine, context: Context) -> None:
        """Copy. Raises `UserError` for a missing local file and `MachineError` for one that the machine lacks."""
        self.check(config, context)
        if config.direction == "download":
            for source in _sources(config):
                say(context, f"Downloading {source} => {config.destination}")
                _download(source, config.destination, machine, context)
            return
        if config.content:
            say(context, f"Uploading (content) => {config.destination}")
            machine.put(config.content.encode(), config.destination)
        for source in _sources(config):
            say(context, f"Uploading {source} => {config.destination}")
            _upload(source, config.destination, machine, context)


def _sources(config: FileConfig) -> tuple[str, ...]:
    return (*config.sources, config.source) if config.source else config.sources


def _local_sources(config: FileConfig, context: Context) -> list[Path]:
    return [context.cwd / source for source in _sources(config)] if config.direction == "upload" else []


def _faults(config: FileConfig, context: Context) -> Iterator[Diagnostic]:
    if config.direction not in ("download", "upload"):
        yield _fault("Direction must be one of: download, upload.", f'"{config.direction}" is neither; leave it out to upload.')
    if _sources(config) and config.content:
        yield _fault("source(s) conflicts with content.", "Keep one of them.")
    if not _sources(config) and not config.content:
        yield _fault("source, sources or content must be specified.", 'Name what to copy by "source".')
    if not config.destination:
        yield _fault("Destination must be specified.", 'Say where to by "destination".')
    elif config.content and config.destination.endswith("/"):
        yield _fault("content needs a destination that is a file.", "Write the name of the file after the last /.")
    if not config.generated:
        for source in _sources(config) if config.direction == "upload" else ():
            if not (context.cwd / source).exists():
                why = f'it is looked up from "{context.cwd}"; set generated = true if the build makes it'
                yield Diagnostic(code="file.missing", what=f"Bad source '{source}': no such file or directory", why=why)


def _fault(what: str, next: str) -> Diagnostic:
    return Diagnostic(code="file.settings", what=what, next=next)


def _upload(source: str, destination: str, machine: Machine, context: Context) -> None:
    path = context.cwd / source
    if path.is_dir():
        contents = source.endswith("/")
        machine.put_tree(path, destination if contents else _inside(destination, path.name))
    elif path.exists():
        machine.put(path, _inside(destination, path.name) if destination.endswith("/") else destination)
    else:
        raise UserError(
            Diagnostic(
                code="file.missing",
                what=f"Bad source '{source}': no such file or directory",
                why=f'it is marked as generated, and nothing made it in "{path.parent}"',
                next="Put the step that makes it before this one.",
            )
        )


def _inside(directory: str, name: str) -> str:
    return str(PurePosixPath(directory) / name)


def _download(source: str, destination: str, machine: Machine, context: Context) -> None:
    target = context.cwd / destination
    if source.endswith("/"):
        machine.get_tree(source, target)
        return
    if any(character in source for character in "*?["):
        for found in _matches(source, machine):
            place = target / PurePosixPath(found).name
            target.mkdir(parents=True, exist_ok=True)
            machine.get_tree(found, place) if found.endswith("/") else machine.get(found, place)
        return
    if destination.endswith("/"):
        target = target / PurePosixPath(source).name
    target.parent.mkdir(parents=True, exist_ok=True)
    machine.get(source, target)


# An empty IFS lets the shell expand the pattern but not split it at spaces.
_EXPAND = 'IFS=; for f in $1; do if [ -d "$f" ]; then echo "$f/"; elif [ -e "$f" ]; then echo "$f"; fi; done'


def _matches(pattern: str, machine: Machine) -> list[str]:
    found: list[str] = []
    machine.run(["/bin/sh", "-c", _EXPAND, "sh", pattern], output=lambda stream, line: found.append(line))
    if not found:
        raise MachineError(
            Diagnostic(
                code="machine.no-such-file",
                what=f'nothing in the machine matches "{pattern}"',
                next="Look at the output of the earlier steps: which of them should have made it?",
            )
        )
    return found
