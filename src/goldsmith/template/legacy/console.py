"""`console` of a legacy JSON template: renders `{{ }}` with the user variables."""

from __future__ import annotations

from pathlib import Path

from goldsmith.components import LegacyValues
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.packer_templates import FUNCTION_NAMES
from goldsmith.template.legacy.plan import load_legacy_leniently, outside_builds
from goldsmith.template.options import LoadOptions

HELP = """\
This console renders the {{ }} of legacy JSON templates: {{timestamp}}, {{user `name`}}, {{ upper "a" }}.

  variables   lists the user variables and their values
  help        shows this text
  exit        leaves; so do Ctrl-C and Ctrl-D

For expressions of HCL name a template in HCL, or start it with -config-type=hcl2."""


class LegacyConsole:
    """Renders lines. Without a template the only variables are those of the command line."""

    def __init__(self, template: Path | None, options: LoadOptions) -> None:
        """Read the template. Raises `UserError` when it cannot be read; values that cannot be rendered are empty."""
        self._values = LegacyValues(variables=dict(options.variables), directory=options.cwd)
        self._secrets: tuple[str, ...] = ()
        if template is not None:
            loaded = load_legacy_leniently(template, options)
            self._values, self._secrets = loaded.values, loaded.secrets
        self._place = outside_builds(self._values, options)

    def answer(self, line: str) -> str:
        """The line rendered, or what a word of the console shows. Raises `UserError`."""
        match line.strip():
            case "" | "exit":
                return ""
            case "help":
                return HELP
            case "variables":
                return self._shown(
                    "\n" + "".join(f"{name}: {text},\n" for name, text in sorted(self._values.variables.items()))
                )
        try:
            return self._shown(self._place.render(line))
        except ValueError as error:
            what, why = "Interpolation error", self._shown(str(error))
            raise UserError(Diagnostic(code="legacy.interpolation", what=what, why=why)) from error

    def is_incomplete(self, text: str) -> bool:
        """Never: a line is complete as it is."""
        return False

    def completions(self, text: str) -> list[str]:
        """The words, the functions and the names of variables that begin with a text."""
        known = ["variables", "help", "exit", *FUNCTION_NAMES, *self._values.variables]
        return sorted(name for name in known if name.startswith(text))

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "<sensitive>")
        return text
