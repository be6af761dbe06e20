"""Which files are exactly what their package brought: what the distribution ships is no secret of the builder.

For a built image the sums come from where the image cannot have changed them: the verified packages in this host's cache, and
the lowest layer, which the source made. Only a foreign tree, of which nothing else is known, is believed itself, and the result
says so.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.gates.contract import Subject
from goldsmith.gates.inventory import Stack
from goldsmith.gates.inventory.apk import apk_sums
from goldsmith.gates.inventory.rpm import rpm_sums
from goldsmith.gates.sharing import read_once
from goldsmith.images import LayerStore

INFO = "var/lib/dpkg/info"
STATUS = "var/lib/dpkg/status"
DIVERSIONS = "var/lib/dpkg/diversions"
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ALGORITHMS: Mapping[int, str] = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
"""By the number of hexadecimal digits."""
_AT_ONCE = 1 << 20
_CONFIGURATION = re.compile(r"^ /(\S+) ([0-9a-f]{32})$", re.MULTILINE)
_FIELD = re.compile(r"^(Package|Version|Architecture|Status):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PackagedFiles:
    """Sums of files that packages brought, and where the sums come from."""

    sums: Mapping[str, str]
    """By path, in hexadecimal: an MD5 of dpkg, an SHA-1 of apk, or what rpm took, which its length tells."""
    origin: str
    """In words, for the result."""
    unknown: tuple[str, ...] = ()
    """Installed packages of which nothing outside of the image is known: their files are examined in full."""

    def has(self, path: str) -> bool:
        """Whether a package brought a file of this name."""
        return path in self.sums

    def is_unchanged(self, path: str, place: str) -> bool:
        """Whether the file at a place of this host has the content that its package gave it. Raises `OSError`."""
        digest = self.hash_for(path)
        if digest is None:
            return False
        descriptor = open_file(place)
        try:
            size = os.fstat(descriptor).st_size
            # One byte more than there should be: the end of a small file is seen without reading again.
            while data := os.read(descriptor, min(size + 1, _AT_ONCE)):
                digest.update(data)
                if len(data) == size:
                    break
        finally:
            os.close(descriptor)
        return digest.hexdigest() == self.sums[path]

    def is_as_packaged(self, path: str, content: bytes) -> bool:
        """Whether this is the content that the package of a file gave it."""
        digest = self.hash_for(path)
        if digest is None:
            return False
        digest.update(content)
        return digest.hexdigest() == self.sums[path]

    def hash_for(self, path: str) -> hashlib._Hash | None:
        """What the content of a file is to be hashed with, to be compared with its sum; None when there is no sum."""
        algorithm = _ALGORITHMS.get(len(self.sums.get(path, "")))
        return hashlib.new(algorithm, usedforsecurity=False) if algorithm is not None else None


def open_file(place: str) -> int:
    """A file of a tree for reading, as a descriptor. A pipe that takes its place meanwhile must not hold the gate."""
    return os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


@dataclass(frozen=True, slots=True)
class _Installed:
    name: str
    version: str
    architecture: str

    @property
    def file(self) -> str:
        """The name of its package in apt's archive directory."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


@read_once
def packaged_files(subject: Subject) -> PackagedFiles:
    """What is known of the packaged files of a subject. All gates of an examination share it."""
    tree = subject.tree
    lowest = _lowest_layer(subject.layers[0], subject.cache) if subject.layers else None
    # Layers that are neither sealed nor in this host's store are a foreign tree like any other.
    if lowest is None and not (subject.layers and subject.has_disk_digest):
        own = dict(_own_sums(tree))
        return PackagedFiles(
            _resolved(own, tree), "the examined tree itself" if own else "nowhere: no package database is known"
        )
    return _from_outside(tree, lowest or Path("/nonexistent"), subject.cache)


def _from_outside(tree: Path, lowest: Path, cache: Path) -> PackagedFiles:
    installed = _installed(_text(tree / STATUS))
    debs = {path.name: path for path in (cache / "packages/archives").glob("*/*.deb")}
    cached = [package for package in installed if package.file in debs]
    sums: dict[str, str] = {}
    with ThreadPoolExecutor(2, thread_name_prefix="sums") as pool:
        for package, found in zip(cached, pool.map(lambda item: _sums_of(debs[item.file]), cached), strict=True):
            sums |= {_diverted(package.name, path): digest for path, digest in found.items()}
    below = {package.name: package for package in _installed(_text(lowest / STATUS))}
    unknown = []
    for package in installed:
        if package.file in debs:
            continue
        if below.get(package.name) == package:
            sums |= _listed(lowest, package)
        else:
            unknown.append(package.name)
    others, others_below = _other_sums(tree), _other_sums(lowest)
    for name in others:
        if name in others_below:
            sums |= others_below[name]
        else:
            unknown.append(name.partition(" ")[0])
    below_count = len(installed) + len(others) - len(cached) - len(unknown)
    origin = f"{len(cached)} packages in the cache and {below_count} in the lowest layer"
    return PackagedFiles(_resolved(sums, tree), origin, tuple(unknown))


