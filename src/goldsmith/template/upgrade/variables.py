"""Variables of a legacy template as `variable` blocks, or as locals when their defaults call more than `env`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.upgrade import comments
from goldsmith.template.upgrade.calls import Calls, is_local, referenced_variables, variable_name
from goldsmith.template.upgrade.writing import attribute, block


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    default: str | None
    sensitive: bool = False


def upgraded_variables(template: LegacyTemplate, calls: Calls) -> tuple[str, str]:
    """The `variable` blocks and the blocks of locals, each empty when there are none."""
    variables = _variables(template)
    locals_ = [variable for variable in variables if is_local(variable.default or "")]
    # All of them before the first is translated: a local may name one that comes later.
    calls.locals |= {variable.name for variable in locals_}
    inputs = "".join(calls.translate_default(_input(variable)) for variable in variables if variable not in locals_)
    return inputs, _locals(locals_, calls)


def timestamp_local(calls: Calls, annotated: bool) -> str:
    """The local that stands for `{{timestamp}}`, and hints about other functions of time, as far as they were used."""
    text = ""
    if "timestamp" in calls.used:
        text += "\n" + (comments.TIMESTAMP if annotated else "")
        text += 'locals { timestamp = regex_replace(timestamp(), "[- TZ:]", "") }\n'
    return text + "".join(comments.LEGACY_TIME.format(name=name) for name in ("isotime", "strftime") if name in calls.used)


def _variables(template: LegacyTemplate) -> list[_Variable]:
    """The declared variables, and those that a variable file must give, by name."""
    declared = {name: _Variable(name, known.default, known.sensitive) for name, known in template.variables.items()}
    named = {name: _Variable(name, None) for name in referenced_variables(template.source.text)}
    both = named | declared
    return [both[name] for name in sorted(both)]


def _input(variable: _Variable) -> str:
    body = "type=string\n"
    if variable.default is not None:
        body += attribute("default", variable.default)
    if variable.sensitive:
        body += attribute("sensitive", True)
    return "\n" + block("variable", (variable_name(variable.name),), body)


def _locals(variables: Sequence[_Variable], calls: Calls) -> str:
    """A block of its own for each sensitive local, and one for all others."""
    secret = "".join(calls.translate(_secret(item)) for item in variables if item.sensitive)
    others = "".join(attribute(variable_name(item.name), item.default) for item in variables if not item.sensitive)
    return secret + (calls.translate("\n" + block("locals", (), others)) if others else "")


def _secret(variable: _Variable) -> str:
    body = attribute("sensitive", True) + attribute("expression", variable.default)
    return "\n" + block("local", (variable_name(variable.name),), body)
