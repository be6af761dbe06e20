"""What every script of a template is given: its variables, the text of an inline one, and which exit codes are good."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from goldsmith.components import Context
from goldsmith.events import Output, OutputKind
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import OutputSink
from goldsmith.packer_templates import render

DEFAULT_SHEBANG = "/bin/sh -e"

_HTTP = {"PACKER_HTTP_ADDR": "PackerHTTPAddr", "PACKER_HTTP_IP": "PackerHTTPIP", "PACKER_HTTP_PORT": "PackerHTTPPort"}


class Scripted(Protocol):
    """The settings that `shell` and `shell-local` have in common."""

    @property
    def inline(self) -> tuple[str, ...]:
        """Commands that run as one script."""

    @property
    def script(self) -> str:
        """One local script."""

    @property
    def scripts(self) -> tuple[str, ...]:
        """Local scripts."""

    @property
    def inline_shebang(self) -> str:
        """The interpreter of the inline script, or empty for the default."""

    @property
    def environment_vars(self) -> tuple[str, ...]:
        """Variables, each "NAME=value"."""

    @property
    def env(self) -> Mapping[str, str]:
        """Variables; they win over `environment_vars`."""

    @property
    def env_var_format(self) -> str:
        """How a variable is written, or empty for the default."""

    @property
    def valid_exit_codes(self) -> tuple[int, ...]:
        """Exit codes that count as success."""


def faults(type: str, config: Scripted, *, inline: bool) -> Iterator[Diagnostic]:
    """What is wrong with the settings of a script, in Packer's words; `inline` says whether there are inline commands."""
    files = bool(config.script or config.scripts)
    if config.script and config.scripts:
        yield _fault(type, "Only one of script or scripts can be specified.", "Keep the one that names what is to run.")
    if files and inline:
        why = "Only a script file or an inline script can be specified, not both."
        yield _fault(type, why, "Move one of them to a provisioner of its own.")
    if not files and not inline:
        why = "Either a script file or inline script must be specified."
        yield _fault(type, why, f'Give the {type} block "inline", "script" or "scripts".')
    yield from variable_faults(type, config)


def variable_faults(type: str, config: Scripted) -> Iterator[Diagnostic]:
    """What is wrong with the variables of a script, in Packer's words."""
    for pair in config.environment_vars:
        name, equals, _ = pair.partition("=")
        if not (name and equals):
            why = f"Environment variable not in format 'key=value': {pair}"
            yield _fault(type, why, 'Write it as "NAME=value", or use the map "env".')
    if config.env_var_format and re.findall(r"%.", config.env_var_format.replace("%%", "")) != ["%s", "%s"]:
        why = f'env_var_format must hold %s twice, for the name and for the value: "{config.env_var_format}"'
        yield _fault(type, why, "Packer's own is \"%s='%s' \".")


def _fault(type: str, what: str, next: str) -> Diagnostic:
    return Diagnostic(code=f"{type}.settings", what=what, next=next)


def variables(config: Scripted, context: Context) -> dict[str, str]:
    """The variables that a script sees, sorted by name: the user's, and Packer's about the build."""
    given = dict(pair.partition("=")[::2] for pair in config.environment_vars) | dict(config.env)
    http = {name: context.generated.get(source, "") for name, source in _HTTP.items()}
    packer = {"PACKER_BUILD_NAME": context.name, "PACKER_BUILDER_TYPE": context.type}
    packer |= {name: value for name, value in http.items() if value and value != "<unknown>" and not value.startswith("ERR_")}
    return dict(sorted((given | packer).items()))


def flattened(variables: Mapping[str, str], format: str) -> str:
    """The variables as a shell reads them, each by `format` ("%s" for the name, then for the value inside single quotes)."""
    return "".join(formatted(format, name, value.replace("'", "'\"'\"'")) for name, value in variables.items())


def formatted(format: str, name: str, value: str) -> str:
    """One variable by a format with %s for its name, then for its value."""
    words = iter((name, value))
    return re.sub(r"%[s%]", lambda found: "%" if found[0] == "%%" else next(words, ""), format)


def inline_script(lines: Sequence[str], shebang: str) -> bytes:
    """One script of all inline commands. A first line that is an interpreter line stands for `shebang` when none is set."""
    first = "" if not shebang and lines[0].startswith("#!") else f"#!{shebang or DEFAULT_SHEBANG}\n"
    return (first + "".join(f"{line}\n" for line in lines)).encode()


def exit_fault(code: int, valid: Sequence[int]) -> str:
    """Packer's sentence about a wrong exit code; its missing space is Packer's, and scripts look for it."""
    return f"Script exited with non-zero exit status: {code}.Allowed exit codes are: [{' '.join(map(str, valid))}]"


def rendered(text: str, setting: str, context: Context, data: Mapping[str, object]) -> str:
    """The `{{ }}` of a setting. Raises `UserError` that names the setting."""
    try:
        return render(text, context, data)
    except ValueError as error:
        raise UserError(
            Diagnostic(
                code="script.template",
                what=f"Error processing command: {error}",
                why=f'"{setting}" is "{text}"',
                next="Correct the template between {{ and }}; its fields are " + ", ".join(f".{name}" for name in data) + ".",
            )
        ) from error


def say(context: Context, text: str, component: str = "") -> None:
    """Tell the user something about the build."""
    context.emit(Output(build=context.build, text=text, component=component))


def printed(context: Context, component: str = "") -> OutputSink:
    """Shows the lines of a command as the output of the build."""

    def show(stream: OutputKind, line: str) -> None:
        context.emit(Output(build=context.build, text=line, kind=stream, component=component))

    return show
