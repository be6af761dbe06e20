"""Keeps secrets out of what is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from goldsmith.hcl.diagnostics import GoldsmithError

E = TypeVar("E", bound=GoldsmithError)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret replaced by `<sensitive>`, the longest first: a short one may be a part of a long one."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "<sensitive>")
    return text


def redacted_error(error: E, secrets: Iterable[str]) -> E:
    """The same error, without secrets in anything that it says."""
    kept = tuple(secrets)
    if not kept:
        return error
    return type(error)(
        *(
            replace(item, what=redacted(item.what, kept), why=redacted(item.why, kept), next=redacted(item.next, kept))
            for item in error.diagnostics
        )
    )
