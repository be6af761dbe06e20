"""Collects what is wrong with a template, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

from goldsmith.events import Emit, Event, Warned
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, Severity, UserError
from goldsmith.hcl.source import Range

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Faults:
    """Errors and warnings in the order in which they were found."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, what: str, where: Range | None = None, why: str = "", next: str = "") -> None:
        """Note an error."""
        self.found.append(Diagnostic(code=code, what=what, where=where, why=why, next=next))

    def warning(self, code: str, what: str, where: Range | None = None, why: str = "", next: str = "") -> None:
        """Note a warning."""
        self.found.append(Diagnostic(code=code, what=what, where=where, why=why, next=next, severity=Severity.WARNING))

    def add(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note diagnostics that others made."""
        self.found += diagnostics

    def attempt(self, act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """The result of `act`, or None after noting the `UserError` that it raised."""
        try:
            return act(*args, **kwargs)
        except UserError as error:
            self.found += error.diagnostics
            return None

    def listener(self, where: Range) -> Emit:
        """Notes what a component that is examined warns of; `where` is its block."""

        def listen(event: Event) -> None:
            if isinstance(event, Warned):
                self.warning("template.component-warning", event.text, where, next=event.next)

        return listen

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What stops the work."""
        return tuple(item for item in self.found if item.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What does not."""
        return tuple(item for item in self.found if item.severity is Severity.WARNING)

    def raise_if_any(self) -> None:
        """Raise `UserError` with everything found, warnings too, when there is an error."""
        if self.errors:
            raise UserError(*self.found)


def placed(error: GoldsmithError, where: Range) -> UserError:
    """The same faults; those that do not know where they stand, stand at `where`."""
    return UserError(*(replace(item, where=item.where or where) for item in error.diagnostics))
