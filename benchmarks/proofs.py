"""Converts each script of tests/assist/scripts and proves its role: `python -m benchmarks.proofs [--tree DIR] [WORD…]`.

Prints a line for each script whose name holds one of the words (all, without any), and what speaks against a role. Without
--tree a small Debian is made of packages of this host; scripts that need a program that it lacks are left out and named.
`--wrong` proves deliberately wrong roles in their place: every one must be refused.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.assist.debian_tree import make_debian_tree
from tests.assist.proof_workbench import SCRIPT, claim_of, convert_and_prove, ground_on, named, write_role, wrong_tasks

from goldsmith.assist.parent import Parent
from goldsmith.assist.proof import Proof, prove, run_originals
from goldsmith.assist.runs import Ground
from goldsmith.assist.stacked import StackedTree
from goldsmith.hcl.diagnostics import GoldsmithError

SCRIPTS = Path(__file__).parents[1] / "tests/assist/scripts"


def main() -> int:
    """Prove what is asked for; 1 when a verdict is not the one that it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="proofs-") as place:
        tree = arguments.tree or Path(place) / "tree"
        if arguments.tree is None:
            tree.mkdir()
            make_debian_tree(tree)
        parent = Parent(name="small-debian", lowers=(tree.resolve(),), epoch=1_790_000_000)
        with ground_on(parent, Path(place)) as ground:
            work = _wrong_roles if arguments.wrong else _scripts
            results = list(work(ground, Path(place), arguments.words))
    good = sum(results)
    _say(f"{good} of {len(results)} as they should be")
    return 0 if results and good == len(results) else 1


def _scripts(ground: Ground, place: Path, words: list[str]) -> Iterator[bool]:
    tree = StackedTree(ground.parent.lowers)
    for path in sorted(SCRIPTS.glob("*.sh")):
        if words and not any(word in path.name for word in words):
            continue
        if missing := [name for name in needs_of(path) if not tree.matching(f"usr/bin/{name}", f"usr/sbin/{name}")]:
            _say(f"{path.name:24} left out: the tree has no {', '.join(missing)}")
            continue
        started = time.monotonic()
        try:
            proof, shares = convert_and_prove(path, ground, place / path.stem)
        except GoldsmithError as error:
            _say(f"{path.name:24} failed   {error}")
            yield False
            continue
        _tell(path.name, proof, time.monotonic() - started, ", ".join(f"{n} {fate}" for fate, n in shares.items()))
        yield proof.verdict == "proven"


def needs_of(path: Path) -> list[str]:
    """The programs that a script says that it needs."""
    lines = path.read_text().splitlines()
    return [word for line in lines if line.startswith("# needs: ") for word in line.removeprefix("# needs: ").split()]


def _wrong_roles(ground: Ground, place: Path, words: list[str]) -> Iterator[bool]:
    originals = run_originals(claim_of(SCRIPT, Path()), ground)
    for number, (name, (tasks, handlers)) in enumerate(wrong_tasks().items()):
        if words and not any(word in name for word in words):
            continue
        started = time.monotonic()
        role = write_role(place / str(number), named(tasks), handlers)
        proof = prove(claim_of(SCRIPT, role), ground, originals=originals)
        _tell(name, proof, time.monotonic() - started, "")
        yield proof.verdict == "refused"
        shutil.rmtree(role)


def _tell(name: str, proof: Proof, seconds: float, shares: str) -> None:
    _say(f"{name:24} {proof.verdict:8} {seconds:5.1f} s  {proof.examined} paths  {shares}")
    for line in proof.shortcomings:
        _say(f"    {line}")
    if proof.fault is not None:
        _say(f"    {proof.fault.why}")
    for finding in proof.findings:
        item = finding.judged
        _say(f"    {item.difference.shown} {item.difference.field}: {item.difference.one} → {item.difference.other}")
        _say(f"      {finding.line or 'no line'}; {finding.task or 'no task'}")
        for line in (*item.facts, *finding.diff)[:12]:
            _say(f"      {line}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
