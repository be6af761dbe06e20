"""The language: source positions and diagnostics, parser, values, evaluator, functions, formatter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from goldsmith.hcl.ast import Expression, Reference
from goldsmith.hcl.body import Attribute, Block, Body, Content, Schema
from goldsmith.hcl.diagnostics import Bug, Diagnostic, GoldsmithError, MachineError, Refused, Severity, UserError
from goldsmith.hcl.evaluate import evaluate
from goldsmith.hcl.format import format_source
from goldsmith.hcl.json_body import parse_json
from goldsmith.hcl.json_reader import read_json
from goldsmith.hcl.parser import parse, parse_expression, parse_template
from goldsmith.hcl.reading import read_source, read_standard_input
from goldsmith.hcl.references import references
from goldsmith.hcl.scope import Function, Scope
from goldsmith.hcl.source import Position, Range, SourceFile
from goldsmith.hcl.type_expressions import type_expression
from goldsmith.hcl.types import Type
from goldsmith.hcl.values import Value


def functions(root: Path, clock_s: int, fence: Path | None = None) -> Mapping[str, Function]:
    """All functions; files are looked up from `root`, with a `fence` only inside of it; the time is `clock_s`."""
    from goldsmith.hcl.library import functions as library

    return library(root, clock_s, fence)


__all__ = [
    "Attribute",
    "Block",
    "Body",
    "Bug",
    "Content",
    "Diagnostic",
    "Expression",
    "Function",
    "GoldsmithError",
    "MachineError",
    "Position",
    "Range",
    "Reference",
    "Refused",
    "Schema",
    "Scope",
    "Severity",
    "SourceFile",
    "Type",
    "UserError",
    "Value",
    "evaluate",
    "format_source",
    "functions",
    "parse",
    "parse_expression",
    "parse_json",
    "parse_template",
    "read_json",
    "read_source",
    "read_standard_input",
    "references",
    "type_expression",
]
