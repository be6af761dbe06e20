"""Makes a planned build of a builder of a legacy JSON template."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.hcl.json_nodes import JsonNode, JsonObject
from goldsmith.packer_templates import OutsideBuilds
from goldsmith.template.faults import Faults
from goldsmith.template.finding import ComponentFinder
from goldsmith.template.legacy.fields import type_name
from goldsmith.template.legacy.parts import LegacyBuilder, LegacyPostProcessor, LegacyProvisioner
from goldsmith.template.legacy.settings import JsonConfiguration
from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.making import BuildMaker
from goldsmith.template.options import LoadOptions
from goldsmith.template.selection import Selection
from goldsmith.template.uses import PostProcessorUse, ProvisionerUse, SourceUse, generated_names


class LegacyMaker(BuildMaker[LegacyProvisioner, LegacyPostProcessor]):
    """Makes the build of one builder, whose rendered name is `name`; `faults` gets what is wrong with it."""

    def __init__(
        self,
        template: LegacyTemplate,
        builder: LegacyBuilder,
        name: str,
        place: OutsideBuilds,
        selection: Selection,
        options: LoadOptions,
    ) -> None:
        self.faults = Faults()
        super().__init__(selection, ComponentFinder(self.faults, (), options))
        # Packer names a build by its type as well, but only when the builder has a name of its own.
        self.full_name = name if builder.name == builder.type else f"{builder.type}.{name}"
        self.type = builder.type
        self.source_name = name
        self.provisioners = template.provisioners
        self.cleanup = template.error_cleanup_provisioner
        self.chains = template.post_processors
        self.builder = builder
        self.place = place

    def applies(self, part: LegacyProvisioner | LegacyPostProcessor) -> bool:
        """By the name of the builder as it is written, before `{{ }}` in it is rendered."""
        return self.builder.name in part.only if part.only else self.builder.name not in part.except_

    def title(self, part: LegacyPostProcessor) -> str:
        """Its name, which is its type where none is given."""
        return part.name

    def source(self) -> SourceUse | None:
        """The builder."""
        builder = self.builder
        found = self.finder.find("source", builder.type, builder.type_where, f"Unknown builder {builder.type}")
        if found is None:
            return None
        return SourceUse(
            type=builder.type,
            name=self.source_name,
            where=builder.type_where,
            component_class=found,
            configuration=JsonConfiguration(
                component=builder.type, settings=builder.settings, where=builder.type_where, sees_build=False
            ),
            generated_names=generated_names(found),
        )

    def provisioner(self, part: LegacyProvisioner) -> ProvisionerUse | None:
        """An entry of `provisioners`, with the overrides for this builder; or the `error-cleanup-provisioner`."""
        word = "error-cleanup-provisioner" if part is self.cleanup else "provisioner"
        found = self.finder.find("provisioner", part.type, part.type_where, f"Unknown {word} {part.type}")
        if found is None:
            return None
        override = part.override.get(self.builder.name)
        return ProvisionerUse(
            type=part.type,
            name="",
            where=part.type_where,
            component_class=found,
            configuration=JsonConfiguration(
                component=part.type,
                settings=part.settings,
                where=part.type_where,
                override=self._members(override, part) if override is not None else {},
            ),
            max_retries=self._max_retries(part),
            pause_before=part.pause_before.total_seconds(),
            timeout=part.timeout.total_seconds(),
        )

    def _members(self, override: JsonNode, part: LegacyProvisioner) -> Mapping[str, JsonNode]:
        if isinstance(override, JsonObject):
            return {item.name: item.value for item in override.properties}
        what = f"the override of '{self.builder.name}' must be an object, not {type_name(override)}"
        self.faults.error("legacy.type", what, override.start)
        return {}

    def _max_retries(self, part: LegacyProvisioner) -> int:
        try:
            text = self.place.render(part.max_retries)
        except ValueError as error:
            self.faults.error("legacy.retries", "failed to interpolate `max_retries`", part.type_where, f"{error}.")
            return 0
        try:
            return int(text or 0)
        except ValueError:
            what = f'`max_retries` must be a valid integer, not "{text}"'
            self.faults.error("legacy.retries", what, part.type_where)
            return 0

    def post_processor(self, part: LegacyPostProcessor) -> PostProcessorUse | None:
        """An entry of `post-processors`, or of a chain there."""
        found = self.finder.find("post-processor", part.type, part.type_where, f"Unknown post-processor {part.type}")
        if found is None:
            return None
        return PostProcessorUse(
            type=part.type,
            name=part.name,
            where=part.type_where,
            component_class=found,
            configuration=JsonConfiguration(component=part.type, settings=part.settings, where=part.type_where),
            keep_input_artifact=part.keep_input_artifact,
        )
