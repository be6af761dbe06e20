"""`goldsmith fix`: a legacy JSON template without what Packer has given up."""

from __future__ import annotations

import click

from goldsmith.cli.options import accepted_options, flag


class FixCommand(click.Command):
    """A command whose help lists the fixers."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What is fixed, in order."""
        from goldsmith.template.fixes import FIXERS

        formatter.write("\nWhat is fixed, in order:\n")
        formatter.write("".join(f"  {fixer.name:<27}{fixer.does}\n" for fixer in FIXERS))


@click.command("fix", cls=FixCommand)
@accepted_options
@flag("validate", "Check the fixed template.", default=True)
@click.argument("template")
def command(validate: bool, template: str, **of_packer: object) -> int:
    """Print the legacy JSON template TEMPLATE with settings that were renamed or removed brought up to date.

    \b
    Exit code: 0; 1 it cannot be read, or with -validate, the fixed template is wrong.
    """
    from pathlib import Path

    from goldsmith.cli.diagnostics import print_diagnostics
    from goldsmith.cli.saying import say
    from goldsmith.hcl import SourceFile, UserError, read_source
    from goldsmith.template import check_legacy, read_legacy
    from goldsmith.template.fixes import fix

    path = Path(template)
    if path.is_dir() or path.name.endswith((".pkr.hcl", ".pkr.json")):
        say("packer fix only works with JSON files for now.", "error")
        return 1
    fixed = fix(read_source(path))
    say(fixed)
    if not validate:
        return 0
    try:
        faults = check_legacy(read_legacy(SourceFile(f"fixed {path}", fixed)))
        failed = "failed to validate"
    except UserError as error:
        faults, failed = error.diagnostics, "fails to parse"
    if not faults:
        return 0
    reasons = "; ".join(fault.what for fault in faults)
    usual = "This is usually caused by an error in the input template.\nPlease fix the error and try again."
    say(f"Error! Fixed template {failed}: {reasons}\n\n{usual}", "error")
    print_diagnostics(faults)
    return 1
