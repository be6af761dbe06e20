"""The offline bundle as a file: a signed table of contents, then the parts that it names, each a line of JSON.

The table is a statement about a version; its predicate lists name and SHA-256 of every further line in order. So every byte
of the file is either signed or named by a digest that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.evidence.bundle import SignedStatement, open_exact, sign
from goldsmith.evidence.statement import CONTENTS, Statement, Subject
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

FORMAT = 1
LARGEST = 512 << 20
"""Bytes of a whole file."""

ONCE = ("pointer", "version", "manifest", "policy", "decision", "summary", "revocations", "checkpoint", "event", "trust")
"""Parts that are there exactly once."""
ANY = ("ancestor", "evidence", "waiver", "approval", "provenance")
"""Parts that may be there any number of times."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the file behind the first."""

    name: str
    """One of `ONCE` or `ANY`."""
    content: bytes
    """JSON without a line feed."""


def write_parts(subject: Subject, parts: Sequence[Part], signer: CryptoSigner) -> bytes:
    """The file: the parts behind their signed table of contents."""
    table = [{"name": part.name, "sha256": hashlib.sha256(part.content).hexdigest()} for part in parts]
    predicate: Mapping[str, object] = {"format": FORMAT, "parts": table}
    contents = sign(Statement(subjects=[subject], predicate_type=CONTENTS, predicate=predicate), signer)
    return b"".join(line + b"\n" for line in (contents.bundle, *(part.content for part in parts)))


def read_parts(content: bytes, keys: Sequence[Key]) -> tuple[SignedStatement, Mapping[str, tuple[bytes, ...]]]:
    """The table of contents, its signature found good under one of `keys`, and the parts by name.

    Raises `UserError`: with a code of `open_bundle`, or `bundle.broken` when a single bit is another than was signed.
    """
    if len(content) > LARGEST:
        raise broken(f"it has {len(content)} bytes, {LARGEST} are allowed")
    first, *rest = content.split(b"\n")
    contents = open_exact(first, keys)
    table = _table(contents.statement)
    if not rest or rest.pop() or len(rest) != len(table):
        raise broken(f"it has {len(rest)} parts, {len(table)} were signed")
    found: dict[str, tuple[bytes, ...]] = dict.fromkeys((*ONCE, *ANY), ())
    for (name, digest), part in zip(table, rest, strict=True):
        if hashlib.sha256(part).hexdigest() != digest:
            raise broken(f'the part "{name}" is not the one that was signed')
        found[name] += (part,)
    if missing := [name for name in ONCE if len(found[name]) != 1]:
        raise broken(f"it must have once: {', '.join(missing)}")
    return contents, found


def _table(statement: Statement) -> list[tuple[str, str]]:
    if statement.predicate_type != CONTENTS:
        raise broken(f"it begins with a statement of the type {statement.predicate_type}")
    parts = statement.predicate.get("parts")
    if statement.predicate.get("format") != FORMAT or not isinstance(parts, list):
        raise _newer("its format is another than 1")
    try:
        table = [(str(part["name"]), str(part["sha256"])) for part in parts]
    except (KeyError, TypeError) as error:
        raise broken("its table of contents cannot be read") from error
    if unknown := sorted({name for name, _ in table} - {*ONCE, *ANY}):
        raise _newer(f"it has parts that this program does not know: {', '.join(unknown)}")
    return table


def broken(why: str) -> UserError:
    """The file is not what was signed."""
    what = "the bundle is broken"
    return UserError(Diagnostic(code="bundle.broken", what=what, why=why, next="Do not use the image. Fetch the bundle again."))


def _newer(why: str) -> UserError:
    what = "the bundle was made by a newer program"
    return UserError(Diagnostic(code="bundle.newer", what=what, why=why, next="Update Goldsmith, then verify again."))
