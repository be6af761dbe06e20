"""The texts that no output may show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.hcl.source import SourceFile
from goldsmith.hcl.values import Value

_SHORTEST_LINE = 4


def secrets_of(values: Iterable[Value]) -> tuple[str, ...]:
    """Every string inside sensitive values, also line by line, the longest first."""
    return secret_texts(text for value in values for text in _sensitive_texts(value, False))


def secret_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts, also line by line, the longest first; blank ones are left out."""
    found: set[str] = set()
    for text in texts:
        # A short line, such as the bracket that ends a JSON key, is no secret by itself and would be found everywhere.
        lines = (line for line in text.splitlines() if len(line.strip()) >= _SHORTEST_LINE)
        found.update({text, text.replace("\r\n", "\n"), *lines})
    return tuple(sorted((text for text in found if text.strip()), key=lambda text: (-len(text), text)))


def redacted(diagnostics: Iterable[Diagnostic], secrets: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    """The diagnostics without the secrets, also in the lines of source that are shown with them."""
    sources: dict[SourceFile, SourceFile] = {}
    return tuple(_redacted(item, secrets, sources) for item in diagnostics) if secrets else tuple(diagnostics)


def _redacted(item: Diagnostic, secrets: tuple[str, ...], sources: dict[SourceFile, SourceFile]) -> Diagnostic:
    what, why, next, where = item.what, item.why, item.next, item.where
    for secret in secrets:
        what, why, next = (text.replace(secret, "<sensitive>") for text in (what, why, next))
    if where is not None:
        if where.source not in sources:
            sources[where.source] = _starred(where.source, secrets)
        where = replace(where, source=sources[where.source])
    return replace(item, what=what, why=why, next=next, where=where)


def _starred(source: SourceFile, secrets: tuple[str, ...]) -> SourceFile:
    """The source with a star for each letter of a secret, so that every place in it stays what it is."""
    text = source.text
    for secret in secrets:
        for written in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
            text = text.replace(written, "*" * len(written))
    return SourceFile(source.name, text)


def _sensitive_texts(value: Value, inside: bool) -> Iterator[str]:
    sensitive = inside or value.sensitive
    if isinstance(value.raw, str) and sensitive:
        yield value.raw
    for item in value.items():
        yield from _sensitive_texts(item, sensitive)
