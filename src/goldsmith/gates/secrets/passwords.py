"""Whether a password of the build opens an account: by the system's libcrypt, which knows every kind of hash."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache
from threading import Lock
from typing import Literal

_LOCK = Lock()
"""`crypt` answers in storage that all threads share."""


def opens(password: str, stored: str) -> bool:
    """Whether a password fits a hash of /etc/shadow (yescrypt, bcrypt, SHA-2, MD5, DES, …)."""
    return tried(password, stored) == "fits"


def tried(password: str, stored: str) -> Literal["fits", "does not", "unknown kind"]:
    """The outcome of one try, which takes about 25 ms with yescrypt; "unknown kind" when libcrypt cannot compute the hash."""
    if "\0" in password or "\0" in stored:
        return "unknown kind"
    with _LOCK:
        computed = _libcrypt().crypt(password.encode(), stored.encode())
    # libcrypt answers "*0" or "*1", which never is a hash, when it does not know the kind.
    if computed is None or computed.startswith(b"*"):
        return "unknown kind"
    return "fits" if computed == stored.encode() else "does not"


@cache
def _libcrypt() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    library.crypt.restype = ctypes.c_char_p
    return library
