"""Images of rpm and apk: held against the repositories that their own configuration names, as these are today."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.gates.advisories.versions import Scheme, sort_key
from goldsmith.gates.contract import DataUsed, Finding, Skipped, Subject
from goldsmith.gates.inventory import Inventory, Package, kind_of
from goldsmith.gates.patches.comparison import Comparison, architecture_of
from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.gates.patches.memory import Memory
from goldsmith.gates.patches.offered import Offered, Stock
from goldsmith.gates.repositories.alpine import pinned, read_apk_repositories
from goldsmith.gates.repositories.fetching import Refresher
from goldsmith.gates.repositories.reading import Reader, published_s
from goldsmith.gates.repositories.repository import Configured, Index, Repository
from goldsmith.gates.repositories.store import RepositoryStore
from goldsmith.gates.repositories.yum import read_yum
from goldsmith.gates.tree import Tree
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation

_KEYS = "gpg-pubkey"
"""What rpm calls the keys that it keeps among its packages: no repository has them."""
_COMMANDS = {"apk": "apk upgrade", "suse": "zypper patch", "opensuse": "zypper patch"}
_ANY = frozenset({"noarch", "src", "nosrc", ""})


@dataclass(slots=True)
class _Read:
    """What is gathered while repositories are read."""

    indexes: list[Index]
    doubts: list[str]
    findings: list[Finding]
    messages: list[str]


def compare_with_repositories(
    subject: Subject, inventory: Inventory, config: PatchesConfig, cancellation: Cancellation
) -> Comparison:
    """Compare an image with its repositories. Raises `MachineError` when its configuration names none."""
    tree = Tree(subject.tree)
    kind = kind_of(inventory.distribution)
    own = [package for package in inventory.packages if package.kind == kind and package.name != _KEYS]
    architecture = architecture_of(own, "noarch")
    installed = _newest(own, "apk" if kind == "apk" else "rpm")
    configured = read_apk_repositories(tree) if kind == "apk" else read_yum(tree, inventory, architecture)
    if not configured.repositories:
        raise _no_repository(inventory, configured)
    names = frozenset(package.name for package in installed)
    store = RepositoryStore(subject.cache)
    store.use()
    with _work(subject) as work:
        shelf = _Shelf(store, Reader(tree, architecture, work), names)
        read = _read(configured.repositories, shelf, subject, inventory, config, cancellation)
        stock = Stock(
            scheme="apk" if kind == "apk" else "rpm",
            indexes=tuple(read.indexes),
            architecture=architecture,
            tags=pinned(tree) if kind == "apk" else {},
        )
        with Memory(subject.cache) as memory:
            offered = Offered(stock, installed, lambda: _earlier(read.indexes, shelf, subject, config), memory)
            updates = offered.updates(subject, inventory, config)
    several = len(own) - len(installed)
    return Comparison(
        installed=len(installed),
        unknown=offered.unknown,
        ahead=offered.ahead,
        updates=updates,
        data=tuple(_data(index, subject.now_s, config) for index in read.indexes) + offered.data,
        fix=f"update it in the step that installs it ({_command(inventory)}), then build again",
        skipped=(
            *configured.skipped,
            *([Skipped(reason="older than another installed version of the same package", count=several)] if several else []),
        ),
        findings=tuple(read.findings),
        doubts=(*configured.faults, *read.doubts),
        messages=(*read.messages, *offered.messages),
    )


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The kept indexes, and how they are read for one image."""

    store: RepositoryStore
    reader: Reader
    names: frozenset[str]

    def read(self, state: Path, repository: Repository) -> Index:
        """The index of a state. Raises `ValueError`."""
        return self.reader.read(state, repository, self.names)

    def kept(self, repository: Repository) -> Sequence[Path]:
        """All states of a repository that are here."""
        return self.store.kept(repository, self.reader.architecture)


def _read(
    repositories: Sequence[Repository],
    shelf: _Shelf,
    subject: Subject,
    inventory: Inventory,
    config: PatchesConfig,
    cancellation: Cancellation,
) -> _Read:
    read = _Read([], [], [], [])
    refresher = Refresher(shelf.store, shelf.reader, _mirror(subject, config))
    for repository in repositories:
        cancellation.check()
        had = refresher.current(repository)
        told = f"the repository {repository.id} of /{repository.place}"
        if had.complaint:
            complaint = f"{told} cannot be read: {had.complaint}"
            (read.doubts if had.state is None or had.is_refused else read.messages).append(complaint)
        if had.state is None:
            continue
        try:
            index = shelf.read(had.state, repository)
        except ValueError as error:
            read.doubts.append(f"{told} has a broken index: {error}")
            continue
        read.indexes.append(index)
        read.doubts += _doubts(index, shelf.reader.architecture, inventory)
        if index.vouched == "https" and config.believes_https:
            read.findings.append(_by_https(index))
    return read


