"""Checkpoints: the tree is that of RFC 6962, and a root at any size can be had again later."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.registry.checkpoints import Tree
from tests.registry.registry_workbench import ACTOR, Bench, policy


def reference(leaves: list[bytes]) -> bytes:
    """The recursive definition of RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + reference(leaves[:half]) + reference(leaves[half:])).digest()


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)

    assert (tree.root, tree.size) == ("sha256:" + reference(leaves).hex(), len(leaves))


def test_a_checkpoint_holds_when_the_log_has_grown(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy())
    before = bench.registry.checkpoint()
    bench.registry.record_checkpoint(before, b"signed", "outside/1", actor=ACTOR)
    bench.promote("web", "prod", "web")

    roots = bench.registry.roots({0, 1, before.size, 1000})

    hashes = [bytes.fromhex(event.hash) for event in bench.registry.events()]
    assert roots[before.size] == before.root == "sha256:" + reference(hashes[: before.size]).hex()
    assert set(roots) == {0, 1, before.size}
    assert bench.registry.roots(set()) == {}
