"""Provisioner and post-processor blocks: what Packer itself reads of them, apart from what the component reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from goldsmith.components import Duration, Setting, Settings, attribute
from goldsmith.hcl.body import Block, Schema
from goldsmith.hcl.gotime import parse_duration
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.template.config_types import field_types
from goldsmith.template.decode import decode
from goldsmith.template.dynamic import Expanded
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.settings import evaluated

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
    given = _meta_settings(expanded, ProvisionerMeta, scope, faults)
    meta = _decoded(ProvisionerMeta, given, options, faults)
    if meta is None or not expanded.block.labels:
        return None
    return ProvisionerBlock(
        type=expanded.block.labels[0],
        block=_without(expanded.block, ProvisionerMeta),
        meta=meta,
        pause_before=_duration("pause_before", meta.pause_before, given, faults),
        timeout=_duration("timeout", meta.timeout, given, faults),
        overrides=_overrides(given, faults),
        iterators=expanded.iterators,
    )


def read_post_processor(expanded: Expanded, scope: Scope, options: LoadOptions, faults: Faults) -> PostProcessorBlock | None:
    """Read a post-processor block; None after noting that its meta-attributes are wrong."""
    given = _meta_settings(expanded, PostProcessorMeta, scope, faults)
    meta = _decoded(PostProcessorMeta, given, options, faults)
    if meta is None or not expanded.block.labels:
        return None
    return PostProcessorBlock(
        type=expanded.block.labels[0],
        block=_without(expanded.block, PostProcessorMeta),
        meta=meta,
        iterators=expanded.iterators,
    )


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


def _meta_settings(expanded: Expanded, meta: type[Meta], scope: Scope, faults: Faults) -> Settings:
    """The values of the meta-attributes of a block; what else is in it is not looked at."""
    block = expanded.block
    content = block.body.content(Schema(attributes=_names(meta)))
    faults.add(content.faults)
    return Settings(evaluated(content.attributes, scope.child(expanded.iterators), faults), (), block.range)


def _without(block: Block, meta: type[Meta]) -> Block:
    return replace(block, body=block.body.without(_names(meta)))


def _names(meta: type[Meta]) -> tuple[str, ...]:
    return tuple(field_types(meta))


def _decoded(meta: type[M], given: Settings, options: LoadOptions, faults: Faults) -> M | None:
    decoded = faults.attempt(decode, meta, given, None, options.cwd)
    if decoded is not None:
        _check_selection(decoded, given, faults)
    return decoded


def _check_selection(meta: Meta, given: Settings, faults: Faults) -> None:
    if meta.only and meta.except_:
        where = given.attributes["except"].where
        faults.error("template.selection", "only one of 'only' or 'except' may be specified", where, next="Remove one of them.")
    if any(UNKNOWN_TEXT in name for name in (*meta.only, *meta.except_)):
        where = given.attributes["only" if meta.only else "except"].where
        why = "The names must be known before the builds are; source.name and build values are not."
        faults.error("template.selection", "Unknown name in 'only' or 'except'", where, why)


def _duration(name: str, text: str, given: Settings, faults: Faults) -> Duration:
    try:
        return Duration(parse_duration(text).total_seconds()) if text else Duration(0)
    except ValueError as error:
        where = given.attributes[name].where
        faults.error("template.duration", f"Failed to parse {name} duration", where, f"{error}.", 'Write for example "10s".')
        return Duration(0)


def _overrides(given: Settings, faults: Faults) -> dict[str, Mapping[str, Setting]]:
    override = given.attributes.get("override")
    if override is None or override.value.is_null or not override.value.is_known:
        return {}
    where = override.where
    entries = _entries(override.value, "provisioner's override block must be an HCL object", where, faults)
    return {
        name: {key: Setting(item, where) for key, item in _entries(value, _MALFORMED.format(name), where, faults).items()}
        for name, value in entries.items()
    }


_MALFORMED = "provisioner's override.'{}' block must be an HCL object"


def _entries(value: Value, otherwise: str, where: Range | None, faults: Faults) -> Mapping[str, Value]:
    if isinstance(value.raw, Mapping):
        return value.raw
    next = 'Write override = { NAME = { attribute = "value" } }, NAME being the local name of a source.'
    faults.error("template.override", otherwise, where, next=next)
    return {}
