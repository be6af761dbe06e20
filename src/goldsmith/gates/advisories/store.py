"""Where the advisories file of this host is: which one counts, whose signatures are trusted, how it comes and goes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.gates.advisories.database import Database, open_database, statement_path
from goldsmith.hcl.diagnostics import Diagnostic, Refused, UserError

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

_KEPT = 2
"""Files: the current one, and the one before for those who still read it."""


class Store:
    """The advisories of this host: files named by their SHA-256, and a pointer to the one that counts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def downloads(self) -> Path:
        """Documents of feeds as they were fetched."""
        return self.directory / "downloads"

    def current(self) -> Path | None:
        """The file that counts, None when there is none yet."""
        try:
            name = (self.directory / "current").read_text().strip()
        except OSError:
            return None
        return self.directory / Path(name).name

    def open(self) -> Database:
        """The file that counts. Raises `UserError` like `open_database`."""
        path = self.current()
        if path is None:
            raise UserError(
                Diagnostic(
                    code="advisories.missing",
                    what="there are no advisories on this host",
                    why=f"nothing was fetched into {self.directory} yet",
                    next="goldsmith advisories update, or goldsmith advisories import FILE",
                )
            )
        return open_database(path, self.keys())

    def signer(self) -> CryptoSigner:
        """The key by which this host signs what it fetched; made when there is none."""
        from goldsmith.evidence import load_or_create_signer

        return load_or_create_signer(self.directory / "advisories.key")

    def keys(self) -> list[Key]:
        """The keys that are trusted: this host's own, and those that were given with an import."""
        from goldsmith.evidence import load_public_key

        found = [self.directory / "advisories.pub", *sorted((self.directory / "trusted").glob("*.pub"))]
        return [load_public_key(path) for path in found if path.is_file()]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else changes the store meanwhile; the lock goes with the process."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Refused(
                    Diagnostic(
                        code="advisories.busy",
                        what="another run is changing the advisories of this host",
                        next="Wait for it to end.",
                    )
                ) from error
            self._sweep()
            yield

    def point_to(self, path: Path) -> None:
        """Make a file of the store the one that counts, in one moment, and remove those that nobody needs."""
        unfinished = self.directory / ".current"
        with unfinished.open("w") as file:
            file.write(f"{path.name}\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.directory / "current")
        others = sorted(self.directory.glob("*.sqlite"), key=lambda item: item.stat().st_mtime, reverse=True)
        for old in [item for item in others if item != path][_KEPT - 1 :]:
            old.unlink(missing_ok=True)
            statement_path(old).unlink(missing_ok=True)

    def take(self, source: Path, key: Path | None, *, older: bool = False) -> Database:
        """Take a file from elsewhere with the statement beside it; `key` is its maker's, and is trusted from now on.

        Raises `UserError` like `open_database`, and `Refused` with code `advisories.older` when the one here is newer.
        """
        from goldsmith.evidence import load_public_key

        keys = [*self.keys(), *([load_public_key(key)] if key else [])]
        with self.changing(), tempfile.TemporaryDirectory(dir=self.directory, prefix=".taking-") as work:
            copy = Path(work) / source.name
            _copied(source, copy)
            with open_database(copy, keys) as database:
                sha256, built_s = database.digest.removeprefix("sha256:"), database.built_s
            with copy.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise _altered(source)
                os.fsync(file.fileno())
            if not older:
                self._refuse_older(built_s)
            final = self.directory / f"{sha256}.sqlite"
            statement_path(copy).replace(statement_path(final))
            copy.replace(final)
            if key is not None:
                self._trust(key)
            self.point_to(final)
        return self.open()

    def give(self, directory: Path) -> Path:
        """Copy the file that counts, its statement and this host's public key into a directory. Returns the file's path."""
        with self.open() as database:
            source = database.path
        directory.mkdir(parents=True, exist_ok=True)
        target = directory / source.name
        _copied(source, target)
        own = self.directory / "advisories.pub"
        if own.is_file():
            shutil.copyfile(own, directory / own.name)
        return target

    def _refuse_older(self, built_s: int) -> None:
        path = self.current()
        if path is None or not path.is_file():
            return
        try:
            with open_database(path, self.keys()) as present:
                newer = present.built_s > built_s
        except UserError:  # what is here cannot be used: anything good replaces it
            return
        if newer:
            raise Refused(
                Diagnostic(
                    code="advisories.older",
                    what="the advisories on this host are newer than that file",
                    next="Add -older to go back on purpose.",
                )
            )

    def _trust(self, key: Path) -> None:
        content = key.read_bytes()
        trusted = self.directory / "trusted"
        trusted.mkdir(exist_ok=True)
        (trusted / f"{hashlib.sha256(content).hexdigest()[:16]}.pub").write_bytes(content)

    def _sweep(self) -> None:
        """Remove what killed runs left; the lock says that none of them is alive."""
        for left in [item for mark in ("gathering", "writing", "taking") for item in self.directory.glob(f".{mark}-*")]:
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


def _copied(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
        shutil.copyfile(statement_path(source), statement_path(target))
    except OSError as error:
        code = "advisories.missing" if not source.is_file() else "advisories.unsigned"
        name = Path(str(error.filename or source)).name
        raise UserError(
            Diagnostic(
                code=code,
                what=f'"{name}" cannot be read',
                why=f"{error.strerror}; an advisories file counts only with its signed statement beside it",
                next="Copy both files that goldsmith advisories export wrote.",
            )
        ) from error


def _altered(source: Path) -> UserError:
    return UserError(
        Diagnostic(
            code="advisories.altered",
            what=f'the advisories file "{source.name}" is not the one that was signed',
            next="Copy it again from where it was made.",
        )
    )
