"""What went wrong with a model, as an error that a reader can act upon."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist.model_settings import ModelSettings
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, Refused

_LATER = "Try again later, or take another model."
_SLOW = ("model.slow", "did not answer in {seconds} s", "Raise GOLDSMITH_MODEL_TIMEOUT, or take another model.")
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "ModelRateLimitError": ("model.rate-limited", "takes no more requests for now", _LATER),
    "ModelQuotaExceededError": ("model.quota", "says that the account has nothing left", "Look at the account."),
    "ModelOverloadedError": ("model.overloaded", "is overloaded", _LATER),
    "ModelRequestTimeout": _SLOW,
    "ModelTimeoutError": _SLOW,
    "ModelConnectionError": ("model.unreachable", "cannot be reached", "Look at the network and GOLDSMITH_MODEL_URL."),
    "ModelAuthenticationError": ("model.no-access", "does not take the key", "Look at {key}."),
    "ModelNotFoundError": ("model.unknown", "is not there", "Look at the name of the model, and at GOLDSMITH_MODEL_URL."),
    "ModelContextWindowExceededError": ("model.too-long", "cannot read so much at once", "Give a part of it."),
    "ModelRequestRejectedError": ("model.rejected", "turned the request down", "See what it says."),
    "ModelServerError": ("model.failed", "failed", _LATER),
    "UnexpectedModelBehavior": ("model.unreadable", "gave an answer that cannot be read", _LATER),
}
"""Classes of the library by name, so that it is not imported here."""
_LONGEST = 300


def told(error: Exception, settings: ModelSettings) -> GoldsmithError:
    """An error of the library in our words; what a server said is cut short, and the key is never in it."""
    if isinstance(error, GoldsmithError):
        return error
    names = [kind.__name__ for kind in type(error).__mro__]
    if "ContentFilterError" in names:
        return refusal(settings)
    code, what, next = _kind(names)
    said = " ".join(str(error).split())
    why = (said.replace(settings.key, "<sensitive>") if settings.key else said)[:_LONGEST]
    return MachineError(
        Diagnostic(
            code=code,
            what=f"{settings.label} {what.format(seconds=settings.timeout_s)}",
            why=why,
            next=next.format(key=settings.key_variable or "the credentials"),
        )
    )


def _kind(names: list[str]) -> tuple[str, str, str]:
    return next((_KINDS[name] for name in names if name in _KINDS), ("model.failed", "failed", _LATER))


def refusal(settings: ModelSettings) -> Refused:
    """The model does not want to answer."""
    what = f"{settings.label} refuses to answer"
    return Refused(
        Diagnostic(code="model.refused", what=what, next="The result without a model stands. Look at what was asked.")
    )
