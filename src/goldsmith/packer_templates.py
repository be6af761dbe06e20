"""The `{{ }}` templates of Packer: its functions on top of Go's text/template, for settings and for what a component renders.

A component renders a field of its own (`execute_command` and the like) with `render` just before it uses the field; all
other fields are rendered by the decoder before the component sees them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from goldsmith.components import Context

PACKER_VERSION = "1.16.0"
"""The version of Packer whose template language is understood: `packer.version`, `required_version`, `{{packer_version}}`."""

UNKNOWN_TEXT = "<unknown>"
"""What stands for a string that is not known before the build runs; Packer's placeholder."""

_ROUNDS = 100


def render(text: str, context: Context, data: Mapping[str, str]) -> str:
    """Render `text` with Packer's functions and `.Name` fields from `data`, again and again until nothing changes.

    An unknown field gives `<no value>`, as in Packer. Raises `ValueError` with Go's reason.
    """
    if "{{" not in text:
        return text
    from goldsmith.hcl.gotemplate import render as render_once

    functions = _functions(context, data)
    for _ in range(_ROUNDS):
        rendered = render_once(text, functions, data)
        if rendered == text or "{{" not in rendered:
            return rendered
        text = rendered
    raise ValueError(f"rendering does not come to an end within {_ROUNDS} rounds")


def check(text: str) -> None:
    """Check the syntax of a template that is rendered later. Raises `ValueError` with Go's reason."""
    if "{{" in text:
        from goldsmith.hcl.gotemplate import check as check_template

        check_template(text, {name: _refusal(name, "nothing is rendered yet") for name in FUNCTION_NAMES})


def _functions(context: Context, data: Mapping[str, str]) -> dict[str, Callable[..., object]]:
    functions: dict[str, Callable[..., object]] = {
        "build": lambda key: _build_value(str(key), {**context.generated, **data}),
        "build_name": lambda: context.name,
        "build_type": lambda: context.type,
        "isotime": lambda *layout: _date("legacy_isotime", context.clock_s, *layout),
        "lower": lambda text: str(text).lower(),
        "packer_version": lambda: PACKER_VERSION,
        "pwd": lambda: str(context.cwd),
        "replace": lambda old, new, count, text: str(text).replace(str(old), str(new), int(count)),
        "replace_all": lambda old, new, text: str(text).replace(str(old), str(new)),
        "split": _split,
        "strftime": lambda *layout: _date("legacy_strftime", context.clock_s, *layout),
        "timestamp": lambda: str(context.clock_s),
        "upper": lambda text: str(text).upper(),
        "uuid": lambda: str(uuid.uuid4()),
    }
    counted = {name: _counted(name, function) for name, function in functions.items()}
    return counted | {name: _refusal(name, why) for name, why in _REFUSED.items()}


def _counted(name: str, function: Callable[..., object]) -> Callable[..., object]:
    """A function that tells a wrong number of arguments as a fault of the template."""
    from inspect import signature

    def call(*arguments: object) -> object:
        try:
            signature(function).bind(*arguments)
        except TypeError as error:
            raise ValueError(f"wrong number of arguments for {name}: {error}") from error
        return function(*arguments)

    return call


_LEGACY = "it works only in the variables of a legacy JSON template"
_REFUSED: Mapping[str, str] = {
    "aws_secretsmanager": _LEGACY,
    "aws_secretsmanager_raw": _LEGACY,
    "consul_key": _LEGACY,
    "env": f'{_LEGACY}; give a variable the default env("NAME") and write ${{var.name}}',
    "sed": "it has been removed from Packer; use replace_all, or the function regex_replace",
    "template_dir": "it works only in legacy JSON templates; write ${path.root}",
    "user": f"{_LEGACY}; write ${{var.name}}",
    "vault": _LEGACY,
}

FUNCTION_NAMES = frozenset(
    {"build", "build_name", "build_type", "isotime", "lower", "packer_version", "pwd", "replace", "replace_all"}
    | {"split", "strftime", "timestamp", "upper", "uuid"}
    | set(_REFUSED)
)
"""Every function that a template may name, also those whose call is an error."""


def _refusal(name: str, why: str) -> Callable[..., object]:
    def refuse(*_: object) -> object:
        raise ValueError(f'the template function "{name}" cannot be used here: {why}')

    return refuse


def _build_value(key: str, known: Mapping[str, str]) -> str:
    value = known.get(key, UNKNOWN_TEXT)
    if value == UNKNOWN_TEXT:
        raise ValueError(f"the build value {key} is not known here; write ${{build.{key}}}")
    return value


def _split(text: object, separator: object, index: object) -> str:
    parts = str(text).split(str(separator))
    place = int(str(index))
    if not 0 <= place < len(parts):
        raise ValueError(f"split into {len(parts)} parts has no part {place}")
    return parts[place]


def _date(function: str, clock_s: int, *layout: object) -> str:
    # The functions of the language know Go's layouts already; both must tell the same time.
    from goldsmith.hcl.library import functions
    from goldsmith.hcl.values import string

    call = functions(Path(), clock_s)[function].call
    assert call is not None
    return str(call([string(str(item)) for item in layout]).raw)
