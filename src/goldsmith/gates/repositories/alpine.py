"""The repositories of an Alpine image: `/etc/apk/repositories` and `/etc/apk/world` as apk reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from goldsmith.gates.contract import Skipped
from goldsmith.gates.repositories.repository import ON_THE_MACHINE, Configured, Repository, shown_url
from goldsmith.gates.tree import Tree

FILES = ("etc/apk/repositories", "etc/apk/repositories.d/*.list")
KEYS = ("etc/apk/keys/*.pub", "usr/lib/apk/keys/*.pub", "lib/apk/keys/*.pub")


def read_apk_repositories(tree: Tree) -> Configured:
    """The lines of the files (apk-repositories(5)): an address, perhaps with a tag before it."""
    found: list[Repository] = []
    faults: list[str] = []
    local: list[str] = []
    keys = tuple(path for pattern in KEYS for path in tree.glob(pattern))
    for path in (path for pattern in FILES for path in tree.glob(pattern)):
        for line in (tree.text(path) or "").splitlines():
            words = line.strip().split()
            if not words or words[0].startswith("#"):
                continue
            tag = words[0][1:] if words[0].startswith("@") else ""
            url = words[-1].rstrip("/") + "/"
            parts = urlsplit(url)
            if "@" in parts.netloc:
                faults.append(f"the repository {shown_url(url)} of /{path} cannot be asked: its address holds a login")
            elif parts.scheme in ("http", "https"):
                found.append(Repository(form="apk", id=url, place=path, bases=(url,), keys=keys, tag=tag))
            else:
                local.append(url)
    skipped = (Skipped(reason=ON_THE_MACHINE, count=len(local), sample=tuple(local)),) if local else ()
    return Configured(repositories=tuple(dict.fromkeys(found)), faults=tuple(faults), skipped=skipped)


def pinned(tree: Tree) -> Mapping[str, str]:
    """The tag that packages are asked for with (`name@tag` in apk's world), by name."""
    words = (tree.text("etc/apk/world") or "").split()
    found = (re.fullmatch(r"([^@<>=~!]+)[^@]*@(\S+)", word) for word in words)
    return {match[1]: match[2] for match in found if match is not None}
