"""Values for input variables: environment, variable files, command line; the last one given wins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from goldsmith.hcl import Schema, evaluate, parse_expression
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range, SourceFile
from goldsmith.hcl.values import Value, string
from goldsmith.template.faults import Faults
from goldsmith.template.options import LoadOptions
from goldsmith.template.parsing import parse_file
from goldsmith.template.schema import ATTRIBUTES_ONLY
from goldsmith.template.variables import Assignment, Origin, Variable

PREFIX = "PKR_VAR_"


def collect_assignments(
    variables: Mapping[str, Variable], files: Iterable[Path], options: LoadOptions, faults: Faults
) -> dict[str, tuple[Assignment, ...]]:
    """All values that each variable is given, from the weakest (its default) to the strongest (`-var`)."""
    collector = _Collector(variables, options.warn_undeclared, faults)
    for name, variable in variables.items():
        if f"{PREFIX}{name}" in options.environment:
            collector.text(variable, options.environment[f"{PREFIX}{name}"], "env")
    for path in files:
        collector.file(path)
    for name, text in options.variables:
        if name in variables:
            collector.text(variables[name], text, "cmd")
        else:
            _undefined_argument(name, variables, faults)
    return {name: tuple(given) for name, given in collector.given.items()}


class _Collector:
    """Converts each value to its variable's type and keeps it."""

    def __init__(self, variables: Mapping[str, Variable], warn_undeclared: bool, faults: Faults) -> None:
        self.variables = variables
        self.warn_undeclared = warn_undeclared
        self.faults = faults
        self.given = {name: [item.default] if item.default else [] for name, item in variables.items()}

    def text(self, variable: Variable, text: str, origin: Origin) -> None:
        told = "from arguments" if origin == "cmd" else "from env"
        source = SourceFile(f"<value for var.{variable.name} {told}>", text)
        if variable.takes_text:
            self._keep(variable, string(text), origin, None)
            return
        value = self.faults.attempt(_expression_value, source)
        if value is not None:
            self._keep(variable, value, origin, None)

    def file(self, path: Path) -> None:
        for name, value, where in self.faults.attempt(_read_file, path) or ():
            if name in self.variables:
                self._keep(self.variables[name], value, "varfile", where)
            elif self.warn_undeclared:
                self.faults.warning(
                    "template.undeclared-variable",
                    "Undefined variable",
                    where,
                    f'The variable "{name}" was set but was not declared as an input variable.',
                    did_you_mean(name, self.variables) or f'Declare it: variable "{name}" {{ type = string }}',
                )

    def _keep(self, variable: Variable, value: Value, origin: Origin, where: Range | None) -> None:
        try:
            self.given[variable.name].append(Assignment(origin, convert(value, variable.type), where))
        except ValueError as error:
            what = "Invalid argument value for -var variable" if origin == "cmd" else "Invalid value for variable"
            told = {"cmd": "given by -var", "env": f"of {PREFIX}{variable.name}", "varfile": "in a variable file"}[origin]
            why = f'The value for "{variable.name}" {told} does not fit the type of the variable: {error}.'
            next = f"The variable is declared at {variable.where}."
            self.faults.error("template.variable-value", what, where, why, next)


def _undefined_argument(name: str, variables: Collection[str], faults: Faults) -> None:
    faults.error(
        "template.undeclared-variable",
        "Undefined -var variable",
        None,
        f'A variable "{name}" was given on the command line, but the template declares none of that name.',
        did_you_mean(name, variables) or f'Declare it in a .pkr.hcl file: variable "{name}" {{ type = string }}',
    )


def _expression_value(source: SourceFile) -> Value:
    # No names and no functions: a value is data.
    return evaluate(parse_expression(source), Scope())


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_DECLARATION = Schema(blocks={"variable": ("name",)})


def _read_file(path: Path) -> tuple[tuple[str, Value, Range], ...]:
    if path.suffix not in (".hcl", ".json"):
        raise UserError(
            Diagnostic(
                code="template.variable-file",
                what=f"Could not guess format of {path}",
                why="A variable file ends in .hcl (as .pkrvars.hcl) or .json (as .pkrvars.json).",
            )
        )
    body = parse_file(path)
    faults = Faults()
    declarations = body.content(_DECLARATION).blocks
    content = body.content(ATTRIBUTES_ONLY)
    faults.add(content.faults)
    for block in declarations:
        _declared(block.labels[0] if block.labels else "NAME", block.type_range, faults)
    for stranger in content.strangers if not declarations else ():
        why = "Blocks are not allowed here: a variable file holds only NAME = value."
        what = f'Unsupported block type "{stranger.name}"'
        faults.error("template.unsupported-block", what, stranger.range, why)
    faults.raise_if_any()
    found = [
        (name, value, attribute.range)
        for name, attribute in content.attributes.items()
        if (value := faults.attempt(evaluate, attribute.literal, Scope())) is not None
    ]
    faults.raise_if_any()
    return tuple(found)


def _declared(name: str, where: Range, faults: Faults) -> None:
    why = "A .pkrvar file gives values to variables; it does not declare them."
    next = f"Declare the variable in a .pkr.hcl file, and write here: {name} = VALUE"
    faults.error("template.variable-file", "Variable declaration in a .pkrvar file", where, why, next)
