"""Who answers for names in a booted image: what its makers declared, and never the resolver of the machine that built it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from goldsmith.images.firstboot import put
from goldsmith.images.normalise import inside

_FILE = "etc/resolv.conf"
_RESOLVED = ("usr/lib/systemd/systemd-resolved", "lib/systemd/systemd-resolved")
_STUB = "../run/systemd/resolve/stub-resolv.conf"
"""Where systemd-resolved's package links to; without its stub listener it leads on to the servers themselves."""
_WRITERS = (
    "usr/sbin/NetworkManager",
    "usr/sbin/connmand",
    "usr/sbin/resolvconf",
    "usr/bin/cloud-init",
    *(f"{place}/{name}" for place in ("sbin", "usr/sbin") for name in ("dhclient", "dhcpcd", "resolvconf")),
    "sbin/udhcpc",
)
"""Programs that fill the file when the machine has an address."""


def settle_resolver(tree: Path, epoch: int) -> bool:
    """Leave a link, which is declared; make one where systemd-resolved runs; empty a file. Tells whether it changed any."""
    path = inside(tree, _FILE)
    if path.is_symlink():
        return False
    if _has(tree, _RESOLVED):
        path.unlink(missing_ok=True)
        path.symlink_to(_STUB)
        for place in (path, path.parent):
            os.utime(place, (epoch, epoch), follow_symlinks=False)
        return True
    if not path.exists() or path.stat().st_size == 0:
        return False
    put(tree, _FILE, b"", epoch)
    return True


def unanswered(tree: Path) -> list[str]:
    """A warning when no name will resolve on a machine that boots this sealed tree."""
    path = inside(tree, _FILE)
    if path.is_symlink() or _has(tree, _WRITERS):
        return []
    return [
        "no name will resolve after the boot: nothing in the image writes /etc/resolv.conf; "
        "add systemd-resolved, or make it a link to where the servers are named"
    ]


def _has(tree: Path, paths: Sequence[str]) -> bool:
    return any(os.path.lexists(tree / path) for path in paths)
