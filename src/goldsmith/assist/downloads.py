"""What scripts downloaded, by which command, and whether anything made sure that it was the right thing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from goldsmith.assist.effects import Effect, words_of
from goldsmith.assist.proxy import Exchange
from goldsmith.assist.shell import Script
from goldsmith.assist.tracing import PIPELINE

Verified: TypeAlias = Literal["checksum", "downloaded checksum", "signature", "package manager", ""]
"""Against a digest that stands in the script, or in another download; by a signature; by a package manager's signed indexes."""

_MANAGERS = frozenset({"apt", "apt-get", "aptitude", "dnf", "yum", "microdnf", "tdnf", "zypper", "apk", "pacman"})
_UNCHECKED = frozenset({"--allow-unauthenticated", "--nogpgcheck", "--no-gpg-checks", "--allow-untrusted"})
_SUMS = re.compile(r"(?:md5|sha1|sha224|sha256|sha384|sha512|b2|sha)sum|shasum|openssl|rhash|cksum|b2sum")
_SIGNATURES = frozenset({"gpg", "gpg2", "gpgv", "cosign", "minisign", "signify", "ssh-keygen", "rpmkeys", "dpkg-sig"})
_ALGORITHMS = ("sha256", "sha512", "sha1", "md5", "sha384")
_LARGEST_SUMS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One request and what came."""

    url: str
    """Without user names and passwords."""
    method: str
    status: int
    """0 when there was no answer."""
    sha256: str
    size: int
    effect: int
    """The id of the command that asked; 0 when that is not known."""
    verified: Verified = ""
    fault: str = ""


def downloads_of(
    exchanges: Sequence[Exchange], effects: Sequence[Effect], scripts: Sequence[Script], contents: Mapping[str, Path]
) -> tuple[Download, ...]:
    """The downloads of a run, in order. `contents` are files by the digest of what they hold."""
    texts = [script.text.decode(errors="replace").lower() for script in scripts] + [item.expanded.lower() for item in effects]
    told = "\n".join(texts)
    listed = "\n".join(_small_text(path) for path in contents.values())
    sums = any(_is_sum(effect) for effect in effects)
    found = []
    for exchange in exchanges:
        effect = _asker(exchange, effects)
        found.append(
            Download(
                url=exchange.url,
                method=exchange.method,
                status=exchange.status,
                sha256=exchange.sha256,
                size=exchange.size,
                effect=effect.id if effect is not None else 0,
                verified=_verified(exchange, effect, effects, contents, told, listed, sums),
                fault=exchange.fault,
            )
        )
    return tuple(found)


def _asker(exchange: Exchange, effects: Sequence[Effect]) -> Effect | None:
    """The command that asked: the last that ran when the request came, or the member of its pipeline that names the address."""
    if not 0 < exchange.command <= len(effects):
        return None
    last = effects[exchange.command - 1]
    pipeline = takewhile(lambda effect: PIPELINE in effect.approximate, reversed(effects[: exchange.command]))
    named = (effect for effect in pipeline if exchange.url in effect.expanded or exchange.url in effect.command)
    return next(named, last)


def _verified(
    exchange: Exchange,
    effect: Effect | None,
    effects: Sequence[Effect],
    contents: Mapping[str, Path],
    told: str,
    listed: str,
    sums: bool,
) -> Verified:
    words = words_of(effect.expanded or effect.command) if effect is not None else []
    if words and words[0] in _MANAGERS and _UNCHECKED.isdisjoint(words):
        return "package manager"
    if exchange.size == 0 or exchange.sha256 not in contents:
        return ""
    digests = _digests(contents[exchange.sha256])
    if any(digest in told for digest in digests):
        return "checksum"
    names = _names(exchange, effect)
    if any(_checks_signature(item, names) for item in effects):
        return "signature"
    return "downloaded checksum" if sums and any(digest in listed for digest in digests) else ""


def _names(exchange: Exchange, effect: Effect | None) -> frozenset[str]:
    """What the downloaded file may be called."""
    last = urlsplit(exchange.url).path.rpartition("/")[2]
    paths = effect.touched if effect is not None else ()
    return frozenset(name for name in (last, *(path.rpartition("/")[2] for path in paths)) if name)


def _is_sum(effect: Effect) -> bool:
    words = words_of(effect.expanded or effect.command)
    return bool(words) and _SUMS.fullmatch(words[0]) is not None and effect.rc in (0, None)


def _checks_signature(effect: Effect, names: frozenset[str]) -> bool:
    words = words_of(effect.expanded or effect.command)
    if not words or words[0] not in _SIGNATURES or effect.rc not in (0, None):
        return False
    checks = words[0] == "gpgv" or any("verify" in word or word in ("-V", "-Y", "-K") for word in words[1:])
    return checks and any(word.rpartition("/")[2] in names for word in words[1:])


def _digests(path: Path) -> list[str]:
    hashes = [hashlib.new(name, usedforsecurity=False) for name in _ALGORITHMS]
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            for item in hashes:
                item.update(data)
    return [item.hexdigest() for item in hashes]


def _small_text(path: Path) -> str:
    return path.read_text(errors="replace").lower() if path.stat().st_size <= _LARGEST_SUMS else ""
