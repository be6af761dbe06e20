"""Fetches the indexes of repositories: those of today, and of those that cannot be had what this host still has."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from goldsmith.gates.advisories.feeds import Document, Fetcher
from goldsmith.gates.repositories.apkindex import NAME as APKINDEX
from goldsmith.gates.repositories.reading import REPOMD, SIGNATURE, Reader, published_s
from goldsmith.gates.repositories.repomd import LARGEST, Contents, Part, parse_repomd
from goldsmith.gates.repositories.repository import Repository, shown_url
from goldsmith.gates.repositories.store import Origin, RepositoryStore
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.sources.indexes import is_fresh

_MOST_MIRRORS = 5
_METALINK = "{http://www.metalinker.org/}"
_STRONG = ("sha512", "sha256")


@dataclass(frozen=True, slots=True)
class Base:
    """One address of a repository, and what vouches for the index there."""

    url: str
    safe: bool = True
    """Whether the way to this address was safe so far."""
    hashes: Mapping[str, str] | None = None
    """Of its repomd.xml, as a metalink tells them by algorithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Had:
    """The state of a repository that counts now."""

    state: Path | None
    """None: none was ever here."""
    complaint: str = ""
    """Why it could not be fetched just now."""
    is_refused: bool = False
    """Something answered, and is not to be believed; otherwise the state that is here counts as long as it is young."""


class _Refused(Exception):
    """What a server gave is not to be believed; the text says why."""


class Refresher:
    """Brings the states of an image's repositories up to date. `mirror` stands for all servers, as for advisories."""

    def __init__(self, store: RepositoryStore, reader: Reader, mirror: str) -> None:
        self._store = store
        self._reader = reader
        self._mirror = mirror

    def current(self, repository: Repository) -> Had:
        """A state that was found current less than a day ago, if one can be had; else the newest that is here."""
        newest = self._store.newest(repository, self._reader.architecture)
        if newest is not None and is_fresh(newest) and self._reader.is_good(newest, repository):
            return Had(state=newest)
        complaints: list[str] = []
        is_refused = False
        fetcher = Fetcher(self._store.downloads, self._mirror)
        try:
            for base in self._bases(repository, fetcher):
                try:
                    return Had(state=self._fetch(repository, base, fetcher, newest))
                except (_Refused, MachineError) as error:
                    is_refused = is_refused or isinstance(error, _Refused)
                    complaints.append(f"{shown_url(base.url)}: {_reason(error)}")
        except (_Refused, MachineError) as error:
            is_refused = is_refused or isinstance(error, _Refused)
            complaints.append(_reason(error))
        finally:
            fetcher.close()
        return Had(state=newest, complaint="; ".join(complaints) or "it has no address", is_refused=is_refused)

    def _bases(self, repository: Repository, fetcher: Fetcher) -> Iterator[Base]:
        """The addresses to try, the most promising first."""
        yield from (Base(url) for url in repository.bases)
        if repository.metalink:
            document = fetcher.get(repository.metalink)
            hashes, urls = _metalink(document.path.read_bytes())
            yield from (Base(url, document.safe, hashes) for url in urls[:_MOST_MIRRORS])
        elif repository.mirrorlist:
            document = fetcher.get(repository.mirrorlist)
            lines = [line.strip() for line in document.path.read_text(errors="replace").splitlines()]
            urls = [line.rstrip("/") + "/" for line in lines if line.startswith(("http://", "https://"))]
            yield from (Base(url, document.safe) for url in urls[:_MOST_MIRRORS])

    def _fetch(self, repository: Repository, base: Base, fetcher: Fetcher, newest: Path | None) -> Path:
        with self._making() as making:
            get = self._get_apk if repository.form == "apk" else self._get_rpm
            signed, safe = get(base, fetcher, making, newest)
            if doubt := self._doubt(making, repository):
                raise _Refused(doubt)
            if newest is not None and _is_older(making, newest, repository):
                raise _older(shown_url(base.url))
            files = {path.name: path for path in making.iterdir() if path.is_file()}
            # A signature that came late, or another one, makes another state.
            content = b"".join(path.read_bytes() for path in (signed, making / SIGNATURE) if path.is_file())
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            origin = Origin(url=shown_url(base.url), safe=safe, source=self._reader.source(making, repository))
            return self._store.adopt(repository, self._reader.architecture, digest, files, origin)

    def _doubt(self, state: Path, repository: Repository) -> str:
        """What is wrong with the signature of a state; nothing is, when it has none."""
        try:
            why = self._reader.why_unsigned(state, repository)
        except (OSError, ValueError) as error:
            return str(error)
        return "" if repository.form == "rpm" and not (state / SIGNATURE).is_file() else why

    def _get_apk(self, base: Base, fetcher: Fetcher, making: Path, newest: Path | None) -> tuple[Path, bool]:
        document = fetcher.get(f"{base.url}{self._reader.architecture}/{APKINDEX}")
        return _put(document, making / APKINDEX), document.safe

    def _get_rpm(self, base: Base, fetcher: Fetcher, making: Path, newest: Path | None) -> tuple[Path, bool]:
        document = fetcher.get(f"{base.url}repodata/{REPOMD}")
        if document.path.stat().st_size > LARGEST:
            raise _Refused(f"its {REPOMD} has more than {LARGEST:,} bytes")
        data = document.path.read_bytes()
        if base.hashes is not None and not _fits(data, base.hashes):
            raise _Refused(f"its {REPOMD} is not the one that the metalink names")
        signed = _put(document, making / REPOMD)
        try:
            _put(fetcher.get(f"{base.url}repodata/{SIGNATURE}"), making / SIGNATURE)
        except MachineError:
            # Without one, whoever reads the state says so; what another answer means cannot be told from here.
            (making / SIGNATURE).unlink(missing_ok=True)
        for part in _contents(data).parts.values():
            self._get_part(part, base, making / part.name, newest / part.name if newest is not None else None)
        return signed, base.safe if base.hashes is not None else base.safe and document.safe

    def _get_part(self, part: Part, base: Base, target: Path, before: Path | None) -> None:
        """One list; one that has not changed is here."""
        if before is not None and before.is_file() and part.is_of(before):
            shutil.copyfile(before, target)
            return
        with self._making() as downloads:
            fetcher = Fetcher(downloads, self._mirror)
            try:
                _put(fetcher.get(base.url + part.href), target)
            finally:
                fetcher.close()
        if not part.is_of(target):
            raise _Refused(f"{part.href} is not the list that its {REPOMD} names")

    @contextmanager
    def _making(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="index-", dir=self._reader.work) as directory:
            yield Path(directory)


