"""Loads a template: from its files to values, sources and builds, with all that is wrong in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from goldsmith.hcl import functions
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.redaction import redacted_diagnostics
from goldsmith.hcl.scope import Function, Scope
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import Value, object_of, string, unknown
from goldsmith.packer_templates import PACKER_VERSION
from goldsmith.template.builds import BuildBlock, read_builds
from goldsmith.template.datasources import DataReader
from goldsmith.template.declared import ComponentName, Declared, read_declarations
from goldsmith.template.faults import Faults
from goldsmith.template.hcp import Registry, read_registry
from goldsmith.template.locals import evaluate_locals
from goldsmith.template.options import LoadOptions
from goldsmith.template.plan import Material, Plan, make_plan
from goldsmith.template.secrets import secrets_of
from goldsmith.template.tracing import Tracer
from goldsmith.template.uses import NO_BUILD
from goldsmith.template.variables import Assignment, Variable, check_rules, unset_value


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template with its values; what its components are to do is not evaluated yet."""

    declared: Declared
    options: LoadOptions
    scope: Scope
    """Variables, locals, data, paths and functions."""
    inputs: Mapping[str, Value]
    """The value of each input variable."""
    locals: Mapping[str, Value]
    data: Mapping[ComponentName, Value]
    builds: tuple[BuildBlock, ...]
    registry: Registry | None
    """The `hcp_packer_registry` block."""
    warnings: tuple[Diagnostic, ...]

    def plan(self) -> Plan:
        """The selected builds, prepared.

        Raises `UserError` with every fault when there is nothing to build or a component is missing.
        """
        material = Material(
            root=self.declared.root,
            options=self.options,
            scope=self.scope,
            sources=self.declared.sources,
            plugins=self.declared.plugins,
            builds=self.builds,
            registry=self.registry,
            secrets=self.secrets,
            warnings=self.warnings,
        )
        try:
            plan = make_plan(material)
        except UserError as error:
            raise UserError(*self._told(error)) from error
        failed = tuple((name, UserError(*self._told(error))) for name, error in plan.failed)
        sensitive = tuple(name for name, value in self.inputs.items() if secrets_of([value]))
        return replace(plan, failed=failed, sensitive=sensitive)

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """Every string inside a sensitive value, also line by line."""
        return secrets_of((*self.inputs.values(), *self.locals.values(), *self.data.values()))

    def _told(self, error: UserError) -> tuple[Diagnostic, ...]:
        return redacted_diagnostics(self.traced(error.diagnostics), self.secrets)

    def traced(self, diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """The diagnostics with the chain of references that led to each value at fault."""
        return self._tracer.traced(diagnostics)

    @cached_property
    def _tracer(self) -> Tracer:
        # To look through the whole template for each build that fails would take time that grows squared.
        return Tracer(self.declared, self.inputs)


def load(path: Path, options: LoadOptions) -> Template:
    """Load the template that `path` names. Raises `UserError` with every fault that can be told at once.

    When values are wrong, the builds are examined all the same, with unknown values in their place: what is wrong with them
    is told too.
    """
    faults = Faults()
    template = _evaluated(read_declarations(path, options, faults), options, faults)
    if faults.errors:
        told = template.traced((*faults.found, *_faults_of_plan(template)))
        raise UserError(*redacted_diagnostics(told, template.secrets))
    return template


def _faults_of_plan(template: Template) -> tuple[Diagnostic, ...]:
    try:
        plan = template.plan()
    except UserError as error:
        # That nothing is left to build follows from the faults that are known, or comes to light without them.
        return tuple(item for item in error.diagnostics if item.code not in ("template.no-build", "template.no-builds"))
    return tuple(item for _, error in plan.failed for item in error.diagnostics)


def load_leniently(path: Path, options: LoadOptions) -> Template:
    """As `load`, for `inspect` and `console`: what cannot be evaluated is unknown.

    Raises `UserError` when the files cannot be read or declare something wrongly, as Packer does.
    """
    faults = Faults()
    declared = read_declarations(path, options, faults)
    faults.raise_if_any()
    return _evaluated(declared, options, faults)


def check_syntax(path: Path, options: LoadOptions) -> tuple[Diagnostic, ...]:
    """What can be said of a template without evaluating it: syntax, block and attribute names, declarations, given values."""
    faults = Faults()
    faults.attempt(read_declarations, path, options, faults)
    return tuple(faults.found)


def _evaluated(declared: Declared, options: LoadOptions, faults: Faults) -> Template:
    fence = options.fence(declared.root)
    in_root = functions(options.cwd / declared.root, options.clock_s, fence)
    inputs = _input_values(declared, functions(options.cwd, options.clock_s, fence), faults)
    scope = Scope({"var": object_of(inputs), **surrounding_values(declared.root, options.cwd)}, in_root)
    evaluated = evaluate_locals(declared, scope, DataReader(declared.root, options, faults, declared.plugins), faults)
    scope = scope.child(evaluated.variables())
    builds = read_builds(declared.builds, scope, options, faults)
    nested = (block for build in builds for block in build.registries)
    registry = read_registry(declared.registries, nested, scope, options, faults)
    return Template(
        declared=declared,
        options=options,
        scope=scope,
        inputs=inputs,
        locals=evaluated.locals,
        data=evaluated.data,
        builds=builds,
        registry=registry,
        warnings=faults.warnings,
    )


def surrounding_values(root: Path, cwd: Path) -> dict[str, Value]:
    """`path` and `packer`, and what `source` and `build` are outside of builds: unknown."""
    return {
        "path": object_of({"root": string(str(root)), "cwd": string(str(cwd))}),
        "packer": object_of(
            {"version": string(PACKER_VERSION), "iterationID": unknown(STRING), "versionFingerprint": unknown(STRING)}
        ),
        "source": object_of({"name": unknown(STRING), "type": unknown(STRING)}),
        "build": NO_BUILD,
    }


def _input_values(declared: Declared, in_cwd: Mapping[str, Function], faults: Faults) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, variable in declared.variables.items():
        given = declared.assignments.get(name, ())
        values[name] = _input_value(variable, given, in_cwd, faults).marked(variable.sensitive)
    return values


def _input_value(variable: Variable, given: tuple[Assignment, ...], in_cwd: Mapping[str, Function], faults: Faults) -> Value:
    if not given:
        name = variable.name
        why = "It has no default, and no value was given."
        next = f"Give it one: -var {name}=VALUE, a variable file with -var-file, PKR_VAR_{name}, or a default."
        faults.error("template.unset-variable", f'Unset variable "{name}"', variable.where, why, next)
        return unset_value(variable)
    # The last value given wins, and only that one is checked.
    check_rules(variable, given[-1], in_cwd, faults)
    return given[-1].value
