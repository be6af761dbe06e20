"""Which installed packages of rpm and apk have a newer version in the indexes of their repositories, and what that fixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from goldsmith.gates.advisories.versions import Scheme
from goldsmith.gates.advisories.vulnerability import SEVERITIES
from goldsmith.gates.contract import DataUsed, Subject
from goldsmith.gates.inventory import Inventory, Package
from goldsmith.gates.inventory.archive_index import Offer
from goldsmith.gates.patches.comparison import Kind, Update, is_newer, is_within, newest_of, told_since
from goldsmith.gates.patches.config import PatchesConfig
from goldsmith.gates.patches.fixed import Fixed, fixed_by_updates
from goldsmith.gates.patches.memory import Memory
from goldsmith.gates.repositories.repository import Index, Notice, Repository

_TOLD_BY_ALPINE = ("/main/", "/community/")
"""The repositories that Alpine's security database speaks of."""
Earlier: TypeAlias = Callable[[], tuple[Sequence[Index], tuple[str, ...]]]


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What the repositories of an image offer to it."""

    scheme: Scheme
    indexes: tuple[Index, ...]
    architecture: str
    tags: Mapping[str, str]
    """By name: the tag to whose repositories apk is held."""

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[tuple[Offer, Index]]]:
        found: dict[str, list[tuple[Offer, Index]]] = {}
        for index in self.indexes:
            for offer in index.offers:
                found.setdefault(offer.name, []).append((offer, index))
        return found

    def offers(self, package: Package) -> Sequence[tuple[Offer, Index]]:
        """What fits a package: its architecture, its module's stream, its tag, and the best priority that has it."""
        fitting = [
            (offer, index)
            for offer, index in self._by_name.get(package.name, ())
            if self.fits(package, offer.architecture)
            and _is_in_stream(package, offer)
            and index.repository.tag in ("", self.tags.get(package.name, ""))
        ]
        best = min((index.repository.priority for _, index in fitting), default=0)
        return [item for item in fitting if item[1].repository.priority == best]

    def newer(self, package: Package) -> Sequence[tuple[Offer, Index]]:
        """What is above the installed version of a package."""
        return [item for item in self.offers(package) if is_newer(item[0].version, package.version, self.scheme)]

    def notices(self, package: Package, newest: str) -> Sequence[Notice]:
        """The security updates of a package above its installed version, up to the newest one that is offered."""
        return [
            notice
            for index in self.indexes
            for notice in index.notices
            if any(
                name == package.name
                and self.fits(package, architecture)
                and is_newer(version, package.version, self.scheme)
                and not is_newer(version, newest, self.scheme)
                for name, version, architecture in notice.packages
            )
        ]

    def fits(self, package: Package, architecture: str) -> bool:
        """Whether something of an architecture can replace a package."""
        own = self.architecture if package.architecture == "noarch" else package.architecture
        return architecture in (own, "noarch")


