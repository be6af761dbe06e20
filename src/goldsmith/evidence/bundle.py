"""Signed statements in the Sigstore bundle format v0.3: a DSSE envelope and the hint of the key."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldsmith.evidence.statement import PAYLOAD_TYPE, Statement, parse_statement, statement_digest
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, Key

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
LIMIT_BYTES = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A statement whose signature was made or found good."""

    statement: Statement
    digest: str
    """`sha256:<hex>` of the signed bytes."""
    signer: str
    """The key's id: base64 of the SHA-256 of its public half."""
    bundle: bytes


def sign(statement: Statement, signer: CryptoSigner) -> SignedStatement:
    """Sign a statement."""
    from securesystemslib.dsse import Envelope

    payload = statement.payload()
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    key_id = str(signer.public_key.keyid)
    bundle = _written(envelope, key_id)
    return SignedStatement(statement=statement, digest=statement_digest(payload), signer=key_id, bundle=bundle)


def claimed(bundle: bytes) -> Statement:
    """What a bundle claims to say, its signature NOT looked at: only for telling whether to open it. Raises `ValueError`."""
    try:
        return parse_statement(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"], validate=True))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it lacks {error}") from error


def open_bundle(bundle: bytes, keys: Sequence[Key]) -> SignedStatement:
    """The statement of a bundle, after its signature was found good under one of `keys`.

    Raises `UserError` with code `evidence.malformed`, `evidence.unknown-key` or `evidence.bad-signature`.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    if len(bundle) > LIMIT_BYTES:
        raise _malformed(f"it has {len(bundle)} bytes, {LIMIT_BYTES} are allowed")
    try:
        document = json.loads(bundle)
        if document["mediaType"] != MEDIA_TYPE:
            raise ValueError(f"its media type is {document['mediaType']}")
        envelope = Envelope.from_dict(document["dsseEnvelope"])
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ValueError(f"its payload type is {envelope.payload_type}")
        signers = tuple(envelope.signatures)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed(f"{type(error).__name__}: {error}") from error
    trusted: list[Key] = [key for key in keys if key.keyid in signers]
    if not trusted:
        raise _unknown_key(signers)
    try:
        accepted = envelope.verify(trusted, 1)
    except VerificationError as error:
        raise _bad_signature(signers) from error
    try:
        statement = parse_statement(envelope.payload)
    except ValueError as error:
        raise _malformed(str(error)) from error
    signer = next(iter(accepted))
    return SignedStatement(statement=statement, digest=statement_digest(envelope.payload), signer=signer, bundle=bundle)


def open_exact(bundle: bytes, keys: Sequence[Key]) -> SignedStatement:
    """As `open_bundle`, for a bundle that holds nothing but what `sign` writes, byte for byte.

    What a signature does not cover (order, blanks, the key's hint, spare bits of base64) cannot be another then either.
    """
    from securesystemslib.dsse import Envelope

    opened = open_bundle(bundle, keys)
    if _written(Envelope.from_dict(json.loads(bundle)["dsseEnvelope"]), opened.signer) != bundle:
        raise _malformed("it is not written as Goldsmith writes it")
    return opened


def _written(envelope: Envelope, key_id: str) -> bytes:
    document = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key_id}, "tlogEntries": []},
        "dsseEnvelope": envelope.to_dict(),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _malformed(why: str) -> UserError:
    return UserError(
        Diagnostic(code="evidence.malformed", what="this is no signed statement", why=why, next="Fetch the evidence again.")
    )


def _unknown_key(signers: Sequence[str]) -> UserError:
    return UserError(
        Diagnostic(
            code="evidence.unknown-key",
            what=f"the evidence is signed by {', '.join(signers) or 'nobody'}, which is not trusted here",
            next="Give the public key of the project that made the image with -key.",
        )
    )


def _bad_signature(signers: Sequence[str]) -> UserError:
    return UserError(
        Diagnostic(
            code="evidence.bad-signature",
            what="the signature of the evidence is wrong",
            why=f"it claims the key {', '.join(signers)}, and its content was changed after signing",
            next="Do not use the image. Fetch image and evidence again from where they were made.",
        )
    )
