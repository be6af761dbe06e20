"""The `{{ }}` templates of Packer: its functions on top of Go's text/template, for settings and for what a component renders.

A component renders a field of its own (`execute_command` and the like) with `render` just before it uses the field; all
other fields are rendered by the decoder before the component sees them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.gotime import format_time, rfc3339, strftime
from goldsmith.hcl.letters import lower, upper

PACKER_VERSION = "1.16.0"
"""The version of Packer whose template language is understood: `packer.version`, `required_version`, `{{packer_version}}`."""

UNKNOWN_TEXT = "<unknown>"
"""What stands for a string that is not known before the build runs; Packer's placeholder."""

_ROUNDS = 100
Functions: TypeAlias = dict[str, Callable[..., object]]


def render(text: str, context: Context, data: Mapping[str, object]) -> str:
    """Render `text` with Packer's functions and `.Name` fields from `data`, again and again until nothing changes.

    An unknown field gives `<no value>`, as in Packer. Raises `ValueError` with Go's reason.
    """
    return _rendered(text, _of_build(context, data), data) if "{{" in text else text


def render_setting(text: str, context: Context, *, sees_build: bool) -> str:
    """Render a setting of a legacy template, once, as Packer does: what a variable holds may be for the component to render.

    `sees_build` is False for sources, which come before anything that `{{build}}` tells. Raises `ValueError`.
    """
    if "{{" not in text:
        return text
    from goldsmith.hcl.gotemplate import render as render_once

    functions = _of_build(context, {})
    if not sees_build:
        functions["build"] = _refusal("build", "a source comes before there is anything to tell of a build")
    return render_once(text, functions, context.generated or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideBuilds:
    """Renders the `{{ }}` of a legacy template where there is no build: in its variables and in its console."""

    user: Callable[[str], str]
    """The value of a user variable; raises ValueError when it has none."""
    directory: Path
    cwd: Path
    clock_s: int
    environment: Mapping[str, str] | None = None
    """What `{{env}}` sees; None where it is refused."""

    def render(self, text: str) -> str:
        """The text, rendered until nothing changes. Raises `ValueError` with Go's reason."""
        return _rendered(text, self._functions(), None) if "{{" in text else text

    def render_variable(self, text: str) -> str:
        """The text, rendered once but for actions that begin with a field: these are for the components to render."""
        from goldsmith.hcl.gotemplate import render as render_once

        fields: list[str] = []

        def kept(found: re.Match[str]) -> str:
            fields.append(found[0])
            return f"\ue000{len(fields) - 1}\ue001"

        rendered = render_once(_FIELD.sub(kept, text), self._functions(), None)
        return _KEPT.sub(lambda found: fields[int(found[1])] if int(found[1]) < len(fields) else found[0], rendered)

    def _functions(self) -> Functions:
        environment = self.environment
        own = {
            **_everywhere(self.clock_s, self.cwd),
            "template_dir": _Function(lambda: str(self.directory)),
            "user": _Function(self.user, (str,)),
        }
        refused = {**_NETWORK, "env": _ENV_ELSEWHERE, "sed": _REFUSED["sed"], **_NO_BUILD}
        if environment is not None:
            own["env"] = _Function(lambda name: environment.get(name, ""), (str,))
            refused.pop("env")
        return _all(own, refused)


def check(text: str) -> None:
    """Check the syntax of a template that is rendered later. Raises `ValueError` with Go's reason."""
    if "{{" in text:
        from goldsmith.hcl.gotemplate import check as check_template

        check_template(text, FUNCTION_NAMES)


def user_variables(text: str) -> tuple[str, ...]:
    """The names that a template asks `{{user}}` for, where they are written out. Raises `ValueError` as `check` does."""
    if "{{" not in text:
        return ()
    from goldsmith.hcl.gotemplate import named_in_calls

    return named_in_calls(text, FUNCTION_NAMES, "user")


_FIELD = re.compile(r"\{\{\s?\..*?\s?\}\}")
"""An action that begins with a dot; Packer's own idea of what to leave alone in variables."""
_KEPT = re.compile("\ue000([0-9]+)\ue001")


def _rendered(text: str, functions: Functions, data: Mapping[str, object] | None) -> str:
    from goldsmith.hcl.gotemplate import render as render_once

    for _ in range(_ROUNDS):
        rendered = render_once(text, functions, data)
        if rendered == text or "{{" not in rendered:
            return rendered
        text = rendered
    raise ValueError(f"rendering does not come to an end within {_ROUNDS} rounds")


# ── functions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Function:
    """A function and the types of its arguments: `str` or `int`; `rest` is the type of any further ones."""

    call: Callable[..., object]
    takes: tuple[type, ...] = ()
    rest: type | None = None

    def named(self, name: str) -> Callable[..., object]:
        """The function as templates call it: what does not fit is a fault of the template, in Go's words."""

        def call(*given: object) -> object:
            if len(given) != len(self.takes) and (self.rest is None or len(given) < len(self.takes)):
                raise ValueError(f"wrong number of args for {name}: want {len(self.takes)} got {len(given)}")
            types = self.takes + (self.rest or str,) * (len(given) - len(self.takes))
            return self.call(*(_argument(value, type) for value, type in zip(given, types, strict=True)))

        return call


def _argument(value: object, type: type) -> object:
    if type is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, type) or isinstance(value, bool):
        raise ValueError(f"expected {'integer' if type is int else 'string'}; found {value!r}")
    return value


