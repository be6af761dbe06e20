"""The signed indexes of archives, kept on this host: each state of an archive is a directory that never changes."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.lock import LockedSuite
from goldsmith.images.whole import write_whole
from goldsmith.sources.apt import list_prefix
from goldsmith.sources.archive import ArchiveSuite, fetchable

DIRECTORY = "packages/indexes"
"""Below the cache of a host: the states of all archives."""

STAMP = "goldsmith-fetched"
"""Names the file that says when the indexes were last known to be current: JSON {"at": seconds since 1970}."""

FRESH_S = 24 * 3600
"""Seconds after which indexes are fetched again for a gate: half of the age that it allows."""


class IndexStore:
    """Below one directory: a directory for each state of a set of suites, and `content/` that they share by hard links.

    `trust` is a digest of the suites and of the keys that vouched for them: what one set of keys let in is never shown
    where another is trusted.
    """

    def __init__(self, root: Path, trust: str) -> None:
        self._root = root
        self._trust = trust

    def path(self, suites: Sequence[LockedSuite]) -> Path:
        """Where the indexes of this state are, if they are here."""
        state = "\n".join([self._trust, *(f"{item.url} {item.suite} {item.sha256}" for item in suites)])
        return self._root / hashlib.sha256(state.encode()).hexdigest()[:32]

    def newest(self) -> Path | None:
        """The state that was fetched last, or None."""
        pointer = self._root / f"newest-{self._trust[:32]}"
        return pointer.resolve() if pointer.is_dir() else None

    def kept(self, chosen: Sequence[ArchiveSuite]) -> tuple[Path, ...]:
        """Every state of these suites that this host has seen and still has, under the same keys; in no order.

        A state is named by what it holds and by who vouched for it, so that another one's is never taken for it.
        """
        return tuple(path for path in self._root.glob("*") if path.is_dir() and self._is_state(path, chosen))

    def _is_state(self, path: Path, chosen: Sequence[ArchiveSuite]) -> bool:
        if path.is_symlink() or path.name.startswith(".") or path.name == "content":
            return False
        try:
            return self.path(sorted(_locked(path, item, item.recorded) for item in chosen)) == path
        except (OSError, UserError):
            return False

    def adopt(self, fetched: Path, chosen: Sequence[ArchiveSuite]) -> tuple[Path, tuple[LockedSuite, ...]]:
        """Take over indexes that apt has just fetched and verified, under the names of the recorded archives."""
        suites = tuple(sorted(_locked(fetched, item, fetchable(item.reached)) for item in chosen))
        final = self.path(suites)
        if not final.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
            making = self._root / f".{secrets.token_hex(8)}"
            making.mkdir()
            for item in chosen:
                self._link_all(fetched, item, making)
            _rename_directory(making, final)
        stamp(final)
        pointer = self._root / f".{secrets.token_hex(8)}"
        pointer.symlink_to(final.name)
        pointer.rename(self._root / f"newest-{self._trust[:32]}")
        return final, suites

    def _link_all(self, fetched: Path, item: ArchiveSuite, making: Path) -> None:
        content = self._root / "content"
        content.mkdir(exist_ok=True)
        for old, new in _list_names(fetched, item):
            with (fetched / old).open("rb") as file:
                kept = content / hashlib.file_digest(file, "sha256").hexdigest()
            if not kept.exists():
                temporary = content / f".{secrets.token_hex(8)}"
                shutil.move(fetched / old, temporary)
                temporary.chmod(0o644)
                temporary.rename(kept)
            os.link(kept, making / new)


def stamp(lists: Path) -> None:
    """Note that indexes are known to be current now. The clock is the real one: age is what gates measure by it."""
    write_whole(lists / STAMP, json.dumps({"at": int(time.time())}) + "\n")


def fetched_at(lists: Path) -> int | None:
    """When the indexes were last known to be current, seconds since 1970; None when nothing says so."""
    try:
        return int(json.loads((lists / STAMP).read_bytes())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_fresh(lists: Path) -> bool:
    """Whether indexes were known to be current less than `FRESH_S` ago."""
    at = fetched_at(lists)
    return at is not None and time.time() - at < FRESH_S


def listed(lists: Path, sha256: str) -> dict[str, str] | None:
    """What signed indexes say of the package with this digest: its fields; None when they do not list it."""
    wanted = f"\nSHA256: {sha256}\n".encode()
    for path in sorted(lists.glob("*_Packages")):
        with _mapped(path) as data:
            place = data.find(wanted)
            if place < 0:
                continue
            before = data.rfind(b"\n\n", 0, place)
            start = before + 2 if before >= 0 else 0
            end = data.find(b"\n\n", place)
            stanza = data[start : end if end >= 0 else len(data)].decode(errors="replace")
        return {match[1]: match[2] for match in re.finditer(r"(?m)^([A-Za-z0-9-]+): *(.*)$", stanza)}
    return None


def lists_package(lists: Path, name: str) -> bool:
    """Whether a package of this name is in the indexes."""
    wanted = f"Package: {name}\n".encode()
    for path in lists.glob("*_Packages"):
        with _mapped(path) as data:
            if data.find(b"\n" + wanted) >= 0 or data[: len(wanted)] == wanted:
                return True
    return False


def fields_of(lists: Path, name: str) -> tuple[dict[str, str], ...]:
    """The fields of each package of this name that the indexes list, the oldest suite first."""
    found: list[dict[str, str]] = []
    for path in sorted(lists.glob("*_Packages")):
        with _mapped(path) as data:
            for match in re.finditer(rb"(?m)^Package: " + re.escape(name.encode()) + rb"\n", data):
                end = data.find(b"\n\n", match.start())
                stanza = data[match.start() : end if end >= 0 else len(data)].decode(errors="replace")
                found.append({item[1]: item[2] for item in re.finditer(r"(?m)^([A-Za-z0-9-]+): *(.*)$", stanza)})
    return tuple(found)


def package_names(lists: Path) -> frozenset[str]:
    """The names of all packages in the indexes."""
    found: set[bytes] = set()
    for path in lists.glob("*_Packages"):
        with _mapped(path) as data:
            found.update(re.findall(rb"(?m)^Package: (\S+)", data))
    return frozenset(name.decode(errors="replace") for name in found)


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """A file's content; mapped, because an index of a whole distribution has 50 MB."""
    if path.stat().st_size == 0:
        yield b""
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _list_names(fetched: Path, item: ArchiveSuite) -> Iterator[tuple[str, str]]:
    """(apt's name, the name by the recorded archive) of each list of a suite."""
    old, new = list_prefix(item, fetchable(item.reached)), list_prefix(item, item.recorded)
    for path in sorted(fetched.iterdir()):
        if path.is_file() and path.name.startswith(old):
            yield path.name, new + path.name.removeprefix(old)


def _locked(lists: Path, item: ArchiveSuite, url: str) -> LockedSuite:
    """A suite among lists that name its archive by `url`."""
    prefix = list_prefix(item, url)
    for name in ("InRelease", "Release"):
        path = lists / (prefix + name)
        if path.is_file():
            content = path.read_bytes()
            date = re.search(rb"(?m)^Date: (.+)$", content)
            if date is None:
                break
            moment = parsedate_to_datetime(date[1].decode(errors="replace").strip())
            digest = hashlib.sha256(content).hexdigest()
            return LockedSuite(url=item.recorded, suite=item.suite, sha256=digest, date=int(moment.timestamp()))
    raise UserError(
        Diagnostic(
            code="archive.undated",
            what=f'the suite "{item.suite}" of {item.recorded} has no dated index',
            why="images take their time stamps from it",
            next="Use a mirror that carries the archive's InRelease file.",
        )
    )


def _rename_directory(making: Path, final: Path) -> None:
    try:
        making.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        # Another build made the same state meanwhile: its directory has the same content.
        for path in making.iterdir():
            path.unlink()
        making.rmdir()
