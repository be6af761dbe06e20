"""What downloaded packages and indexes take on this host, by last use, so that the cache can be bounded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from goldsmith.images.usage import Stock


def package_stock(packages: Path) -> Iterator[Stock]:
    """Each package of a store with all its forms and names, and each state of an archive but the newest ones.

    `packages` is the directory that `PackageStore` and `IndexStore` share. Removing a package that a lock names only costs
    fetching it again; removing an older state of an archive only makes the patches gate know less of how old updates are.
    """
    yield from _packages(packages)
    yield from _states(packages / "indexes")


def abandoned(packages: Path) -> Stock:
    """Files that killed processes had half written: they are of nobody once no process uses the store."""
    places = ("debs", "prepared", "indexes", "indexes/content", "archives/*")
    found = tuple(path for place in places for path in packages.glob(f"{place}/.*"))
    return Stock(name="half-written files", used_s=0.0, size=0, paths=found)


def _packages(packages: Path) -> Iterator[Stock]:
    views: dict[int, list[Path]] = defaultdict(list)
    for path in packages.glob("archives/*/*.deb"):
        views[path.stat().st_ino].append(path)
    forms: dict[str, list[Path]] = defaultdict(list)
    for path in packages.glob("prepared/*"):
        forms[path.name.partition(".")[0]].append(path)
    for deb in packages.glob("debs/*.deb"):
        kept = [deb, *forms.pop(deb.stem, [])]
        # The names go last: a package without its file in debs/ counts as missing, whatever the views still show.
        yield _stock(f"package {deb.stem[:12]}", kept, views[deb.stat().st_ino])
    for digest, left in forms.items():
        yield _stock(f"package {digest[:12]}", left, [])


def _states(indexes: Path) -> Iterator[Stock]:
    newest = {path.resolve() for path in indexes.glob("newest-*")}
    for state in indexes.glob("*"):
        if state.is_symlink() or not state.is_dir() or state.name == "content" or state.resolve() in newest:
            continue
        inodes = {path.stat().st_ino for path in state.iterdir() if path.stat().st_nlink == 2}
        own = [path for path in (indexes / "content").glob("*") if path.stat().st_ino in inodes]
        yield Stock(
            name=f"index {state.name[:12]}",
            used_s=state.stat().st_mtime,
            size=sum(path.stat().st_blocks * 512 for path in own),
            paths=(state, *own),
        )


def _stock(name: str, files: list[Path], names: list[Path]) -> Stock:
    found = [path.stat() for path in files]
    return Stock(
        name=name,
        used_s=max(item.st_mtime for item in found),
        size=sum(item.st_blocks * 512 for item in found),
        paths=(*files, *names),
    )
