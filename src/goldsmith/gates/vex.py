"""VEX documents (OpenVEX 0.2, CycloneDX 1.4 and later): what their authors say of vulnerabilities in products."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.hcl import read_json, read_source
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonScalar
from goldsmith.hcl.source import Range, SourceFile

Status: TypeAlias = Literal["not_affected", "affected", "fixed", "under_investigation"]

LAPSE_S = 180 * 86_400
"""How long a statement holds after it was last looked at: VEX itself knows no end."""

JUSTIFICATIONS = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
"""The five of the OpenVEX specification 0.2.0."""

_STATUSES: Mapping[str, Status] = {
    "not_affected": "not_affected",
    "affected": "affected",
    "fixed": "fixed",
    "under_investigation": "under_investigation",
}
_STATES: Mapping[str, Status] = {
    "resolved": "fixed",
    "resolved_with_pedigree": "fixed",
    "exploitable": "affected",
    "in_triage": "under_investigation",
    "false_positive": "not_affected",
    "not_affected": "not_affected",
}
"""`analysis.state` of CycloneDX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a statement is about."""

    id: str
    """A purl, or whatever names an image."""
    parts: tuple[str, ...] = ()
    """Purls inside of it, when the statement is about these alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VexStatement:
    """One statement of a document."""

    vulnerabilities: tuple[str, ...]
    """The id and its aliases."""
    products: tuple[Product, ...]
    status: Status
    why: str
    """Justification and impact statement."""
    author: str
    at_s: int
    """When it was last looked at: seconds since 1970."""
    document: str
    """The name of the file."""
    where: Range

    @property
    def lapses_s(self) -> int:
        """The moment from which it no longer counts."""
        return self.at_s + LAPSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class VexDocument:
    """A file that was read."""

    name: str
    digest: str
    """`sha256:<hex>`."""
    statements: tuple[VexStatement, ...]


