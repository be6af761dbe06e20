"""Temporary keys: each kind that a template may ask for."""

from __future__ import annotations

import asyncssh
import pytest

from goldsmith.machines.ssh import new_key


@pytest.mark.parametrize(
    ("kind", "bits", "algorithm"),
    [
        ("ed25519", 0, "ssh-ed25519"),
        ("ecdsa", 0, "ecdsa-sha2-nistp256"),
        ("ecdsa", 384, "ecdsa-sha2-nistp384"),
        ("rsa", 0, "ssh-rsa"),
        ("rsa", 3072, "ssh-rsa"),
    ],
)
def test_a_key_is_of_its_kind_and_both_halves_belong_together(kind: str, bits: int, algorithm: str) -> None:
    private, public = new_key(kind, bits)

    assert public.split()[0] == algorithm
    assert asyncssh.import_private_key(private).export_public_key().decode().strip() == public


def test_a_size_that_a_kind_has_not_is_told() -> None:
    with pytest.raises(ValueError, match="nistp7"):
        new_key("ecdsa", 7)
