"""Checkpoints: the tree is that of RFC 6962, and a root at any size can be had again later."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.evidence.log_proof import is_included
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


@given(st.integers(1, 70), st.data())
def test_the_way_from_every_leaf_leads_to_the_root_and_to_no_other(size: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, size - 1))
    leaves = [place.to_bytes(1) for place in range(size)]
    begun = Tree()
    for leaf in leaves[: data.draw(st.integers(0, place))]:
        begun.add(leaf)
    tree = Tree(begun.size, begun.frontier, prove=place)
    for leaf in leaves[begun.size :]:
        tree.add(leaf)
    root = reference(leaves)

    assert tree.root == "sha256:" + root.hex()
    assert is_included(leaves[place], place, size, tree.path, root)
    assert not is_included(leaves[place] + b"x", place, size, tree.path, root)
    assert not is_included(leaves[place], place, size, tree.path, bytes(32))
    assert not is_included(leaves[place], place, size, (*tree.path, bytes(32)), root)
    assert not is_included(leaves[place], place, size, tree.path[:-1], root) or not tree.path
    other = data.draw(st.integers(0, size).filter(lambda number: number != place))
    assert not is_included(leaves[place], other, size, tree.path, root)


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
