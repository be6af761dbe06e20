"""`build` blocks: their sources, provisioners and chains of post-processors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from goldsmith.hcl import evaluate
from goldsmith.hcl.body import Block, Schema
from goldsmith.hcl.convert import convert
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import STRING, ListType
from goldsmith.hcl.values import Value, object_of, string
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.template.dynamic import Expanded, ExpandedContent, expand
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.schema import note_labels, note_strangers
from goldsmith.template.sources import SourceReference, parse_reference
from goldsmith.template.steps import (
    PostProcessorBlock,
    ProvisionerBlock,
    read_post_processor,
    read_provisioner,
    warn_of_strangers,
)
from goldsmith.template.variables import NO_NULL

_CLEANUP = "error-cleanup-provisioner"
_BUILD = Schema(
    attributes=("name", "description", "sources"),
    blocks={
        _CLEANUP: ("type",),
        "from": ("type",),
        "hcp_packer_registry": (),
        "post-processor": ("type",),
        "post-processors": (),
        "provisioner": ("type",),
        "source": ("type.name",),
    },
)
_NAMED = Schema(attributes=("name",))
_CHAIN = Schema(blocks={"post-processor": ("type",)})


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildBlock:
    """A `build` block, read; what its components are to do is not evaluated yet."""

    name: str
    description: str
    where: Range
    sources: tuple[SourceReference, ...]
    provisioners: tuple[ProvisionerBlock, ...]
    cleanup: ProvisionerBlock | None
    chains: tuple[tuple[PostProcessorBlock, ...], ...]
    registries: tuple[Block, ...] = field(default=())


def read_builds(blocks: Iterable[Block], scope: Scope, options: LoadOptions, faults: Faults) -> tuple[BuildBlock, ...]:
    """Read all `build` blocks."""
    return tuple(_Reader(block, scope, options, faults).read() for block in blocks)


class _Reader:
    """Reads one `build` block."""

    def __init__(self, block: Block, scope: Scope, options: LoadOptions, faults: Faults) -> None:
        self.block = block
        self.scope = scope
        self.options = options
        self.faults = faults
        self.content = _expanded(block, _BUILD, scope, faults)

    def read(self) -> BuildBlock:
        name = self._text("name")
        sources = (*self._listed_sources(), *self._source_blocks())
        if not sources and not self.faults.errors:
            next = 'Add sources = ["source.TYPE.NAME"].'
            self.faults.error(
                "template.no-source", "missing source reference", self.block.range, "A build needs a source.", next
            )
        # Which source and machine a step meets is known only later; the name of the build is known now.
        self.step_scope = self.scope.child({"build": object_of({"name": string(name)})})
        build = BuildBlock(
            name=name,
            description=self._text("description"),
            where=self.block.range,
            sources=sources,
            provisioners=self._provisioners("provisioner"),
            cleanup=self._cleanup(),
            chains=self._chains(),
            registries=tuple(item.block for item in self._of("hcp_packer_registry")),
        )
        self._warn(build)
        return build

    def _text(self, name: str) -> str:
        value = self._value(name, self.scope)
        if value is not None and not value.is_known:
            return UNKNOWN_TEXT
        if value is not None and value.is_null:
            where = self.content.attributes[name].range
            self.faults.error("template.wrong-value", "Unsuitable value type", where, NO_NULL, "Leave it out.")
        return value.raw if value is not None and isinstance(value.raw, str) else ""

    def _value(self, name: str, scope: Scope) -> Value | None:
        attribute = self.content.attributes.get(name)
        if attribute is None:
            return None
        wanted = ListType(STRING) if name == "sources" else STRING
        value = self.faults.attempt(evaluate, attribute.expression, scope)
        if value is None:
            return None
        try:
            return convert(value, wanted)
        except ValueError as error:
            why = f'Inappropriate value for attribute "{name}": {error}.'
            self.faults.error("template.wrong-value", "Incorrect attribute value", attribute.range, why)
            return None

    def _listed_sources(self) -> list[SourceReference]:
        value = self._value("sources", self.scope)
        if value is None or value.is_null:
            return []
        where = self.content.attributes["sources"].expression.range
        texts = [item.raw if isinstance(item.raw, str) else "" for item in value.items()]
        references = [parse_reference(text, where, self.faults) for text in texts]
        return [reference for reference in references if reference is not None]

    def _source_blocks(self) -> list[SourceReference]:
        found = [self._source_block(item) for item in self._of("source")]
        return [reference for reference in found if reference is not None]

    def _source_block(self, item: Expanded) -> SourceReference | None:
        block = item.block
        if len(block.labels) != 1:
            return None
        reference = parse_reference(block.labels[0], block.label_ranges[0], self.faults)
        if reference is None:
            return None
        name = block.body.content(_NAMED).attributes.get("name")
        local_name = reference.local_name
        if name is not None:
            # Written out, the name is literal, as in Packer; only `dynamic` computes it.
            computed = bool(item.iterators)
            scope = self.scope.child(item.iterators) if computed else Scope()
            value = self.faults.attempt(evaluate, name.expression if computed else name.literal, scope)
            local_name = str(value.raw) if value is not None and isinstance(value.raw, str) else local_name
        return replace(reference, local_name=local_name, body=block.body.without(_NAMED.attributes), iterators=item.iterators)

    def _of(self, type: str) -> list[Expanded]:
        return [item for item in self.content.blocks if item.block.type == type]

    def _provisioners(self, type: str) -> tuple[ProvisionerBlock, ...]:
        read = (read_provisioner(item, self.step_scope, self.options, self.faults) for item in self._of(type))
        return tuple(block for block in read if block is not None)

    def _cleanup(self) -> ProvisionerBlock | None:
        found = self._provisioners(_CLEANUP)
        for extra in found[1:]:
            self.faults.error(
                "template.duplicate-block",
                f"Only one {_CLEANUP} is allowed",
                extra.block.range,
                f"The first one is at {found[0].block.range}.",
                "Join them.",
            )
        return found[0] if found else None

    def _chains(self) -> tuple[tuple[PostProcessorBlock, ...], ...]:
        chains: list[tuple[PostProcessorBlock, ...]] = []
        for item in self.content.blocks:
            if item.block.type == "post-processor":
                chains.append(self._chain([item]))
            elif item.block.type == "post-processors":
                chains.append(self._chain(self._members(item)))
        return tuple(chain for chain in chains if chain)

    def _members(self, item: Expanded) -> list[Expanded]:
        members = _expanded(item.block, _CHAIN, self.scope.child(item.iterators), self.faults).blocks
        return [Expanded(member.block, {**item.iterators, **member.iterators}) for member in members]

    def _chain(self, items: Iterable[Expanded]) -> tuple[PostProcessorBlock, ...]:
        read = (read_post_processor(item, self.step_scope, self.options, self.faults) for item in items)
        return tuple(block for block in read if block is not None)

    def _warn(self, build: BuildBlock) -> None:
        known = [reference.local for reference in build.sources]
        cleanup = (build.cleanup,) if build.cleanup else ()
        for block in (*build.provisioners, *cleanup, *(item for chain in build.chains for item in chain)):
            warn_of_strangers(block.meta, block.block, known, self.faults)


def _expanded(block: Block, schema: Schema, scope: Scope, faults: Faults) -> ExpandedContent:
    """What a block holds, after noting what the schema does not have and wrong labels."""
    content = expand(block.body, schema, scope, faults)
    note_strangers(content.strangers, schema, faults)
    note_labels((item.block for item in content.blocks), schema, faults)
    return content
