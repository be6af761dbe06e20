"""The scripts of a template's `shell` provisioners, and the template with an `ansible` provisioner in their place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assist.playbook import provisioner
from goldsmith.assist.shell import Script
from goldsmith.components import Context
from goldsmith.hcl import Block, Range, UserError, parse
from goldsmith.hcl.body import Schema
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.native_body import NativeBody
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.provisioners.shell import ShellConfig
from goldsmith.scripts import inline_script
from goldsmith.template import Build, LoadOptions, ProvisionerUse, read_plan
from goldsmith.template.contexts import bare_context

_TEMPLATES = (".pkr.hcl", ".pkr.json")
_SHELL_FLAGS = re.compile(r"\b(?:ba|da)?sh\s+((?:-\w+\s+)+)")
_BUILDS = Schema(blocks={"build": ()})


@dataclass(frozen=True, slots=True)
class TemplateScripts:
    """What the `shell` provisioners of a build run, in order."""

    scripts: tuple[Script, ...]
    build: str
    """The full name of the build; builds of one block have the same provisioners."""
    blocks: tuple[Range, ...]
    """The headers of the provisioner blocks, which follow each other."""
    secrets: tuple[str, ...]
    """Values of sensitive variables."""


def is_template(path: Path) -> bool:
    """Whether a path is a template, or a directory that has one."""
    if path.is_dir():
        return any(file.name.endswith(_TEMPLATES) for file in path.iterdir())
    if path.suffix != ".json":
        return path.name.endswith(_TEMPLATES)
    return '"provisioners"' in path.read_text(errors="replace") if path.is_file() else False


def template_scripts(path: Path, options: LoadOptions) -> TemplateScripts:
    """The scripts of the first build that has any.

    Raises `UserError` for a template that is wrong, one without `shell` provisioners, and one where something else stands
    between them: what a role does is done at one time.
    """
    plan = read_plan(path, options)
    for build in plan.builds:
        uses = [use for use in build.provisioners if use.type == "shell"]
        if uses:
            _refuse_between(build, uses)
            context = _context(build, plan.root, options)
            scripts = tuple(script for use in uses for script in _scripts(use, context))
            return TemplateScripts(scripts, build.full_name, tuple(use.where for use in uses), plan.secrets)
    what = f'no build of "{path}" has a shell provisioner'
    raise UserError(Diagnostic(code="script.no-scripts", what=what, next="Name a template that runs scripts, or the scripts."))


def _refuse_between(build: Build, uses: Sequence[ProvisionerUse]) -> None:
    first, last = (build.provisioners.index(use) for use in (uses[0], uses[-1]))
    between = next((use for use in build.provisioners[first:last] if use.type != "shell"), None)
    if between is not None:
        raise UserError(
            Diagnostic(
                code="convert.between",
                what=f'the provisioner "{between.type}" stands between shell provisioners',
                where=between.where,
                why="a role does everything at one time, and what this one does would come before or after it",
                next="Convert the scripts by their names, before and after it apart, or move it.",
            )
        )


def _context(build: Build, root: Path, options: LoadOptions) -> Context:
    generated = dict.fromkeys(build.source.generated_names, UNKNOWN_TEXT)
    return bare_context(root, options, build=build.full_name, type=build.type, name=build.source_name, generated=generated)


def _scripts(use: ProvisionerUse, context: Context) -> Iterator[Script]:
    config = use.config(context)
    assert isinstance(config, ShellConfig)
    environment = dict(pair.partition("=")[::2] for pair in config.environment_vars) | dict(config.env)
    found = _SHELL_FLAGS.search(config.execute_command)
    flags = "".join(word[1:] for word in found[1].split()) if found else ""
    line = use.where.start.line
    for name in (*config.scripts, *filter(None, [config.script])):
        yield Script(name.removeprefix("./"), _read(context.cwd / name, use), flags=flags, environment=environment)
    if config.inline:
        text = inline_script(config.inline, config.inline_shebang)
        yield Script(f"inline-{line}.sh", text, flags=flags, environment=environment)


def _read(path: Path, use: ProvisionerUse) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = f'the script "{path}" of the template cannot be read'
        raise UserError(
            Diagnostic(code="script.unreadable", what=what, where=use.where, why=error.strerror or str(error))
        ) from error


def template_patch(found: TemplateScripts, playbook_file: str) -> str:
    """A unified diff that puts an `ansible` provisioner in place of the `shell` ones; empty for templates in JSON."""
    if not found.blocks or not found.blocks[0].file.endswith(".pkr.hcl"):
        return ""
    source = found.blocks[0].source
    headers = {block.span[0] for block in found.blocks if block.source.name == source.name}
    body, _ = parse(source)
    spans = sorted(_whole(block) for block in _provisioners(body) if block.range.span[0] in headers)
    text = source.text
    for start, end in reversed(spans):
        indent = re.search(r"[ \t]*\Z", text[:start])
        replacement = _indented(provisioner(playbook_file), indent[0] if indent else "") if start == spans[0][0] else ""
        after = end if replacement else end + len(re.match(r"[ \t]*\n?", text[end:])[0])  # type: ignore[index]  # it matches always
        text = text[: start if replacement else start - len(indent[0] if indent else "")] + replacement + text[after:]
    name = Path(source.name).name
    lines = difflib.unified_diff(source.text.splitlines(True), text.splitlines(True), f"a/{name}", f"b/{name}")
    return "".join(lines)


def _provisioners(body: object) -> Iterator[Block]:
    if isinstance(body, NativeBody):
        for build in body.blocks_of("build"):
            assert isinstance(build.body, NativeBody)
            yield from build.body.blocks_of("provisioner")


def _whole(block: Block) -> tuple[int, int]:
    assert isinstance(block.body, NativeBody)
    text = block.range.source.text
    end = block.body.range.span[1]
    return block.range.span[0], end if text[end - 1] == "}" else text.index("}", end) + 1


def _indented(text: str, indent: str) -> str:
    first, *rest = text.rstrip("\n").split("\n")
    return "\n".join([first, *(indent + line for line in rest)])
