"""Changes that several fixers make to the settings of a component."""

from __future__ import annotations

from collections.abc import Callable

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.template.fixes.document import Document, Settings


def rename(settings: Settings, old: str, new: str, type: type | None = None) -> None:
    """Give a setting its new name; a value of another `type` is left alone, what has the new name already is replaced."""
    if old in settings and (type is None or isinstance(settings[old], type)):
        settings[new] = settings.pop(old)


def rename_unless_set(settings: Settings, old: str, new: str, type: type | None = None) -> None:
    """As `rename`, but what has the new name already is kept."""
    if old in settings and (type is None or isinstance(settings[old], type)):
        settings.setdefault(new, settings[old])
        del settings[old]


def retype(old: str, new: str) -> Callable[[Document], None]:
    """A fixer that gives builders of a type another type."""

    def fix(document: Document) -> None:
        for builder in document.builders(old):
            builder["type"] = new

    return fix


def remove(setting: str, *types: str) -> Callable[[Document], None]:
    """A fixer that removes a setting of builders of these types."""

    def fix(document: Document) -> None:
        for builder in document.builders(*types):
            builder.pop(setting, None)

    return fix


def refuse(why: str) -> UserError:
    """The error of a value that a fixer cannot read."""
    next = "Correct the value, and call fix again."
    return UserError(Diagnostic(code="fix.value", what=f"Error fixing: {why}", next=next))
