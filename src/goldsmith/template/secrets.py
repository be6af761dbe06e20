"""The texts that no output may show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


def _sensitive_texts(value: Value, inside: bool) -> Iterator[str]:
    sensitive = inside or value.sensitive
    if isinstance(value.raw, str) and sensitive:
        yield value.raw
    for item in value.items():
        yield from _sensitive_texts(item, sensitive)
