"""Answers of servers, kept by what was asked for: content under its digest, and a list of what each request got."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from goldsmith.images.whole import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks for. What it says of itself, and when it asks, does not count."""

    method: str
    url: str
    """Whole, without a fragment or the scheme's own port."""
    accept: str = ""
    """The kinds of content that it takes: some servers have several under one address."""
    body_sha256: str = ""
    """The digest of what it sends; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered."""

    asked: Asked
    status: int
    headers: tuple[tuple[str, str], ...]
    sha256: str
    size: int
    varies: bool = False
    """Other kinds of content may get another answer."""


class Recording:
    """An answer that is being written down."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add the next bytes of the content."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The digest of the content so far."""
        return self._digest.hexdigest()


class Recordings:
    """Below a directory: `content/<sha256>`, and `answers.json`, which is written by `save`. Threads may share it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._content = directory / "content"
        self._content.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._answers: dict[Asked, Answer] = {}
        index = directory / "answers.json"
        for item in json.loads(index.read_text()) if index.is_file() else ():
            self._add(_answer(item))

    def find(self, asked: Asked) -> Answer | None:
        """The answer that was recorded for this request."""
        with self._lock:
            exact = self._answers.get(asked)
            if exact is not None:
                return exact
            same = [item for item in self._answers.values() if _is_same(item.asked, asked)]
            same.sort(key=lambda item: item.asked.method != asked.method)
            return next((item for item in same if not item.varies or item.asked.accept == asked.accept), None)

    def path(self, answer: Answer) -> Path:
        """The file with the content of an answer; nothing may write to it."""
        return self._content / answer.sha256

    @contextmanager
    def recording(self, asked: Asked, status: int, headers: tuple[tuple[str, str], ...], varies: bool) -> Iterator[Recording]:
        """Takes the content of an answer, which is kept when the block ends without an error."""
        part = self._content / f".{secrets.token_hex(8)}"
        try:
            with part.open("wb") as file:
                recording = Recording(file)
                yield recording
            digest, size = recording.sha256, recording.size
            part.rename(self._content / digest)
            with self._lock:
                self._add(Answer(asked=asked, status=status, headers=headers, sha256=digest, size=size, varies=varies))
        finally:
            part.unlink(missing_ok=True)

    def answers(self) -> tuple[Answer, ...]:
        """All answers, in the order in which they came."""
        with self._lock:
            return tuple(self._answers.values())

    def save(self) -> str:
        """Write the list of answers; returns its digest, `sha256:<hex>`, which names all that can be replayed."""
        text = json.dumps([asdict(answer) for answer in self.answers()], indent=1, sort_keys=True)
        write_whole(self.directory / "answers.json", text)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def _add(self, answer: Answer) -> None:
        self._answers[answer.asked] = answer


def _is_same(recorded: Asked, asked: Asked) -> bool:
    """Whether a recorded answer is one to this request: what GET got has the head that HEAD asks for."""
    methods = ("HEAD", "GET") if asked.method == "HEAD" else (asked.method,)
    return recorded.method in methods and (recorded.url, recorded.body_sha256) == (asked.url, asked.body_sha256)


def _answer(item: Mapping[str, Any]) -> Answer:
    headers = tuple((str(name), str(value)) for name, value in item["headers"])
    return Answer(**{**item, "asked": Asked(**item["asked"]), "headers": headers})
