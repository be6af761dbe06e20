"""The gates that need no boot, over one tree, and the same tree read by syft."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measuring import Line
from benchmarks.syft_peer import find_syft, read_with_syft
from goldsmith.events import ignore
from goldsmith.evidence import load_or_create_signer
from goldsmith.gates.advisories import match, open_database
from goldsmith.gates.advisories.families import LANGUAGES, looked_up_in_language
from goldsmith.gates.advisories.schema import Advisory, Record, Told
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.gates.contract import Subject
from goldsmith.gates.hardening import Hardening, HardeningConfig
from goldsmith.gates.inventory import Inventory, read_inventory
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.machines.cancellation import Cancellation

ROUNDS = 3
_EACH = 20
"""Advisories for each package: about what Debian's tracker has for a source."""
_TIMES_FASTER = 5


def measure(tree: Path) -> list[Line]:
    """Each gate by itself, all at once, and how many times longer syft takes to list packages."""
    inventory = read_inventory([tree])
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(item.kind for item in inventory.packages).items()))
    print(f"Packages: {kinds}; faults: {'; '.join(inventory.faults) or 'none'}")
    subject = Subject(image="tree", disk_digest="", tree=tree, disk=None)
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as place:
        matching = _matching(Path(place), inventory)
        gates: dict[str, tuple[Callable[[], object], float]] = {
            "inventory": (lambda: read_inventory([tree]), 0.5),
            "vulnerabilities after it": (matching, 0.3),
            "secrets": (lambda: Secrets().examine(subject, SecretsConfig(), ignore, Cancellation()), 5),
            "hardening": (lambda: Hardening().examine(subject, HardeningConfig(), ignore, Cancellation()), 0.5),
        }
        rounds = [_round(gates) for _ in range(ROUNDS)]
        whole = [_at_once(gates) for _ in range(ROUNDS)]
    lines = [Line(f"static set: {name}", [taken[name] for taken in rounds], goal=goal) for name, (_, goal) in gates.items()]
    return [*lines, Line("static set: all of it", whole), *_beside_syft(tree, inventory, whole)]


def _round(gates: dict[str, tuple[Callable[[], object], float]]) -> dict[str, float]:
    taken = {}
    for name, (act, _) in gates.items():
        began = time.monotonic()
        act()
        taken[name] = time.monotonic() - began
    return taken


def _at_once(gates: dict[str, tuple[Callable[[], object], float]]) -> float:
    """All gates as `scan` runs them: a thread for each, the vulnerabilities after the inventory."""
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        found = [pool.submit(gates[name][0]) for name in ("secrets", "hardening")]
        for name in ("inventory", "vulnerabilities after it"):
            gates[name][0]()
        for item in found:
            item.result()
    return time.monotonic() - began


def _matching(directory: Path, inventory: Inventory) -> Callable[[], object]:
    signer = load_or_create_signer(directory / "a.key")
    distribution = inventory.distribution
    eco = f"{distribution.id} {distribution.release}"
    with Writer(directory) as writer:
        writer.add("made", _records(inventory, eco))
        for name in (eco, *(language.eco for language in LANGUAGES.values())):
            writer.add_feed(FeedRow(id="made", eco=name, name="made", url="", published_s=1, fetched_s=1, records=1))
        path = writer.finish(signer, 1)

    def matched() -> None:
        with open_database(path, [signer.public_key]) as database:
            match(inventory, database, now_s=1)

    return matched


def _records(inventory: Inventory, eco: str) -> Iterator[Record]:
    names = {
        (LANGUAGES[item.kind].eco, looked_up_in_language(item), LANGUAGES[item.kind].scheme)
        if item.kind in LANGUAGES
        else (eco, item.source_name or item.name, "dpkg")
        for item in inventory.packages
    }
    for number, (ecosystem, package, scheme) in enumerate(sorted(names)):
        for each in range(_EACH):
            id = f"CVE-20{each:02}-{number:05}"
            yield Told(id=id, description="a fault in a part of the program", severities={"nvd": "high"})
            fixed = "" if each % 10 == 0 and scheme == "dpkg" else "0.0.1"
            yield Advisory(eco=ecosystem, package=package, vulnerability=id, scheme=scheme, fixed=fixed, status="affected")


def _beside_syft(tree: Path, inventory: Inventory, whole: list[float]) -> list[Line]:
    program = find_syft()
    if program is None:
        print("syft is not installed, so nothing is compared with it: uv sync --group syft")
        return []
    taken, theirs = read_with_syft(program, tree)
    ours = {(item.kind, item.name.lower() if item.kind == "pypi" else item.name, item.version) for item in inventory.packages}
    for words, items in (("only syft has", theirs - ours), ("only we have", ours - theirs)):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(kind for kind, _, _ in items).items()))
        print(f"{words}: {kinds or 'nothing'}")
    return [
        Line("syft alone", [taken]),
        Line("syft alone / static set", [taken / item for item in whole], "x", goal=_TIMES_FASTER, more_is_better=True),
    ]
