"""Retention: a plan over 100,000 versions, and 100,000 decisions under faults of inventories: python -m benchmarks.retention"""

from __future__ import annotations

import gc
import hashlib
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.registry.registry_inventory_faults import decide_under_faults

from benchmarks.measuring import Line, machine
from goldsmith.cli.app import COLLECTED_EVERY
from goldsmith.registry import CopyPlace, KeepRule, Place, Reading, Reference, Registry, RetentionPolicy, open_registry

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

VERSIONS, IMAGES, USES, DECISIONS = 100_000, 1_000, 30_000, 100_000
DAY_US = 86_400 * 1_000_000
NOW = 1_800_000_000 * 1_000_000
_ROUNDS = 5


def measure() -> Iterator[Line]:
    """Fill a registry and plan; then take decisions on what is in use, some of it seen wrongly."""
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as place:
        root = Path(place)
        with open_registry(f"sqlite:///{root / 'registry.db'}", f"file://{root / 'store'}", clock=lambda: NOW) as registry:
            fill(registry)
            readings = [_reading()]
            channels = {"prod": KeepRule(keep_last=3, keep_for_s=30 * 86_400, retain_at_least=2)}
            policy = RetentionPolicy(keep_last=5, keep_for_s=20 * 86_400, retain_at_least=2, channels=channels)
            took: list[float] = []
            used: list[float] = []
            for _ in range(_ROUNDS):
                began, used_before = time.monotonic(), time.process_time()
                plan = registry.expire_plan(policy, actor="user:bench")
                took.append(time.monotonic() - began)
                used.append(time.process_time() - used_before)
            what = f"retention: plan over {VERSIONS} versions, {len(plan.going)} go"
            yield Line(what, took, goal=2.0)
            yield Line("the same, CPU time", used, goal=2.0)
            began = time.monotonic()
            registry.expire_plan(policy, readings=readings, actor="user:bench")
            yield Line(f"retention: the same with {USES} uses accepted", [time.monotonic() - began])
        began = time.monotonic()
        told = decide_under_faults(root / "faults", DECISIONS, seed=7)
        yield Line(
            f"retention: {told.decisions} decisions, {told.stopped} of {told.runs} runs stopped", [time.monotonic() - began]
        )
        yield Line("retention: versions that went while in use", [told.wrong], "", 0)


def fill(registry: Registry) -> None:
    """Versions of a thousand images, a fifth of them built on another image, channels with a past, pins and copies."""
    with registry.database.fill() as connection:
        for table, rows in _tables().items():
            _insert(connection, table, rows)
        head = "UPDATE chain_head SET (seq, at) = (SELECT MAX(seq), MAX(at) FROM event)"
        connection.exec_driver_sql(head)


def _tables() -> Mapping[str, Iterable[dict[str, object]]]:
    chance = random.Random(7)
    versions = range(1, VERSIONS + 1)
    each = VERSIONS // IMAGES
    parents = {number: number - IMAGES for number in versions if number > IMAGES and number % 5 == 0}
    assignments = [(channel, generation) for channel in range(1, 3 * IMAGES + 1) for generation in range(1, 21)]
    return {
        "image": ({"id": n, "name": f"image-{n}", "labels": "{}", "seq": 1} for n in range(1, IMAGES + 1)),
        "version": (
            {
                "id": n,
                "image": (n - 1) % IMAGES + 1,
                "number": (n - 1) // IMAGES + 1,
                "digest": _digest(f"version {n}"),
                "parent": parents.get(n),
                "manifest": "{}",
                "inputs_digest": "",
                "builder": "bench",
                "created_at": NOW - (each - (n - 1) // IMAGES) * DAY_US,
                "seq": 1,
            }
            for n in versions
        ),
        "closure": ({"version": n, "ancestor": parent, "depth": 1} for n, parent in parents.items()),
        "storage": ({"version": n, "state": "present", "since": NOW} for n in versions),
        "event": (
            {"seq": n, "prev": "", "hash": str(n), "at": NOW - DAY_US, "actor": "", "type": "", "body": "{}", "request": ""}
            for n in range(1, len(assignments) + 1)
        ),
        "policy": ({"digest": "p", "doc": '{"rollback":{"keep":5}}', "seq": 1} for _ in range(1)),
        "channel": (
            {
                "id": n,
                "image": (n - 1) % IMAGES + 1,
                "name": ("dev", "staging", "prod")[(n - 1) // IMAGES],
                "generation": 20,
                "version": (n - 1) % IMAGES + 1 + IMAGES * (each - 1),
                "policy": "p",
                "state": "open",
                "reason": "",
            }
            for n in range(1, 3 * IMAGES + 1)
        ),
        "assignment": (
            {
                "channel": channel,
                "generation": generation,
                "version": (channel - 1) % IMAGES + 1 + IMAGES * (each - 21 + generation),
                "kind": "promote",
                "reason": "",
                "seq": seq,
            }
            for seq, (channel, generation) in enumerate(assignments, 1)
        ),
        "pin": ({"id": n, "version": chance.randrange(1, VERSIONS), "kind": "hold", "holder": str(n)} for n in range(1, 1001)),
        "artifact": (
            {
                "id": n,
                "version": n,
                "kind": "ami",
                "platform": "aws",
                "account": "1",
                "region": "eu-west-1",
                "external_id": _ami(n),
                "digest": _digest(f"disk {n}"),
                "size": 1,
                "bound_by": "declared",
                "state": "published",
            }
            for n in versions
            if n % 2
        ),
    }


def _insert(connection: Connection, table: str, rows: Iterable[dict[str, object]]) -> None:
    from sqlalchemy import text

    found = list(rows)
    names = list(found[0])
    sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
    connection.execute(text(sql), found)


def _reading() -> Reading:
    chance = random.Random(8)
    references = tuple(
        Reference(external_id=_ami(chance.randrange(1, VERSIONS)), kind="instance", place=f"i-{n}") for n in range(USES)
    )
    place = CopyPlace(platform="aws", account="1", region="eu-west-1", external_id="", kind="ami")
    return Reading(place=Place("bench", *place.key), started=NOW, finished=NOW, references=references)


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _ami(number: int) -> str:
    return f"ami-{number:017x}"


def main() -> None:
    """Print the table."""
    gc.set_threshold(COLLECTED_EVERY)
    print(machine())
    for line in measure():
        print(line)


if __name__ == "__main__":
    main()
