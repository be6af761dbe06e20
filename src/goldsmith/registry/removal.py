"""Takes copies in clouds away: disabled first, which breaks loudly and can be undone, and deregistered a day later.

Each step asks the cloud, reads back, and only then is written down; so a run that is cut short, or a cloud that refuses,
leaves the version `deleting`, and the next run goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError
from goldsmith.registry import copies
from goldsmith.registry.copies import Copy, CopyPlace, CopyState
from goldsmith.registry.db import Database
from goldsmith.registry.fitness import SECOND_US, spoken
from goldsmith.registry.transaction import Transaction


class Cloud(Protocol):
    """One region of one account, as far as removal uses it. Every method may be repeated.

    Each raises `GoldsmithError` when the cloud refuses, cannot be reached, or does not show the change yet.
    """

    def disable(self, image: str) -> tuple[str, ...] | None:
        """Forbid new machines of an image and see that it is so. Gives its snapshots, or None when the image is gone."""

    def deregister(self, image: str) -> None:
        """Remove a disabled image and see that it is gone; one that is gone already is fine."""

    def delete_snapshot(self, snapshot: str) -> None:
        """Delete a snapshot and see that it is gone; one that is gone already is fine."""


Clouds: TypeAlias = Mapping[tuple[str, str, str], Cloud]
"""Who takes copies away, by platform, account and region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A copy that is still there after a run, and why."""

    ref: str
    copy: str
    why: Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The removal of the copies of one version."""

    database: Database
    clouds: Clouds
    used: Mapping[str, str]
    """Why a copy may not be deregistered, by its id: machines that were seen to use it after all."""
    disabled_s: int
    actor: str

    def run(self, version: int, ref: str) -> tuple[Left, ...]:
        """Take every copy of a version one or more steps further. Gives those that are left; none when all are gone."""
        with self.database.read() as reader:
            known = copies.of_version(reader, version)
        told = {copy.place.external_id: self._take(copy) for copy in copies.wholes_first(known)}
        with self.database.read() as reader:
            rest = copies.of_version(reader, version)
        return tuple(Left(ref=ref, copy=copy.place.external_id, why=_why_left(copy, told)) for copy in rest)

    def _take(self, copy: Copy) -> Diagnostic | None:
        """One step; gives why there must be another one."""
        cloud = self.clouds.get(copy.place.key)
        if cloud is None:
            what = f"{copy.place} cannot be deleted: no inventory names an access to that account and region"
            return _fault("no-access", what, 'Add an inventory block with "aws" for it, or tell: goldsmith copies REF -gone=ID')
        try:
            if copy.part_of is not None:
                return self._take_part(copy, cloud)
            return self._take_image(copy, cloud)
        except GoldsmithError as error:
            return error.diagnostics[0]

    def _take_image(self, copy: Copy, cloud: Cloud) -> Diagnostic | None:
        id = copy.place.external_id
        if copy.state != "disabled":
            snapshots = cloud.disable(id)
            self._write(copy, lambda tx: _disabled(tx, copy, snapshots))
            if snapshots is None:
                return None
            return self._waiting(copy, 0)
        if id in self.used:
            what = f"{id} is disabled and will not be deregistered: it is {self.used[id]}"
            next = f"Move that to another version, or give the image back: aws ec2 enable-image --image-id {id}"
            return _fault("in-use", what, next)
        with self.database.read() as reader:
            age_s = (reader.now - copy.since) // SECOND_US
        if age_s < self.disabled_s:
            return self._waiting(copy, age_s)
        cloud.deregister(id)
        self._write(copy, lambda tx: copies.move(tx, copy, "gone"))
        return None

    def _waiting(self, copy: Copy, age_s: int) -> Diagnostic | None:
        id = copy.place.external_id
        what = f"{id} is disabled, and is deregistered in {spoken(self.disabled_s - age_s)}"
        return _fault("disabled", what, f"If something misses it: aws ec2 enable-image --image-id {id}")

    def _take_part(self, copy: Copy, cloud: Cloud) -> Diagnostic | None:
        with self.database.read() as reader:
            whole = next((item for item in copies.of_version(reader, copy.version) if item.id == copy.part_of), None)
        if whole is not None:
            return _fault("part", f"{copy.place.external_id} goes after {whole.place.external_id}", "")
        cloud.delete_snapshot(copy.place.external_id)
        self._write(copy, lambda tx: copies.move(tx, copy, "gone"))
        return None

    def _write(self, copy: Copy, change: Callable[[Transaction], None]) -> None:
        with self.database.write(self.actor) as tx:
            current = next((item for item in copies.of_version(tx, copy.version) if item.id == copy.id), None)
            # Another run may have come first, and what it saw is written already.
            if current is not None and current.state == copy.state:
                change(tx)


def _why_left(copy: Copy, told: Mapping[str, Diagnostic | None]) -> Diagnostic:
    """A part that was seen only now has not been told of."""
    return told.get(copy.place.external_id) or _fault("part", f"{copy.place.external_id} goes after its image", "")


def _disabled(tx: Transaction, copy: Copy, snapshots: tuple[str, ...] | None) -> None:
    state: CopyState = "gone" if snapshots is None else "disabled"
    for snapshot in snapshots or ():
        place = copy.place
        at = CopyPlace(
            platform=place.platform, account=place.account, region=place.region, external_id=snapshot, kind="snapshot"
        )
        copies.add_part(tx, copy, at)
    copies.move(tx, copy, state, "it was gone already" if snapshots is None else "")


def _fault(code: str, what: str, next: str) -> Diagnostic:
    return Diagnostic(code=f"expire.copy-{code}", what=what, next=next)
