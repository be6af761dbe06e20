"""`inspect`: the parts of a template, in Packer's format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.display import display, quoted
from goldsmith.hcl.values import Value
from goldsmith.template.builds import BuildBlock
from goldsmith.template.options import LoadOptions
from goldsmith.template.template import load_leniently


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an inspection; one with a `kind` is a fact for programs, in place of a text."""

    text: str = ""
    kind: str = ""
    """The type of a machine-readable line, such as "template-variable"; empty for what people read."""
    data: tuple[str, ...] = ()


def inspect(path: Path, options: LoadOptions) -> str:
    """The variables, locals and builds of a template, byte for byte as Packer lists them, without the last line feed.

    What cannot be evaluated is shown as `<unknown>`. Raises `UserError` when the files cannot be read, or declare wrongly.
    """
    template = load_leniently(path, options)
    variables = variables_text(template.inputs, template.locals)
    return f"Packer Inspect: HCL2 mode\n\n{variables}\n{_builds_text(template.builds)}"


def variables_text(inputs: Mapping[str, Value], locals: Mapping[str, Value]) -> str:
    """The variables and locals, sorted, one to a line."""
    return f"> input-variables:\n\n{_values('var', inputs)}\n> local-variables:\n\n{_values('local', locals)}"


def _values(root: str, values: Mapping[str, Value]) -> str:
    return "".join(f"{root}.{name}: {quoted(display(values[name]))}\n" for name in sorted(values))


def _builds_text(builds: Iterable[BuildBlock]) -> str:
    return "> builds:\n" + "".join(_build_text(index, build) for index, build in enumerate(builds))


def _build_text(index: int, build: BuildBlock) -> str:
    lines = [f"\n  > {build.name or f'<unnamed build {index}>'}:\n"]
    if build.description:
        lines.append(f"\n  > Description: {build.description}\n")
    lines.append("\n    sources:\n")
    lines += [f"\n      {source.local}\n" for source in build.sources] or ["\n      <no source>\n"]
    lines.append("\n    provisioners:\n\n")
    titles = [_title(block.type, block.meta.name) for block in build.provisioners] or ["<no provisioner>"]
    lines += [f"      {title}\n" for title in titles]
    lines.append("\n    post-processors:\n")
    if not build.chains:
        lines.append("\n      <no post-processor>\n")
    for number, chain in enumerate(build.chains):
        lines.append(f"\n      {number}:\n")
        lines += [f"        {_title(block.type, block.meta.name)}\n" for block in chain]
    return "".join(lines)


def _title(type: str, name: str) -> str:
    return f"{type}.{name}" if name else type
