"""Known secrets: the values that the build was given, in every encoding that tools write them in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from goldsmith.gates.contract import KnownSecret
from goldsmith.gates.secrets.expressions import expression

SHORTEST_VALUE = 6
"""Characters: a shorter value is found everywhere by chance and is reported as not searched for."""
SHORTEST_FORM = 8
"""Bytes: a shorter form is searched only in files that no package brought."""


@dataclass(frozen=True, slots=True)
class Form:
    """One encoding of a secret."""

    secret: str
    """The secret's name, never its value."""
    encoding: str
    data: bytes = field(repr=False)
    value: bytes = field(repr=False)
    """The secret itself, for fingerprints only."""


def searchable(secrets: Sequence[KnownSecret]) -> tuple[KnownSecret, ...]:
    """The secrets that are long enough to be searched for."""
    return tuple(secret for secret in secrets if len(secret.value) >= SHORTEST_VALUE)


def forms(secrets: Sequence[KnownSecret]) -> tuple[Form, ...]:
    """Every form of every secret, each byte sequence once."""
    found: dict[bytes, Form] = {}
    for secret in secrets:
        for encoding, data in _encodings(secret.value):
            found.setdefault(data, Form(secret.name, encoding, data, secret.value.encode()))
    return tuple(found.values())


def _encodings(value: str) -> Iterator[tuple[str, bytes]]:
    raw = value.encode()
    yield "as it is", raw
    yield "URL-encoded", quote(value, safe="").encode()
    yield "URL-encoded", quote_plus(value).encode()
    yield "URL-encoded", re.sub(r"%..", lambda escape: escape[0].lower(), quote(value, safe="")).encode()
    yield "in JSON", json.dumps(value)[1:-1].encode()
    yield "in JSON", json.dumps(value, ensure_ascii=False)[1:-1].encode()
    yield "in hexadecimal", raw.hex().encode()
    yield "in hexadecimal", raw.hex().upper().encode()
    yield "in UTF-16", value.encode("utf-16-le")
    for shift, dropped in ((0, 0), (1, 2), (2, 3)):
        # Base64 of the value somewhere inside other data: the characters that also depend on its neighbours are left out.
        text = base64.b64encode(bytes(shift) + raw).rstrip(b"=")
        whole = (shift + len(raw)) % 3 == 0
        inner = text[dropped:] if whole else text[dropped:-1]
        yield "in base64", inner
        yield "in base64 for addresses", inner.translate(bytes.maketrans(b"+/", b"-_"))


class KnownSearch:
    """Searches bytes for all forms at once."""

    def __init__(self, wanted: Sequence[Form]) -> None:
        import re2

        self._by_data = {form.data: form for form in wanted}
        longest_first = sorted(self._by_data, key=len, reverse=True)
        self.longest = len(longest_first[0]) if wanted else 0
        """Bytes of the longest form."""
        pattern = b"|".join(re2.escape(data) for data in longest_first)
        self._pattern = expression(pattern) if wanted else None

    def __bool__(self) -> bool:
        """Whether there is anything to search for."""
        return self._pattern is not None

    def is_in(self, data: bytes) -> bool:
        """Whether any form is in `data`."""
        return self._pattern is not None and self._pattern.search(data) is not None

    def find(self, data: bytes) -> Iterator[tuple[Form, int]]:
        """Each form in `data` with its offset."""
        if self._pattern is None:
            return
        for match in self._pattern.finditer(data):
            yield self._by_data[match.group(0)], match.start()
