"""Times the example fleet against the goals of the main job, as ratios within one run; prints the machine's facts.

.venv/bin/python -m benchmarks.fleet            # no-change, last step, base against mmdebstrap, start-up, memory
.venv/bin/python -m benchmarks.fleet --packer   # also the web image by Debian's packer (qemu source, TCG)
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDSMITH = str(ROOT / ".venv/bin/goldsmith")
PACKAGES = "linux-image-cloud-amd64 initramfs-tools systemd-sysv udev dbus openssh-server iproute2 ca-certificates"


def main() -> None:
    """Run all measurements and print a table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--packer", action="store_true")
    arguments.add_argument("--runs", type=int, default=3)
    chosen = arguments.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="goldsmith-bench-") as directory:
        fleet = Path(directory) / "fleet"
        shutil.copytree(ROOT / "examples/fleet", fleet)
        environment = {**os.environ, "GOLDSMITH_CACHE": str(Path(directory) / "cache"), "PACKER_NO_COLOR": "1"}
        measure_fleet(fleet, environment, chosen.runs)
        measure_base(fleet, environment, chosen.runs)
        if chosen.packer:
            from benchmarks.packer_peer import measure_packer

            measure_packer(fleet, environment)


def print_machine() -> None:
    """What the numbers were taken on."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    print(f"{platform.platform()}, {os.cpu_count()} cores,{model.partition(':')[2]}, load {os.getloadavg()[0]:.1f}")


def measure_fleet(fleet: Path, environment: dict[str, str], runs: int) -> None:
    """A warm fleet: nothing changed, and the last provisioner of web changed."""
    run([GOLDSMITH, "build", "-no-gates", "."], fleet, environment)
    unchanged = [timed([GOLDSMITH, "build", "-no-gates", "."], fleet, environment) for _ in range(runs)]
    report("no change, both images", unchanged, goal=1.0)

    def change_motd(number: int) -> None:
        (fleet / "web/etc/motd").write_text(f"Change {number}\n")

    build_web = [GOLDSMITH, "build", "-no-gates", "web"]
    last = [timed(build_web, fleet, environment, partial(change_motd, number)) for number in range(runs)]
    report("last file step of web changed, to qcow2", last, goal=6.0)
    help_cpu = [cpu([GOLDSMITH, "validate", "--help"], fleet, environment) for _ in range(max(5, runs))]
    report("validate --help, CPU", help_cpu, goal=0.2)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{'peak memory of the largest process':<45} {peak:8.0f} MB")


def measure_base(fleet: Path, environment: dict[str, str], runs: int) -> None:
    """The base from nothing but local packages, against plain mmdebstrap to a tar of the same packages, in turn."""
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(timed([GOLDSMITH, "build", "-no-gates", "-no-cache", "base"], fleet, environment))
        with tempfile.TemporaryDirectory(dir=fleet) as place:
            theirs.append(timed(mmdebstrap(Path(place) / "base.tar", environment), fleet, environment))
    report("base to qcow2 from local packages", ours)
    report("plain mmdebstrap to tar", theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"{'ratio':<45} {ratio:8.2f}     goal 0.70")


def mmdebstrap(target: Path, environment: dict[str, str]) -> Sequence[str]:
    """Plain mmdebstrap with the packages that Goldsmith has already fetched in its apt cache."""
    archives = Path(environment["GOLDSMITH_CACHE"]) / "packages/archives"
    copy = f'mkdir -p "$1/var/cache/apt/archives" && cp {archives}/*.deb "$1/var/cache/apt/archives/"'
    return [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={PACKAGES.replace(' ', ',')}",
        f"--setup-hook={copy}",
        "bookworm",
        str(target),
    ]


def run(command: Sequence[str], cwd: Path, environment: dict[str, str]) -> None:
    """Run a command; its output is shown when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")


def timed(command: Sequence[str], cwd: Path, environment: dict[str, str], before: Callable[[], None] | None = None) -> float:
    """Wall seconds of a command."""
    if before is not None:
        before()
    started = time.monotonic()
    run(command, cwd, environment)
    return time.monotonic() - started


def cpu(command: Sequence[str], cwd: Path, environment: dict[str, str]) -> float:
    """CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(command, cwd, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def report(what: str, seconds: Sequence[float], goal: float | None = None) -> None:
    """One line: median, minimum and maximum."""
    told = f"{what:<45} {statistics.median(seconds):8.2f} s  ({min(seconds):.2f}-{max(seconds):.2f})"
    print(told + (f"  goal {goal:.2f}" if goal else ""))


if __name__ == "__main__":
    main()
