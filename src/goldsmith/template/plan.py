"""From a template to a `Plan`: the selected builds, each with components that were prepared once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from goldsmith.components import LegacyValues
from goldsmith.hcl.body import Block
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.display import display
from goldsmith.hcl.scope import Scope
from goldsmith.template.builds import BuildBlock
from goldsmith.template.declared import ComponentName
from goldsmith.template.faults import Faults
from goldsmith.template.finding import ComponentFinder
from goldsmith.template.hcp import Registry
from goldsmith.template.making import BuildMaker
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin
from goldsmith.template.preparing import prepare
from goldsmith.template.selection import Selection, select
from goldsmith.template.sources import SourceReference, find_source, joined
from goldsmith.template.steps import PostProcessorBlock, ProvisionerBlock
from goldsmith.template.uses import (
    BlockConfiguration,
    Build,
    PostProcessorUse,
    ProvisionerUse,
    SourceUse,
    Surroundings,
    generated_names,
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a command is to build."""

    root: Path
    builds: tuple[Build, ...]
    warnings: tuple[Diagnostic, ...]
    failed: tuple[tuple[str, UserError], ...]
    """Builds that could not be prepared, by full name; they are left out while the others run."""
    secrets: tuple[str, ...]
    """Every string inside a sensitive value, also line by line."""
    registry: Registry | None
    """The `hcp_packer_registry` block: what to call the versions that are built, and their labels."""
    variables: Mapping[str, str]
    """The values of the variables as text, for provenance; sensitive ones as `<sensitive>`."""
    sensitive: tuple[str, ...] = ()
    """Names of the sensitive variables whose value is not empty."""
    legacy: LegacyValues | None = None
    """What the `{{ }}` of a legacy JSON template know; None for HCL."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a plan is made of."""

    root: Path
    options: LoadOptions
    scope: Scope
    sources: Mapping[ComponentName, Block]
    plugins: tuple[RequiredPlugin, ...]
    builds: tuple[BuildBlock, ...]
    registry: Registry | None
    secrets: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """The sources as builds refer to them."""
        return tuple(".".join(name) for name in self.sources)


def make_plan(material: Material) -> Plan:
    """Choose the builds and prepare each: decode and check its components, with placeholders for what runs tell.

    Raises `UserError` when the template has no build, when none is selected, or when a selected build uses a component that
    is not installed.
    """
    faults = Faults(list(material.warnings))
    selection = select(material.options.only, material.options.except_)
    if not material.builds:
        why = "A template without a build block makes nothing."
        next = 'Add build { sources = ["source.TYPE.NAME"] }.'
        faults.error("template.no-build", "Missing build block", None, why, next)
    _warn_of_globs(material.builds, selection, faults)
    finder = ComponentFinder(faults, material.plugins, material.options)
    made = [
        build
        for block in material.builds
        for reference in block.sources
        if selection.takes(_full_name(block, reference))
        and (build := _Maker(material, block, reference, selection, finder, faults).make()) is not None
    ]
    if material.builds and not made and not faults.errors:
        possible = ", ".join(name for block in material.builds for name in _full_names(block))
        faults.error(
            "template.no-builds", "No builds to run", None, "-only and -except leave none.", f"Possible: [{possible}]."
        )
    failed = tuple(prepare(made, material.root, material.options, faults))
    if faults.errors:
        faults.add(item for _, error in failed for item in error.diagnostics)
    faults.raise_if_any()
    without = {name for name, _ in failed}
    return Plan(
        root=material.root,
        builds=tuple(build for build in made if build.full_name not in without),
        warnings=faults.warnings,
        failed=failed,
        secrets=material.secrets,
        registry=material.registry,
        variables=_variables(material.scope),
    )


def _variables(scope: Scope) -> Mapping[str, str]:
    values = scope.find("var")
    named = values.raw if values is not None and isinstance(values.raw, Mapping) else {}
    return {name: "<sensitive>" if item.is_sensitive_anywhere else display(item) for name, item in named.items()}


