"""From a request to exact packages: apt decides, the result is a lock."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from goldsmith.components import Context
from goldsmith.events import Progress
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError
from goldsmith.images.lock import ImageLock, LockedPackage, LockedSuite
from goldsmith.sources.apt import Apt, Download, index_fault
from goldsmith.sources.archive import ArchiveRequest, ArchiveSuite, suites, translated
from goldsmith.sources.debstore import PackageStore
from goldsmith.sources.indexes import DIRECTORY, IndexStore, is_fresh, listed, lists_package

_ESSENTIAL = ("?essential", "?priority(required)", "apt")
"""What every image of the Debian family has: mmdebstrap's variant minbase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRequest:
    """What an image takes from an archive."""

    archive: ArchiveRequest
    packages: tuple[str, ...]
    architecture: str
    keyring: Path

    @property
    def digest(self) -> str:
        """Digest of what was asked for. Where this host reaches the archive is no part of it."""
        asked = {
            "archive": asdict(self.archive),
            "suites": [self._name(item) for item in suites(self.archive)[0]],
            "packages": sorted(self.packages),
            "architecture": self.architecture,
        }
        return "sha256:" + hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    @property
    def trust(self) -> str:
        """Digest of the archives and of the keys that vouch for them: what shares packages and indexes."""
        names = [self._name(item) for item in suites(self.archive)[0]]
        keys = hashlib.sha256(self.keyring.read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps([names, self.architecture, keys]).encode()).hexdigest()

    @staticmethod
    def _name(item: ArchiveSuite) -> list[str]:
        return [item.recorded, item.suite, *item.components]


class Archive:
    """The archive of one request as this host sees it."""

    def __init__(self, request: PackageRequest, context: Context) -> None:
        self.request = request
        self.indexes = IndexStore(context.cache / DIRECTORY, request.trust)
        self.packages = PackageStore(context.cache / "packages", request.trust)
        self._context = context

    def refresh(self) -> tuple[Path, tuple[LockedSuite, ...]]:
        """Fetch the signed indexes of now. The first mirror that can be reached answers."""
        with self._updated() as (chosen, apt):
            return self.indexes.adopt(apt.lists, chosen)

    def lists_of_today(self) -> Path:
        """Indexes that were found current less than `FRESH_S` ago; fetched when there are none. The lock stays."""
        newest = self.indexes.newest()
        if newest is not None and is_fresh(newest):
            return newest
        return self.refresh()[0]

    def earlier_lists(self) -> tuple[Path, ...]:
        """The signed indexes of all states of the archive that this host has seen and still has."""
        return self.indexes.kept(suites(self.request.archive)[0])

    def resolve(self) -> ImageLock:
        """Decide which packages an image gets from the archive of now. Raises `UserError` and `MachineError`."""
        with self._updated() as (chosen, apt):
            # Links of the file system merge /usr before the first package: the package that would do it drags in perl.
            merged = ("usr-is-merged",) if lists_package(apt.lists, "usr-is-merged") else ()
            wanted = [*_ESSENTIAL, *merged, *self.request.packages]
            packages = sorted(_package(line, chosen) for line in apt.downloads(wanted))
            _, locked = self.indexes.adopt(apt.lists, chosen)
        return ImageLock(
            request=self.request.digest,
            epoch=max(suite.date for suite in locked),
            suites=locked,
            packages=tuple(packages),
        )

    def fetch(self, packages: Sequence[LockedPackage]) -> None:
        """Bring packages into the store, each checked against its digest; those that are here cost nothing.

        Raises `MachineError` with code `lock.package-gone` or `archive.mismatch` naming the package.
        """
        missing = self.packages.missing(packages)
        for chosen in suites(self.request.archive):
            if not missing:
                return
            complaints = self._fetch_from(chosen, missing)
            missing = self.packages.missing(missing)
            if missing and not _is_unreachable(complaints):
                break
        if missing:
            raise _not_fetched(missing[0], len(missing), complaints)

    def offered(self, lists: Path, digests: Sequence[str]) -> Mapping[str, Path]:
        """The packages with these digests (SHA-256), as far as signed indexes name them and the archive still has them."""
        names = {digest: fields for digest in digests if (fields := listed(lists, digest)) is not None}
        places = list(dict.fromkeys(item.recorded.rstrip("/") for item in suites(self.request.archive)[0]))
        found: dict[str, Path] = {}
        for place in places:
            asked = [_offer(digest, fields, place) for digest, fields in names.items() if digest not in found]
            if not asked:
                break
            with suppress(GoldsmithError):
                # What another archive has is gone here: the next place is asked for it.
                self.fetch(asked)
            found |= {item.sha256: self.packages.path(item) for item in asked if not self.packages.missing([item])}
        return found

    def _fetch_from(self, chosen: Sequence[ArchiveSuite], missing: Sequence[LockedPackage]) -> str:
        with self._directory() as directory:
            apt = Apt(directory / "apt", self.request.architecture, self._context.cancellation)
            downloads = [
                Download(translated(package.url, chosen, to_recorded=False), directory / package.sha256, package.sha256)
                for package in missing
            ]
            total = sum(package.size for package in missing)
            complaints = apt.fetch(downloads, lambda: self._report(_size_of(directory), total))
            for package, download in zip(missing, downloads, strict=True):
                if download.target.is_file():
                    self.packages.add(download.target, package)
        self._report(total, total)
        return complaints

    def _report(self, done: int, total: int) -> None:
        event = Progress(build=self._context.build, what="downloading packages", done=min(done, total), total=total)
        self._context.emit(event)

    @contextmanager
    def _updated(self) -> Iterator[tuple[tuple[ArchiveSuite, ...], Apt]]:
        """apt with the indexes of now, and the suites as they were reached."""
        with self._directory() as directory:
            yield self._reach(directory)

    def _reach(self, directory: Path) -> tuple[tuple[ArchiveSuite, ...], Apt]:
        request = self.request.archive
        fault: GoldsmithError | None = None
        for number, chosen in enumerate(suites(request)):
            apt = Apt(directory / str(number), self.request.architecture, self._context.cancellation)
            past = bool(request.snapshot)
            lines = [item.sources_line(self.request.keyring, self.request.architecture, past=past) for item in chosen]
            try:
                apt.update("".join(lines), request.distribution, request.release, request.snapshot)
                return chosen, apt
            except MachineError as error:
                fault = fault or error
        assert fault is not None
        raise fault

    @contextmanager
    def _directory(self) -> Iterator[Path]:
        """A directory of its own: builds of one run share `context.work`, and gates ask when a build's is gone."""
        work = self._context.work
        with tempfile.TemporaryDirectory(prefix="archive-", dir=work if work.is_dir() else None) as directory:
            yield Path(directory)


