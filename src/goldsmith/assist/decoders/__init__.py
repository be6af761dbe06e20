"""Decoders: what the files of a format mean, one format in each file; two trees that mean the same may differ in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable
from goldsmith.assist.decoders.documents import same_document
from goldsmith.assist.decoders.shadow import decoder as passwords_decoder

__all__ = ["Decoder", "Facts", "Undecodable", "decoders", "same_document"]

_FORMATS = (
    "accounts",
    "alternatives",
    "apt_keys",
    "apt_sources",
    "cron",
    "debconf",
    "dpkg",
    "fstab",
    "git",
    "initramfs",
    "ld_cache",
    "limits",
    "locale",
    "modules",
    "pip",
    "rpm",
    "sudoers",
    "sysctl",
    "ufw",
    "units",
    "yum",
)
"""The files beside this one. Each has a `DECODER`."""


def decoders(passwords: Sequence[str] = ()) -> tuple[Decoder, ...]:
    """All decoders. Two hashes of a password are equal when both verify the same one of `passwords`."""
    found: list[Decoder] = [import_module(f"goldsmith.assist.decoders.{name}").DECODER for name in _FORMATS]
    return (*found, passwords_decoder(passwords))