def vex_files(root: Path, patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files that a gate block names, sorted. Raises `UserError` for a plain name that does not exist."""
    found: set[Path] = set()
    for pattern in patterns:
        named = set(root.glob(pattern)) if not Path(pattern).is_absolute() else {Path(pattern)}
        if not any(path.is_file() for path in named) and not set("*?[") & set(pattern):
            what = f'"vex" names "{pattern}", which does not exist'
            raise UserError(
                Diagnostic(code="vex.missing", what=what, why=f'It is looked up in "{root}".', next="Mend the name.")
            )
        found |= {path for path in named if path.is_file()}
    return tuple(sorted(found))


def read_vex(path: Path, now_s: int) -> VexDocument:
    """The statements of a document. Raises `UserError` with every fault in it, each with its place."""
    source = read_source(path)
    node, faults = read_json(source)
    if faults or not isinstance(node, JsonObject):
        raise UserError(*(faults or (_fault("it is no JSON object", source.range(0, 1)),)))
    reader = _Reader(source, node, now_s)
    statements = reader.cyclonedx() if _text(node, "bomFormat") == "CycloneDX" else reader.openvex()
    if reader.faults:
        raise UserError(*reader.faults)
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    return VexDocument(name=path.name, digest=digest, statements=statements)


class _Reader:
    """Reads one document and collects what is wrong with it."""

    def __init__(self, source: SourceFile, document: JsonObject, now_s: int) -> None:
        self.source = source
        self.document = document
        self.now_s = now_s
        self.faults: list[Diagnostic] = []

    def openvex(self) -> tuple[VexStatement, ...]:
        if not _text(self.document, "@context").startswith("https://openvex.dev/ns"):
            self._fault("it is neither OpenVEX (its @context) nor CycloneDX (its bomFormat)", self.document.start)
            return ()
        author = _text(self.document, "author")
        if not author:
            self._fault('it has no "author": someone has to answer for it', self.document.start)
        written = _text(self.document, "last_updated") or _text(self.document, "timestamp")
        found = [self._openvex_statement(item, author, written) for item in self._objects("statements", required=True)]
        return tuple(item for item in found if item is not None)

    def _openvex_statement(self, item: JsonObject, author: str, written: str) -> VexStatement | None:
        status = _STATUSES.get(_text(item, "status"))
        if status is None:
            told = f'its status "{_text(item, "status")}" is none of {", ".join(_STATUSES)}'
            self._fault(told, item.start)
            return None
        justification, impact = _text(item, "justification"), _text(item, "impact_statement")
        if justification and justification not in JUSTIFICATIONS:
            self._fault(f'its justification "{justification}" is none of {", ".join(JUSTIFICATIONS)}', item.start)
            return None
        return self._statement(
            item,
            names=_openvex_names(_value(item, "vulnerability")),
            products=tuple(_openvex_product(product) for product in _array(item, "products")),
            status=status,
            why=": ".join(filter(None, (justification, impact))),
            author=_text(item, "supplier") or author,
            time=_text(item, "last_updated") or _text(item, "timestamp") or written,
        )

    def cyclonedx(self) -> tuple[VexStatement, ...]:
        metadata = _value(self.document, "metadata")
        authors = [_text(item, "name") for item in _array(metadata, "authors")]
        makers = [_text(_value(metadata, maker), "name") for maker in ("supplier", "manufacturer", "manufacture")]
        author = next(filter(None, (*authors, *makers)), "")
        if not author:
            self._fault("its metadata names no author or supplier: someone has to answer for it", self.document.start)
        purls = {_text(item, "bom-ref"): _text(item, "purl") for item in _array(self.document, "components")}
        written = _text(metadata, "timestamp")
        found = [self._cyclonedx_statement(item, author, written, purls) for item in self._objects("vulnerabilities")]
        return tuple(item for item in found if item is not None)

    def _cyclonedx_statement(
        self, item: JsonObject, author: str, written: str, purls: Mapping[str, str]
    ) -> VexStatement | None:
        analysis = _value(item, "analysis")
        if analysis is None:
            return None  # a plain report of a vulnerability, which decides nothing
        status = _STATES.get(_text(analysis, "state"))
        if status is None:
            self._fault(f'its state "{_text(analysis, "state")}" is none of {", ".join(_STATES)}', item.start)
            return None
        return self._statement(
            item,
            names=tuple(filter(None, (_text(item, "id"), *(_text(other, "id") for other in _array(item, "references"))))),
            products=tuple(product for target in _array(item, "affects") for product in _cyclonedx_products(target, purls)),
            status=status,
            why=": ".join(filter(None, (_text(analysis, "justification"), _text(analysis, "detail")))),
            author=author,
            time=_text(analysis, "lastUpdated") or _text(item, "updated") or _text(analysis, "firstIssued") or written,
        )

    def _statement(
        self,
        item: JsonObject,
        *,
        names: tuple[str, ...],
        products: tuple[Product, ...],
        status: Status,
        why: str,
        author: str,
        time: str,
    ) -> VexStatement | None:
        """A statement that may count, or None after noting why it may not."""
        if not names:
            self._fault("it names no vulnerability", item.start)
            return None
        if not products or any(not product.id for product in products):
            self._fault("it names no product", item.start)
            return None
        if status == "not_affected" and not why:
            self._fault("not_affected needs a justification or an impact statement", item.start)
            return None
        at_s = _seconds(time)
        if at_s is None:
            self._fault(f'"{time}" is no time' if time else "it has no timestamp", item.start)
            return None
        if at_s > self.now_s + 86_400:
            self._fault(f"its timestamp {time} is in the future", item.start)
            return None
        return VexStatement(
            vulnerabilities=names,
            products=products,
            status=status,
            why=why,
            author=author,
            at_s=at_s,
            document=Path(self.source.name).name,
            where=item.start,
        )

    def _objects(self, name: str, required: bool = False) -> list[JsonObject]:
        value = _value(self.document, name)
        if not isinstance(value, JsonArray):
            if value is not None or required:
                self._fault(f'"{name}" is no list', (value or self.document).start)
            return []
        wrong = [item for item in value.items if not isinstance(item, JsonObject)]
        for item in wrong:
            self._fault(f'an entry of "{name}" is no object', item.start)
        return [item for item in value.items if isinstance(item, JsonObject)]

    def _fault(self, why: str, where: Range) -> None:
        self.faults.append(_fault(why, where))


def _fault(why: str, where: Range) -> Diagnostic:
    return Diagnostic(
        code="vex.malformed",
        what="a VEX document cannot be used",
        where=where,
        why=f"{why}.",
        next="Mend the document, or take it out of the gate's vex.",
    )


def _openvex_names(vulnerability: JsonNode | None) -> tuple[str, ...]:
    """Version 0.0.1 wrote a plain text, 0.2.0 an object with name and aliases."""
    if isinstance(vulnerability, JsonScalar):
        return (str(vulnerability.value),) if isinstance(vulnerability.value, str) else ()
    names = (_text(vulnerability, "name"), *(_scalar(item) for item in _array(vulnerability, "aliases")))
    return tuple(filter(None, names))


def _openvex_product(product: JsonNode) -> Product:
    if isinstance(product, JsonScalar):
        return Product(id=_scalar(product))
    parts = tuple(_openvex_product(part).id for part in _array(product, "subcomponents"))
    return Product(id=_text(_value(product, "identifiers"), "purl") or _text(product, "@id"), parts=parts)


def _cyclonedx_products(target: JsonNode, purls: Mapping[str, str]) -> tuple[Product, ...]:
    """A reference inside the document, one into another document (`urn:cdx:…#REF`), or a purl; of certain versions."""
    reference = _text(target, "ref")
    bare = reference.partition("#")[2] or reference if reference.startswith("urn:cdx:") else reference
    name = purls.get(bare) or bare
    versions = [_text(item, "version") for item in _array(target, "versions")]
    if not versions or not name.startswith("pkg:"):
        return (Product(id=name),)
    from packageurl import PackageURL

    purl = PackageURL.from_string(name)
    return tuple(Product(id=purl._replace(version=version or "unknown").to_string()) for version in versions)


def _value(node: JsonNode | None, name: str) -> JsonNode | None:
    if not isinstance(node, JsonObject):
        return None
    return next((item.value for item in node.properties if item.name == name), None)


def _array(node: JsonNode | None, name: str) -> tuple[JsonNode, ...]:
    value = _value(node, name)
    return value.items if isinstance(value, JsonArray) else ()


def _text(node: JsonNode | None, name: str) -> str:
    return _scalar(_value(node, name))


def _scalar(node: JsonNode | None) -> str:
    return node.value if isinstance(node, JsonScalar) and isinstance(node.value, str) else ""


def _seconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
