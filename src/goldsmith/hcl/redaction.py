"""Keeps secrets out of what is told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError
from goldsmith.hcl.source import Range, SourceFile

E = TypeVar("E", bound=GoldsmithError)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret replaced by `<sensitive>`, the longest first: a short one may be a part of a long one."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "<sensitive>")
    return text


def redacted_error(error: E, secrets: Iterable[str]) -> E:
    """The same error, without secrets in anything that it says or shows."""
    kept = tuple(secrets)
    return type(error)(*redacted_diagnostics(error.diagnostics, kept)) if kept else error


def redacted_diagnostics(diagnostics: Iterable[Diagnostic], secrets: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The diagnostics without secrets, also in the lines of source that are shown with them."""
    kept = tuple(sorted(filter(None, secrets), key=len, reverse=True))
    stars = _Stars(kept)
    return tuple(_redacted(item, kept, stars) for item in diagnostics) if kept else tuple(diagnostics)


def _redacted(item: Diagnostic, secrets: tuple[str, ...], stars: _Stars) -> Diagnostic:
    return replace(
        item,
        what=redacted(item.what, secrets),
        why=redacted(item.why, secrets),
        next=redacted(item.next, secrets),
        where=stars.over(item.where),
        context=tuple(replace(step, what=redacted(step.what, secrets), where=stars.over(step.where)) for step in item.context),
    )


class _Stars:
    """Source files with a star for each letter of a secret, so that every place in them stays what it is."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._covered: dict[SourceFile, SourceFile] = {}

    def over(self, where: Range | None) -> Range | None:
        """The same place in a file without secrets."""
        if where is None:
            return None
        file = where.source.file
        if file not in self._covered:
            self._covered[file] = SourceFile(file.name, self._starred(file.text))
        return Range(self._covered[file], *where.span)

    def _starred(self, text: str) -> str:
        for secret in self._secrets:
            for written in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
                text = text.replace(written, "*" * len(written))
        return text
