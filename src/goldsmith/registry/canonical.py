"""Canonical JSON: one byte sequence per document, so that a digest names it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError

JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""What a canonical document may hold: no floats, because their text differs between writers."""

LARGEST = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8785 section 3.2.2.3)."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def canonical(document: JSON) -> bytes:
    """The document with sorted keys, without spaces, in UTF-8: equal to RFC 8785 for ASCII keys and whole numbers.

    Raises `UserError` for a float, a key that is not ASCII text, or a number beyond 2^53.
    """
    _check(document, "$")
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode()


def digest_of(document: JSON) -> str:
    """`sha256:<hex>` of the canonical document."""
    return digest_of_bytes(canonical(document))


def digest_of_bytes(content: bytes) -> str:
    """`sha256:<hex>` of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def is_digest(text: object) -> bool:
    """Whether this is `sha256:` and 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def parse(text: str) -> Mapping[str, JSON]:
    """The object in this JSON text. Raises `ValueError` when it holds none."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def _check(value: object, place: str) -> None:
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise _fault(place, f"{value} is beyond 2^53, where readers of JSON disagree")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise _fault(place, f"the key {key!r} is not ASCII text")
            _check(item, f"{place}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        for index, item in enumerate(value):
            _check(item, f"{place}[{index}]")
    else:
        raise _fault(place, f"a {type(value).__name__} has no canonical form")


def _fault(place: str, why: str) -> UserError:
    what = f"the document cannot be made canonical at {place}"
    return UserError(
        Diagnostic(
            code="registry.document-not-canonical", what=what, why=why, next="Use text, whole numbers, lists and objects."
        )
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(type(value).__name__)
