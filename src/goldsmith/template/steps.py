"""Provisioner and post-processor blocks: what Packer itself reads of them, apart from what the component reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from goldsmith.components import Duration, Setting, attribute
from goldsmith.hcl.ast import Block, Body
from goldsmith.hcl.gotime import parse_duration
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.template.decode import decode, setting_name
from goldsmith.template.dynamic import Expanded
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.settings import settings_of

M = TypeVar("M", bound="Meta")


@dataclass(frozen=True, kw_only=True)
class Meta:
    """The meta-attributes that provisioners and post-processors share."""

    name: str = attribute("", "A name for messages; `-except` matches it for post-processors.")
    only: tuple[str, ...] = attribute((), "Only for these sources, each as TYPE.NAME.")
    except_: tuple[str, ...] = attribute((), "Not for these sources, each as TYPE.NAME.")

    def applies_to(self, local: str) -> bool:
        """Whether the block is for the source `TYPE.NAME`; names are compared as they are."""
        return local in self.only if self.only else local not in self.except_


@dataclass(frozen=True, kw_only=True)
class ProvisionerMeta(Meta):
    """The meta-attributes of a provisioner."""

    pause_before: str = attribute("", 'A duration such as "10s" to wait before it starts.')
    timeout: str = attribute("", 'A duration such as "5m" after which it is cancelled; without effect beside pause_before.')
    max_retries: int = attribute(0, "How often to try again after a failure.")
    continue_on_error: bool = attribute(False, "Whether the build goes on after a failure.")
    override: Value | None = attribute(None, "Settings that replace the block's own for single sources, by local name.")


@dataclass(frozen=True, kw_only=True)
class PostProcessorMeta(Meta):
    """The meta-attributes of a post-processor."""

    keep_input_artifact: bool | None = attribute(None, "Whether the artifact that comes in is kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionerBlock:
    """A provisioner block of a build."""

    type: str
    block: Block
    """Without the meta-attributes."""
    meta: ProvisionerMeta
    pause_before: Duration
    timeout: Duration
    overrides: Mapping[str, Mapping[str, Setting]]
    """Settings by the local name of the source that they are for."""
    iterators: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostProcessorBlock:
    """A post-processor block of a build."""

    type: str
    block: Block
    """Without the meta-attributes."""
    meta: PostProcessorMeta
    iterators: Mapping[str, Value] = field(default_factory=dict)


def read_provisioner(expanded: Expanded, scope: Scope, options: LoadOptions, faults: Faults) -> ProvisionerBlock | None:
    """Read a provisioner block; None after noting that its meta-attributes are wrong."""
    block, meta = _split(expanded, ProvisionerMeta, scope, options, faults)
    if meta is None or not expanded.block.labels:
        return None
    return ProvisionerBlock(
        type=block.labels[0],
        block=block,
        meta=meta,
        pause_before=_duration(expanded.block, "pause_before", meta.pause_before, faults),
        timeout=_duration(expanded.block, "timeout", meta.timeout, faults),
        overrides=_overrides(expanded.block, meta.override, faults),
        iterators=expanded.iterators,
    )


def read_post_processor(expanded: Expanded, scope: Scope, options: LoadOptions, faults: Faults) -> PostProcessorBlock | None:
    """Read a post-processor block; None after noting that its meta-attributes are wrong."""
    block, meta = _split(expanded, PostProcessorMeta, scope, options, faults)
    if meta is None or not expanded.block.labels:
        return None
    return PostProcessorBlock(type=block.labels[0], block=block, meta=meta, iterators=expanded.iterators)


def warn_of_strangers(meta: Meta, block: Block, known: Sequence[str], faults: Faults) -> None:
    """Warn of names in `only` and `except` that no source of the build has: Packer ignores them silently."""
    for name in (*meta.only, *meta.except_):
        if name not in known:
            word = "only" if name in meta.only else "except"
            faults.warning(
                "template.unknown-selection",
                f'"{word}" names "{name}", which is no source of this build',
                block.range,
                "Names are compared as they are, as TYPE.NAME, without globs and without the name of the build.",
                f"Known: [{', '.join(known)}].",
            )


def _split(expanded: Expanded, meta: type[M], scope: Scope, options: LoadOptions, faults: Faults) -> tuple[Block, M | None]:
    block = expanded.block
    reserved = {setting_name(item.name) for item in fields(meta)}
    attributes = block.body.attributes
    ours = {name: item for name, item in attributes.items() if name in reserved}
    theirs = {name: item for name, item in attributes.items() if name not in reserved}
    settings = faults.attempt(settings_of, _with(block, Body(ours, (), block.body.range)), scope.child(expanded.iterators))
    decoded = faults.attempt(decode, meta, settings, None, options.cwd) if settings is not None else None
    if decoded is not None:
        _check_selection(decoded, block, faults)
    return _with(block, Body(theirs, block.body.blocks, block.body.range, block.body.end)), decoded


def _with(block: Block, body: Body) -> Block:
    return replace(block, body=body)


def _check_selection(meta: Meta, block: Block, faults: Faults) -> None:
    attributes = block.body.attributes
    if meta.only and meta.except_:
        where = attributes["except"].range
        faults.error("template.selection", "only one of 'only' or 'except' may be specified", where, next="Remove one of them.")
    if any(UNKNOWN_TEXT in name for name in (*meta.only, *meta.except_)):
        where = attributes["only" if meta.only else "except"].range
        why = "The names must be known before the builds are; source.name and build values are not."
        faults.error("template.selection", "Unknown name in 'only' or 'except'", where, why)


def _duration(block: Block, name: str, text: str, faults: Faults) -> Duration:
    try:
        return Duration(parse_duration(text).total_seconds()) if text else Duration(0)
    except ValueError as error:
        where = block.body.attributes[name].range
        faults.error("template.duration", f"Failed to parse {name} duration", where, f"{error}.", 'Write for example "10s".')
        return Duration(0)


def _overrides(block: Block, override: Value | None, faults: Faults) -> dict[str, Mapping[str, Setting]]:
    if override is None or not override.is_known:
        return {}
    where = block.body.attributes["override"].range
    entries = _entries(override, "provisioner's override block must be an HCL object", where, faults)
    return {
        name: {key: Setting(item, where) for key, item in _entries(value, _MALFORMED.format(name), where, faults).items()}
        for name, value in entries.items()
    }


_MALFORMED = "provisioner's override.'{}' block must be an HCL object"


def _entries(value: Value, otherwise: str, where: Range, faults: Faults) -> Mapping[str, Value]:
    if isinstance(value.raw, Mapping):
        return value.raw
    next = 'Write override = { NAME = { attribute = "value" } }, NAME being the local name of a source.'
    faults.error("template.override", otherwise, where, next=next)
    return {}
