"""The model that a command line asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from goldsmith.assist.model_settings import ModelSettings
    from goldsmith.hcl.diagnostics import GoldsmithError


def second_model(choice: str) -> ModelSettings | None:
    """The settings of a model that is asked besides, or None. Raises `UserError` when "default" means none."""
    return None if choice == "none" else wanted_model(choice)


def without_model(error: GoldsmithError) -> None:
    """Say on standard error why the result has no words of a model; it stands as it is."""
    from goldsmith.cli.diagnostics import text_of

    for diagnostic in error.diagnostics:
        click.echo(text_of(diagnostic).rstrip(), err=True)
    click.echo("This is the result without a model.", err=True)


def wanted_model(choice: str) -> ModelSettings:
    """The settings of the model that is asked. Raises `UserError` when none is configured."""
    from goldsmith.assist.model_settings import read_model_settings, settings_path
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    settings = read_model_settings(choice)
    if settings is None:
        raise UserError(
            Diagnostic(
                code="model.none",
                what="no model is configured",
                why=f"neither -model, GOLDSMITH_MODEL nor {settings_path()} names one",
                next="Set GOLDSMITH_MODEL=PROVIDER:NAME, or paste what goldsmith prompt show prints into a chat tool.",
            )
        )
    return settings
