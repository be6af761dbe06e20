"""From a legacy JSON template to a `Plan`: its variables, the names of its builds, and the builds themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import LegacyValues
from goldsmith.hcl import read_source, read_standard_input
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.json_nodes import JsonNode, JsonScalar
from goldsmith.hcl.redaction import redacted_diagnostics
from goldsmith.hcl.source import Range
from goldsmith.packer_templates import PACKER_VERSION, OutsideBuilds, user_variables
from goldsmith.template.constraints import parse_constraints
from goldsmith.template.faults import Faults
from goldsmith.template.legacy.making import LegacyMaker
from goldsmith.template.legacy.parts import LegacyBuilder
from goldsmith.template.legacy.settings import scalars_of
from goldsmith.template.legacy.template import LegacyTemplate, check_legacy, read_legacy
from goldsmith.template.legacy.values import read_values, read_variable_file
from goldsmith.template.options import LoadOptions
from goldsmith.template.plan import Plan
from goldsmith.template.preparing import prepare
from goldsmith.template.secrets import secret_texts
from goldsmith.template.selection import Selection, select_names

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
        makers = [self._maker(name, selection) for name in chosen]
        made = [build for maker in makers if (build := maker.make()) is not None]
        wrong = {maker.full_name: maker.faults.errors for maker in makers if maker.faults.errors}
        for name, error in prepare(made, self.root, self.options, faults, self.values):
            wrong[name] = (*wrong.get(name, ()), *error.diagnostics)
        failed = tuple(
            (maker.full_name, UserError(*redacted_diagnostics(wrong[maker.full_name], self.secrets)))
            for maker in makers
            if maker.full_name in wrong
        )
        return Plan(
            root=self.root,
            builds=tuple(build for build in made if build.full_name not in wrong),
            warnings=redacted_diagnostics(faults.warnings, self.secrets),
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
            maker = self._maker(name, Selection())
            maker.make()
            yield from (item for item in maker.faults.errors if item.where not in told)
            told |= {item.where for item in maker.faults.errors}

    def _maker(self, name: str, selection: Selection) -> LegacyMaker:
        place = outside_builds(self.values, self.options)
        return LegacyMaker(self.template, self.builders[name], name, place, selection, self.options)

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
        raise UserError(*redacted_diagnostics(faults.found, loaded.secrets))
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
