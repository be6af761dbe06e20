"""Bills of materials (CycloneDX, SPDX as JSON) as inventories: what somebody says is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory import Distribution, Inventory, Package, PackageKind
from goldsmith.gates.inventory.release import family_of_id
from goldsmith.hcl.diagnostics import Diagnostic, UserError

if TYPE_CHECKING:
    from packageurl import PackageURL

_KINDS: Mapping[str, PackageKind] = {kind: kind for kind in get_args(PackageKind)}
_OF_DISTRIBUTION = ("deb", "rpm", "apk")
_BUILT_FROM = re.compile(r"built (?:package )?from:? (\S+) (\S+)")
_SAMPLE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """A document that was read."""

    inventory: Inventory
    maker: str
    """The tools that made it: "goldsmith", "syft", "trivy"."""
    subject: str
    """What it says that it is about."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a document says of one component."""

    name: str
    purl: str
    properties: Mapping[str, str]
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a document of ours says of the image as a whole."""

    distribution: Distribution | None = None
    image: str = ""
    content_sets: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def read_sbom(content: bytes, name: str) -> Sbom:
    """Read a document. Raises `UserError` with code `sbom.unreadable` when it is none, or tells of no package.

    A component without a package URL, or of a kind that is not known, is skipped and counted.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise _unreadable(name, "it is no JSON object")
    if document.get("bomFormat") == "CycloneDX":
        entries, maker, subject = list(_cyclonedx(document)), _cyclonedx_maker(document), _cyclonedx_subject(document)
    elif str(document.get("spdxVersion", "")).startswith("SPDX-2"):
        entries, maker, subject = list(_spdx(document)), _spdx_maker(document), str(document.get("name", ""))
    else:
        raise _unreadable(name, "it is neither CycloneDX (bomFormat) nor SPDX 2 (spdxVersion)")
    if not entries:
        raise _unreadable(name, "it names no package")
    return Sbom(
        inventory=_inventory(entries, _facts(document), _cyclonedx_system(document), name), maker=maker, subject=subject
    )


def is_sbom(content: bytes) -> bool:
    """Whether the beginning of a file looks like a bill of materials."""
    return content.lstrip()[:1] == b"{" and (b'"bomFormat"' in content or b'"spdxVersion"' in content)


def _inventory(entries: Sequence[_Entry], facts: _Facts, system: Distribution | None, name: str) -> Inventory:
    from packageurl import PackageURL

    packages: dict[Package, str] = {}
    owned: dict[str, set[str]] = {}
    skipped: dict[str, list[str]] = {}
    faults: list[str] = []
    said: list[str] = []
    for entry in entries:
        if not entry.purl:
            skipped.setdefault("without a package URL", []).append(entry.name)
            continue
        try:
            purl = PackageURL.from_string(entry.purl)
        except ValueError:
            faults.append(f'"{entry.purl}" is no package URL')
            continue
        kind = _KINDS.get(purl.type)
        if kind is None:
            skipped.setdefault(f'of the kind "{purl.type}", of which nothing is known', []).append(entry.name)
        elif not purl.version:
            skipped.setdefault("without a version", []).append(entry.name)
        else:
            package = _package(kind, purl, entry)
            packages[package] = entry.purl
            if owner := entry.properties.get("owner", ""):
                owned.setdefault(owner, set()).add(package.file)
            if kind in _OF_DISTRIBUTION:
                said.append(_qualifiers(purl).get("distro", "") or f"{purl.namespace or ''}-")
    return Inventory(
        distribution=facts.distribution or system or _distribution(said, name),
        packages=tuple(sorted(_with_files(packages, owned))),
        faults=(*facts.faults, *faults),
        skipped=tuple(
            Skipped(reason=reason, count=len(names), sample=tuple(sorted(names)[:_SAMPLE]))
            for reason, names in sorted(skipped.items())
        ),
        content_sets=facts.content_sets,
        nvr=facts.image,
    )


def _with_files(packages: Mapping[Package, str], owned: Mapping[str, set[str]]) -> Iterator[Package]:
    """Packages of the distribution with the files that other components are told by."""
    for package, purl in packages.items():
        files = owned.get(purl, ())
        yield replace(package, files=tuple(sorted(files))) if files else package


