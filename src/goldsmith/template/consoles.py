"""`console`: expressions answered with a template's variables and locals."""

from __future__ import annotations

from pathlib import Path

from goldsmith.hcl import evaluate, functions, parse_expression
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.display import display
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import SourceFile
from goldsmith.hcl.values import Value, object_of
from goldsmith.template.inspecting import variables_text
from goldsmith.template.options import LoadOptions
from goldsmith.template.template import load_leniently, surrounding_values

_NAME = "<console-input>"
HELP = """\
Type an expression, and see its value: 1 + 5, upper("a"), var.name, local.name, path.root, path.cwd.

  variables   lists the input variables and locals
  help        shows this text
  exit        leaves; so do quit, Ctrl-C and Ctrl-D"""


class Console:
    """Answers expressions. Without a template there are functions and paths, but no variables and no locals."""

    def __init__(self, template: Path | None, options: LoadOptions) -> None:
        """Read the template; what cannot be evaluated is unknown. Raises `UserError` when it cannot be read."""
        self._inputs: dict[str, Value] = {}
        self._locals: dict[str, Value] = {}
        root = Path()
        functions_root = options.cwd
        if template is not None:
            loaded = load_leniently(template, options)
            self._inputs, self._locals = dict(loaded.inputs), dict(loaded.locals)
            root = loaded.declared.root
            functions_root = options.cwd / root
        variables = {
            **surrounding_values(root, options.cwd),
            "var": object_of(self._inputs),
            "local": object_of(self._locals),
        }
        self._scope = Scope(variables, functions(functions_root, options.clock_s, options.fence(root)))

    def answer(self, line: str) -> str:
        """The value of an expression as text, or what a word of the console shows. Raises `UserError`."""
        match line.strip():
            case "" | "exit" | "quit":
                return ""
            case "help":
                return HELP
            case "variables":
                return variables_text(self._inputs, self._locals)
        expression = parse_expression(SourceFile(_NAME, line))
        return display(evaluate(expression, self._scope))

    def is_incomplete(self, text: str) -> bool:
        """Whether a text is no expression yet, and further lines may make it one."""
        try:
            # The body of a heredoc begins on the line after its marker.
            parse_expression(SourceFile(_NAME, f"{text}\n" if "<<" in text else text))
        except UserError as error:
            return any(_is_at_end(fault, len(text)) for fault in error.diagnostics)
        return False

    def completions(self, text: str) -> list[str]:
        """The words and the names of variables, locals, and functions that begin with a text."""
        functions = [f"{name}(" for name in self._scope.functions]
        variables = [f"var.{name}" for name in self._inputs] + [f"local.{name}" for name in self._locals]
        known = [*variables, "path.root", "path.cwd", "packer.version", *functions, "variables", "help", "exit"]
        return sorted(name for name in known if name.startswith(text))


def _is_at_end(fault: Diagnostic, length: int) -> bool:
    return fault.code.startswith("hcl.unterminated") or (fault.where is not None and fault.where.first >= length)