def _everywhere(clock_s: int, cwd: Path) -> dict[str, _Function]:
    """The functions that ask nothing of a build or a template."""
    moment = datetime.fromtimestamp(clock_s, UTC)
    return {
        "isotime": _Function(lambda *layout: _isotime(moment, *layout), (), str),
        "lower": _Function(lower, (str,)),
        "packer_version": _Function(lambda: PACKER_VERSION),
        "pwd": _Function(lambda: str(cwd)),
        "replace": _Function(lambda old, new, count, text: text.replace(old, new, count), (str, str, int, str)),
        "replace_all": _Function(lambda old, new, text: text.replace(old, new), (str, str, str)),
        "split": _Function(_split, (str, str, int)),
        "strftime": _Function(lambda form: strftime(form, moment), (str,)),
        "timestamp": _Function(lambda: str(clock_s)),
        "upper": _Function(upper, (str,)),
        "uuid": _Function(lambda: str(uuid.uuid4())),
    }


def _of_build(context: Context, data: Mapping[str, object]) -> Functions:
    own = {
        **_everywhere(context.clock_s, context.cwd),
        "build": _Function(lambda key: _build_value(key, context, data), (str,)),
        "build_name": _Function(lambda: context.name),
        "build_type": _Function(lambda: context.type),
    }
    cleaner = next((clean for prefix, clean in _CLEANERS.items() if context.type.startswith(prefix)), None)
    if cleaner is not None:
        own["clean_resource_name"] = _Function(cleaner, (str,))
    legacy = context.legacy
    if legacy is None:
        return _all(own, _REFUSED)
    own["template_dir"] = _Function(lambda: str(legacy.directory))
    # A variable that nobody set is empty here, as in Packer; validating warns of it.
    own["user"] = _Function(lambda name: legacy.variables.get(name, ""), (str,))
    return _all(own, {**_REFUSED, **dict.fromkeys(_NETWORK, _IN_VARIABLES), "env": _ENV_ELSEWHERE})


def _all(own: Mapping[str, _Function], refused: Mapping[str, str]) -> Functions:
    """Every function: those that work, and those whose call is an error that says why."""
    unknown = {"clean_resource_name": "no source of this type has it"}
    refusals = {name: _refusal(name, why) for name, why in {**unknown, **refused}.items()}
    return refusals | {name: function.named(name) for name, function in own.items()}


