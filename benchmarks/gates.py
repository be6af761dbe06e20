"""Seconds that gates take for the tree of an image: python -m benchmarks.gates TREE.

A tree of about 700 MB is what the goals are for: mmdebstrap makes one.
"""

from __future__ import annotations

import random
import string
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import advisories, static_set
from benchmarks.measuring import Line, machine

RUNS = 3


def secrets_of_a_build(count: int = 25) -> list[str]:
    """Values as a build may have: their forms are about 250."""
    chance = random.Random(4711)
    return ["".join(chance.choices(string.ascii_letters + string.digits + "/+&", k=24)) for _ in range(count)]


def secrets_gate(tree: Path) -> list[Line]:
    """The whole gate, and the search for known secrets by itself."""
    from goldsmith.events import ignore
    from goldsmith.gates.contract import KnownSecret, Subject
    from goldsmith.gates.secrets import Secrets, SecretsConfig
    from goldsmith.gates.secrets.known import KnownSearch, forms
    from goldsmith.machines.cancellation import Cancellation

    known = tuple(KnownSecret(name=str(number), value=value) for number, value in enumerate(secrets_of_a_build()))
    subject = Subject(image="tree", disk_digest="", tree=tree, disk=None, known_secrets=known)
    facts = Secrets().examine(subject, SecretsConfig(), ignore, Cancellation())
    told = ", ".join(sorted(f"{finding.rule} {finding.path}" for finding in facts.findings))
    print(f"{facts.measures['size_bytes'] / 1e6:.0f} MB in {facts.examined} files; findings: {told or 'none'}")
    whole = _seconds(lambda: Secrets().examine(subject, SecretsConfig(), ignore, Cancellation()))
    search = KnownSearch(forms(known))
    data = b"".join(path.read_bytes() for path in sorted((tree / "usr/bin").iterdir()) if path.is_file())
    found = _seconds(lambda: list(search.find(data)))
    return [
        Line("secrets: the whole gate", whole, goal=6),
        Line("secrets: known secrets", [len(data) / 1e6 / taken for taken in found], "MB/s", goal=300, more_is_better=True),
    ]


def inventory(tree: Path) -> list[Line]:
    """All readers of packages over the tree, and the walk that they share by itself."""
    from goldsmith.gates.inventory import Stack, read_inventory

    found = read_inventory([tree])
    print(
        f"{len(found.packages)} packages in {len(Stack([tree]).names)} files; faults: {'; '.join(found.faults[:3]) or 'none'}"
    )
    return [
        Line("inventory: all readers", _seconds(lambda: read_inventory([tree])), goal=0.5),
        Line("inventory: the walk", _seconds(lambda: Stack([tree]).names), goal=0.3),
    ]


def _seconds(act: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(RUNS):
        started = time.monotonic()
        act()
        taken.append(time.monotonic() - started)
    return taken


def main() -> None:
    """Print what was measured, and whether it meets its goal."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.gates TREE")
    tree = Path(sys.argv[1])
    print(machine())
    for line in (*inventory(tree), *static_set.measure(tree), *secrets_gate(tree), *advisories.measure()):
        print(line)


if __name__ == "__main__":
    main()
