"""Reading and writing below a root that nobody trusts: no link in the tree leads out of it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.kernel import open_below

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Rooted:
    """The files below the directory `root` (a descriptor), as a process with that root sees them.

    Methods raise `MachineError`; `tree` is what its messages call the place.
    """

    def __init__(self, root: int, tree: str) -> None:
        self._root = root
        self._tree = tree

    def put(self, source: Path | bytes, destination: str, mode: int | None) -> None:
        """Write a file; a link at `destination` is followed, within the root."""
        with self._told(destination, "write"):
            if isinstance(source, bytes):
                self._write(source, destination, 0o644 if mode is None else mode)
            else:
                self._copy_in(source, destination, mode)

    def put_tree(self, source: Path, destination: str, exclude: Sequence[str]) -> None:
        """Copy the contents of a local directory; `exclude` are shell patterns for a name or a relative path."""
        with self._told(destination, "write"):
            self._make_directory(destination, 0o755)
            for path in walk(source, exclude):
                place = f"{destination.rstrip('/')}/{path.relative_to(source)}"
                if path.is_symlink():
                    self._link(str(path.readlink()), place)
                elif path.is_dir():
                    self._make_directory(place, stat.S_IMODE(path.stat().st_mode))
                elif path.is_file():
                    self._copy_in(path, place, None)

    def get(self, source: str, destination: Path) -> None:
        """Read a regular file to a local path."""
        with self._told(source, "read"):
            self._copy_out(source, destination)

    def get_tree(self, source: str, destination: Path) -> None:
        """Copy the contents of a directory to a local one; links stay links, devices and sockets are left out."""
        with self._told(source, "read"):
            destination.mkdir(parents=True, exist_ok=True)
            waiting = [""]
            while waiting:
                relative = waiting.pop()
                waiting += self._get_directory(source, relative, destination)

    def _get_directory(self, source: str, relative: str, destination: Path) -> list[str]:
        """Copy one level; returns the directories in it."""
        below: list[str] = []
        directory = open_below(self._root, f"{source}/{relative}", _DIRECTORY)
        try:
            for name in sorted(os.listdir(directory)):  # noqa: PTH208  # a descriptor, not a path
                found = os.lstat(name, dir_fd=directory)
                path = f"{relative}/{name}".lstrip("/")
                local = destination / path
                if stat.S_ISLNK(found.st_mode):
                    local.unlink(missing_ok=True)
                    local.symlink_to(os.readlink(name, dir_fd=directory))
                elif stat.S_ISDIR(found.st_mode):
                    local.mkdir(exist_ok=True)
                    local.chmod(stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
                    below.append(path)
                elif stat.S_ISREG(found.st_mode):
                    self._copy_out(f"{source}/{path}", local)
        finally:
            os.close(directory)
        return below

    def _copy_out(self, source: str, destination: Path) -> None:
        # Not blocking, so that a FIFO in the place of the file holds nobody up.
        with os.fdopen(open_below(self._root, source, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, "not a regular file", source)
            with destination.open("wb") as local:
                shutil.copyfileobj(file, local, 1 << 20)
            destination.chmod(stat.S_IMODE(mode))

    def _copy_in(self, source: Path, destination: str, mode: int | None) -> None:
        with source.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode) if mode is None else mode
            with os.fdopen(open_below(self._root, destination, _WRITE, 0o600), "wb") as written:
                shutil.copyfileobj(file, written, 1 << 20)
                os.fchmod(written.fileno(), mode)

    def _write(self, content: bytes, destination: str, mode: int) -> None:
        with os.fdopen(open_below(self._root, destination, _WRITE, 0o600), "wb") as written:
            written.write(content)
            os.fchmod(written.fileno(), mode)

    def _make_directory(self, place: str, mode: int) -> None:
        """Make a directory and those above it; one that exists, or a link to one, stays as it is."""
        try:
            os.close(open_below(self._root, place, os.O_PATH | os.O_DIRECTORY))
        except FileNotFoundError:
            above, name = os.path.split(place.rstrip("/"))
            self._make_directory(above or "/", 0o755)
            with self._opened(above or "/") as parent:
                os.mkdir(name, mode, dir_fd=parent)
                os.chmod(name, mode, dir_fd=parent)

    def _link(self, target: str, place: str) -> None:
        above, name = os.path.split(place)
        with self._opened(above or "/") as parent:
            try:
                os.symlink(target, name, dir_fd=parent)
            except FileExistsError:
                os.unlink(name, dir_fd=parent)
                os.symlink(target, name, dir_fd=parent)

    @contextmanager
    def _opened(self, directory: str) -> Iterator[int]:
        descriptor = open_below(self._root, directory, _DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _told(self, path: str, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MachineError(_fault(error, path, verb, self._tree)) from error


def walk(source: Path, exclude: Sequence[str]) -> Iterator[Path]:
    """Everything below a directory, parents first, in order of names; links to directories are not entered."""
    for path in sorted(source.iterdir()):
        yield from _entry(path, source, exclude)


def _entry(path: Path, source: Path, exclude: Sequence[str]) -> Iterator[Path]:
    relative = str(path.relative_to(source))
    if any(fnmatchcase(path.name, pattern) or fnmatchcase(relative, pattern.rstrip("/")) for pattern in exclude):
        return
    yield path
    if path.is_dir() and not path.is_symlink():
        for below in sorted(path.iterdir()):
            yield from _entry(below, source, exclude)


def _fault(error: OSError, path: str, verb: str, tree: str) -> Diagnostic:
    code, following = "machine.io", "Look at the free space and the permissions there."
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        code, following = "machine.no-such-file", "Check the path; a file is put into a directory that exists."
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        code, following = "machine.disk-full", "Make room and run the build again; finished steps come from the cache."
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else path
    detail = f"{name}: {error.strerror}" if name != path else error.strerror or ""
    return Diagnostic(code=code, what=f'cannot {verb} "{path}" in the {tree}', why=detail, next=following)
