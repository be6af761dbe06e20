"""Fingerprints: what a finding says of a secret instead of the secret."""

from __future__ import annotations

import hashlib
import hmac

UNSALTED = b"goldsmith: no store, so fingerprints are not secret"


def fingerprint(salt: bytes, kind: str, value: bytes) -> str:
    """First 16 hexadecimal digits of HMAC-SHA256(salt, kind ‖ value): the same secret is known again, and cannot be guessed
    by whoever does not have the salt."""
    return hmac.new(salt or UNSALTED, kind.encode() + b"\0" + value, hashlib.sha256).hexdigest()[:16]


def length_class(length: int) -> str:
    """How long a secret is, told roughly."""
    for limit in (8, 16, 32, 64):
        if length < limit:
            return f"under {limit} characters"
    return "64 characters or more"