_LEGACY = "it works only in the variables of a legacy JSON template"
_IN_VARIABLES = "it is only allowed in the variables section"
_ENV_ELSEWHERE = "env vars are not allowed here; make it the default of a user variable, and write {{user `NAME`}}"
_NO_BUILD = dict.fromkeys(("build", "build_name", "build_type"), "it is not available outside of a build")
_SERVICES = {
    "aws_secretsmanager": "AWS Secrets Manager",
    "aws_secretsmanager_raw": "AWS Secrets Manager",
    "consul_key": "Consul",
    "vault": "Vault",
}
_NETWORK = {
    name: f"Goldsmith does not ask {service} for values; read the value before the build, and hand it over with "
    "-var-file or in the environment with {{env `NAME`}}"
    for name, service in _SERVICES.items()
}
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(_SERVICES, _LEGACY),
    "env": f'{_LEGACY}; give a variable the default env("NAME") and write ${{var.name}}',
    "sed": "it has been removed from Packer; use replace_all, or the function regex_replace",
    "template_dir": "it works only in legacy JSON templates; write ${path.root}",
    "user": f"{_LEGACY}; write ${{var.name}}",
}

FUNCTION_NAMES = frozenset(
    {
        "build",
        "build_name",
        "build_type",
        "clean_resource_name",
        "isotime",
        "lower",
        "packer_version",
        "pwd",
        "replace",
        "replace_all",
    }
    | {"split", "strftime", "timestamp", "upper", "uuid"}
    | set(_REFUSED)
)
"""Every function that a template may name, also those whose call is an error."""


def _refusal(name: str, why: str) -> Callable[..., object]:
    def refuse(*_: object) -> object:
        raise ValueError(f'the template function "{name}" cannot be used here: {why}')

    return refuse


def _build_value(key: str, context: Context, data: Mapping[str, object]) -> str:
    known: dict[str, object] = {**context.generated, **data}
    value = known.get(key, UNKNOWN_TEXT)
    if context.legacy is None and value == UNKNOWN_TEXT:
        raise ValueError(f"the build value {key} is not known here; write ${{build.{key}}}")
    if context.generated and key not in known:
        suggestion = did_you_mean(key, known) or f"Known: {', '.join(sorted(known))}."
        raise ValueError(f"loaded data, but couldnt find {key} in it. {suggestion}")
    # A source that tells nothing leaves its builds without values, as in Packer.
    return str(known.get(key, "<no value>"))


def _split(text: str, separator: str, index: int) -> str:
    parts = text.split(separator) if separator else list(text)
    if not 0 <= index < len(parts):
        raise ValueError(
            f"the substring {index} was unavailable using the separator value, {separator}, only {len(parts)} values were found"
        )
    return parts[index]


def _isotime(moment: datetime, *layout: str) -> str:
    if len(layout) > 1:
        raise ValueError(f"too many values, 1 needed: [{' '.join(layout)}]")
    return format_time(layout[0], moment) if layout else rfc3339(moment)


# ── clean_resource_name ───────────────────────────────────────────────────────────────────────────────────────────────


def _clean_amazon(name: str) -> str:
    """An AMI's name: every byte that AWS does not take becomes a dash."""
    return re.sub(rb"[^A-Za-z0-9()\[\] ./\-'@_]", b"-", name.encode()).decode("ascii")


def _clean_azure(name: str) -> str:
    """An image's name on Azure: at most 80 letters, digits, dots, dashes and underscores, no mark at the end."""
    cleaned = re.sub(r"[^A-Za-z0-9_.\-]", "-", name)[:80]
    return re.sub(r"[-_.]+$", "", cleaned)


def _clean_google(name: str) -> str:
    """An image's name on Google Cloud: at most 63 lower-case letters, digits and dashes, with no dash at the ends."""
    cleaned = re.sub(r"[^a-z0-9\-]", "-", name.lower())[:63]
    return cleaned.strip("-")


_CLEANERS: Mapping[str, Callable[[str], str]] = {
    "amazon": _clean_amazon,
    "azure": _clean_azure,
    "googlecompute": _clean_google,
}
"""By what the type of a source begins with."""
