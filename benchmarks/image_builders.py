"""Other image builders with the packages of the base image: mkosi and diskimage-builder, each to a plain tar.

They run in a Debian that is thrown away: what they recommend would change this host, such as its resolver.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.fleet import PACKAGES, mmdebstrap
from benchmarks.measuring import ROOT, Environment, Failed, Line, run, timed

TOOLS = (
    "ca-certificates curl debian-archive-keyring debootstrap dosfstools e2fsprogs fdisk gdisk git kmod kpartx mkosi mmdebstrap "
    "procps python3 python3-venv qemu-utils squashfs-tools sudo systemd-container xz-utils zstd"
)

ENTER = """
set -eu
root=$1; place=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
# Devices of its own: a builder that attaches disks must not do so on this host.
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root$place"
mount --bind "$place" "$root$place"
cd "$root"
exec chroot . env -C "$place" "$@"
"""


def other_builders(place: Path, fleet: Path, environment: Environment) -> Iterator[Line]:
    """Each builder that can be had and that works here; the others are told with their last words."""
    root, work = place / "builders", place / "builders-work"
    work.mkdir()
    include = f"--include={TOOLS.replace(' ', ',')}"
    run(["mmdebstrap", "--variant=minbase", include, "bookworm", str(root)], place, environment)
    run(["sh", "-c", 'cp /etc/resolv.conf "$1/etc/resolv.conf"', "sh", str(root)], place, environment)
    archives = Path(environment["GOLDSMITH_CACHE"]) / "packages/archives"
    cached = work / "cache/var/cache/apt/archives"
    run(["sh", "-c", f'mkdir -p "$1" && cp {archives}/*/*.deb "$1"', "sh", str(cached)], place, environment)
    builders = (
        ("mkosi", "", mkosi(work)),
        ("diskimage-builder", ", packages from the network", diskimage_builder(work, environment)),
    )
    for name, note, command in builders:
        try:
            yield Line(f"{name}, to tar{note}", [timed(inside(root, work, command), place, environment)])
        except Failed as error:
            words = [line for line in str(error).splitlines() if line.strip()][-3:]
            print(f"{name} does not work here: {' | '.join(words)}"[:400], flush=True)
    yield Line("mmdebstrap beside them, to tar", [timed(mmdebstrap(work / "m.tar", environment), fleet, environment)])


def inside(root: Path, place: Path, command: Sequence[str]) -> list[str]:
    """A command in the throw-away Debian, with the host's network; it sees `place` under its own name."""
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    return [*alone, "sh", "-c", ENTER, "sh", str(root), str(place), *command]


def mkosi(work: Path) -> list[str]:
    """Debian's mkosi, with the local packages as its cache."""
    packages = [word for name in PACKAGES.split() for word in ("--package", name)]
    cache = ["--cache", str(work / "cache/var/cache/apt/archives")]
    return [
        "mkosi",
        "--distribution",
        "debian",
        "--release",
        "bookworm",
        "--format",
        "tar",
        *packages,
        *cache,
        "--force",
        "build",
    ]


def diskimage_builder(work: Path, environment: Environment) -> list[str]:
    """diskimage-builder from PyPI, in an environment of its own that the throw-away Debian sees."""
    uv, venv = str(ROOT / ".tools/bin/uv"), str(work / "dib")
    run([uv, "venv", "-q", "--python", sys.base_prefix + "/bin/python3", venv], work, environment)
    run([uv, "pip", "install", "-q", "--python", venv + "/bin/python", "diskimage-builder", "setuptools"], work, environment)
    security = "DIB_DEBIAN_SECURITY_MIRROR=http://deb.debian.org/debian-security"
    settings = [
        "DIB_RELEASE=bookworm",
        security,
        f"PATH={venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"TMPDIR={work}",
        "HOME=/root",
    ]
    command = [f"{venv}/bin/disk-image-create", "-o", str(work / "dib-image"), "-t", "tar"]
    return ["env", *settings, *command, "-p", PACKAGES.replace(" ", ","), "debian-minimal"]