def _lowest_layer(layer: str, cache: Path) -> Path | None:
    """Its directory in this host's store."""
    store = cache / "layers"
    if store.is_dir():
        layers = LayerStore(store)
        if layers.has(layer):
            return layers.path(layer)
    return None


def _sums_of(deb: Path) -> Mapping[str, str]:
    from goldsmith.sources.deb import sums_of

    try:
        with deb.open("rb") as package:
            return sums_of(package)
    except (OSError, ValueError):
        return {}


def _installed(status: str) -> list[_Installed]:
    found = []
    for paragraph in re.split(r"\n[ \t]*\n", status):
        fields = dict(_FIELD.findall(paragraph))
        if fields.get("Status", "").endswith(" installed"):
            found.append(_Installed(fields.get("Package", ""), fields.get("Version", ""), fields.get("Architecture", "")))
    return found


def _listed(tree: Path, package: _Installed) -> dict[str, str]:
    """What the database of a tree says of one package."""
    for name in (package.name, f"{package.name}:{package.architecture}"):
        text = _text(tree / INFO / f"{name}.md5sums")
        if text:
            conffiles = dict(_CONFIGURATION.findall(_stanza(_text(tree / STATUS), package.name)))
            return {_diverted(package.name, path): digest for path, digest in [*_md5_lines(text), *conffiles.items()]}
    return {}


def _stanza(status: str, name: str) -> str:
    """The paragraph of a package in dpkg's status."""
    start = status.find(f"Package: {name}\n")
    return status[start : status.find("\n\n", start)] if start >= 0 else ""


def _own_sums(tree: Path) -> Iterator[tuple[str, str]]:
    yield from _CONFIGURATION.findall(_text(tree / STATUS))
    for listing in sorted((tree / INFO).glob("*.md5sums")):
        package = listing.name.removesuffix(".md5sums").partition(":")[0]
        yield from ((_diverted(package, path), digest) for path, digest in _md5_lines(_text(listing)))
    for sums in _other_sums(tree).values():
        yield from sums.items()


def _md5_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _other_sums(tree: Path) -> Mapping[str, Mapping[str, str]]:
    """What the databases of rpm and apk say, by package; a damaged one says less, so that more files are examined in full."""
    found: dict[str, dict[str, str]] = {}
    for read in (rpm_sums, apk_sums):
        with suppress(OSError, ValueError):
            for package, path, digest in read(Stack([tree])):
                found.setdefault(package, {})[path] = digest
    return found


def _resolved(sums: Mapping[str, str], tree: Path) -> Mapping[str, str]:
    """The sums by where the files really are: with a merged /usr behind the links, and moved aside by diversions."""
    merged = {name for name in MERGED if (tree / name).is_symlink()}
    moved = dict(_diversions(_text(tree / DIVERSIONS)))
    found: dict[str, str] = {}
    for path, digest in sums.items():
        package, mark, rest = path.partition("\0")
        name = rest if mark else path
        by, target = moved.get(name, ("", ""))
        if target and by != package:
            name = target
        top = name.partition("/")[0]
        found[f"usr/{name}" if top in merged else name] = digest
    return found


def _diverted(package: str, path: str) -> str:
    """A path with the name of its package, because a diversion does not move the files of the package that diverts."""
    return f"{package}\0{path}"


def _diversions(text: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """dpkg's database: three lines each, the path, where it went, and the package that wants its place."""
    lines: Iterable[str] = text.splitlines()
    for path, target, package in zip(*[iter(lines)] * 3, strict=False):
        yield path.lstrip("/"), (package, target.lstrip("/"))


def _text(path: Path) -> str:
    """The text of a file of the tree; empty when it is not there, or a link that may lead out."""
    if path.is_symlink() or not path.is_file():
        return ""
    return path.read_text(errors="surrogateescape")
