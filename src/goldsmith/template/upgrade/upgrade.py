"""Legacy JSON templates as HCL: the parts in Packer's order, and what a person has to look at."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from goldsmith.hcl import format_source
from goldsmith.hcl.diagnostics import Diagnostic, Severity
from goldsmith.template.legacy.parts import LegacyPostProcessor, LegacyProvisioner
from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.upgrade import comments
from goldsmith.template.upgrade.build import build_block
from goldsmith.template.upgrade.calls import Calls
from goldsmith.template.upgrade.plugins import packer_block
from goldsmith.template.upgrade.sources import (
    FilterFault,
    Source,
    secret_data,
    source_blocks,
    sources_of,
    unknown_types,
    with_ami_data,
)
from goldsmith.template.upgrade.variables import timestamp_local, upgraded_variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """A legacy template in HCL."""

    text: str
    """Formatted; the same bytes as Packer's, but where Packer's would not be HCL or would lose a setting."""
    ignored: tuple[str, ...]
    """What could not be upgraded, in Packer's words: the exit code tells of it."""
    notes: tuple[Diagnostic, ...]
    """Warnings: what was upgraded but will not do what it did."""


def upgrade(template: LegacyTemplate, *, annotated: bool, known_sources: Collection[str]) -> Upgraded:
    """The template in HCL, with comments that explain it when `annotated`.

    Types of builders that are neither among `known_sources` nor of a known plugin are told in `ignored`.
    """
    calls = Calls()
    ignored: list[str] = []
    inputs, locals_ = upgraded_variables(template, calls)
    sources = sources_of(template.builders.values())
    try:
        ami_data, sources = with_ami_data(sources, calls)
    except FilterFault as fault:
        ami_data = ""
        ignored.append(f"Ignoring following amazonAmiDatasource.Parse error: {fault}")
    if unknown := unknown_types(sources, known_sources):
        ignored.append(f"Ignoring following sources.Parse error: unknown builder type(s): [{' '.join(unknown)}]\n")
    source_text = source_blocks(sources, calls)
    build = build_block(template, sources, calls)
    # Data of secrets and the time are known only now, but stand before what uses them.
    parts = (
        (comments.PACKER, "", packer_block(template)),
        (comments.VARIABLES, "", inputs),
        (comments.AMAZON_SECRETS, "", secret_data(calls)),
        (comments.AMAZON_AMI, "", ami_data),
        ("", "", timestamp_local(calls, annotated)),
        (comments.LOCALS, "", locals_),
        (comments.SOURCES, "", source_text),
        (comments.BUILD, "\n", build),
    )
    text = "".join((header if annotated else gap) + part for header, gap, part in parts if part)
    return Upgraded(
        text=(comments.FILE if annotated else "") + format_source(text),
        ignored=tuple(ignored),
        notes=(*_notes(template, sources), *_failures(template, calls)),
    )


def _failures(template: LegacyTemplate, calls: Calls) -> Iterator[Diagnostic]:
    if calls.failures:
        blocks = "1 block holds" if calls.failures == 1 else f"{calls.failures} blocks hold"
        what = f"{blocks} template calls that could not be upgraded"
        yield _note("upgrade.calls", what, template, next="A comment before each block says what to do.")


def _notes(template: LegacyTemplate, sources: list[Source]) -> Iterator[Diagnostic]:
    renamed = {source.was: f"{source.type}.{source.label}" for source in sources}
    for provisioner in template.provisioners:
        yield from _selection(f'provisioner "{provisioner.type}"', provisioner, renamed)
    for link in (link for chain in template.post_processors for link in chain):
        yield from _selection(f'post-processor "{link.type}"', link, renamed)


def _selection(told: str, part: LegacyProvisioner | LegacyPostProcessor, renamed: dict[str, str]) -> Iterator[Diagnostic]:
    for key, names in (("only", part.only), ("except", part.except_)):
        if names:
            wanted = ", ".join(f'"{renamed.get(name, name)}"' for name in names)
            yield Diagnostic(
                code="upgrade.selection",
                what=f'"{key}" of {told} names builders as legacy templates do',
                where=part.where.source.range(part.where.first, part.where.first + 1),
                why="In HCL, the names are those of sources with their type. Packer leaves the old ones, and so do we.",
                next=f"In the new file, write: {key} = [{wanted}]",
                severity=Severity.WARNING,
            )


def _note(code: str, what: str, template: LegacyTemplate, why: str = "", next: str = "") -> Diagnostic:
    return Diagnostic(code=code, what=what, why=why, next=next, severity=Severity.WARNING)
