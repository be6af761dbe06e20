"""What an image does at its first boot: it makes its own keys and fills its disk. No program stays running."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from goldsmith.images.normalise import inside, replace_file

_SOURCE = Path(__file__).with_name("firstboot")
_UNITS = "usr/lib/systemd/system"
_OWN = "usr/lib/goldsmith"
_WANTS = "etc/systemd/system/multi-user.target.wants"


def install_first_boot(tree: Path, epoch: int) -> list[str]:
    """Put the first-boot units into a tree that has systemd; returns warnings about what the image cannot do.

    The units can run at every boot: what is done already is left alone.
    """
    if not (tree / _UNITS).is_dir():
        return ["the image has no systemd, so it makes no host keys and does not grow at its first boot"]
    if _has(tree, "usr/sbin/sshd", "usr/bin/sshd"):
        _install(tree, epoch, "goldsmith-hostkeys.service", {"hostkeys": f"{_OWN}/hostkeys"})
    if _has(tree, "usr/sbin/make-ssl-cert"):
        _install(tree, epoch, "goldsmith-snakeoil.service", {})
    if not can_grow(tree):
        return ["the root file system will not grow to the size of its disk: the image has neither systemd-repart nor sfdisk"]
    _install(tree, epoch, "goldsmith-grow.service", {"grow": f"{_OWN}/grow", "repart.conf": f"{_OWN}/repart.d/root.conf"})
    return []


def can_grow(tree: Path) -> bool:
    """Whether the tree has the programs that enlarge a partition and a file system."""
    repart = _has(tree, "usr/bin/systemd-repart") and _has(tree, "usr/lib/systemd/systemd-growfs", "lib/systemd/systemd-growfs")
    return repart or (_has(tree, "usr/sbin/sfdisk", "sbin/sfdisk") and _has(tree, "usr/sbin/resize2fs", "sbin/resize2fs"))


def put(tree: Path, path: str, content: bytes, epoch: int) -> None:
    """Put a file of ours into a tree, with its directories; all of it has the time `epoch`."""
    target = inside(tree, path)
    missing = [parent for parent in target.parents if parent.is_relative_to(tree) and not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o755)
        parent.chmod(0o755)
    replace_file(target, content)
    _settle((target, *missing, target.parent), epoch)


def _install(tree: Path, epoch: int, unit: str, files: dict[str, str]) -> None:
    for source, path in ((unit, f"{_UNITS}/{unit}"), *files.items()):
        put(tree, path, (_SOURCE / source).read_bytes(), epoch)
    link = inside(tree, f"{_WANTS}/{unit}")
    if not link.is_symlink():
        put(tree, f"{_WANTS}/.new", b"", epoch)
        (link.parent / ".new").unlink()
        link.symlink_to(f"/{_UNITS}/{unit}")
        _settle((link, link.parent), epoch)


def _settle(paths: Sequence[Path], epoch: int) -> None:
    for path in paths:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _has(tree: Path, *paths: str) -> bool:
    return any((tree / path).is_file() and not (tree / path).is_symlink() for path in paths)
