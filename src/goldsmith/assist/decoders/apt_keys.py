"""Keys that apt trusts: by the fingerprints of the OpenPGP keys in a file, armoured or not."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable
from goldsmith.assist.stacked import StackedTree

_TRUSTED = ("etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d/*.gpg", "etc/apt/trusted.gpg.d/*.asc")
_NAMED = ("etc/apt/keyrings/*.gpg", "etc/apt/keyrings/*.asc", "usr/share/keyrings/*.gpg", "usr/share/keyrings/*.asc")
_ARMOUR = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_KEYS = (6, 14)
"""Packets with a public key and with a public subkey (RFC 9580, section 5)."""


def fingerprints(data: bytes) -> tuple[str, ...]:
    """The fingerprints of all keys and subkeys, sorted. Raises `Undecodable` when there is none."""
    blocks = [_dearmoured(match[1]) for match in _ARMOUR.finditer(data)] or [data]
    found = sorted({_fingerprint(body) for block in blocks for tag, body in _packets(block) if tag in _KEYS})
    if not found:
        raise Undecodable("there is no public key in it")
    return tuple(found)


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching(*_TRUSTED):
        for fingerprint in _of_file(tree, path):
            # Whichever file such a key is in, it may sign every suite.
            facts[f"key {fingerprint}"] = "trusted for all suites"
    for path in tree.matching(*_NAMED):
        facts[f"keys in /{path}"] = ", ".join(_of_file(tree, path))
    return facts


def _of_file(tree: StackedTree, path: str) -> tuple[str, ...]:
    data = tree.read(path) or b""
    if path.endswith(".asc") != (_ARMOUR.search(data) is not None):
        raise Undecodable(f"apt does not read /{path}: a key is armoured in *.asc only")
    return fingerprints(data)


def _dearmoured(block: bytes) -> bytes:
    lines = block.replace(b"\r", b"").split(b"\n")
    headers = lines.index(b"") if b"" in lines else 0
    try:
        return base64.b64decode(b"".join(line for line in lines[headers:] if not line.startswith(b"=")), validate=True)
    except binascii.Error as error:
        raise Undecodable(f"the armour of a key is damaged: {error}") from error


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(data):
        first = data[place]
        if not first & 0x80:
            raise Undecodable("it is no OpenPGP data")
        if first & 0x40:
            tag, (length, place) = first & 0x3F, _new_length(data, place + 1)
        else:
            tag, size = first >> 2 & 0x0F, 1 << (first & 3)
            if size > 4:
                raise Undecodable("a packet does not say its length")
            length, place = int.from_bytes(data[place + 1 : place + 1 + size], "big"), place + 1 + size
        body = data[place : place + length]
        if len(body) != length:
            raise Undecodable("a packet is cut off")
        yield tag, body
        place += length


def _new_length(data: bytes, place: int) -> tuple[int, int]:
    """The length that stands at a place, and where its packet begins (RFC 9580, section 4.2.1)."""
    head = data[place : place + 5]
    if not head or 224 <= head[0] < 255:
        raise Undecodable("a packet comes in parts")
    if head[0] < 192:
        return head[0], place + 1
    if head[0] < 224:
        return (head[0] - 192 << 8) + int.from_bytes(head[1:2], "big") + 192, place + 2
    return int.from_bytes(head[1:5], "big"), place + 5


def _fingerprint(body: bytes) -> str:
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
    return hashlib.sha256(body).hexdigest().upper()


DECODER = Decoder("apt keys", (*_TRUSTED, *_NAMED), _read)
