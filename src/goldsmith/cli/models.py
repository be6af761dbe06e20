"""The model that a command line asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldsmith.assist.model_settings import ModelSettings


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