def _doubts(index: Index, architecture: str, inventory: Inventory) -> Iterator[str]:
    """Why an index may be that of another system."""
    named = f"the index of {index.repository.id}"
    if index.architectures - _ANY and architecture not in index.architectures:
        yield f"{named} is of {', '.join(sorted(index.architectures - _ANY))}, and the image of {architecture}"
    own = inventory.distribution.release.partition(".")[0]
    releases = {release.split(":")[4].partition(".")[0] for release in index.releases if release.count(":") >= 4}
    if releases and own not in releases:
        yield f"{named} is of release {', '.join(sorted(releases))}, and the image of {inventory.distribution.release}"


def _earlier(
    indexes: Sequence[Index], shelf: _Shelf, subject: Subject, config: PatchesConfig
) -> tuple[Sequence[Index], tuple[str, ...]]:
    """Of each repository, the oldest index that is no older than `within`, and what could not be read."""
    found: list[Index] = []
    unusable: list[str] = []
    since = subject.now_s - int(config.within)
    for current in indexes:
        repository = current.repository
        for state in shelf.kept(repository):
            try:
                if since <= published_s(state, repository) <= subject.now_s:
                    found.append(shelf.read(state, repository))
            except ValueError as error:
                unusable.append(f"an earlier index of {repository.id} does not count: {error}")
    # An index without any package was not made whole: it proves nothing about what was not there.
    good = [item for item in found if item.listed and _is_believed(item, config)]
    oldest_last = sorted(good, key=lambda item: item.published_s, reverse=True)
    return tuple({item.repository: item for item in oldest_last}.values()), tuple(unusable)


def _is_believed(index: Index, config: PatchesConfig) -> bool:
    return index.vouched == "signature" or (index.vouched == "https" and config.believes_https)


def _newest(packages: Sequence[Package], scheme: Scheme) -> tuple[Package, ...]:
    """Of packages that are installed in several versions, as kernels are, the newest."""
    found: dict[tuple[str, str, str], Package] = {}
    for package in sorted(packages, key=lambda item: sort_key(scheme, item.version)):
        found[package.name, package.architecture, package.module] = package
    return tuple(sorted(found.values()))


def _data(index: Index, now_s: int, config: PatchesConfig) -> DataUsed:
    by_https = index.vouched == "https" and config.believes_https
    return DataUsed(
        name=f"the index of {index.repository.id}" + (", believed by https alone" if by_https else ""),
        digest=index.digest,
        published=index.published_s,
        age_s=max(0, now_s - index.fetched_s) if index.fetched_s is not None else -1,
        max_age_s=int(config.max_age),
        verified=_is_believed(index, config),
        unverified_because=index.unsigned_because,
        renew="scan again while the repository can be reached",
    )


def _by_https(index: Index) -> Finding:
    return Finding(
        id=f"unsigned {index.repository.id}",
        rule="unsigned-index",
        severity="medium",
        effect="warn",
        subject=index.repository.id,
        path=f"/{index.repository.place}",
        detail=f"the index of {index.repository.id} has no signature: only https vouches for it",
    )


def _mirror(subject: Subject, config: PatchesConfig) -> str:
    return config.mirror if "://" in config.mirror or not config.mirror else str(subject.root / config.mirror)


def _command(inventory: Inventory) -> str:
    family = inventory.distribution.family
    return _COMMANDS.get(family.partition("-")[0] if family != "alpine" else "apk", "dnf upgrade")


@contextmanager
def _work(subject: Subject) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="repositories-", dir=subject.work) as directory:
        yield Path(directory)


def _no_repository(inventory: Inventory, configured: Configured) -> MachineError:
    distribution = inventory.distribution
    told = "; ".join((*configured.faults, *(item.reason for item in configured.skipped)))
    return MachineError(
        Diagnostic(
            code="patches.no-repository",
            what=f"the image of {distribution.id} {distribution.release} names no repository that could be asked what is new",
            why=told or "none is switched on in its configuration",
            next="Keep the repositories in the image that it gets its updates from.",
        )
    )
