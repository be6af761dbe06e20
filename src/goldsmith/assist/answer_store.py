"""Answers that were taken, kept by what was asked: asking the same again costs nothing and needs no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assist.shapes import Json
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.canonical import digest_of_bytes, is_digest
from goldsmith.registry.local_store import LocalStore


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer as it was taken, and by whom it was given."""

    prompt: str
    version: str
    model: str
    answer: str
    """JSON, letter by letter as it was kept."""
    request: str
    """SHA-256 of the bytes that were sent for it."""

    @property
    def value(self) -> Mapping[str, Json]:
        """The answer as data."""
        value: Mapping[str, Json] = json.loads(self.answer)
        return value


class AnswerStore:
    """A blob store of answers below one directory; a small note for each question names its answer."""

    def __init__(self, root: Path) -> None:
        self._blobs = LocalStore(root)

    def find(self, key: str) -> KeptAnswer | None:
        """The answer to a question, by the digest that `question_key` gives."""
        noted = self._blobs.note(_note(key))
        if noted is None or not self._blobs.has(noted.decode()):
            return None
        with self._blobs.open(noted.decode()) as reader:
            content = reader.read()
        if digest_of_bytes(content) != noted.decode():
            return None  # damaged on the disk: it is asked for again
        return KeptAnswer(**json.loads(content))

    def keep(self, key: str, answer: KeptAnswer) -> str:
        """Keep an answer. Gives the key, by which it is replayed."""
        fields = {name: getattr(answer, name) for name in ("prompt", "version", "model", "answer", "request")}
        blob = self._blobs.put_bytes(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode())
        self._blobs.replace_note(_note(key), self._blobs.note(_note(key)), blob.digest.encode())
        return key

    def replay(self, key: str) -> KeptAnswer:
        """The answer of a key. Raises `UserError` when it is not kept here."""
        answer = self.find(_full(key)) if is_digest(_full(key)) else None
        if answer is None:
            raise UserError(
                Diagnostic(
                    code="prompt.no-answer",
                    what=f'no answer is kept under "{key}"',
                    next="goldsmith prompt run prints the key of each answer; they lie in .goldsmith/answers.",
                )
            )
        return answer


def question_key(*parts: Json) -> str:
    """The digest of everything that an answer depends on."""
    return digest_of_bytes(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode())


def _full(key: str) -> str:
    return key if key.startswith("sha256:") else f"sha256:{key}"


def _note(key: str) -> str:
    return f"answer-{key.removeprefix('sha256:')}"
