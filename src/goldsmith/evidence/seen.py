"""What a client remembers of offline bundles, so that an older one, or another history, is never taken for the newest."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.evidence.offline_check import Proven, check_offline
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images.whole import write_whole

if TYPE_CHECKING:
    from securesystemslib.signer import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The newest bundle of a channel that was seen."""

    generation: int
    version: str
    seq: int
    root: str
    issued_at: int


def verify_offline(content: bytes, keys: Sequence[Key], now: int, seen: Path, place: str = "") -> Proven:
    """As `check_offline`, and not older than any bundle of the channel that the file `seen` remembers.

    The highest that was seen is kept there for each key and channel; several programs may do so at once.
    Raises `UserError` besides with code `bundle.rollback` (generation, log or version are behind or beside what was seen)
    and `bundle.memory` when the file cannot be read, `MachineError` with that code when it cannot be written.
    """
    with _locked(seen):
        marks = _read(seen)
        # What the registry once signed as its time is past: a clock that was turned back revives nothing.
        trusted = {str(key.keyid) for key in keys}
        latest = max((mark.issued_at for name, mark in marks.items() if name.split(" ")[0] in trusted), default=0)
        proven = check_offline(content, keys, max(now, latest), place)
        name = f"{proven.signer} {proven.place}"
        mark = marks.get(name)
        if mark is not None:
            _compare(mark, proven)
        if mark is None or (proven.seq, proven.issued_at) > (mark.seq, mark.issued_at):
            _write(seen, {**marks, name: _mark(proven)})
    return proven


def _mark(proven: Proven) -> Mark:
    return Mark(
        generation=proven.generation,
        version=proven.version,
        seq=proven.seq,
        root=proven.root,
        issued_at=proven.issued_at,
    )


def _compare(mark: Mark, proven: Proven) -> None:
    if proven.generation < mark.generation:
        raise _rollback(proven, f"it is of generation {proven.generation}, generation {mark.generation} was seen here")
    if proven.seq < mark.seq:
        raise _rollback(proven, f"its registry had {proven.seq} events, {mark.seq} were seen here")
    if proven.generation == mark.generation and proven.version != mark.version:
        raise _rollback(proven, f"generation {mark.generation} was another version when it was seen here")
    if proven.seq == mark.seq and proven.root != mark.root:
        raise _rollback(proven, f"the first {mark.seq} events were others when they were seen here")


def _rollback(proven: Proven, why: str) -> UserError:
    what = f"the bundle of {proven.place} is older than one that was seen here, or of another history"
    next = "Fetch the newest bundle. If the registry was restored from a backup on purpose, name another memory with -seen."
    return UserError(Diagnostic(code="bundle.rollback", what=what, why=why, next=next))


def _read(path: Path) -> Mapping[str, Mark]:
    try:
        return {name: _mark_from(mark) for name, mark in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f'what was seen before, "{path}", cannot be read'
        next = "Restore the file. Without it an older bundle could pass for the newest; remove it only if you accept that."
        raise UserError(Diagnostic(code="bundle.memory", what=what, why=str(error), next=next)) from error


def _mark_from(said: Mapping[str, object]) -> Mark:
    numbers = {name: int(str(said[name])) for name in ("generation", "seq", "issued_at")}
    return Mark(version=str(said["version"]), root=str(said["root"]), **numbers)


def _write(path: Path, marks: Mapping[str, Mark]) -> None:
    write_whole(path, json.dumps({name: asdict(mark) for name, mark in marks.items()}, sort_keys=True, indent=1))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        what = f'what is seen cannot be remembered in "{path}"'
        next = "Name a file that can be written with -seen."
        raise MachineError(Diagnostic(code="bundle.memory", what=what, why=error.strerror or str(error), next=next)) from error
