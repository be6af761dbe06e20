"""The package store of a host: .debs by digest, in the view that apt takes for its own archive directory."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.lock import LockedPackage
from goldsmith.images.usage import use
from goldsmith.images.whole import whole_file
from goldsmith.sources.deb import control_of, is_in_xz, repack
from goldsmith.sources.indexes import listed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A package ready for installing: the file, and the stanza of an index that offers it."""

    path: Path
    stanza: str


class PackageStore:
    """Below one directory: `debs/` by digest, `prepared/` with what installs faster, `archives/TRUST/` with apt's names.

    A file is verified when it enters; later its name and size are trusted, because nobody else writes here: sandboxes
    see a view only below an overlay. Views are apart by `trust`, so that a package which one set of keys vouched for is
    not found where another is trusted.
    """

    def __init__(self, root: Path, trust: str) -> None:
        use(root)
        self._debs = root / "debs"
        self._prepared = root / "prepared"
        self.view = root / "archives" / trust[:32]
        for directory in (self._debs, self._prepared, self.view / "partial"):
            directory.mkdir(parents=True, exist_ok=True)

    def path(self, package: LockedPackage) -> Path:
        """Where the package is, if it is here."""
        return self._debs / f"{package.sha256}.deb"

    def missing(self, packages: Iterable[LockedPackage]) -> list[LockedPackage]:
        """Those packages that are not here; the others are shown in the view."""
        return [package for package in packages if not self._has(package)]

    def add(self, file: Path, package: LockedPackage) -> None:
        """Take over a file. Raises `MachineError` with code `archive.mismatch` when it is not what was promised."""
        with self._copied(file) as (copy, digest):
            if digest != package.sha256:
                raise MachineError(_mismatch(package))
            copy.rename(self.path(package))
        self._show(package)

    def keep(self, directory: Path, lists: Path) -> tuple[LockedPackage, ...]:
        """Take over what a step downloaded: those regular files of a directory that the signed indexes in `lists` name.

        Everything else in the directory is left where it is: a step is never trusted with names or contents. So each file is
        copied first, and the copy is judged.
        """
        kept = []
        for path in sorted(directory.glob("*.deb")):
            if path.is_symlink() or not path.is_file():
                continue
            with self._copied(path) as (copy, digest):
                package = _promised(digest, lists)
                if package is not None and not self._has(package):
                    copy.rename(self.path(package))
                    self._show(package)
                    kept.append(package)
        return tuple(kept)

    @contextmanager
    def _copied(self, source: Path) -> Iterator[tuple[Path, str]]:
        """A private copy of a file, and the digest of the copy; removed at the end unless it was renamed."""
        temporary = self._debs / f".{secrets.token_hex(8)}"
        try:
            yield temporary, _copy_and_digest(source, temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def prepare(self, packages: Sequence[LockedPackage], *, fast: bool) -> list[Prepared]:
        """Make packages ready for installing. With `fast`, data in xz is packed again in zstd, once, and kept."""
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="repack") as pool:
            largest_first = sorted(packages, key=lambda package: -package.size)
            made = dict(zip(largest_first, pool.map(lambda item: self._prepare(item, fast), largest_first), strict=True))
        return [made[package] for package in packages]

    def _prepare(self, package: LockedPackage, fast: bool) -> Prepared:
        kind = "zst" if fast else "deb"
        file, note = (self._prepared / f"{package.sha256}.{ending}" for ending in (kind, f"{kind}.stanza"))
        if not note.exists():
            self._write_prepared(package, file, note, fast)
        return Prepared(file if file.exists() else self.path(package), note.read_text())

    def _write_prepared(self, package: LockedPackage, file: Path, note: Path, fast: bool) -> None:
        size, digest = package.size, package.sha256
        try:
            with self.path(package).open("rb") as content:
                fields = control_of(content)
                if fast and is_in_xz(content):
                    with _writing(file) as faster:
                        repack(content, faster)
                        size = faster.tell()
                        faster.seek(0)
                        digest = hashlib.file_digest(faster, "sha256").hexdigest()
        except ValueError as error:
            raise MachineError(_broken(package, str(error))) from error
        with _writing(note) as told:
            told.write(f"{fields}Size: {size}\nSHA256: {digest}\n".encode())

    def _has(self, package: LockedPackage) -> bool:
        try:
            if self.path(package).stat().st_size != package.size:
                return False
            os.utime(self.path(package))
        except FileNotFoundError:
            return False
        self._show(package)
        return True

    def _show(self, package: LockedPackage) -> None:
        """Show a package in the view. Another file of the same name, from another archive, gives way."""
        shown = self.view / archive_name(package)
        if shown.exists() and shown.samefile(self.path(package)):
            return
        temporary = self.view / f".{secrets.token_hex(8)}"
        os.link(self.path(package), temporary)
        temporary.rename(shown)


def archive_name(package: LockedPackage) -> str:
    """The name that apt gives a package in its archive directory."""
    return f"{package.name}_{package.version.replace(':', '%3a')}_{package.architecture}.deb"


def _promised(digest: str, lists: Path) -> LockedPackage | None:
    """What the signed indexes say of a file, by its content alone."""
    fields = listed(lists, digest)
    if fields is None:
        return None
    package = LockedPackage(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        sha256=digest,
        size=int(fields["Size"]),
        url=fields["Filename"],
    )
    return package if re.fullmatch(r"[a-z0-9][a-z0-9+.-]+_[A-Za-z0-9.+~%-]+_[a-z0-9-]+\.deb", archive_name(package)) else None


def _copy_and_digest(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        # A step may put a link or a pipe in the place of a file at any moment: neither is followed or waited for.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as reading, target.open("wb") as writing:
            while block := reading.read(1 << 20):
                digest.update(block)
                writing.write(block)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise MachineError(_full(target)) from error
        raise
    target.chmod(0o644)
    return digest.hexdigest()


@contextmanager
def _writing(path: Path) -> Iterator[BufferedRandom]:
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise MachineError(_full(path)) from error
        raise


def _mismatch(package: LockedPackage) -> Diagnostic:
    return Diagnostic(
        code="archive.mismatch",
        what=f"the package {package.name} {package.version} is not the one that was promised",
        why=f"{package.url} has another SHA-256 than {package.sha256}",
        next="Build again; if it stays, use another mirror, or move the lock on purpose: goldsmith lock -upgrade",
    )


def _broken(package: LockedPackage, reason: str) -> Diagnostic:
    return Diagnostic(
        code="archive.broken-package",
        what=f"the package {package.name} {package.version} cannot be read",
        why=f"{package.url}: {reason}",
        next="Report it to the archive, or leave the package out.",
    )


def _full(path: Path) -> Diagnostic:
    return Diagnostic(
        code="disk.full",
        what="there is no room for downloaded packages",
        why=f'the file system of "{path.parent}" is full',
        next="Free space there, or choose another cache with GOLDSMITH_CACHE.",
    )
