"""Times the example fleet against the goals of the main job, as ratios within one run; prints the machine's facts.

.venv/bin/python -m benchmarks.fleet             # no change, last step, base against mmdebstrap, start-up, memory
.venv/bin/python -m benchmarks.fleet --builders  # also mkosi and diskimage-builder, in a Debian that is thrown away
.venv/bin/python -m benchmarks.fleet --packer    # also the web image by Debian's packer (qemu source, TCG)
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.measuring import GOLDSMITH, ROOT, Environment, Failed, Line, cpu, machine, peak_memory, run, timed

PACKAGES = (
    "linux-image-cloud-amd64 initramfs-tools systemd-sysv udev dbus systemd-resolved openssh-server iproute2 ca-certificates"
)
"""Those of the base image."""


def main() -> None:
    """Run what was chosen and print a line for each thing as soon as it is known."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--builders", action="store_true", help="also mkosi and diskimage-builder")
    arguments.add_argument("--packer", action="store_true", help="also Debian's packer")
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as name:
        fleet = Path(name) / "fleet"
        shutil.copytree(ROOT / "examples/fleet", fleet)
        environment = {**os.environ, "GOLDSMITH_CACHE": str(Path(name) / "cache"), "PACKER_NO_COLOR": "1"}
        parts: list[Callable[[], Iterator[Line]]] = [
            partial(warm_fleet, fleet, environment, chosen.runs),
            partial(base_from_packages, fleet, environment, chosen.runs),
            partial(own_cost, fleet, environment),
        ]
        if chosen.builders:
            from benchmarks.image_builders import other_builders

            parts.append(partial(other_builders, Path(name), fleet, environment))
        if chosen.packer:
            from benchmarks.packer_peer import web_by_packer

            parts.append(partial(web_by_packer, fleet, environment))
        for part in parts:
            tell(part)


def tell(part: Callable[[], Iterator[Line]]) -> None:
    """Print what a part finds out; one that cannot run does not end the others."""
    try:
        for line in part():
            print(line, flush=True)
    except Failed as error:
        print(f"FAILED: {error}", flush=True)


def warm_fleet(fleet: Path, environment: Environment, runs: int) -> Iterator[Line]:
    """A warm fleet: nothing changed, and the last provisioner of web changed."""
    run([GOLDSMITH, "build", "-no-gates", "."], fleet, environment)
    unchanged = [timed([GOLDSMITH, "build", "-no-gates", "."], fleet, environment) for _ in range(runs)]
    yield Line("no change, both images", unchanged, goal=1.0)

    def change_motd(number: int) -> None:
        (fleet / "web/etc/motd").write_text(f"Change {number}\n")

    build_web = [GOLDSMITH, "build", "-no-gates", "web"]
    last = [timed(build_web, fleet, environment, partial(change_motd, number)) for number in range(runs)]
    yield Line("last file step of web changed, to sealed qcow2", last, goal=6.0)


def base_from_packages(fleet: Path, environment: Environment, runs: int) -> Iterator[Line]:
    """The base from nothing but local packages, against plain mmdebstrap to a tar of the same packages, in turn."""
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(timed([GOLDSMITH, "build", "-no-gates", "-no-cache", "base"], fleet, environment))
        with tempfile.TemporaryDirectory(dir=fleet.parent) as place:
            theirs.append(timed(mmdebstrap(Path(place) / "base.tar", environment), fleet, environment))
    yield Line("base from local packages, to sealed qcow2", ours)
    yield Line("plain mmdebstrap of the same local packages, to tar", theirs)
    yield Line("Goldsmith / mmdebstrap", [a / b for a, b in zip(ours, theirs, strict=True)], unit="", goal=0.7)


def own_cost(fleet: Path, environment: Environment) -> Iterator[Line]:
    """What Goldsmith itself takes, without the tools that it starts."""
    help_cpu = [1000 * cpu([GOLDSMITH, "validate", "--help"], fleet, environment) for _ in range(7)]
    yield Line("validate --help, CPU", help_cpu, unit="ms", goal=200)
    cold = partial(run, [GOLDSMITH, "build", "-no-gates", "-no-cache", "base"], fleet, environment)
    yield Line("peak memory, base from packages", [peak_memory(cold)], unit="MB", goal=300)
    gates = partial(run, [GOLDSMITH, "build", "."], fleet, environment)
    yield Line("peak memory, both images with all gates", [peak_memory(gates)], unit="MB", goal=300)


def mmdebstrap(target: Path, environment: Environment) -> list[str]:
    """Plain mmdebstrap of the base's packages, those that Goldsmith has already fetched in its apt cache."""
    archives = Path(environment["GOLDSMITH_CACHE"]) / "packages/archives"
    copy = f'mkdir -p "$1/var/cache/apt/archives" && cp {archives}/*/*.deb "$1/var/cache/apt/archives/"'
    include = f"--include={PACKAGES.replace(' ', ',')}"
    return ["mmdebstrap", "--variant=minbase", include, f"--setup-hook={copy}", "bookworm", str(target)]


if __name__ == "__main__":
    main()
