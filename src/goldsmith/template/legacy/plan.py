"""From a legacy JSON template to a `Plan`: its variables, the names of its builds, and the builds themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import DirectSource, LegacyValues
from goldsmith.hcl import read_source, read_standard_input
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.json_nodes import JsonNode, JsonObject, JsonScalar
from goldsmith.hcl.source import Range
from goldsmith.packer_templates import PACKER_VERSION, OutsideBuilds, user_variables
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.faults import Faults
from goldsmith.template.finding import ComponentFinder
from goldsmith.template.legacy.fields import type_name
from goldsmith.template.legacy.parts import LegacyBuilder, LegacyPostProcessor, LegacyProvisioner
from goldsmith.template.legacy.settings import JsonConfiguration, scalars_of
from goldsmith.template.legacy.template import LegacyTemplate, check_legacy, read_legacy
from goldsmith.template.legacy.values import read_values, read_variable_file
from goldsmith.template.options import LoadOptions
from goldsmith.template.plan import Plan
from goldsmith.template.preparing import prepare
from goldsmith.template.secrets import redacted, secret_texts
from goldsmith.template.selection import Selection, select_names
from goldsmith.template.uses import GENERATED_NAMES, Build, PostProcessorUse, ProvisionerUse, SourceUse

STANDARD_INPUT = Path("-")


@dataclass(frozen=True, kw_only=True)
class LoadedLegacy:
    """A legacy template with its values; what its components are to do is not read yet."""

    template: LegacyTemplate
    root: Path
    options: LoadOptions
    values: LegacyValues
    builders: Mapping[str, LegacyBuilder]
    """By rendered name, sorted: the order in which Packer builds."""
    warnings: tuple[Diagnostic, ...]

    def plan(self) -> Plan:
        """The selected builds, prepared; one that a component is missing for is left out, while the others run.

        Raises `UserError` when no build is selected.
        """
        faults = Faults(list(self.warnings))
        selection = select_names(self.options.only, self.options.except_)
        post_processors = (item.name for chain in self.template.post_processors for item in chain)
        selection.warn(list(self.builders), post_processors, faults)
        chosen = [name for name in self.builders if selection.takes(name)]
        if not chosen:
            possible = f"Possible: [{', '.join(self.builders)}]."
            faults.error("template.no-builds", "No builds to run", None, "-only and -except leave none.", possible)
        faults.raise_if_any()
        makers = [_Maker(self, name, selection) for name in chosen]
        made = [build for maker in makers if (build := maker.make()) is not None]
        wrong = {maker.full_name: maker.faults.errors for maker in makers if maker.faults.errors}
        for name, error in prepare(made, self.root, self.options, faults, self.values):
            wrong[name] = (*wrong.get(name, ()), *error.diagnostics)
        failed = tuple(
            (maker.full_name, UserError(*redacted(wrong[maker.full_name], self.secrets)))
            for maker in makers
            if maker.full_name in wrong
        )
        return Plan(
            root=self.root,
            builds=tuple(build for build in made if build.full_name not in wrong),
            warnings=redacted(faults.warnings, self.secrets),
            failed=failed,
            secrets=self.secrets,
            variables={
                name: "<sensitive>" if name in self.values.sensitive else text for name, text in self.values.variables.items()
            },
            registry=None,
            sensitive=tuple(sorted(name for name in self.values.sensitive if self.values.variables[name].strip())),
            legacy=self.values,
        )

    def absences(self) -> Iterator[Diagnostic]:
        """What is said of components that are not installed, each once."""
        told: set[Range | None] = set()
        for name in self.builders:
            maker = _Maker(self, name, Selection())
            maker.make()
            yield from (item for item in maker.faults.errors if item.where not in told)
            told |= {item.where for item in maker.faults.errors}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of sensitive variables, also line by line, the longest first."""
        return secret_texts(self.values.variables[name] for name in self.values.sensitive)


def read_template(path: Path) -> LegacyTemplate:
    """The template in a file, or in standard input for "-". Raises `UserError` with every fault."""
    return read_legacy(read_standard_input() if path == STANDARD_INPUT else read_source(path))