class Offered:
    """The comparison of installed packages with a stock. `earlier` reads the indexes of other days, when they are needed."""

    def __init__(self, stock: Stock, installed: Sequence[Package], earlier: Earlier, memory: Memory) -> None:
        self._stock = stock
        self._installed = installed
        self._earlier_of = earlier
        self._memory = memory
        self._has_asked = False

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Names of packages that no index has."""
        return tuple(package.name for package in self._installed if not self._stock.offers(package))

    @cached_property
    def ahead(self) -> tuple[str, ...]:
        """Names of packages that are newer than all that is offered."""
        return tuple(package.name for package in self._installed if self._is_ahead(package))

    @property
    def data(self) -> tuple[DataUsed, ...]:
        """What the ages of updates rest on."""
        indexes = self._earlier[0].values() if self._has_asked else ()
        return (*(_data_of(item) for stock in indexes for item in stock.indexes), *self._memory.data)

    @property
    def messages(self) -> tuple[str, ...]:
        """What is to be said of the earlier indexes."""
        return self._earlier[1] if self._has_asked else ()

    def updates(self, subject: Subject, inventory: Inventory, config: PatchesConfig) -> tuple[Update, ...]:
        """What is pending."""
        pending = [(package, newer) for package in self._installed if (newer := self._stock.newer(package))]
        versions = [(package, self._newest(newer)[0].version) for package, newer in pending]
        fixed = fixed_by_updates(versions, inventory, subject, config.max_age) if pending else {}
        return tuple(self._update(package, newer, fixed, subject.now_s, config) for package, newer in pending)

    def _is_ahead(self, package: Package) -> bool:
        offers = self._stock.offers(package)
        return bool(offers) and all(is_newer(package.version, offer.version, self._stock.scheme) for offer, _ in offers)

    def _newest(self, newer: Sequence[tuple[Offer, Index]]) -> tuple[Offer, Index]:
        best = newest_of((offer for offer, _ in newer), self._stock.scheme)
        return next(item for item in newer if item[0] is best)

    def _update(
        self,
        package: Package,
        newer: Sequence[tuple[Offer, Index]],
        fixed: Mapping[Package, Fixed] | None,
        now_s: int,
        config: PatchesConfig,
    ) -> Update:
        offer, index = self._newest(newer)
        notices = self._stock.notices(package, offer.version)
        cleared = fixed.get(package) if fixed is not None else None
        severities = [item.severity for item in notices if item.severity] + ([cleared.severity] if cleared else [])
        kind = self._kind(newer, notices, cleared, has_advisories=fixed is not None)
        out_s = min((notice.issued_s for notice in notices), default=0)
        not_yet_s = self._not_yet_offered(package, newer, config) if kind != "other" and not out_s else None
        return Update(
            package=package,
            version=offer.version,
            place=index.repository.id,
            kind=kind,
            severity=max(severities, key=SEVERITIES.index, default=None),
            notices=tuple(dict.fromkeys(notice.id for notice in notices)),
            cves=tuple(dict.fromkeys([*(cve for notice in notices for cve in notice.cves), *(cleared.ids if cleared else ())])),
            since=told_since(not_yet_s, out_s, int(config.within)) if kind != "other" else "",
            is_young=is_within((not_yet_s, out_s), now_s, config.within),
        )

    def _kind(
        self,
        newer: Sequence[tuple[Offer, Index]],
        notices: Sequence[Notice],
        cleared: Fixed | None,
        *,
        has_advisories: bool,
    ) -> Kind:
        if notices or cleared is not None:
            return "security"
        untold = [index for _, index in newer if not index.announces and not (has_advisories and _is_alpines(index))]
        return "untold" if untold else "other"

    @cached_property
    def _earlier(self) -> tuple[Mapping[Repository, Stock], tuple[str, ...]]:
        self._has_asked = True
        indexes, unusable = self._earlier_of()
        return {item.repository: replace(self._stock, indexes=(item,)) for item in indexes}, unusable

    def _not_yet_offered(self, package: Package, newer: Sequence[tuple[Offer, Index]], config: PatchesConfig) -> int | None:
        """A time at which no repository offered anything newer than what is installed, seconds since 1970; None: unknown."""
        versions: dict[Repository, list[str]] = {}
        for offer, index in newer:
            versions.setdefault(index.repository, []).append(offer.version)
        sources = {index.repository: index.source for _, index in newer}
        moments = [self._not_yet_in(place, sources[place], package, found, config) for place, found in versions.items()]
        told = [moment for moment in moments if moment is not None]
        return min(told) if len(told) == len(moments) else None

    def _not_yet_in(
        self, place: Repository, source: str, package: Package, newer: Sequence[str], config: PatchesConfig
    ) -> int | None:
        before = self._earlier[0].get(place) if config.within > 0 else None
        if before is not None and not before.newer(package):
            return before.indexes[0].published_s
        return self._memory.not_yet_s(source, package, newer, self._stock.scheme)


def _data_of(index: Index) -> DataUsed:
    return DataUsed(
        name=f"an earlier index of {index.repository.id}", digest=index.digest, published=index.published_s, age_s=0
    )


def _is_in_stream(package: Package, offer: Offer) -> bool:
    """A package of a module is replaced by those of its stream only, and another one by none of any stream."""
    module, _, rest = package.module.partition(":")
    return f"{module}:{rest.partition(':')[0]}" in offer.streams if module else not offer.streams


def _is_alpines(index: Index) -> bool:
    return index.repository.form == "apk" and index.repository.id.endswith(_TOLD_BY_ALPINE)
