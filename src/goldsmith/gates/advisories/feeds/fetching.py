"""Fetches documents: only when they changed, going on where a broken transfer ended, from the origin, a mirror or files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from goldsmith.hcl.diagnostics import Diagnostic, MachineError

if TYPE_CHECKING:
    from httpx2 import Client, Response

_LARGEST_BYTES = 4 << 30
_SILENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it is on this host."""

    url: str
    """Of the origin, wherever it was fetched from."""
    path: Path
    sha256: str
    published_s: int
    """By the server's Last-Modified, or the file's time; 0 when there is none."""
    etag: str = ""
    safe: bool = False
    """Every server on the way to it was asked by https, or it is a file of this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What is remembered of a fetched document, beside it."""

    asked: str
    etag: str
    modified: str
    sha256: str


class Fetcher:
    """Gets documents by the address that they have at their origin.

    `mirror` is an address or a directory that holds them below HOST/PATH, as `wget --force-directories` lays them out.
    Without it they are fetched from their origin. A document is whole, or it is not there.
    """

    def __init__(self, downloads: Path, mirror: str = "") -> None:
        self._downloads = downloads
        self._mirror = mirror.rstrip("/")
        self._client: Client | None = None

    def get(self, url: str) -> Document:
        """A document. Raises `MachineError` with code `advisories.fetch` when it cannot be had whole."""
        parts = urlsplit(url)
        place = f"{parts.netloc}{parts.path}"
        if self._mirror and "://" not in self._mirror:
            return _local(url, Path(self._mirror) / (f"{place}index.html" if place.endswith("/") else place))
        asked = f"{self._mirror}/{place}" if self._mirror else url
        kept = self._downloads / hashlib.sha256(url.encode()).hexdigest()
        return self._ask(url, asked, kept)

    def close(self) -> None:
        """End all connections."""
        if self._client is not None:
            self._client.close()

    def _ask(self, url: str, asked: str, kept: Path) -> Document:
        import httpx2

        self._downloads.mkdir(parents=True, exist_ok=True)
        if self._client is None:
            self._client = httpx2.Client(follow_redirects=True, timeout=_SILENCE_S, headers={"Accept-Encoding": "identity"})
        state = _remembered(kept, asked)
        part = kept.with_suffix(".part")
        headers = _conditions(state, part)
        try:
            with self._client.stream("GET", asked, headers=headers) as response:
                safe = all(answer.url.scheme == "https" for answer in (*response.history, response))
                if response.status_code == 304 and state is not None:
                    return _document(url, kept, state, safe=safe)
                if response.status_code not in (200, 206):
                    raise _fault(url, f"{asked} answers {response.status_code}")
                _receive(response, part, url)
                found = _State(
                    asked=asked,
                    etag=response.headers.get("ETag", ""),
                    modified=response.headers.get("Last-Modified", ""),
                    sha256=_sha256(part),
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _fault(url, f"{asked}: {error or type(error).__name__}") from error
        part.replace(kept)
        _state_path(kept).write_text(json.dumps(asdict(found)))
        _part_state(part).unlink(missing_ok=True)
        return _document(url, kept, found, safe=safe)


def _conditions(state: _State | None, part: Path) -> Mapping[str, str]:
    """Headers that ask for what is new only, or for the rest of what was begun."""
    if part.exists() and _part_state(part).exists() and part.stat().st_size:
        return {"Range": f"bytes={part.stat().st_size}-", "If-Range": _part_state(part).read_text()}
    if state is None:
        return {}
    named = {"If-None-Match": state.etag, "If-Modified-Since": state.modified}
    return {name: value for name, value in named.items() if value}


def _receive(response: Response, part: Path, url: str) -> None:
    """Write the body to `part`, after what is there when the server sends the rest. Raises `MachineError`."""
    begun = part.stat().st_size if response.status_code == 206 else 0
    if response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
        part.unlink()
        raise _fault(url, "the server sent another part than was asked for")
    validator = response.headers.get("ETag", "")
    if validator and not validator.startswith("W/"):
        _part_state(part).write_text(validator)
    else:
        _part_state(part).unlink(missing_ok=True)
    size = begun
    with part.open("ab" if begun else "wb") as file:
        for piece in response.iter_raw():  # as it comes: what a broken transfer brought is not lost
            size += len(piece)
            if size > _LARGEST_BYTES:
                raise _fault(url, f"it has more than {_LARGEST_BYTES} bytes")
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and size != begun + int(length):
        raise _fault(url, f"{begun + int(length)} bytes were announced, {size} came; the rest is asked for next time")


def _remembered(kept: Path, asked: str) -> _State | None:
    """What is known of a kept document; None when there is none, it was changed, or it is from elsewhere."""
    try:
        state = _State(**json.loads(_state_path(kept).read_text()))
        return state if state.asked == asked and _sha256(kept) == state.sha256 else None
    except (OSError, ValueError, TypeError):
        return None


def _document(url: str, kept: Path, state: _State, *, safe: bool) -> Document:
    published_s = _http_date(state.modified)
    return Document(url=url, path=kept, sha256=state.sha256, published_s=published_s, etag=state.etag, safe=safe)


def _local(url: str, path: Path) -> Document:
    try:
        return Document(url=url, path=path, sha256=_sha256(path), published_s=int(path.stat().st_mtime), safe=True)
    except OSError as error:
        raise _fault(url, f"{path}: {error.strerror}") from error


def _http_date(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp()) if text else 0
    except ValueError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state_path(kept: Path) -> Path:
    return kept.with_suffix(".json")


def _part_state(part: Path) -> Path:
    return part.with_suffix(".part-etag")


def _fault(url: str, why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="advisories.fetch",
            what=f"{url} cannot be fetched",
            why=why,
            next="Try again; or name a mirror or a directory with -mirror, or import a file from elsewhere.",
        )
    )