def _full_name(block: BuildBlock, reference: SourceReference) -> str:
    return f"{block.name}.{reference.local}" if block.name else reference.local


def _full_names(block: BuildBlock) -> list[str]:
    return [_full_name(block, reference) for reference in block.sources]


def _warn_of_globs(blocks: Iterable[BuildBlock], selection: Selection, faults: Faults) -> None:
    builds = [name for block in blocks for name in _full_names(block)]
    post_processors = [_title(item) for block in blocks for chain in block.chains for item in chain]
    selection.warn(builds, post_processors, faults)


def _title(block: PostProcessorBlock) -> str:
    return block.meta.name or block.type


# ── making builds ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Maker(BuildMaker[ProvisionerBlock, PostProcessorBlock]):
    """Makes one build of a build block and one of its sources."""

    def __init__(
        self,
        material: Material,
        block: BuildBlock,
        reference: SourceReference,
        selection: Selection,
        finder: ComponentFinder,
        faults: Faults,
    ) -> None:
        super().__init__(selection, finder)
        self.full_name = _full_name(block, reference)
        self.type = reference.type
        self.source_name = reference.source_name
        self.provisioners = block.provisioners
        self.cleanup = block.cleanup if block.cleanup and block.cleanup.meta.applies_to(reference.local) else None
        self.chains = block.chains
        self.block = block
        self.reference = reference
        self.faults = faults
        self.material = material
        self.surroundings = Surroundings(scope=material.scope, build_name=block.name, reference=reference)

    def applies(self, part: ProvisionerBlock | PostProcessorBlock) -> bool:
        """By the name of the source as it is used here."""
        return part.meta.applies_to(self.reference.local)

    def title(self, part: PostProcessorBlock) -> str:
        """Its name, or else its type."""
        return _title(part)

    def source(self) -> SourceUse | None:
        """The `source` block joined with what the build adds to it."""
        reference = self.reference
        declared = find_source(reference, self.block.where, self.material.sources, self.material.source_names, self.faults)
        if declared is None:
            return None
        found = self.finder.find("source", reference.type, declared.label_ranges[0], f"Unknown source type {reference.type}")
        if found is None:
            return None
        self.surroundings = replace(self.surroundings, generated_names=generated_names(found))
        configuration = BlockConfiguration(
            block=joined(declared, reference),
            surroundings=self.surroundings,
            iterators=reference.iterators,
            sees_build=False,
        )
        return SourceUse(
            type=reference.type,
            name=reference.local_name,
            where=declared.range,
            component_class=found,
            configuration=configuration,
            generated_names=self.surroundings.generated_names,
        )

    def provisioner(self, part: ProvisionerBlock) -> ProvisionerUse | None:
        """A `provisioner` block, with the overrides for this source."""
        what = f'Unknown {part.block.type} type "{part.type}"'
        found = self.finder.find("provisioner", part.type, part.block.label_ranges[0], what)
        if found is None:
            return None
        return ProvisionerUse(
            type=part.type,
            name=part.meta.name,
            where=part.block.range,
            component_class=found,
            configuration=BlockConfiguration(
                block=part.block,
                surroundings=self.surroundings,
                iterators=part.iterators,
                override=part.overrides.get(self.reference.local_name, {}),
            ),
            max_retries=part.meta.max_retries,
            pause_before=part.pause_before,
            timeout=part.timeout,
            continue_on_error=part.meta.continue_on_error,
        )

    def post_processor(self, part: PostProcessorBlock) -> PostProcessorUse | None:
        """A `post-processor` block."""
        what = f'Unknown post-processor type "{part.type}"'
        found = self.finder.find("post-processor", part.type, part.block.label_ranges[0], what)
        if found is None:
            return None
        return PostProcessorUse(
            type=part.type,
            name=part.meta.name,
            where=part.block.range,
            component_class=found,
            configuration=BlockConfiguration(block=part.block, surroundings=self.surroundings, iterators=part.iterators),
            keep_input_artifact=part.meta.keep_input_artifact,
        )