def _package(kind: PackageKind, purl: PackageURL, entry: _Entry) -> Package:
    qualifiers, told = _qualifiers(purl), entry.properties
    epoch = f"{qualifiers['epoch']}:" if qualifiers.get("epoch", "0") != "0" else ""
    version = f"{epoch}{purl.version}"
    if kind not in _OF_DISTRIBUTION:
        separator = ":" if kind == "maven" else "/"
        name = f"{purl.namespace}{separator}{purl.name}" if purl.namespace else purl.name
        path = told.get("path", "").lstrip("/")
        return Package(kind=kind, name=name, version=version, path=path, layer=told.get("layer", ""), licences=entry.licences)
    upstream, _, upstream_version = qualifiers.get("upstream", "").partition("@")
    return Package(
        kind=kind,
        name=purl.name,
        version=version,
        architecture=qualifiers.get("arch", ""),
        source_name=told.get("source", "") or upstream or purl.name,
        source_version=told.get("source-version", "") or upstream_version or version,
        module=told.get("module", ""),
        layer=told.get("layer", ""),
        licences=entry.licences,
    )


def _qualifiers(purl: PackageURL) -> Mapping[str, str]:
    found = purl.qualifiers
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _distribution(said: Sequence[str], name: str) -> Distribution:
    """The one that all packages of a distribution name. Raises `UserError` when they name none, or several."""
    if not said:
        return Distribution(id="", family="", release="", name="no distribution")
    found = sorted(set(said))
    id, _, release = found[0].rpartition("-")
    if len(found) > 1 or not id or not release:
        raise _unreadable(name, f"it does not say which distribution its packages are of: {', '.join(found[:3])}")
    return _system(id, release)


def _system(id: str, release: str) -> Distribution:
    return Distribution(id=id, family=family_of_id(id), release=release, name=f"{id} {release}")


# ── CycloneDX ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_PROPERTIES: Mapping[str, str] = {
    "goldsmith:source": "source",
    "goldsmith:source-version": "source-version",
    "goldsmith:layer": "layer",
    "goldsmith:path": "path",
    "goldsmith:module": "module",
    "goldsmith:owner": "owner",
    "aquasecurity:trivy:SrcName": "source",
    "aquasecurity:trivy:SrcVersion": "trivy-version",
    "aquasecurity:trivy:SrcRelease": "trivy-release",
    "aquasecurity:trivy:SrcEpoch": "trivy-epoch",
    "aquasecurity:trivy:LayerDiffID": "layer",
    "aquasecurity:trivy:FilePath": "path",
    "aquasecurity:trivy:Modularitylabel": "module",
    "syft:location:0:path": "path",
}


def _cyclonedx(document: Mapping[str, object]) -> Iterator[_Entry]:
    for item in _objects(document.get("components")):
        if item.get("type") in ("operating-system", "file"):
            continue
        told = {_PROPERTIES[key]: value for key, value in _properties(item).items() if key in _PROPERTIES}
        if "trivy-version" in told:
            release = f"-{told['trivy-release']}" if told.get("trivy-release") else ""
            epoch = f"{told['trivy-epoch']}:" if told.get("trivy-epoch", "0") != "0" else ""
            told["source-version"] = f"{epoch}{told['trivy-version']}{release}"
        yield _Entry(_text(item, "name"), _text(item, "purl"), told, tuple(_cyclonedx_licences(item)))


def _cyclonedx_licences(item: Mapping[str, object]) -> Iterator[str]:
    """Names, identifiers of SPDX, or expressions of them, as the document has them."""
    for choice in _objects(item.get("licenses")):
        licence = _object(choice.get("license"))
        if told := _text(choice, "expression") or _text(licence, "id") or _text(licence, "name"):
            yield told


def _cyclonedx_system(document: Mapping[str, object]) -> Distribution | None:
    """The component of the operating system, as trivy and syft write it. Ours is in the purls."""
    for item in _objects(document.get("components")):
        if item.get("type") == "operating-system" and _text(item, "version"):
            return _system(_text(item, "name"), _text(item, "version"))
    return None


