"""What the lists of an rpm repository say: packages (primary), security updates (updateinfo), modules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from goldsmith.gates.advisories.vulnerability import Severity
from goldsmith.gates.inventory.archive_index import Offer
from goldsmith.gates.repositories.compressed import records, whole
from goldsmith.gates.repositories.repository import Notice

_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b")
_ARTIFACT = re.compile(r"(.+)-(\d+):([^-]+)-([^-]+)\.([^.]+)")
_NAMED = re.compile(r"([\w.+-]+)-\d+:")
"""A package among the artifacts of a module: whatever else fits costs the reading of a document."""
_SEVERITIES: Mapping[str, Severity] = {
    "critical": "critical",
    "important": "high",
    "high": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
}
_LARGEST_MODULES = 256 << 20


def read_packages(path: Path, names: Collection[str], architectures: dict[str, int]) -> Iterator[Offer]:
    """The packages of these names; how many there are of each architecture is counted in `architectures`.

    Raises `ValueError` for a list that cannot be read.
    """
    for record in records(path, b"</package>"):
        start = record.find(b"<package ")
        if start < 0:
            raise ValueError(f"{path.name} has a package that does not begin")
        # What follows needs prefixes that are declared at the top of the list, and nothing of it is asked for.
        head = record[start:].partition(b"<format>")[0] + b"</package>"
        found = _element(head, path)
        name, architecture = found.findtext("name", ""), found.findtext("arch", "")
        architectures[architecture] = architectures.get(architecture, 0) + 1
        if name in names:
            version = found.find("version")
            size = found.find("size")
            yield Offer(
                name=name,
                version=_version(version) if version is not None else "",
                architecture=architecture,
                sha256=found.findtext("checksum", ""),
                size=int(size.get("package", "0")) if size is not None else 0,
            )


def read_notices(path: Path, names: Collection[str]) -> Iterator[Notice]:
    """The security updates with packages of these names. Raises `ValueError` for a list that cannot be read."""
    for record in records(path, b"</update>"):
        start = record.find(b"<update ")
        if start < 0:
            raise ValueError(f"{path.name} has an update that does not begin")
        text = record[start:] + b"</update>"
        if b"security" not in text.partition(b">")[0]:
            continue
        found = _element(text, path)
        packages = tuple(
            (item.get("name", ""), _version(item), item.get("arch", ""))
            for item in found.iter("package")
            if item.get("name") in names
        )
        if packages and found.get("type") == "security":
            yield _notice(found, packages)


def read_modules(path: Path, names: Collection[str]) -> Mapping[tuple[str, str, str], frozenset[str]]:
    """The streams (`name:stream`) that packages belong to, by name, version and architecture; of these names.

    Raises `ValueError` for a list that cannot be read.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[tuple[str, str, str], set[str]] = {}
    for document in re.split(r"(?m)^---.*$", whole(path, _LARGEST_MODULES).decode(errors="replace")):
        if not any(match[1] in names for match in _NAMED.finditer(document)):
            continue
        try:
            data = yaml.load(document, loader)  # one of the safe loaders
        except yaml.YAMLError as error:
            raise ValueError(f"{path.name} is no YAML: {error}") from error
        for stream, artifact in _artifacts(data):
            match = _ARTIFACT.fullmatch(artifact)
            if match is not None and match[1] in names:
                version = f"{match[3]}-{match[4]}"
                key = (match[1], f"{match[2]}:{version}" if int(match[2]) else version, match[5])
                found.setdefault(key, set()).add(stream)
    return {key: frozenset(streams) for key, streams in found.items()}


def _artifacts(data: object) -> Iterator[tuple[str, str]]:
    """The packages of a module, as `modulemd` of version 2 names them."""
    if not isinstance(data, Mapping) or data.get("document") != "modulemd" or not isinstance(data.get("data"), Mapping):
        return
    module = data["data"]
    artifacts = module.get("artifacts")
    rpms = artifacts.get("rpms") if isinstance(artifacts, Mapping) else None
    if isinstance(rpms, list):
        yield from ((f"{module.get('name')}:{module.get('stream')}", str(item)) for item in rpms)


def _notice(found: ElementTree.Element, packages: tuple[tuple[str, str, str], ...]) -> Notice:
    references = " ".join(f"{item.get('id', '')} {item.get('title', '')}" for item in found.iter("reference"))
    told = " ".join((references, found.findtext("title", ""), found.findtext("description", "")))
    issued = found.find("issued")
    return Notice(
        id=found.findtext("id", ""),
        severity=_SEVERITIES.get(found.findtext("severity", "").strip().lower()),
        cves=tuple(dict.fromkeys(_CVE.findall(told))),
        issued_s=_moment(issued.get("date", "")) if issued is not None else 0,
        packages=packages,
    )


def _version(item: ElementTree.Element) -> str:
    """`[epoch:]version-release` of attributes, which primary calls otherwise than updateinfo."""
    epoch = item.get("epoch") or "0"
    version = f"{item.get('ver', item.get('version', ''))}-{item.get('rel', item.get('release', ''))}"
    return version if epoch == "0" else f"{epoch}:{version}"


def _moment(text: str) -> int:
    """A time as updateinfo tells it: seconds, `2024-05-01 12:00:00`, or ISO 8601; 0 for anything else."""
    if re.fullmatch(r"\d{9,10}(\.\d+)?", text.strip()):
        return int(float(text))
    try:
        moment = datetime.fromisoformat(text.strip().replace(" UTC", "+00:00"))
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _element(text: bytes, path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path.name} has a record that is no XML: {error}") from error
