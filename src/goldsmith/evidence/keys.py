"""The project's signing key: ECDSA P-256 in an encrypted or plain PKCS#8 file, its public half beside it."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from securesystemslib.signer import CryptoSigner, SSlibKey


def load_or_create_signer(path: Path, passphrase: str = "") -> CryptoSigner:
    """The signer of a key file. A missing file is made (mode 0600), with the public key as PATH.pub beside it.

    Raises `UserError` with code `signing.key-unreadable` when the file is no ECDSA P-256 key or the passphrase is wrong, and
    with code `signing.key-missing` when only its public half is there: a new key would sign what nobody trusts.
    """
    if not path.exists():
        if public_path(path).exists():
            raise _missing(path)
        _create(path, passphrase)
    return load_signer(path, passphrase)


def load_signer(path: Path, passphrase: str = "") -> CryptoSigner:
    """The signer of an existing key file. Raises `UserError` like `load_or_create_signer`."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        private = load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
        raise _unreadable(path, "it holds another kind of key than ECDSA P-256")
    return CryptoSigner(private, _public(private.public_key()))


def load_public_key(path: Path) -> SSlibKey:
    """The public key of a PEM file. Raises `UserError` with code `signing.key-unreadable`."""
    try:
        return public_key_of(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error


def public_key_of(pem: bytes) -> SSlibKey:
    """The public key of a PEM text. Raises `ValueError`."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return _public(load_pem_public_key(pem))


def public_pem(key: SSlibKey) -> str:
    """The PEM text of a public key."""
    return str(key.keyval["public"])


def public_path(private: Path) -> Path:
    """Where the public half of a key file is: `goldsmith.key` → `goldsmith.pub`."""
    return private.with_suffix(".pub")


def _create(path: Path, passphrase: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = generate_private_key(SECP256R1())
    path.parent.mkdir(parents=True, exist_ok=True)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if _write_once(path, _private_pem(private, passphrase)):
        public_path(path).write_bytes(public)


def _private_pem(private: EllipticCurvePrivateKey, passphrase: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _write_once(path: Path, content: bytes) -> bool:
    """Write a private file that nobody else has written meanwhile; a link never replaces another run's key."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _public(key: PublicKeyTypes) -> SSlibKey:
    """The key under the id that Sigstore bundles give as hint: base64 of the SHA-256 of the SPKI DER."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import SSlibKey

    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(key, keyid=base64.b64encode(hashlib.sha256(der).digest()).decode())


def _missing(path: Path) -> UserError:
    return UserError(
        Diagnostic(
            code="signing.key-missing",
            what=f'the signing key "{path}" is not there',
            why=f"its public half {public_path(path).name} is, so it was made before and other signatures rest on it",
            next=f"Bring the key here; to begin with a new one on purpose, remove {public_path(path).name} too.",
        )
    )


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(
        Diagnostic(
            code="signing.key-unreadable",
            what=f'the signing key "{path}" cannot be used',
            why=why,
            next="Name another key in signing { key }, give its passphrase, or restore the file.",
        )
    )
