"""Post-processor `vagrant`: turns an artifact into a Vagrant box."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.values import Value, to_plain
from goldsmith.packer_templates import render
from goldsmith.postprocessors.compression import ALGORITHMS, CompressedWriter
from goldsmith.postprocessors.tarball import write_tar
from goldsmith.postprocessors.vagrant_providers import ELSEWHERE, MAKERS, provider_of, refusal

BUILDER_ID = "mitchellh.post-processor.vagrant"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386"}
_OVERRIDABLE = ("architecture", "compression_level", "include", "output", "vagrantfile_template")
_VAGRANTFILE = """
# From the post-processor "vagrant": what the provider needs.
{provider}

# From the template that the image was built with, if it adds anything.
{custom}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VagrantConfig:
    """Attributes of a `post-processor "vagrant"` block; names and defaults are Packer's."""

    output: str = attribute(
        "packer_{{ .BuildName }}_{{ .Provider }}_{{ .Architecture }}.box",
        "The box; it knows {{.BuildName}}, {{.Provider}}, {{.Architecture}} and {{.ArtifactId}}.",
        rendered=False,
    )
    compression_level: int = attribute(-1, "0 (none) to 9 (smallest), -1 for gzip's own.")
    include: tuple[str, ...] = attribute((), "Files that are put into the box under their names.")
    vagrantfile_template: str = attribute("", "A Vagrantfile whose content is added; it is rendered like output.")
    vagrantfile_template_generated: bool = attribute(False, "Whether an earlier step makes vagrantfile_template.")
    provider_override: str = attribute("", "The provider, where the artifact does not say it.")
    architecture: str = attribute("", "What Vagrant calls the machine; the host's when nothing is said.")
    override: Value | None = attribute(None, "Settings for single providers: { libvirt = { output = … } }.", rendered=False)


class Vagrant(PostProcessor[VagrantConfig]):
    """Makes boxes for libvirt of disks, and for the provider `file`. The same disk gives the same box."""

    Config = VagrantConfig

    def check(self, config: VagrantConfig, context: Context) -> None:
        """The provider must be known, the level in range, and a Vagrantfile that nobody is to make must be there."""
        faults = []
        known = sorted({*MAKERS, *ELSEWHERE})
        if config.provider_override and config.provider_override not in known:
            what = f"The given provider_override {config.provider_override} is not valid."
            faults.append(_fault("provider", what, next=f"Please choose from one of {', '.join(known)}."))
        if not -1 <= config.compression_level <= 9:
            what = "Invalid compression level. Expected an integer from -1 to 9."
            faults.append(_fault("level", what, f"compression_level is {config.compression_level}"))
        template = config.vagrantfile_template
        if template and not config.vagrantfile_template_generated and not (context.cwd / template).is_file():
            what = f"vagrantfile_template '{template}' does not exist"
            next = "If an earlier step makes it, set vagrantfile_template_generated."
            faults.append(_fault("vagrantfile", what, f'It is looked up from "{context.cwd}".', next))
        if config.provider_override in ELSEWHERE:
            faults += refusal(config.provider_override).diagnostics
        if faults:
            raise UserError(*faults)
        _overrides(config)

    def process(self, config: VagrantConfig, artifact: Artifact, context: Context) -> Processed:
        """Write the box. Raises `UserError` when no box can be made of the artifact or something that it needs is missing."""
        provider = config.provider_override or provider_of(artifact)
        config = replace(config, **_overrides(config).get(provider, {}))
        self.check(config, context)
        architecture = config.architecture or _ARCHITECTURES.get(platform.machine(), platform.machine())
        data = {
            **context.generated,
            "ArtifactId": artifact.id,
            "BuildName": context.name,
            "Provider": provider,
            "Architecture": architecture,
        }
        _say(context, f"Creating Vagrant box for '{provider}' provider")
        output = Path(_rendered(config.output, '"output"', context, data))
        with tempfile.TemporaryDirectory(dir=context.work, prefix="box-") as place:
            entries = {path.name: path for path in _included(config, context)}
            content = MAKERS[provider](artifact, Path(place), context)
            entries |= content.files
            metadata = json.dumps({**content.metadata, "architecture": architecture}, sort_keys=True, separators=(",", ":"))
            # As Packer: metadata that the template includes are kept, its Vagrantfile goes through vagrantfile_template.
            entries.setdefault("metadata.json", _written(Path(place) / "metadata.json", metadata + "\n"))
            custom = _custom_vagrantfile(config, context, data)
            text = _VAGRANTFILE.format(provider=content.vagrantfile, custom=custom)
            entries["Vagrantfile"] = _written(Path(place) / "Vagrantfile", text)
            _write_box(dict(sorted(entries.items())), context.cwd / output, config.compression_level, context)
        made = Artifact(builder_id=BUILDER_ID, id=provider, text=f"'{provider}' provider box: {output}", files=(output,))
        return Processed(artifact=made, keep_input=False)


