"""Sources: how a build refers to one, and how its body and the build's own are joined."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from goldsmith.hcl.ast import Expression
from goldsmith.hcl.body import Attribute, Block, Body, Content, Schema
from goldsmith.hcl.diagnostics import Diagnostic, did_you_mean, listed
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value
from goldsmith.template.declared import ComponentName
from goldsmith.template.faults import Faults

_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")


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
    if len(parts) < 2 or not all(map(_IDENTIFIER.fullmatch, parts[:2])):
        why = (
            f'"{text}" does not name a type and a source; each begins with a letter and holds letters, digits, underscores '
            "and dashes."
        )
        next = 'Write for example "source.null.example".'
        faults.error("template.source-reference", "Invalid source reference", where, why, next)
        return None
    return SourceReference(type=parts[0], source_name=parts[1], local_name=parts[1], where=where)


def find_source(
    reference: SourceReference, build: Range, sources: Mapping[ComponentName, Block], known: Collection[str], faults: Faults
) -> Block | None:
    """The `source` block that the build at `build` refers to; None after noting that there is none among the `known`."""
    if reference.name in sources:
        return sources[reference.name]
    told = ".".join(reference.name)
    next = did_you_mean(told, known) or (f"Known: [{listed(known)}]." if known else "The template has no source block.")
    wanted = f'source "{reference.type}" "{reference.source_name}"'
    why = f"The build at {build.file} line {build.start.line} names a block {wanted}, which the template does not have."
    faults.error("template.unknown-source", f"Unknown source {told}", reference.where, why, next)
    return None


@dataclass(frozen=True, slots=True)
class JoinedBody:
    """The body of a source followed by what a build adds to it. A build can only add: what both set is a fault."""

    source: Body
    added: Body

    @property
    def range(self) -> Range:
        """That of the source."""
        return self.source.range

    def content(self, schema: Schema) -> Content:
        """What both hold."""
        first, second = self.source.content(schema), self.added.content(schema)
        twice = (name for name in second.attributes if name in first.attributes)
        return Content(
            {**second.attributes, **first.attributes},
            first.blocks + second.blocks,
            first.strangers + second.strangers,
            (*first.faults, *second.faults, *(_twice(first.attributes[name], second.attributes[name]) for name in twice)),
        )

    def without(self, names: Iterable[str]) -> JoinedBody:
        """The same less the attributes of these names."""
        hidden = tuple(names)
        return JoinedBody(self.source.without(hidden), self.added.without(hidden))

    def expressions(self) -> Iterator[Expression]:
        """Those of both."""
        yield from self.source.expressions()
        yield from self.added.expressions()


def joined(source: Block, reference: SourceReference) -> Block:
    """The source's block with what the build adds."""
    return source if reference.body is None else replace(source, body=JoinedBody(source.body, reference.body))


def _twice(first: Attribute, second: Attribute) -> Diagnostic:
    return Diagnostic(
        code="template.duplicate-argument",
        what="Duplicate argument",
        where=second.name_range,
        why=f'Argument "{first.name}" was already set at {first.name_range}; a build only adds to its source.',
        next="Set it in one place.",
    )
