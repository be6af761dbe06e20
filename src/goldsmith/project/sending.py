"""Copies versions to other stores; what could not be sent is written down, and `goldsmith resume` sends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.events import Emit, Progress, phase
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError
from goldsmith.images.whole import write_whole
from goldsmith.project.project import Project
from goldsmith.project.records import open_registry

if TYPE_CHECKING:
    from goldsmith.registry import Part, Pushed

RECORD = "push.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A version on its way to another store."""

    digest: str
    ref: str
    """For people: `web:41`."""
    url: str

    @property
    def name(self) -> str:
        """The name of its directory among what is pending."""
        place = hashlib.sha256(self.url.encode()).hexdigest()[:8]
        return f"push-{self.ref.replace(':', '-')}-{self.digest.removeprefix('sha256:')[:12]}-{place}"


def sending_of(project: Project, reference: str, url: str) -> Sending:
    """What pushing a version means. Raises `UserError` for an unknown version or a URL that names no store."""
    from goldsmith.registry import check_store_url

    check_store_url(url)
    with open_registry(project) as registry:
        version = registry.show(reference).version
    return Sending(digest=version.digest, ref=version.ref, url=_absolute(url))


def send(project: Project, sending: Sending, emit: Emit) -> Pushed:
    """Push a version, or go on with it; it is written down until it is there. Raises what went wrong, with how to resume."""
    from goldsmith.registry import open_store

    keep_sending(project, sending)
    try:
        with phase(emit, f"Copying {sending.ref} to {sending.url}"), open_registry(project) as registry:
            pushed = registry.push(sending.digest, open_store(sending.url), reporting(emit))
    except GoldsmithError as error:
        kept = Diagnostic(
            code="push.pending",
            what=f"{sending.ref} is not yet in {sending.url}",
            why="what has arrived there stays, and is not sent again",
            next=f'When that is mended: goldsmith resume. To give it up, delete "{project.state.pending / sending.name}".',
        )
        raise type(error)(*error.diagnostics, kept) from error
    strike_out_sending(project, sending)
    return pushed


def send_mirrors(project: Project, digest: str, ref: str, emit: Emit) -> None:
    """Push a version to every store that the project copies its versions to; all are written down before the first begins.

    Raises the faults of all that failed, after all were tried.
    """
    sendings = [Sending(digest=digest, ref=ref, url=url) for url in project.mirrors]
    for sending in sendings:
        keep_sending(project, sending)
    failed: list[GoldsmithError] = []
    for sending in sendings:
        try:
            send(project, sending, emit)
        except GoldsmithError as error:
            failed.append(error)
    if failed:
        raise type(failed[0])(*(fault for error in failed for fault in error.diagnostics)) from failed[0]


def keep_sending(project: Project, sending: Sending) -> None:
    """Write down that a version is to be sent."""
    place = project.state.pending / sending.name
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / RECORD, json.dumps(asdict(sending), sort_keys=True))


def strike_out_sending(project: Project, sending: Sending) -> None:
    """Forget a version that has arrived."""
    place = project.state.pending / sending.name
    (place / RECORD).unlink(missing_ok=True)
    with suppress(OSError):
        place.rmdir()
        project.state.pending.rmdir()


def all_sendings(project: Project, image: str = "") -> tuple[Sending, ...]:
    """What is to be sent, the oldest first: all, or that of one image. Raises `UserError` for a record that is damaged."""
    found: list[tuple[float, Sending]] = []
    for path in project.state.pending.glob(f"*/{RECORD}"):
        with suppress(FileNotFoundError):  # another run has just sent it
            found.append((path.stat().st_mtime, _read(path)))
    kept = [item for _, item in sorted(found, key=lambda pair: pair[0])]
    return tuple(item for item in kept if image in ("", item.ref.partition(":")[0]))


def _read(path: Path) -> Sending:
    try:
        return Sending(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        what = f'"{path}" does not say what is to be sent'
        next = "Remove its directory, and push the version again."
        raise UserError(Diagnostic(code="pending.unreadable", what=what, why=str(error), next=next)) from error


def _absolute(url: str) -> str:
    return f"file://{Path(url.removeprefix('file://')).absolute()}" if url.startswith("file://") else url


def reporting(emit: Emit) -> Callable[[Part], Callable[[int, int], None]]:
    """Tells how far each blob of a version has come."""

    def of_part(part: Part) -> Callable[[int, int], None]:
        return lambda done, total: emit(Progress(what=f"{part.role} {part.digest[7:19]}", done=done, total=total))

    return of_part