def _cyclonedx_maker(document: Mapping[str, object]) -> str:
    tools = _object(document.get("metadata")).get("tools")
    found = _objects(tools) or _objects(_object(tools).get("components"))
    return ", ".join(_text(item, "name") for item in found) or "an unknown maker"


def _cyclonedx_subject(document: Mapping[str, object]) -> str:
    return _text(_object(_object(document.get("metadata")).get("component")), "name")


def _properties(item: Mapping[str, object]) -> Mapping[str, str]:
    return {_text(entry, "name"): _text(entry, "value") for entry in _objects(item.get("properties"))}


# ── SPDX ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


_NO_LICENCE = ("", "NONE", "NOASSERTION")
"""SPDX 2.3, 7.13 and 7.15: there is none, or nothing is said of it."""


def _spdx(document: Mapping[str, object]) -> Iterator[_Entry]:
    is_ours = _spdx_maker(document) == "goldsmith"
    for item in _objects(document.get("packages")):
        if item.get("primaryPackagePurpose") in ("OPERATING-SYSTEM", "CONTAINER", "FILE"):
            continue
        references = _objects(item.get("externalRefs"))
        purls = [_text(entry, "referenceLocator") for entry in references if entry.get("referenceType") == "purl"]
        built = _BUILT_FROM.search(_text(item, "sourceInfo"))
        told = {"source": built[1], "source-version": built[2]} if built else {}
        told |= {_PROPERTIES[name]: value for name, value in _comment(item) if name in _PROPERTIES}
        licences = _text(item, "licenseComments").splitlines() if is_ours else _spdx_licences(item)
        yield _Entry(_text(item, "name"), purls[0] if purls else "", told, tuple(licences))


def _spdx_licences(item: Mapping[str, object]) -> Iterator[str]:
    """The expression that the package declares, or else the one that was concluded; comments are prose."""
    told = (_text(item, "licenseDeclared"), _text(item, "licenseConcluded"))
    yield from [text for text in told if text not in _NO_LICENCE][:1]


def _spdx_maker(document: Mapping[str, object]) -> str:
    creators = _object(document.get("creationInfo")).get("creators")
    named = [str(item) for item in creators] if isinstance(creators, list) else []
    tools = [item.removeprefix("Tool: ").rpartition("-")[0] for item in named if item.startswith("Tool: ")]
    return ", ".join(tools) or "an unknown maker"


def _comment(item: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The lines that our own SPDX documents have in comments."""
    for line in _text(item, "comment").split("\n"):
        name, separator, value = line.partition("=")
        if separator and name.startswith(_OURS):
            yield name, value


# ── what ours say of the image ──────────────────────────────────────────────────────────────────────────────────────────

_OURS = "goldsmith:"


def _facts(document: Mapping[str, object]) -> _Facts:
    about = _object(_object(document.get("metadata")).get("component"))
    pairs = [(_text(entry, "name"), _text(entry, "value")) for entry in _objects(about.get("properties"))]
    roots = (item for item in _objects(document.get("packages")) if item.get("primaryPackagePurpose") == "OPERATING-SYSTEM")
    pairs += [pair for item in roots for pair in _comment(item)]
    told: dict[str, list[str]] = {}
    for name, value in pairs:
        told.setdefault(name.removeprefix(_OURS), []).append(value)
    first = {name: values[0] for name, values in told.items()}
    id = first.get("distribution", "")
    return _Facts(
        distribution=Distribution(
            id=id,
            family=family_of_id(id),
            release=first.get("release", ""),
            codename=first.get("codename", ""),
            name=first.get("distribution-name", ""),
        )
        if id
        else None,
        image=first.get("image", ""),
        content_sets=tuple(told.get("content-set", ())),
        faults=tuple(told.get("fault", ())),
    )


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(item: Mapping[str, object], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _object(data: object) -> Mapping[str, object]:
    return data if isinstance(data, dict) else {}


def _objects(data: object) -> Sequence[Mapping[str, object]]:
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def _unreadable(name: str, why: str) -> UserError:
    return UserError(
        Diagnostic(
            code="sbom.unreadable",
            what=f'"{name}" cannot be used as a bill of materials',
            why=why,
            next="Give a CycloneDX or SPDX 2 document in JSON with package URLs.",
        )
    )