def _offer(digest: str, fields: Mapping[str, str], place: str) -> LockedPackage:
    return LockedPackage(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        sha256=digest,
        size=int(fields["Size"]),
        url=f"{place}/{fields['Filename']}",
    )


def _size_of(directory: Path) -> int:
    sizes = 0
    for path in directory.rglob("*"):
        # apt renames files while we look.
        with suppress(FileNotFoundError):
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes


def _package(line: str, chosen: Sequence[ArchiveSuite]) -> LockedPackage:
    match = re.fullmatch(r"'(\S+)' (\S+)_(\S+)_(\S+)\.deb (\d+) SHA256:([0-9a-f]{64})", line.strip())
    if match is None:
        raise MachineError(
            Diagnostic(
                code="archive.no-digest",
                what="the archive offers a package without a SHA-256 digest",
                why=line,
                next="Use a mirror whose index has SHA-256 digests.",
            )
        )
    url, name, version, architecture, size, digest = match.groups()
    return LockedPackage(
        name=name,
        version=urllib.parse.unquote(version),
        architecture=architecture,
        sha256=digest,
        size=int(size),
        url=translated(url, chosen, to_recorded=True),
    )


def _is_unreachable(complaints: str) -> bool:
    return _fault(complaints).code == "archive.unreachable"


def _fault(complaints: str) -> Diagnostic:
    return index_fault(complaints).diagnostics[0]


def _not_fetched(package: LockedPackage, count: int, complaints: str) -> MachineError:
    more = f", and {count - 1} more" if count > 1 else ""
    fault = _fault(complaints)
    if fault.code in ("archive.unreachable", "disk.full"):
        what = f"the package {package.name} {package.version}{more} could not be fetched: {fault.what}"
        return MachineError(Diagnostic(code=fault.code, what=what, why=fault.why, next=fault.next))
    changed = "Hash Sum mismatch" in complaints or "unexpected size" in complaints
    reason = "it has another content now" if changed else "the mirror moved on"
    return MachineError(
        Diagnostic(
            code="archive.mismatch" if changed else "lock.package-gone",
            what=f"the locked package {package.name} {package.version} cannot be had any more{more}",
            why=f"{package.url}: {reason}\n{complaints.strip()[-1000:]}",
            next="Move the lock on purpose: goldsmith lock -upgrade",
        )
    )
