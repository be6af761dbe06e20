"""The advisories file with a million rows: how large it is, how fast it opens, how fast an inventory is matched."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import Line
from goldsmith.evidence import load_or_create_signer
from goldsmith.gates.advisories import match, open_database
from goldsmith.gates.advisories.schema import Advisory, Record, Told
from goldsmith.gates.advisories.writing import FeedRow, Writer
from goldsmith.gates.inventory import Distribution, Inventory, Package

ROWS = 1_000_000
SOURCES, RELEASES = 4_000, 5
_ROUNDS = 5


def measure() -> list[Line]:
    """Write a file as large as all of Debian, Ubuntu and their like together, then use it."""
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as place:
        directory = Path(place)
        signer = load_or_create_signer(directory / "a.key")
        began = time.monotonic()
        path = _write(directory)
        wrote = time.monotonic() - began
        opened, matched = [], []
        inventory = _inventory()
        for _ in range(_ROUNDS):
            began = time.monotonic()
            database = open_database(path, [signer.public_key])
            opened.append((time.monotonic() - began) * 1000)
            with database:
                began = time.monotonic()
                found = match(inventory, database, now_s=1)
                matched.append(time.monotonic() - began)
        return [
            Line("advisories: a million rows, written", [wrote]),
            Line("advisories: a million rows, size", [path.stat().st_size / 1e6], "MB", 150),
            Line("advisories: a million rows, verified and opened", opened, "ms", 50),
            Line(f"advisories: 300 packages matched, {len(found.vulnerabilities)} findings", matched, "s", 0.3),
        ]


def _write(directory: Path) -> Path:
    chance = random.Random(7)
    with Writer(directory) as writer:
        writer.add("debian", _records(chance))
        for release in range(10, 10 + RELEASES):
            eco = f"debian {release}"
            writer.add_feed(FeedRow(id="debian", eco=eco, name="Debian", url="", published_s=1, fetched_s=1, records=1))
        return writer.finish(load_or_create_signer(directory / "a.key"), 1)


def _records(chance: random.Random) -> Iterator[Record]:
    each = ROWS // (SOURCES * RELEASES)
    for number in range(SOURCES):
        for vulnerability in range(each):
            id = f"CVE-20{chance.randrange(10, 26)}-{number % 100:02}{vulnerability:03}"
            yield Told(id=id, description="a fault in a part of the program " * 3, severities={"nvd": "high"})
            for release in range(10, 10 + RELEASES):
                fixed = (
                    f"1:{chance.randrange(1, 9)}.{chance.randrange(99)}.{vulnerability}-1+deb{release}u{chance.randrange(9)}"
                )
                yield Advisory(
                    eco=f"debian {release}",
                    package=_source(number),
                    vulnerability=id,
                    scheme="dpkg",
                    fixed=fixed if vulnerability % 8 else "",
                    status="fixed" if vulnerability % 8 else "affected",
                    severity="medium",
                    vendor_ids=(f"DSA-{number}-1",) if vulnerability % 3 else (),
                )


def _source(number: int) -> str:
    return f"lib-of-program-{number}"


def _inventory() -> Inventory:
    packages = [
        Package(
            kind="deb", name=f"{_source(number)}-bin", version="1:9.0-1", source_name=_source(number), source_version="1:9.0-1"
        )
        for number in range(300)
    ]
    return Inventory(distribution=Distribution(id="debian", family="debian", release="12"), packages=tuple(packages))
