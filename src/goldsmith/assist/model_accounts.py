"""What models were asked for: each call is accounted for before and after it, and a day's budget is a hard stop."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias
from uuid import uuid4

from goldsmith.hcl.diagnostics import Diagnostic, Refused
from goldsmith.registry.canonical import JSON

Outcome: TypeAlias = Literal["accepted", "invalid", "refused", "cut-off", "failed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a model, for the log. Hashes stand for texts, and nothing of what was said is in it."""

    purpose: str
    prompt: str
    version: str
    provider: str
    model: str
    level: str
    prompt_hash: str
    input_hash: str
    schema_hash: str
    request_hash: str = ""
    """SHA-256 of the bytes that left."""
    redactions: int = 0
    round: int = 1
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost_micro_usd: int = -1
    """Millionths of a dollar; -1: unknown."""
    latency_ms: int = 0
    cache_hit: bool = False
    outcome: Outcome = "failed"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one project: a file of JSON lines for each day (UTC)."""

    directory: Path
    log: Callable[[Mapping[str, JSON]], None] | None = field(default=None, repr=False)
    """Where each call is told besides: the registry's audit log."""

    def reserve(self, budget: int, tokens: int) -> str:
        """Set tokens aside for a call; `settle` puts in what it took. A process that dies leaves its reservation in place.

        Raises `Refused` with code `model.over-budget` when the day has not so many left.
        """
        name = uuid4().hex
        with self._today() as path:
            used = self._used(path)
            if used + tokens > budget:
                raise Refused(
                    Diagnostic(
                        code="model.over-budget",
                        what=f"the day's budget for models does not last: {used:,} of {budget:,} tokens are used",
                        why=f"the request may take {tokens:,}",
                        next="Go on without a model (-model=none), raise GOLDSMITH_MODEL_BUDGET, or wait until midnight UTC.",
                    )
                )
            self._append(path, {"reserved": name, "tokens": tokens})
        return name

    def settle(self, reservation: str, call: Call) -> None:
        """Write down a call in place of its reservation; without one, it cost nothing, as an answer that was kept does."""
        with self._today() as path:
            tokens = call.tokens_in + call.tokens_out
            self._append(path, {"settles": reservation, "tokens": tokens, "call": asdict(call)})
        if self.log is not None:
            self.log(asdict(call))

    def used_today(self) -> int:
        """Tokens that were used or are set aside since midnight (UTC)."""
        with self._today() as path:
            return self._used(path)

    @contextmanager
    def _today(self) -> Iterator[Path]:
        """The file of this day, while nobody else writes to it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{datetime.now(UTC):%Y-%m-%d}.jsonl"
        handle = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield path
        finally:
            os.close(handle)

    @staticmethod
    def _used(path: Path) -> int:
        found: dict[str, int] = {}
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for number, line in enumerate(lines):
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the last line of a process that was killed while it wrote
            found[str(entry.get("reserved") or entry.get("settles") or number)] = int(entry["tokens"])
        return sum(found.values())

    @staticmethod
    def _append(path: Path, entry: Mapping[str, object]) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
