"""Sources: how a build refers to one, and how its body and the build's own are joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from goldsmith.hcl.ast import Block, Body
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value
from goldsmith.template.declared import ComponentName
from goldsmith.template.faults import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReference:
    """One use of a source in a build."""

    type: str
    source_name: str
    """The name of the `source` block."""
    local_name: str
    """The name that the build gives it; the source's own when it gives none."""
    where: Range
    body: Body | None = None
    """What the build adds."""
    iterators: Mapping[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> ComponentName:
        """Type and name of the `source` block."""
        return self.type, self.source_name

    @property
    def local(self) -> str:
        """`type.name`, as `only` and `except` of provisioners name it."""
        return f"{self.type}.{self.local_name}"


def parse_reference(text: str, where: Range, faults: Faults) -> SourceReference | None:
    """Read `source.type.name` or `type.name`; None after noting a fault."""
    parts = text.split(".")
    if len(parts) > 2:
        parts = parts[1:]
    if len(parts) < 2 or not all(parts[:2]):
        why = f'"{text}" does not name a type and a source.'
        next = 'Write for example "source.null.example".'
        faults.error("template.source-reference", "Invalid source reference", where, why, next)
        return None
    return SourceReference(type=parts[0], source_name=parts[1], local_name=parts[1], where=where)


def find_source(
    reference: SourceReference, build: Range, sources: Mapping[ComponentName, Block], faults: Faults
) -> Block | None:
    """The `source` block that the build at `build` refers to; None after noting that there is none."""
    if reference.name in sources:
        return sources[reference.name]
    told = ".".join(reference.name)
    known = [".".join(name) for name in sources]
    next = did_you_mean(told, known) or (f"Known: [{', '.join(known)}]." if known else "The template has no source block.")
    wanted = f'source "{reference.type}" "{reference.source_name}"'
    why = f"The build at {build.file} line {build.start.line} names a block {wanted}, which the template does not have."
    faults.error("template.unknown-source", f"Unknown source {told}", reference.where, why, next)
    return None


def joined(source: Block, reference: SourceReference, faults: Faults) -> Block:
    """The source's block with what the build adds. A build can only add: what both set is an error."""
    added = reference.body
    if added is None:
        return source
    attributes = dict(source.body.attributes)
    for name, attribute in added.attributes.items():
        if name in attributes:
            why = f'Argument "{name}" was already set at {attributes[name].name_range}; a build only adds to its source.'
            faults.error("template.duplicate-argument", "Duplicate argument", attribute.name_range, why, "Set it in one place.")
        attributes[name] = attribute
    body = Body(attributes, source.body.blocks + added.blocks, source.body.range, source.body.end)
    return replace(source, body=body)
