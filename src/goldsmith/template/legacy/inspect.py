"""`inspect` of a legacy JSON template: its variables, builders and provisioners, in Packer's format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from goldsmith.template.inspecting import Line
from goldsmith.template.legacy.plan import load_legacy_leniently
from goldsmith.template.legacy.template import LegacyTemplate
from goldsmith.template.options import LoadOptions

_NOTE = """
Note: If your build names contain user variables or template
functions such as 'timestamp', these are processed at build time,
and therefore only show in their raw form here."""


def inspect_legacy(path: Path, options: LoadOptions) -> tuple[Line, ...]:
    """The lines, byte for byte as Packer prints them; names are sorted. Raises `UserError` when the file cannot be read.

    What cannot be rendered is no error here: variables and names are shown as they are written.
    """
    loaded = load_legacy_leniently(path, options)
    return tuple(_scrubbed(line, loaded.secrets) for line in _lines(loaded.template))


def _scrubbed(line: Line, secrets: tuple[str, ...]) -> Line:
    """The line without secrets; the third datum is a mark, 0 or 1."""
    text, data, marks = line.text, line.data[:2], line.data[2:]
    for secret in secrets:
        text = text.replace(secret, "<sensitive>")
        data = tuple(item.replace(secret, "<sensitive>") for item in data)
    return Line(text, line.kind, (*data, *marks))


def _lines(template: LegacyTemplate) -> Iterator[Line]:
    yield Line("Packer Inspect: JSON mode")
    if template.description:
        yield Line("Description:\n")
        yield Line(f"{template.description}\n")
    yield from _variables(template)
    yield Line("")
    yield from _builders(template)
    yield Line("")
    yield Line("Provisioners:\n")
    for provisioner in template.provisioners:
        yield Line(kind="template-provisioner", data=(provisioner.type,))
        yield Line(f"  {provisioner.type}")
    if not template.provisioners:
        yield Line("  <No provisioners>")
    yield Line(_NOTE)


def _variables(template: LegacyTemplate) -> Iterator[Line]:
    if not template.variables:
        yield Line("Variables:\n")
        yield Line("  <No variables>")
        return
    ordered = sorted(template.variables.items())
    shown = {name: "<sensitive>" if variable.sensitive else variable.default or "" for name, variable in ordered}
    required = [name for name in shown if template.variables[name].required]
    if required:
        yield Line("Required variables:\n")
        for name in required:
            yield Line(kind="template-variable", data=(name, shown[name], "1"))
            yield Line(f"  {name}")
        yield Line("")
    yield Line("Optional variables and their defaults:\n")
    width = max(map(len, shown))
    for name, default in shown.items():
        if name not in required:
            yield Line(kind="template-variable", data=(name, default, "0"))
            yield Line(f"  {name.ljust(width)} = {default}")


def _builders(template: LegacyTemplate) -> Iterator[Line]:
    yield Line("Builders:\n")
    if not template.builders:
        yield Line("  <No builders>")
        return
    width = max(map(len, template.builders))
    for name, builder in sorted(template.builders.items()):
        type = "" if name == builder.type else f" ({builder.type})"
        yield Line(kind="template-builder", data=(name, builder.type))
        yield Line(f"  {name.ljust(width)}{type}")
