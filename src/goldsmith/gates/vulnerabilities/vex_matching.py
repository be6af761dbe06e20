"""Which VEX statement counts for a finding: the newest about this vulnerability in this package of this image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldsmith.gates.contract import Finding
from goldsmith.gates.vex import Product, VexDocument, VexStatement
from goldsmith.gates.waivers import day_of, same_package


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What may be a product here."""

    names: tuple[str, ...]
    """The names of the image: its own, and the digest of its disk."""
    purls: tuple[str, ...]
    """Those of its packages."""

    def holds(self, product: Product) -> bool:
        """Whether a product is this image or one of its packages."""
        return product.id in self.names or any(same_package(product.id, purl) for purl in self.purls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What VEX says of a finding."""

    waived_by: VexStatement | None = None
    remarks: tuple[str, ...] = ()
    """Why a statement does not count, or what it says without setting the finding aside."""


def decide(finding: Finding, documents: Sequence[VexDocument], contents: Contents, now_s: int) -> Decision:
    """The newest statement about a finding decides: not_affected and fixed set it aside until the statement lapses."""
    about = [item for document in documents for item in document.statements if _is_about(item, finding, contents)]
    newest = max(about, key=lambda item: item.at_s, default=None)
    if newest is None:
        return Decision()
    if newest.status not in ("not_affected", "fixed"):
        return Decision(remarks=(f"VEX of {newest.author}: {newest.status.replace('_', ' ')}",))
    if newest.lapses_s <= now_s:
        return Decision(remarks=(f"the VEX statement of {newest.author} lapsed on {day_of(newest.lapses_s)}",))
    return Decision(waived_by=newest)


def unused(documents: Sequence[VexDocument], findings: Sequence[Finding], contents: Contents) -> Iterator[str]:
    """The statements that say nothing about this image, in sentences."""
    for document in documents:
        for item in document.statements:
            name = f"{document.name}: the statement about {item.vulnerabilities[0]} is not used:"
            if not any(contents.holds(product) for product in item.products):
                yield f"{name} {item.products[0].id} is another product"
            elif not any(_is_about(item, finding, contents) for finding in findings):
                yield f"{name} there is no such finding"


def _is_about(item: VexStatement, finding: Finding, contents: Contents) -> bool:
    if not set(item.vulnerabilities) & {finding.id, *finding.aliases}:
        return False
    return any(_covers(product, finding.subject, contents) for product in item.products)


def _covers(product: Product, purl: str, contents: Contents) -> bool:
    """A product without parts means all of it; with parts, these alone, and only when the product itself is here."""
    if product.parts:
        return contents.holds(product) and any(same_package(part, purl) for part in product.parts)
    return product.id in contents.names or same_package(product.id, purl)
