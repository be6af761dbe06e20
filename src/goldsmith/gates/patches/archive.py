"""The signed indexes that a Debian family image is held against: those of its build's source, else of its own suites."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from goldsmith.gates.contract import Skipped, Subject
from goldsmith.gates.inventory import Inventory
from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.gates.repositories.apt_sources import AptSources, AptSuite, read_apt_sources
from goldsmith.gates.repositories.signatures import write_keyring
from goldsmith.gates.tree import Tree
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.usage import use
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.apt import Apt
from goldsmith.sources.archive import ArchiveRequest, ArchiveSuite, Distribution, suites
from goldsmith.sources.indexes import DIRECTORY, IndexStore, is_fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where the indexes are, and what is to be said of them."""

    lists: Path
    keyring: Path
    earlier: Sequence[Path] = ()
    """The same of other days."""
    is_of_image: bool = False
    """The image itself names the suites, which may be too few."""
    fix: str = "goldsmith lock -upgrade, then build again"
    doubts: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@contextmanager
def archive_of(
    subject: Subject, inventory: Inventory, architecture: str, config: PatchesConfig, cancellation: Cancellation
) -> Iterator[Archive]:
    """The archive of an image. Raises `MachineError` when it names none, and the errors of `Apt.update`."""
    if subject.lists is not None and subject.keyring is not None:
        yield Archive(lists=subject.lists, keyring=subject.keyring, earlier=subject.earlier_lists)
        return
    tree = Tree(subject.tree)
    sources = read_apt_sources(tree)
    if not sources.suites:
        raise _no_archive(inventory, sources)
    use(subject.cache / Path(DIRECTORY).parts[0])
    with tempfile.TemporaryDirectory(prefix="archive-", dir=subject.work) as directory:
        work = Path(directory)
        rings = {item.keys: _ring(tree, item.keys, work) for item in sources.suites}
        reached = _reached(inventory, config, subject.root)
        chosen = [_suite(item, reached) for item in sources.suites]
        every = work / "all.gpg"
        every.write_bytes(b"".join(ring.read_bytes() for ring in rings.values()))
        store = IndexStore(subject.cache / DIRECTORY, _trust(sources.suites, rings, architecture))
        lines = [
            suite.sources_line(rings[item.keys], architecture, past=False)
            for suite, item in zip(chosen, sources.suites, strict=True)
        ]
        lists, messages = _fetched(store, "".join(lines), chosen, Apt(work / "apt", architecture, cancellation), inventory)
        yield Archive(
            lists=lists,
            keyring=every,
            earlier=store.kept(chosen),
            is_of_image=True,
            fix="upgrade it in the step that installs it (apt-get upgrade), then build again",
            doubts=sources.faults,
            messages=messages,
            skipped=sources.skipped,
        )


def _fetched(
    store: IndexStore, lines: str, chosen: Sequence[ArchiveSuite], apt: Apt, inventory: Inventory
) -> tuple[Path, tuple[str, ...]]:
    """Indexes that were found current less than a day ago, if they can be had; else the newest that are here."""
    newest = store.newest()
    if newest is not None and is_fresh(newest):
        return newest, ()
    try:
        apt.update(lines, inventory.distribution.family, inventory.distribution.codename)
        return store.adopt(apt.lists, chosen)[0], ()
    except MachineError as error:
        # Nobody answered. What is signed wrongly or has ended is another kind of error, and is none to get over.
        if newest is None:
            raise
        return newest, (f"the archive cannot be reached: {error}",)


def _ring(tree: Tree, keys: tuple[str, ...], work: Path) -> Path:
    ring = work / f"{hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:16]}.gpg"
    write_keyring(tree, keys, ring)
    return ring


def _trust(named: Sequence[AptSuite], rings: Mapping[tuple[str, ...], Path], architecture: str) -> str:
    """A digest of the suites and of the keys that vouch for each."""
    told = [
        [item.url, item.suite, *item.components, hashlib.sha256(rings[item.keys].read_bytes()).hexdigest()] for item in named
    ]
    return hashlib.sha256(json.dumps([told, architecture]).encode()).hexdigest()


def _suite(item: AptSuite, reached: Mapping[str, str]) -> ArchiveSuite:
    elsewhere = reached.get(item.url) or (f"{reached['']}/{_place(item.url)}" if "" in reached else item.url)
    return ArchiveSuite(recorded=item.url, reached=elsewhere, suite=item.suite, components=item.components)


def _reached(inventory: Inventory, config: PatchesConfig, root: Path) -> Mapping[str, str]:
    """Where addresses are reached from here: "" stands for all of them; of public archives, by this host's own mirrors."""
    if config.mirror:
        is_address = "://" in config.mirror
        return {"": config.mirror.rstrip("/") if is_address else f"file:{(root / config.mirror).resolve()}"}
    distribution = inventory.distribution
    family: Distribution = "ubuntu" if distribution.family == "ubuntu" else "debian"
    own = suites(ArchiveRequest(distribution=family, release=distribution.codename))
    return {item.recorded: item.reached for item in own[0]}


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


def _no_archive(inventory: Inventory, sources: AptSources) -> MachineError:
    distribution = inventory.distribution
    told = "; ".join((*sources.faults, *(item.reason for item in sources.skipped)))
    return MachineError(
        Diagnostic(
            code="patches.no-archive",
            what=f"nothing is known of the archive that the image of {distribution.id} {distribution.release} was made from",
            why=told or "its parent's source is not in the lock file here, and /etc/apt names no suite",
            next="Build the parent image here first, or keep the image's sources of packages.",
        )
    )
