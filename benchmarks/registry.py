"""What the registry takes for what is asked of it most, and whether it stays right: python -m benchmarks.registry.

The large one has 202,000 versions, a million rows of packages of layers and a million events; --small is for trying this out.
With --postgresql the registry is in a server that is started for it. --race SECONDS does nothing but race: four processes mix
all acts, are killed one after the other, and an oracle that knows nothing of the registry's code judges the log.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.large_registry import (
    SMALL,
    Made,
    Size,
    Writer,
    declare_policy,
    fill,
    new_channels,
    new_image,
    new_version,
    prove,
)
from benchmarks.measuring import GOLDSMITH, Line, cpu, machine, run, timed
from goldsmith.cli.app import COLLECTED_EVERY
from goldsmith.registry import Registry, open_registry

if TYPE_CHECKING:
    from tests.registry.registry_races import Site

GATES = tuple(f"gate{number}" for number in range(30))
ACTOR = "user:benchmark"
CPU = "the same, CPU time of these processes"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of what was measured beside its goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a thousandth of the size")
    parser.add_argument("--postgresql", action="store_true", help="in a server instead of a file")
    parser.add_argument("--race", type=float, default=0, metavar="SECONDS", help="only race, for so long")
    options = parser.parse_args(arguments)
    gc.set_threshold(COLLECTED_EVERY)
    print(machine())
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goldsmith-benchmark-")))
        new_site = stack.enter_context(_sites(root, options.postgresql))
        if options.race:
            _race(new_site(), options.race)
            return
        for line in _lines(new_site, SMALL if options.small else Size(), in_server=options.postgresql):
            print(line, flush=True)


def _lines(new_site: Callable[[], Site], size: Size, *, in_server: bool) -> Iterator[Line]:
    yield from promotion(new_site(), writers=4 if in_server else 1, goal_ms=40 if in_server else 15)
    yield from revocation(new_site(), descendants=10_000 if size != SMALL else 200)
    site = new_site()
    with site.open() as registry:
        started = time.monotonic()
        fill(registry.database, size)
        yield Line(f"filling a registry with {size.versions:,} versions", [time.monotonic() - started])
        yield resolving(registry, size)
        yield from blasting(registry, size)
        yield from auditing(registry)
    yield from opening(site)


def promotion(site: Site, *, writers: int, goal_ms: float) -> Iterator[Line]:
    """Moves a channel to and fro, each decided on 30 pieces of evidence, by several processes at once."""
    with site.open() as registry:
        writer = Writer(registry.database)
        policy = declare_policy(writer, GATES)
        for number in range(writers):
            image = new_image(writer, f"web{number}")
            made = [new_version(writer, image, f"web{number}", build, None, []) for build in (1, 2)]
            for item in made:
                prove(writer, item, GATES)
            new_channels(writer, image, f"web{number}", policy, made, 1)
        writer.finish()
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        parts = pool.starmap(_promote, [(site.url, number) for number in range(writers)])
    taken, used = ([item for part in parts for item in part[place]] for place in (0, 1))
    yield Line(f"promotion with 30 pieces of evidence, {writers} at once, p95", [_p95(taken)], "ms", goal=goal_ms)
    yield Line(CPU, [_p95(used)], "ms")


def _promote(url: str, number: int) -> tuple[list[float], list[float]]:
    with open_registry(url, "file:///nonexistent") as registry:

        def move(turn: int) -> None:
            registry.promote(f"web{number}", "channel0", f"web{number}:{1 + turn % 2}", actor=ACTOR)

        return _taken(move, 200)[10:], _taken(move, 200, time.process_time)


def revocation(site: Site, *, descendants: int) -> Iterator[Line]:
    """A base with very many descendants, and 100 channels that stand on some of them and have somewhere to go back to."""
    with site.open() as registry:
        writer = Writer(registry.database)
        policy = declare_policy(writer)
        images = 100
        bad = new_version(writer, new_image(writer, "base"), "base", 1, None, [])
        for number in range(images):
            image = new_image(writer, f"app{number}")
            good = new_version(writer, image, f"app{number}", 1, None, [])
            prove(writer, good, ("boot",))
            made = [new_version(writer, image, f"app{number}", 2 + build, bad, []) for build in range(descendants // images)]
            _stand_on(writer, image, f"app{number}", policy, good, made[-1])
        writer.finish()

        def revoke(turn: int) -> None:
            revoked = registry.revoke("base:1", "benchmark", dry_run=True, actor=ACTOR)
            assert len(revoked.moved) == images

        what = f"revoking a base, {descendants:,} descendants, {images} channels"
        yield Line(what, _taken(revoke, 3), "ms", goal=500)
        yield Line(CPU, _taken(revoke, 3, time.process_time), "ms")


def _stand_on(writer: Writer, image: int, name: str, policy: str, before: Made, now: Made) -> None:
    new_channels(writer, image, name, policy, [before, now] if image % 2 else [now, before], 1)


def resolving(registry: Registry, size: Size) -> Line:
    """By CPU time: it is about what a core can do, whatever else the machine does."""
    names = [f"app{number % size.applications}@channel{number % size.channels}" for number in range(5_000)]
    registry.resolve(names[0])
    started = time.process_time()
    for name in names:
        registry.resolve(name)
    rate = len(names) / (time.process_time() - started)
    return Line("resolving in process, each second of a core", [rate], "/s", goal=5_000, more_is_better=True)


def blasting(registry: Registry, size: Size) -> Iterator[Line]:
    """Questions of each kind; the goal is for all of them."""
    questions = {
        "a package of a base": [f"lib{number}@1.{number % 20}" for number in range(40)],
        "a package of an application": [f"app{number}-1" for number in range(40)],
        "a vulnerability": [f"CVE-2030-{number}" for number in range(40)],
        "a base": [f"base{number % size.bases}:{1 + number % size.base_versions}" for number in range(40)],
    }
    for kind, asked in questions.items():
        ask = partial(_ask, registry, asked)
        yield Line(f"blast of {kind}, p95", [_p95(_taken(ask, len(asked)))], "ms", goal=100)
        yield Line(CPU, [_p95(_taken(ask, len(asked), time.process_time))], "ms")


def _ask(registry: Registry, questions: Sequence[str], turn: int) -> None:
    registry.impact(questions[turn])


def auditing(registry: Registry) -> Iterator[Line]:
    """Chain, times and hashes of every event, and the replay of all of them against the tables."""
    started, used = time.monotonic(), time.process_time()
    report = registry.verify_chain()
    yield Line(f"audit verify of {report.events:,} events", [time.monotonic() - started], goal=60)
    yield Line(CPU, [time.process_time() - used])
    assert report.is_whole, report.faults


def opening(site: Site) -> Iterator[Line]:
    """A command in a process of its own, from its start to its end. Its modules were compiled by an earlier start."""
    project = f'registry {{ url = "{site.url}" }}\nstore {{ url = "file://{site.store}" }}\n'
    (site.root / "goldsmith.hcl").write_text(project)
    command = [GOLDSMITH, "resolve", "app1", "channel1"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(site.root / "compiled")
    run(command, site.root, environment)
    yield Line("opening it: goldsmith resolve", [timed(command, site.root, environment) for _ in range(9)], goal=0.3)
    yield Line("the same, CPU time", [cpu(command, site.root, environment) for _ in range(9)], goal=0.3)


def _race(site: Site, seconds: float) -> None:
    """Half a minute at a time, after which everything is judged that has happened so far."""
    from tests.registry.registry_races import found, race_and_kill

    found(site)
    started, killed, faults = time.monotonic(), 0, list[str]()
    while not faults and (left := seconds - (time.monotonic() - started)) > 0:
        killed += race_and_kill(site, seconds=min(left, 30), seed=int(started) + 1000 * killed)
        faults = site.faults()
    kinds = Counter(kind for kind, _ in site.events())
    taken = time.monotonic() - started
    print(f"{sum(kinds.values())} events in {taken:.0f} s, {sum(kinds.values()) / taken:.0f}/s; {killed} processes killed")
    print(", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    print(f"{len(faults)} violations", *faults[:20], sep="\n")


@contextmanager
def _sites(root: Path, in_server: bool) -> Iterator[Callable[[], Site]]:
    """Gives the place of a new registry each time it is called."""
    from tests.registry.registry_postgresql import programs, running
    from tests.registry.registry_races import Site

    places = (root / f"{number}" for number in count())
    if not in_server:
        yield lambda: Site(_made(next(places)))
        return
    bin = programs()
    if bin is None:
        raise SystemExit("Debian's package postgresql is not installed: ./bootstrap tests")
    with running(bin) as server:
        yield lambda: Site(_made(next(places)), server, server.registry())


def _made(place: Path) -> Path:
    place.mkdir()
    return place


def _taken(act: Callable[[int], object], times: int, clock: Callable[[], float] = time.monotonic) -> list[float]:
    """Milliseconds of each time."""
    taken = []
    for turn in range(times):
        started = clock()
        act(turn)
        taken.append(1000 * (clock() - started))
    return taken


def _p95(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=20)[18]


if __name__ == "__main__":
    main()
