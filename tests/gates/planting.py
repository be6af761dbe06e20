"""Makes secrets from a seed while tests run, so that no text in the repository looks like one."""

from __future__ import annotations

import base64
import importlib
import json
import random
import re
import string
from collections.abc import Callable, Mapping
from typing import Any

from goldsmith.gates.secrets.checksums import bech32_polymod, crc32_base62

kinds: Any = importlib.import_module("re._constants")
reader: Any = importlib.import_module("re._parser")
"""The parsed form of expressions, which has no public name and no types."""
LETTERS = string.ascii_letters + string.digits
PRINTABLE = [chr(code) for code in range(33, 127)]
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def password(chance: random.Random, length: int = 20) -> str:
    """A password with signs that encodings change."""
    return "".join(chance.choices(LETTERS + "/+&", k=length - 2)) + "z&"


def text_of(pattern: str, chance: random.Random) -> str:
    """A text that an expression matches."""
    return "".join(_part(part, chance) for part in reader.parse(pattern))


def _part(part: tuple[Any, Any], chance: random.Random) -> str:
    kind, value = part
    if kind is kinds.LITERAL:
        return chr(value)
    if kind is kinds.NOT_LITERAL:
        return "x"
    if kind is kinds.IN:
        return chance.choice(_members(value))
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT):
        least, _, inner = value
        return "".join(_part(item, chance) for _ in range(least) for item in inner)
    if kind is kinds.SUBPATTERN:
        return "".join(_part(item, chance) for item in value[-1])
    if kind is kinds.BRANCH:
        return "".join(_part(item, chance) for item in value[1][0])
    assert kind is kinds.AT, f"the generator does not know {kind}"
    return ""


def _members(items: list[tuple[Any, Any]]) -> list[str]:
    chosen = {letter for letter in PRINTABLE if any(_is_in(item, letter) for item in items)}
    if items[0][0] is kinds.NEGATE:
        return [letter for letter in LETTERS if letter not in chosen] or [" "]
    return sorted(chosen) or [" "]


def _is_in(item: tuple[Any, Any], letter: str) -> bool:
    kind, value = item
    if kind is kinds.LITERAL:
        return bool(ord(letter) == value)
    if kind is kinds.RANGE:
        return bool(value[0] <= ord(letter) <= value[1])
    if kind is kinds.CATEGORY:
        classes = {kinds.CATEGORY_DIGIT: r"\d", kinds.CATEGORY_WORD: r"\w", kinds.CATEGORY_SPACE: r"\s"}
        return re.match(classes[value], letter) is not None
    return False


def token(rule: Mapping[str, object], chance: random.Random) -> str:
    """A text with a token of a rule of our file, with a good checksum where the format has one."""
    made = text_of(str(rule["regex"]), chance)
    fix = CHECKED.get(str(rule.get("checksum", "")))
    return fix(made, chance) if fix else made


def _github(made: str, chance: random.Random) -> str:
    prefix, _, body = made.partition("_")
    return f"{prefix}_{body[:-6]}{crc32_base62(body[:-6].encode()).decode()}"


def _age(made: str, chance: random.Random) -> str:
    values = [chance.randrange(32) for _ in range(52)]
    prefix = "age-secret-key-"
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = bech32_polymod([*expanded, *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> 5 * (5 - place) & 31 for place in range(6)]
    return (prefix + "1" + "".join(BECH32[value] for value in values)).upper()


def _aws(made: str, chance: random.Random) -> str:
    account = chance.randrange(10**12)
    body = (account << 7 | 1 << 47).to_bytes(6, "big") + chance.randbytes(4)
    return made[:4] + base64.b32encode(body).decode()


def _web_token(made: str, chance: random.Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": str(chance.randrange(10**9)), "iat": 1})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, "".join(chance.choices(LETTERS, k=43))))


def _pypi(made: str, chance: random.Random) -> str:
    site = b"test.pypi.org" if made.startswith("pypi-AgEN") else b"pypi.org"
    body = b"\x02\x01" + bytes([len(site)]) + site + b"\x02" + chance.randbytes(80) + b"\0\0\x06\x20" + chance.randbytes(32)
    return "pypi-" + base64.urlsafe_b64encode(body).decode().rstrip("=")


def _discord(made: str, chance: random.Random) -> str:
    number = str(chance.randrange(10**17, 4 * 10**17)).encode()
    first = base64.urlsafe_b64encode(number).decode().rstrip("=")
    return f"{first}.{'.'.join(made.split('.')[1:])}"


CHECKED: Mapping[str, Callable[[str, random.Random], str]] = {
    "crc32-base62": _github,
    "age": _age,
    "aws-key-id": _aws,
    "jwt": _web_token,
    "pypi": _pypi,
    "discord": _discord,
}


def private_key(kind: str, chance: random.Random) -> str:
    """Something of the shape of a private key, in PEM."""
    body = base64.b64encode(chance.randbytes(600)).decode()
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    mark = f"{kind} PRIVATE " + "KEY" if kind else "PRIVATE " + "KEY"
    return f"-----BEGIN {mark}-----\n{lines}\n-----END {mark}-----\n"