def _overrides(config: VagrantConfig) -> dict[str, dict[str, Any]]:
    """The settings for single providers. Raises `UserError` when they are no such settings."""
    if config.override is None or not config.override.is_wholly_known:
        return {}
    given = to_plain(config.override)
    if not isinstance(given, dict) or not all(isinstance(settings, dict) for settings in given.values()):
        raise UserError(_fault("override", "override must be an object of objects", next=_OVERRIDE))
    made: dict[str, dict[str, Any]] = {}
    for provider, settings in given.items():
        assert isinstance(settings, dict)
        made[provider] = {name: _overridden(provider, name, value, config) for name, value in settings.items()}
    return made


_OVERRIDE = f"Write override = {{ libvirt = {{ NAME = VALUE }} }}; NAME is one of {', '.join(_OVERRIDABLE)}."


def _overridden(provider: str, name: str, value: object, config: VagrantConfig) -> object:
    given = tuple(map(str, value)) if isinstance(value, list) else value
    if name not in _OVERRIDABLE or type(given) is not type(getattr(config, name)):
        raise UserError(_fault("override", f'Error overriding config for {provider}: "{name}"', next=_OVERRIDE))
    return given


def _included(config: VagrantConfig, context: Context) -> list[Path]:
    for name in config.include:
        _say(context, f"Copying from include: {name}")
        if not (context.cwd / name).is_file():
            why = f'It is looked up from "{context.cwd}".'
            raise UserError(_fault("include", f"Error copying include file: {name} is no file", why))
    return [context.cwd / name for name in config.include]


def _custom_vagrantfile(config: VagrantConfig, context: Context, data: Mapping[str, str]) -> str:
    if not config.vagrantfile_template:
        return ""
    _say(context, f"Using custom Vagrantfile: {config.vagrantfile_template}")
    try:
        text = (context.cwd / config.vagrantfile_template).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            _fault("vagrantfile", f"vagrantfile_template '{config.vagrantfile_template}' cannot be read", str(error))
        ) from error
    return _rendered(text, f"the file {config.vagrantfile_template}", context, data)


def _rendered(text: str, what: str, context: Context, data: Mapping[str, str]) -> str:
    try:
        return render(text, context, data)
    except ValueError as error:
        next = "Its fields are .BuildName, .Provider, .Architecture and .ArtifactId."
        raise UserError(_fault("template", f"the template of {what} fails", str(error), next)) from error


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _write_box(entries: Mapping[str, Path], path: Path, level: int, context: Context) -> None:
    for name in entries:
        _say(context, f"Compressing: {name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            if level == 0:
                write_tar(entries, file, context.cancellation, mode=0o644)
            else:
                with CompressedWriter(file, ALGORITHMS["pgzip"], level, len(os.sched_getaffinity(0))) as writer:
                    write_tar(entries, cast("BinaryIO", writer), context.cancellation, mode=0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _fault(word: str, what: str, why: str = "", next: str = "") -> Diagnostic:
    return Diagnostic(code=f"vagrant.{word}", what=what, why=why, next=next)


def _say(context: Context, text: str) -> None:
    context.emit(Output(build=context.build, text=text, component="vagrant"))
