"""`goldsmith hcl2_upgrade`: a legacy JSON template as HCL."""

from __future__ import annotations

from pathlib import Path

import click

from goldsmith.cli.options import accepted_options, flag


@click.command("hcl2_upgrade")
@accepted_options
@click.option(
    "-output-file", "output_file", metavar="PATH", default="", help='Where to write; TEMPLATE with ".pkr.hcl" appended.'
)
@flag("with-annotations", "Add comments that explain the new file.")
@click.argument("template")
def command(
    output_file: str, with_annotations: bool, template: str, variable_files: tuple[Path, ...], **of_packer: object
) -> int:
    """Write the legacy JSON template TEMPLATE, or - for standard input, as HCL.

    \b
    Exit code: 0; 1 it cannot be read, or a part could not be upgraded (what could be is written all the same).
    """
    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.saying import say
    from goldsmith.components import names
    from goldsmith.hcl import read_source, read_standard_input
    from goldsmith.template import check_legacy, read_legacy, read_variable_file
    from goldsmith.template.upgrade import upgrade

    legacy = read_legacy(read_standard_input() if template == "-" else read_source(Path(template)))
    for file in variable_files:
        read_variable_file(file)  # the values are of no use, but Packer insists on good files
    for fault in check_legacy(legacy):
        say(f"Ignoring following initialization error: {fault.what}", "error")
    upgraded = upgrade(legacy, annotated=with_annotations, known_sources=names("source"))
    for line in upgraded.ignored:
        say(line, "error")
    path = Path(output_file or f"{template}.pkr.hcl")
    _write(path, upgraded.text)
    print_diagnostics(upgraded.notes)
    exit_code = 1 if upgraded.ignored else 0
    say(f"Successfully created {path}. Exit {exit_code}")
    return exit_code


def _write(path: Path, text: str) -> None:
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        what = f"Failed to create output file: {path}: {reason}"
        raise UserError(Diagnostic(code="upgrade.output", what=what, next="Name another one with -output-file.")) from error
