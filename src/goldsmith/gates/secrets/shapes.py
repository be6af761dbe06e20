"""Shapes of content that structural detectors ask for: what makes a file at a telling place a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.secrets.expressions import expression

if TYPE_CHECKING:
    import re2

_PRIVATE_KEY = rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])+[A-Za-z0-9+/=\s\\:,-]{60}"
_PUTTY_KEY = rb"(?m)^PuTTY-User-Key-File-\d:"
_CRYPT = re.compile(rb"[$_][^\s:]{3,}|[./0-9A-Za-z]{13}")
_STORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce", b"\x03\xd9\xa2\x9a")
"""Java key stores, and KeePass."""


def matching(pattern: bytes) -> Callable[[bytes], bool]:
    """The shape of content in which an expression of re2 is found; `^` and `$` are those of lines.

    The files are whatever the image has: re2 takes time in proportion to them, however they are written.
    """
    return lambda data: _compiled(b"(?m)" + pattern).search(data) is not None


@cache
def _compiled(pattern: bytes) -> re2._Regexp[bytes]:
    return expression(pattern)


def has_private_key(data: bytes) -> bool:
    """PEM, OpenSSH, PGP and PuTTY, also with written line ends as in JSON."""
    return (b"PRIVATE KEY" in data and _compiled(_PRIVATE_KEY).search(data) is not None) or (
        data.startswith(b"PuTTY") and _compiled(_PUTTY_KEY).search(data) is not None
    )


def has_usable_password(data: bytes) -> bool:
    """Lines of /etc/shadow with a hash, or without any password at all."""
    stored = [line.split(b":")[1] for line in data.splitlines() if line.count(b":") >= 2]
    return any(not item or _CRYPT.fullmatch(item) for item in stored)


def is_identity(data: bytes) -> bool:
    """A machine id that is neither empty nor systemd's word for "make one"."""
    return data.strip() not in (b"", b"uninitialized")


def is_core_dump(data: bytes) -> bool:
    """An ELF file of type ET_CORE."""
    return data[:4] == b"\x7fELF" and len(data) > 17 and 4 in (data[16], data[17])


def is_key_store(data: bytes) -> bool:
    """Java key stores, KeePass databases and PKCS#12, which is a DER sequence of version 3."""
    return data.startswith(_STORES) or (data[:1] == b"\x30" and b"\x02\x01\x03" in data[:10])


def is_der_key(data: bytes) -> bool:
    """A private key in DER: whether a parser takes it, or says that only its password is missing."""
    if data[:1] != b"\x30" or len(data) > 20_000:
        return False
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        load_der_private_key(data, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def is_keytab(data: bytes) -> bool:
    """MIT Kerberos key tables begin with 05 and their version."""
    return data[:2] in (b"\x05\x01", b"\x05\x02") and len(data) > 2


def is_this_host(data: bytes) -> bool:
    """The name of the machine that examines, which is the one that built."""
    return data.decode(errors="replace").strip() == os.uname().nodename


def has_resolver_of_this_host(data: bytes) -> bool:
    """A name server or search domain of the machine that examines; loopback addresses are nobody's."""
    return bool(_resolvers(data) & _resolvers(_own_resolver()))


def _own_resolver() -> bytes:
    try:
        return Path("/etc/resolv.conf").read_bytes()
    except OSError:
        return b""


def _resolvers(data: bytes) -> set[bytes]:
    words = {word for line in re.findall(rb"(?m)^(?:nameserver|search|domain)\s+(.+)$", data) for word in line.split()}
    return {word for word in words if not word.startswith((b"127.", b"::1")) and word != b"."}
