"""Images that a build starts from: from this host or from a server, checked, kept in the cache, mirrors tried in turn."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from goldsmith.components import Context
from goldsmith.events import Progress
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError
from goldsmith.images.space import room_needed
from goldsmith.images.usage import Stock, use
from goldsmith.images.whole import write_whole
from goldsmith.scripts import say
from goldsmith.sources.checksum import Checksum, digests_of, look_up, names_file, parse

if TYPE_CHECKING:
    from httpx2 import Client, Response

DOWNLOADS = "downloads"
"""The directory of the cache."""

_TRIES = 5
_SILENCE_S = 30.0
_PAUSE_S = 1.0
_LARGEST_SUMS = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An image to get. The first of `urls` that delivers what the checksum says is taken."""

    urls: tuple[str, ...]
    checksum: str
    """As `iso_checksum` in a template; `none` takes what comes."""
    extension: str
    target: str = ""
    """Where to put it instead of the cache: a file, or a directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """An image on this host."""

    path: Path
    sha256: str
    url: str


def obtain(wanted: Wanted, context: Context) -> Obtained:
    """Get an image; one that is here already, and whole, is not fetched again.

    Raises `MachineError` with code `iso.unobtainable` and what was wrong with each address, and `Cancelled`.
    """
    place = context.cache / DOWNLOADS
    use(place)
    found: list[tuple[str, GoldsmithError]] = []
    for url in wanted.urls:
        say(context, f"Trying {_shown(url)}")
        try:
            return _Fetching(wanted, url, place, context).obtained()
        except (MachineError, UserError) as error:
            say(context, f"Download failed: {error}")
            found.append((url, error))
    if len(found) == 1:
        raise found[0][1]
    told = "; ".join(f"{_shown(url)}: {error}" for url, error in found)
    raise MachineError(
        Diagnostic(
            code="iso.unobtainable",
            what=f"none of {len(found)} addresses delivers the image",
            why=told,
            next="Check the addresses, the network and iso_checksum.",
        )
    )


def download_stock(place: Path) -> Iterator[Stock]:
    """Each download that is kept in the cache, whole or not, by last use."""
    for path in place.glob("*.*"):
        if path.is_file() and not path.name.startswith("."):
            record = _record_of(path.with_name(path.name.removesuffix(".part")), place)
            used = [item.stat().st_mtime for item in (path, record) if item.exists()]
            size = path.stat().st_blocks * 512
            yield Stock(name=f"download {path.name[:12]}", used_s=max(used), size=size, paths=(path, _beside(path)))


class _Fetching:
    """One address of an image."""

    def __init__(self, wanted: Wanted, url: str, place: Path, context: Context) -> None:
        self.wanted, self.url, self.place, self.context = wanted, url, place, context

    def obtained(self) -> Obtained:
        local = _local_path(self.url, self.context.cwd)
        if local is None:
            return self._from_server()
        if not local.is_file():
            raise UserError(_fault("iso.missing", f'the image "{local}" does not exist', "", "Check iso_url."))
        return self._checked(local, self._checksum())

    def _checksum(self) -> Checksum | None:
        text = self.wanted.checksum
        if text == "none":
            return None
        if names_file(text):
            return look_up(text, self.url, self._read_sums)
        return parse(text)

    def _read_sums(self, place: str) -> bytes:
        local = _local_path(place, self.context.cwd)
        if local is not None:
            try:
                return local.read_bytes()
            except OSError as error:
                why = error.strerror or str(error)
                raise UserError(
                    _fault("iso.checksum-file", f'the file of checksums "{local}" cannot be read', why, "Check iso_checksum.")
                ) from error
        content = bytearray()
        with _asked(place, {}) as response:
            for part in response.iter_bytes():
                content += part
                if len(content) > _LARGEST_SUMS:
                    why = f"it has more than {_LARGEST_SUMS} bytes"
                    raise UserError(_fault("iso.checksum-file", f'"{_shown(place)}" is no file of checksums', why, ""))
        return bytes(content)

    def _from_server(self) -> Obtained:
        path = self._target()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone(path):
            checksum = self._checksum()
            if path.is_file() and self._still_fits(path, checksum):
                say(self.context, f"{_shown(self.url)} => {path}")
                return self._checked(path, checksum)
            part = path.with_name(f"{path.name}.part")
            with room_needed(path.parent, "the image"):
                self._download(part)
            try:
                obtained = self._checked(part, checksum)
            except GoldsmithError:
                say(self.context, f"Checksum did not match, removing {part}")
                part.unlink(missing_ok=True)
                raise
            known = self._known(part)
            part.rename(path)
            self._remember(path, known)
        say(self.context, f"{_shown(self.url)} => {path}")
        return Obtained(path=path, sha256=obtained.sha256, url=_shown(self.url))

    def _target(self) -> Path:
        """Packer's place: by the checksum when there is one, else by the address."""
        key = self.url if self.wanted.checksum == "none" else self.wanted.checksum
        name = f"{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}.{self.wanted.extension.lstrip('.')}"
        if not self.wanted.target:
            return self.place / name
        target = self.context.cwd / self.wanted.target
        return target / name if target.is_dir() or self.wanted.target.endswith("/") else target

    def _still_fits(self, path: Path, checksum: Checksum | None) -> bool:
        """Whether the file that is here is the one that is wanted; without a checksum the server is asked."""
        if checksum is not None:
            known = self._known(path) or self._digest(path, {checksum.algorithm})
            return checksum.matches(known.get(checksum.algorithm, ""))
        validators = _read_json(_beside(path))
        headers = _conditions(validators, self.url)
        if not headers:
            return False
        try:
            with _asked(self.url, headers, accepted=(200, 304)) as response:
                return response.status_code == 304
        except MachineError as error:
            say(self.context, f"{error}; the image of an earlier build is taken")
            return True

    def _download(self, part: Path) -> None:
        """Fetch the image; what an interrupted fetch left is completed, if it is still a part of the same."""
        failures = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                self._fetch(part)
                return
            except MachineError:
                after = part.stat().st_size if part.exists() else 0
                failures = 0 if after > before else failures + 1
                if failures >= _TRIES:
                    raise
                self.context.cancellation.wait(_PAUSE_S)

    def _fetch(self, part: Path) -> None:
        offset = part.stat().st_size if part.exists() else 0
        validators = _read_json(_beside(part))
        headers = {}
        if offset and (validator := _strong(validators, self.url)):
            headers = {"Range": f"bytes={offset}-", "If-Range": validator}
        with _asked(self.url, headers, accepted=(200, 206, 416)) as response:
            if response.status_code == 416:
                part.unlink()
                raise MachineError(_fault("iso.download", "the server has less than was fetched before", "", ""))
            resumed = response.status_code == 206
            if resumed:
                say(self.context, f"Going on from byte {offset}")
            else:
                offset = 0
                _note_validators(part, self.url, response)
            total = offset + int(response.headers.get("Content-Length", 0))
            with part.open("ab" if resumed else "wb") as file:
                self._copy(response, file.write, offset, total)
            if total > offset and part.stat().st_size < total:
                why = f"{part.stat().st_size} of {total} bytes came"
                raise MachineError(_fault("iso.truncated", f"{_shown(self.url)} ended too early", why, ""))

    def _copy(self, response: Response, write: object, done: int, total: int) -> None:
        import httpx2

        assert callable(write)
        last = time.monotonic()
        try:
            for data in response.iter_raw():
                self.context.cancellation.check()
                write(data)
                done += len(data)
                if time.monotonic() - last > 0.5:
                    last = time.monotonic()
                    self.context.emit(Progress(build=self.context.build, what="download", done=done, total=total))
        except (httpx2.HTTPError, ssl.SSLError) as error:
            why = f"{type(error).__name__}: {error}; {done} of {total or 'unknown'} bytes came"
            raise MachineError(
                _fault("iso.truncated", f"{_shown(self.url)} ended too early", why, "Try again: it goes on where it ended.")
            ) from error

    def _checked(self, path: Path, checksum: Checksum | None) -> Obtained:
        """The image, when it has the checksum. Raises `UserError` with code `iso.checksum`."""
        algorithms = {"sha256"} | ({checksum.algorithm} if checksum else set())
        known = self._known(path)
        if not algorithms <= known.keys():
            known = self._digest(path, algorithms)
        if checksum is not None and not checksum.matches(known[checksum.algorithm]):
            raise UserError(
                _fault(
                    "iso.checksum",
                    f"{_shown(self.url)} is not what the template expects",
                    f"its {checksum.algorithm} is {known[checksum.algorithm]}, and {checksum.value} is wanted",
                    "It was changed or damaged on the way, or iso_checksum is that of another. Nothing of it is used.",
                )
            )
        with suppress(FileNotFoundError):
            os.utime(_record_of(path, self.place))
        return Obtained(path=path, sha256=known["sha256"], url=_shown(self.url))

    def _digest(self, path: Path, algorithms: set[str]) -> dict[str, str]:
        def look(done: int) -> None:
            self.context.cancellation.check()

        found = digests_of(path, algorithms | {"sha256"}, look)
        self._remember(path, found)
        return found

    def _known(self, path: Path) -> dict[str, str]:
        """Digests that were computed before, when the file is still the same by its size, time and number."""
        record = _read_json(_record_of(path, self.place))
        digests = record.get("digests")
        return dict(digests) if record.get("file") == _identity(path) and isinstance(digests, dict) else {}

    def _remember(self, path: Path, digests: dict[str, str]) -> None:
        record = _record_of(path, self.place)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_whole(record, json.dumps({"file": _identity(path), "digests": digests}))

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Two builds fetch an image once: the second waits, unless it is cancelled."""
        (self.place / "locks").mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]
        with (self.place / "locks" / name).open("a") as file:
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                self.context.cancellation.wait(0.2)
            yield


@contextmanager
def _asked(url: str, headers: dict[str, str], accepted: Sequence[int] = (200,)) -> Iterator[Response]:
    """The answer of a server. Raises `MachineError` with code `iso.unreachable` or `iso.status`."""
    import httpx2

    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise UserError(
            _fault("iso.scheme", f'"{_shown(url)}" cannot be fetched', "addresses begin with http://, https:// or file:", "")
        )
    try:
        with _client() as client, client.stream("GET", url, headers={"Accept-Encoding": "identity", **headers}) as response:
            if response.status_code not in accepted:
                why = f"{response.status_code} {response.reason_phrase}"
                raise MachineError(_fault("iso.status", f"{_shown(url)} was refused", why, "Check the address."))
            yield response
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, UnicodeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise MachineError(_fault("iso.unreachable", f"{_shown(url)} cannot be reached", why, "Check the address.")) from error


def _client() -> Client:
    from httpx2 import Client, Timeout

    return Client(verify=ssl.create_default_context(), follow_redirects=True, timeout=Timeout(_SILENCE_S))


def _conditions(validators: dict[str, object], url: str) -> dict[str, str]:
    if validators.get("url") != url:
        return {}
    etag, modified = validators.get("etag"), validators.get("modified")
    return {"If-None-Match": str(etag)} if etag else {"If-Modified-Since": str(modified)} if modified else {}


def _strong(validators: dict[str, object], url: str) -> str:
    """What says that two answers have the same bytes (RFC 9110 section 13.1.5): a weak tag does not."""
    etag = str(validators.get("etag") or "")
    usable = etag if etag and not etag.startswith("W/") else str(validators.get("modified") or "")
    return usable if validators.get("url") == url else ""


def _note_validators(part: Path, url: str, response: Response) -> None:
    told = {"url": url, "etag": response.headers.get("ETag", ""), "modified": response.headers.get("Last-Modified", "")}
    write_whole(_beside(part), json.dumps(told))


def _beside(path: Path) -> Path:
    """Where the validators of a download are kept: the same for the part and the whole."""
    return path.with_name(f".{path.name.removesuffix('.part')}.origin")


def _record_of(path: Path, place: Path) -> Path:
    """Where the digests of a file are remembered; its time tells when the file was used last."""
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:32]
    return place / "known" / f"{name}.json"


def _local_path(url: str, cwd: Path) -> Path | None:
    """The path that an address means on this host; None for one of a server."""
    parts = urlsplit(url)
    if parts.scheme.lower() == "file":
        return cwd / unquote(url.partition(":")[2].removeprefix("//"))
    return cwd / Path(url).expanduser() if "://" not in url else None


def _shown(url: str) -> str:
    """An address without the password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else url


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _read_json(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _fault(code: str, what: str, why: str, next: str) -> Diagnostic:
    return Diagnostic(code=code, what=what, why=why, next=next)