def load_legacy(path: Path, options: LoadOptions) -> LoadedLegacy:
    """Load the legacy template that `path` names. Raises `UserError` with every fault that can be told at once."""
    template = read_template(path)
    faults = Faults(list(check_legacy(template)))
    loaded = evaluated(template, path, options, faults)
    if faults.errors:
        # Nothing is built, so everything is told now that does not depend on what is wrong already.
        faults.add(item for item in loaded.absences() if item not in faults.found)
        raise UserError(*redacted(faults.found, loaded.secrets))
    return loaded


def load_legacy_leniently(path: Path, options: LoadOptions) -> LoadedLegacy:
    """As `load_legacy`, for `inspect` and `console`: only what cannot be read is an error."""
    return evaluated(read_template(path), path, options, Faults())


def check_legacy_syntax(path: Path, variable_files: Iterable[Path]) -> tuple[Diagnostic, ...]:
    """What can be said without rendering anything: the template itself and the variable files, as Packer checks them."""
    faults = Faults()
    faults.attempt(read_template, path)
    for file in variable_files:
        faults.attempt(read_variable_file, file)
    return tuple(faults.found)


def evaluated(template: LegacyTemplate, path: Path, options: LoadOptions, faults: Faults) -> LoadedLegacy:
    """The template with its values; what is wrong goes to `faults`."""
    _check_version(template, faults)
    root = Path() if path == STANDARD_INPUT else path.parent
    values = read_values(template, (options.cwd / root).resolve(), options, faults)
    builders = _named(template, values, options, faults)
    _warn_of_unset(template, values, faults)
    return LoadedLegacy(
        template=template, root=root, options=options, values=values, builders=builders, warnings=faults.warnings
    )


def outside_builds(values: LegacyValues, options: LoadOptions) -> OutsideBuilds:
    """Renders what stands outside of builds once the variables are known; one that is not there is empty, as in Packer."""
    return OutsideBuilds(
        user=lambda name: values.variables.get(name, ""),
        directory=values.directory,
        cwd=options.cwd,
        clock_s=options.clock_s,
    )


def _check_version(template: LegacyTemplate, faults: Faults) -> None:
    wanted, where = template.min_packer_version, template.min_packer_version_where
    if not wanted:
        return
    try:
        (constraint,) = parse_constraints(f">= {wanted}")
    except ValueError:
        next = 'Write a version such as "1.8.0".'
        faults.error("legacy.version", f"min_version is invalid: Malformed version: {wanted}", where, next=next)
        return
    if not constraint.admits(PACKER_VERSION):
        what = f"This template requires Packer version {wanted} or higher; using {PACKER_VERSION}"
        faults.error("legacy.version", what, where, f"Goldsmith understands the templates of Packer {PACKER_VERSION}.")


def _named(template: LegacyTemplate, values: LegacyValues, options: LoadOptions, faults: Faults) -> dict[str, LegacyBuilder]:
    place = outside_builds(values, options)
    named: dict[str, LegacyBuilder] = {}
    for builder in template.builders.values():
        try:
            name = place.render(builder.name)
        except ValueError as error:
            faults.error("legacy.name", f"Error interpolating builder '{builder.name}'", builder.type_where, f"{error}.")
            continue
        if name in named:
            why = f'The name of the builder on line {named[name].type_where.start.line} renders to "{name}" as well.'
            what = f"builder with name '{name}' already exists"
            faults.error("legacy.duplicate-builder", what, builder.type_where, why, 'Give one of the two another "name".')
            continue
        named[name] = builder
    return dict(sorted(named.items()))


def _warn_of_unset(template: LegacyTemplate, values: LegacyValues, faults: Faults) -> None:
    """Warn, once for each, of variables that components refer to and nobody sets: Packer renders them to nothing."""
    known = set(values.variables)
    for scalar in (scalar for node in _settings(template) for scalar in scalars_of(node)):
        for name in _named_variables(scalar):
            if name not in known:
                known.add(name)
                what = f'the user variable "{name}" is not defined'
                why = "It renders to an empty text, as in Packer."
                next = did_you_mean(name, values.variables) or f'Declare it: "variables": {{"{name}": null}}'
                faults.warning("legacy.undefined-variable", what, scalar.range, why, next)


