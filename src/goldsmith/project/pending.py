"""Finished images on their way into the registry: kept by name until they are in it, so that none is lost.

An image is written down in `.goldsmith/pending/IMAGE-DIGEST/` before it is signed and registered, and struck out when the
registry has it. What fails in between (a key, a lock, a full disk) leaves it there, and `goldsmith resume` goes on from it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images.whole import write_whole
from goldsmith.project.certified import Judged, gates_from
from goldsmith.project.project import Project
from goldsmith.project.statements import Claim, claims_as_json, claims_from

if TYPE_CHECKING:
    from goldsmith.registry import JSON

RECORD = "pending.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A finished image: all that signing and registering need, and nothing that must be built or examined again."""

    image: str
    digest: str
    """The version digest."""
    document: Mapping[str, JSON]
    disk_digest: str
    files: Mapping[str, tuple[str, ...]]
    """Where each disk file may be, by format: the first that is there is taken, and compared with its digest."""
    file_digests: Mapping[str, str]
    packages: Mapping[str, Sequence[tuple[str, str, str]]]
    """Kind, name and version of what each own layer brought."""
    claims: tuple[Claim, ...]
    """What is to be signed about it."""
    beside: str
    """The disk file that the evidence is written beside; empty for none."""
    gates: Mapping[str, Judged]
    labels: str
    """What `labels_text` says."""
    recipe: str = ""
    """How the disk is made from its layers, as JSON; empty when it is no function of them."""

    @property
    def name(self) -> str:
        """The name of its directory."""
        return f"{self.image}-{self.digest.removeprefix('sha256:')[:12]}"


@contextmanager
def writing_down(project: Project, image: str, disk: Path) -> Iterator[None]:
    """Tell what to do when not even the record can be written: the cache still has the disk.

    Raises `MachineError` with code `image.not-registered` for an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise MachineError(
            Diagnostic(
                code="image.not-registered",
                what=f"{image} is built, and could not be written down for the registry in {project.state.root}",
                why=f"{error.strerror or error}; the disk is {disk}",
                next="Free space or mend the permissions there, then build again: nothing is built a second time.",
            )
        ) from error


def keep(project: Project, pending: Pending) -> None:
    """Write an image down, with links to its disk files (copies on another file system). Raises `OSError`."""
    place = project.state.pending / pending.name
    place.mkdir(parents=True, exist_ok=True)
    for format, (original, *_) in pending.files.items():
        _link(Path(original), place / f"{pending.image}.{format}")
    write_whole(place / RECORD, json.dumps(_as_json(pending), sort_keys=True))


def all_pending(project: Project, image: str = "") -> tuple[Pending, ...]:
    """The images that wait, oldest first: all, or those of one name. Raises `UserError` for a record that is damaged."""
    found: list[tuple[float, Pending]] = []
    for path in project.state.pending.glob(f"*/{RECORD}"):
        with suppress(FileNotFoundError):  # another run has just finished it
            found.append((path.stat().st_mtime, _read(path)))
    return tuple(item for _, item in sorted(found, key=lambda pair: pair[0]) if image in ("", item.image))


def strike_out(project: Project, pending: Pending) -> None:
    """Forget an image that the registry has."""
    shutil.rmtree(project.state.pending / pending.name, ignore_errors=True)
    with suppress(OSError):
        project.state.pending.rmdir()


def _link(original: Path, place: Path) -> None:
    try:
        os.link(original, place)
    except FileExistsError:
        return
    except OSError:
        # Another file system: a copy, and without room for one the file stays where the record says that it is too.
        with suppress(OSError):
            shutil.copyfile(original, place)
            return
        place.unlink(missing_ok=True)


def _as_json(pending: Pending) -> Mapping[str, object]:
    return {**asdict(pending), "claims": claims_as_json(pending.claims)}


def _kinded(item: Sequence[object]) -> tuple[str, str, str]:
    """Kind, name and version; a record of before rpm and apk were known has no kind."""
    kind, name, version = map(str, ("deb", *item)[-3:])
    return kind, name, version


def _read(path: Path) -> Pending:
    try:
        data = json.loads(path.read_bytes())
        data["files"] = {format: tuple(places) for format, places in data["files"].items()}
        data["packages"] = {layer: [_kinded(item) for item in found] for layer, found in data["packages"].items()}
        return Pending(**{**data, "claims": claims_from(data["claims"]), "gates": gates_from(data["gates"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            Diagnostic(
                code="pending.unreadable",
                what=f'"{path}" is no record of a pending image',
                why=f"{type(error).__name__}: {error}",
                next="Remove its directory, and build the image again.",
            )
        ) from error
