"""Known secrets: the values that the build was given, in every encoding that tools write them in."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from goldsmith.gates.contract import KnownSecret

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
    data: bytes


def searchable(secrets: Sequence[KnownSecret]) -> tuple[KnownSecret, ...]:
    """The secrets that are long enough to be searched for."""
    return tuple(secret for secret in secrets if len(secret.value) >= SHORTEST_VALUE)


def forms(secrets: Sequence[KnownSecret]) -> tuple[Form, ...]:
    """Every form of every secret, each byte sequence once."""
    found: dict[bytes, Form] = {}
    for secret in secrets:
        for encoding, data in _encodings(secret.value):
            found.setdefault(data, Form(secret.name, encoding, data))
    return tuple(found.values())


def _encodings(value: str) -> Iterator[tuple[str, bytes]]:
    raw = value.encode()
    yield "as it is", raw
    yield "URL-encoded", quote(value, safe="").encode()
    yield "URL-encoded", quote_plus(value).encode()
    yield "in JSON", json.dumps(value)[1:-1].encode()
    yield "in hexadecimal", raw.hex().encode()
    yield "in hexadecimal", raw.hex().upper().encode()
    yield "in UTF-16", value.encode("utf-16-le")
    for shift, dropped in ((0, 0), (1, 2), (2, 3)):
        # Base64 of the value somewhere inside other data: the characters that also depend on its neighbours are left out.
        text = base64.b64encode(bytes(shift) + raw).rstrip(b"=")
        whole = (shift + len(raw)) % 3 == 0
        yield "in base64", text[dropped:] if whole else text[dropped:-1]


class KnownSearch:
    """Searches bytes for all forms at once."""

    def __init__(self, wanted: Sequence[Form]) -> None:
        import re2

        self._by_data = {form.data: form for form in wanted}
        longest_first = sorted(self._by_data, key=len, reverse=True)
        self._pattern = re2.compile(b"|".join(re2.escape(data) for data in longest_first)) if wanted else None

    def find(self, data: bytes) -> Iterator[tuple[Form, int]]:
        """Each form in `data` with its offset."""
        if self._pattern is None:
            return
        for match in self._pattern.finditer(data):
            yield self._by_data[match.group(0)], match.start()


def opens(password: str, stored: str) -> bool:
    """Whether a password fits a hash of /etc/shadow, by the system's libcrypt (yescrypt, bcrypt, SHA-2, …)."""
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    try:
        computed = library.crypt(password.encode(), stored.encode())
    except ValueError:
        return False
    return computed is not None and computed == stored.encode()