def _named_variables(scalar: JsonScalar) -> tuple[str, ...]:
    try:
        return user_variables(scalar.value) if isinstance(scalar.value, str) else ()
    except ValueError:
        return ()  # preparing the component tells it


def _settings(template: LegacyTemplate) -> Iterator[JsonNode]:
    cleanup = template.error_cleanup_provisioner
    provisioners = (*template.provisioners, *((cleanup,) if cleanup else ()))
    post_processors = (item for chain in template.post_processors for item in chain)
    for part in (*template.builders.values(), *provisioners, *post_processors):
        yield from part.settings.values()
    for provisioner in provisioners:
        yield from provisioner.override.values()


# ── making builds ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Maker:
    """Makes the build of one builder; `faults` gets what is wrong with it."""

    def __init__(self, loaded: LoadedLegacy, name: str, selection: Selection) -> None:
        self.template = loaded.template
        self.place = outside_builds(loaded.values, loaded.options)
        self.name = name
        self.builder = loaded.builders[name]
        self.selection = selection
        self.faults = Faults()
        self.finder = ComponentFinder(self.faults, (), loaded.options)
        # Packer names a build by its type as well, but only when the builder has a name of its own.
        self.full_name = name if self.builder.name == self.builder.type else f"{self.builder.type}.{name}"

    def make(self) -> Build | None:
        """The build, without components that are missing; None when its source is."""
        source = self._source()
        wanted = [item for item in self.template.provisioners if self._applies(item)]
        provisioners = self._provisioners("provisioner", wanted)
        cleanup = self.template.error_cleanup_provisioner
        cleanups = self._provisioners("error-cleanup-provisioner", [cleanup] if cleanup else [])
        chains = tuple(chain for items in self.template.post_processors if (chain := self._chain(items)))
        if source is None:
            return None
        return Build(
            full_name=self.full_name,
            type=self.builder.type,
            source_name=self.name,
            source=source,
            provisioners=provisioners,
            cleanup=cleanups[0] if cleanups else None,
            chains=chains,
        )

    def _applies(self, part: LegacyProvisioner | LegacyPostProcessor) -> bool:
        # Names are compared as they are written, before `{{ }}` in them is rendered.
        return self.builder.name in part.only if part.only else self.builder.name not in part.except_

    def _source(self) -> SourceUse | None:
        builder = self.builder
        found = self.finder.find("source", builder.type, builder.type_where, f"Unknown builder {builder.type}")
        if found is None:
            return None
        source = found()
        own = source.generated_names() if isinstance(source, DirectSource) else ()
        return SourceUse(
            type=builder.type,
            name=self.name,
            where=builder.type_where,
            component_class=found,
            configuration=JsonConfiguration(
                component=builder.type, settings=builder.settings, where=builder.type_where, sees_build=False
            ),
            generated_names=(*GENERATED_NAMES, *own),
        )

    def _provisioners(self, word: str, parts: Iterable[LegacyProvisioner]) -> tuple[ProvisionerUse, ...]:
        return tuple(use for part in parts if (use := self._provisioner(word, part)) is not None)

    def _provisioner(self, word: str, part: LegacyProvisioner) -> ProvisionerUse | None:
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

    def _chain(self, items: Iterable[LegacyPostProcessor]) -> tuple[PostProcessorUse, ...]:
        chain: list[PostProcessorUse] = []
        for item in items:
            if not self._applies(item):
                continue
            if self.selection.cuts(item.name):
                break
            use = self._post_processor(item)
            chain += [use] if use is not None else []
        return tuple(chain)

    def _post_processor(self, item: LegacyPostProcessor) -> PostProcessorUse | None:
        found = self.finder.find("post-processor", item.type, item.type_where, f"Unknown post-processor {item.type}")
        if found is None:
            return None
        return PostProcessorUse(
            type=item.type,
            name=item.name,
            where=item.type_where,
            component_class=found,
            configuration=JsonConfiguration(component=item.type, settings=item.settings, where=item.type_where),
            keep_input_artifact=item.keep_input_artifact,
        )