def _put(document: Document, target: Path) -> Path:
    shutil.copyfile(document.path, target)
    return target


def _contents(data: bytes) -> Contents:
    try:
        return parse_repomd(data)
    except ValueError as error:
        raise _Refused(str(error)) from error


def _is_older(state: Path, newest: Path, repository: Repository) -> bool:
    try:
        return published_s(state, repository) < published_s(newest, repository)
    except ValueError as error:
        raise _Refused(str(error)) from error


def _older(url: str) -> MachineError:
    """A mirror that lags behind: what is here is newer, and grows old meanwhile."""
    why = "its index is older than the one that this host has seen"
    return MachineError(Diagnostic(code="patches.older-index", what=f"{url} lags behind", why=why))


def _metalink(data: bytes) -> tuple[Mapping[str, str], list[str]]:
    """The hashes of the repomd.xml that counts, and the addresses of repositories."""
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise _Refused(f"its metalink is no XML: {error}") from error
    file = next((item for item in root.iter(f"{_METALINK}file") if item.get("name") == REPOMD), None)
    if file is None:
        raise _Refused(f"its metalink does not name a {REPOMD}")
    told = {
        item.get("type", ""): (item.text or "").strip().lower()
        for item in file.findall(f"{_METALINK}verification/{_METALINK}hash")
    }
    hashes = {name: told[name] for name in _STRONG if told.get(name)}
    if not hashes:
        raise _Refused("its metalink has no strong digest")
    end = f"repodata/{REPOMD}"
    urls = [(item.text or "").strip() for item in file.iter(f"{_METALINK}url")]
    return hashes, [url.removesuffix(end) for url in urls if url.startswith(("https://", "http://")) and url.endswith(end)]


def _fits(data: bytes, hashes: Mapping[str, str]) -> bool:
    return all(hashlib.new(name, data).hexdigest() == digest for name, digest in hashes.items())


def _reason(error: Exception) -> str:
    if isinstance(error, MachineError):
        fault = error.diagnostics[0]
        return fault.why or fault.what
    return str(error)
