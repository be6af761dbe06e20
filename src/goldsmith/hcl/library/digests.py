"""Functions that make digests, keys and identifiers."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Sequence

from goldsmith.hcl.library.arguments import AMOUNT, TEXT, named, of, text, whole
from goldsmith.hcl.library.strings import normalized
from goldsmith.hcl.limits import COSTLIEST_BCRYPT
from goldsmith.hcl.scope import Function, FunctionFault
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import Value, string

_BCRYPT_WORK = 50_000
"""What it is made for: with its default cost, a call takes about 60 milliseconds."""


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    return (
        of("bcrypt", _bcrypt, TEXT, rest=named("cost", AMOUNT), result=STRING, cost=_BCRYPT_WORK),
        *(of(name, _digest(name), TEXT, result=STRING) for name in ("md5", "sha1", "sha256", "sha512")),
        of("rsadecrypt", _rsadecrypt, named("ciphertext", TEXT), named("privatekey", TEXT), result=STRING),
        of("uuidv4", lambda _: string(str(uuid.uuid4())), result=STRING),
        of("uuidv5", _uuidv5, named("namespace", TEXT), named("name", TEXT), result=STRING),
    )


def _digest(algorithm: str) -> Callable[[Sequence[Value]], Value]:
    return lambda given: string(hashlib.new(algorithm, text(given[0]).encode(), usedforsecurity=False).hexdigest())


def _bcrypt(given: Sequence[Value]) -> Value:
    """A new salt each time, so that two calls never agree."""
    import bcrypt

    if len(given) > 2:
        raise FunctionFault("bcrypt() takes no more than two arguments", 2)
    cost = whole(given[1], 1) if len(given) == 2 else 10
    if cost > COSTLIEST_BCRYPT:
        raise FunctionFault(f"cost {cost} is outside the allowed range of 4 to {COSTLIEST_BCRYPT}", 1)
    password = text(given[0]).encode()
    if len(password) > 72:
        raise FunctionFault("bcrypt: password length exceeds 72 bytes", 0)
    # Go's bcrypt takes its default for a cost below the least one.
    return string(bcrypt.hashpw(password, bcrypt.gensalt(cost if cost >= 4 else 10, prefix=b"2a")).decode())


def _rsadecrypt(given: Sequence[Value]) -> Value:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        sealed = base64.b64decode(text(given[0]), validate=True)
    except ValueError as fault:
        raise FunctionFault("failed to decode input: cipher text must be base64-encoded", 0) from fault
    try:
        key = load_pem_private_key(text(given[1]).encode(), password=None)
    except (ValueError, TypeError) as fault:
        raise FunctionFault("failed to parse key: it must be an unencrypted private key in PEM format", 1) from fault
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FunctionFault("failed to parse key: it is not an RSA key", 1)
    try:
        return normalized(key.decrypt(sealed, padding.PKCS1v15()).decode())
    except ValueError as fault:
        raise FunctionFault("failed to decrypt: the text was not encrypted for this key, or is not UTF-8", 0) from fault


_NAMESPACES = {"dns": uuid.NAMESPACE_DNS, "url": uuid.NAMESPACE_URL, "oid": uuid.NAMESPACE_OID, "x500": uuid.NAMESPACE_X500}


def _uuidv5(given: Sequence[Value]) -> Value:
    name = text(given[0])
    try:
        namespace = _NAMESPACES.get(name) or uuid.UUID(name)
    except ValueError as fault:
        raise FunctionFault("uuidv5() doesn't support namespace " + name + ": name dns, url, oid, x500 or a UUID", 0) from fault
    return string(str(uuid.uuid5(namespace, text(given[1]))))
