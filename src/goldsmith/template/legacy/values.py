"""The user variables of a legacy JSON template: defaults, variable files and `-var`, each rendered with the others in sight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import LegacyValues
from goldsmith.hcl import read_source
from goldsmith.hcl.diagnostics import Diagnostic, did_you_mean
from goldsmith.hcl.json_nodes import JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.json_reader import read_json
from goldsmith.hcl.source import Range
from goldsmith.packer_templates import OutsideBuilds, user_variables
from goldsmith.template.faults import Faults
from goldsmith.template.legacy.fields import type_name
from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.options import LoadOptions


@dataclass(frozen=True, slots=True)
class Given:
    """A value before it is rendered, and where it stands; the command line has no place."""

    text: str
    where: Range | None = None


def read_values(template: LegacyTemplate, directory: Path, options: LoadOptions, faults: Faults) -> LegacyValues:
    """The values of all variables, also of those that are only given and never declared, which Packer takes as well.

    Notes what is wrong with files and values, and required variables that have none.
    """
    given = _given(template, options, faults)
    for variable in template.variables.values():
        if variable.required and variable.name not in given:
            what = f"required variable not set: {variable.name}"
            next = f"Give it a value: -var {variable.name}=VALUE, or a variable file with -var-file."
            faults.error("legacy.unset-variable", what, variable.where, "Its default is null.", next)
    defaults = {item.name: Given(item.default or "", item.where) for item in template.variables.values()}
    resolver = _Resolver({**defaults, **given}, directory, options, faults)
    for name in sorted(resolver.given):
        if name not in resolver.known:
            resolver.value(name)
    return LegacyValues(
        variables=dict(sorted(resolver.known.items())),
        directory=directory,
        sensitive=frozenset(name for name in template.sensitive_variables if name in template.variables),
    )


class _Resolver:
    """Renders each value once, those that it refers to first."""

    def __init__(self, given: Mapping[str, Given], directory: Path, options: LoadOptions, faults: Faults) -> None:
        self.given = given
        self.faults = faults
        self.known: dict[str, str] = {}
        self.path: list[str] = []
        self.place = OutsideBuilds(
            user=self._asked,
            directory=directory,
            cwd=options.cwd,
            clock_s=options.clock_s,
            environment=options.environment,
        )

    def value(self, name: str) -> str:
        """The value of a variable; empty after noting what is wrong with it."""
        base = len(self.path)
        self.path.append(name)
        while len(self.path) > base:
            top = self.path[-1]
            before = [asked for asked in self._asks(top) if asked not in self.path]
            if before:
                self.path.append(before[0])
                continue
            self.known[top] = self._rendered(top)
            self.path.pop()
        return self.known[name]

    def _asks(self, name: str) -> list[str]:
        """The variables that are to be rendered before this one, as far as they are written out."""
        try:
            asked = user_variables(self.given[name].text)
        except ValueError:
            return []  # rendering tells it
        return [item for item in asked if item in self.given and item not in self.known]

    def _rendered(self, name: str) -> str:
        given = self.given[name]
        try:
            return self.place.render_variable(given.text)
        except ValueError as error:
            why = f'The variable "{name}" cannot be rendered: {error}.'
            next = "Packer treats all variables that others refer to as required." if "not set" in str(error) else ""
            self.faults.error("legacy.variable", f'Failed to interpolate "{name}"', given.where, why, next)
            return ""

    def _asked(self, name: str) -> str:
        if name in self.known:
            return self.known[name]
        if name in self.path:
            circle = self.path[self.path.index(name) :]
            raise ValueError(f"the variables refer to each other: {' → '.join((*circle, name))}")
        if name not in self.given:
            raise ValueError(f"variable not set: {name}. {did_you_mean(name, self.given)}".rstrip(". "))
        return self.value(name)


# ── what is given ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _given(template: LegacyTemplate, options: LoadOptions, faults: Faults) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for path in options.variable_files:
        given |= faults.attempt(read_variable_file, path) or {}
    given |= {name: Given(text) for name, text in options.variables}
    for name in given if options.warn_undeclared else ():
        if name not in template.variables:
            why = f'The variable "{name}" was set, but the template has none of that name.'
            next = did_you_mean(name, template.variables) or f'Declare it: "variables": {{"{name}": null}}'
            faults.warning("template.undeclared-variable", "Undefined variable", given[name].where, why, next)
    return given


def read_variable_file(path: Path) -> dict[str, Given]:
    """The values of a JSON variable file, all of them strings. Raises `UserError` with everything that is wrong."""
    source = read_source(path)
    node, found = read_json(source)
    what = f"Error reading variables in '{path}'"
    next = "A variable file for a legacy JSON template is one JSON object of strings."
    faults = Faults([_worded(item, what, next) for item in found])
    if node is not None and not isinstance(node, JsonObject):
        faults.error("legacy.variable-file", what, node.start, f"It holds {type_name(node)}.", next)
    properties = node.properties if isinstance(node, JsonObject) else ()
    for item in properties:
        if not isinstance(item.value, JsonScalar) or not isinstance(item.value.value, str | None):
            why = f'"{item.name}" is {type_name(item.value)}.'
            faults.error("legacy.variable-file", what, item.value.start, why, next)
    faults.raise_if_any()
    return dict(_texts(properties))


def _texts(properties: tuple[JsonProperty, ...]) -> Iterator[tuple[str, Given]]:
    for item in properties:
        if isinstance(item.value, JsonScalar):
            # Null leaves a Go string as it is: empty.
            yield item.name, Given(str(item.value.value or ""), item.range)


def _worded(item: Diagnostic, what: str, next: str) -> Diagnostic:
    return Diagnostic(
        code="legacy.variable-file", what=what, where=item.where, why=f"{item.what}. {item.why}".strip(), next=next
    )
