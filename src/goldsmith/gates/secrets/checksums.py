"""Checksums that credentials carry by their format: a text of the right shape that fails its checksum is none."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def crc32_base62(body: bytes) -> bytes:
    """The CRC-32 of a text as six digits of base 62, as GitHub and npm append it (GitHub's announcement of April 2021)."""
    value, digits = zlib.crc32(body), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits.encode()


def bech32_polymod(values: list[int]) -> int:
    """The checksum of BIP 173 over five-bit values; 1 for a text whose checksum is right."""
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


def _has_crc32_base62(token: bytes) -> bool:
    body = token.partition(b"_")[2]
    return crc32_base62(body[:-6]) == body[-6:]


def _is_bech32(token: bytes) -> bool:
    prefix, _, data = token.decode().lower().rpartition("1")
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    return bech32_polymod(expanded + [_BECH32.index(c) for c in data]) == 1


def _is_aws_key_id(token: bytes) -> bool:
    """Bits 1 to 40 of what base 32 gives are the account number, which has at most twelve digits; old keys (I, J) have none."""
    if token[4:5] in b"IJ":
        return True
    decoded = base64.b32decode(token[4:])
    return (int.from_bytes(decoded[:6], "big") >> 7) & ((1 << 40) - 1) < 10**12


def _is_web_token(token: bytes) -> bool:
    """The header of a JSON web token is a JSON object that names its algorithm (RFC 7515, 4.1.1)."""
    header = _json(token.partition(b".")[0])
    return isinstance(header, dict) and "alg" in header


def _is_pypi_macaroon(token: bytes) -> bool:
    """What follows the prefix is a version 2 macaroon: its last packet is the signature, of type 6 and 32 bytes."""
    decoded = _decoded(token.removeprefix(b"pypi-"))
    return decoded is not None and decoded[:2] == b"\x02\x01" and decoded[-34:-32] == b"\x06\x20"


def _is_discord_token(token: bytes) -> bool:
    """The first part is the bot's number in base 64 (Discord's reference, "Authentication")."""
    decoded = _decoded(token.partition(b".")[0])
    return decoded is not None and decoded.isdigit()


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4))
    except (ValueError, binascii.Error):
        return None


def _json(text: bytes) -> object:
    decoded = _decoded(text)
    try:
        return json.loads(decoded) if decoded is not None else None
    except (ValueError, RecursionError):
        return None


CHECKSUMS: Mapping[str, Callable[[bytes], bool]] = {
    "crc32-base62": _has_crc32_base62,
    "age": _is_bech32,
    "aws-key-id": _is_aws_key_id,
    "jwt": _is_web_token,
    "pypi": _is_pypi_macaroon,
    "discord": _is_discord_token,
}
"""By the name that a rule file gives; each takes the whole secret and says whether it is one."""
