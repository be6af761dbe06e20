"""Delivers what waits in the outbox. A target that cannot be reached holds back nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.registry import outbox, overview, resolve
from goldsmith.registry.db import Database
from goldsmith.registry.outbox import Claim, TargetDeclaration
from goldsmith.registry.targets.contract import Delivered, Destination, Follower, GoneForGood, Listener


def deliver(database: Database, targets: Mapping[str, Destination], actor: str) -> Iterator[Delivered]:
    """Try everything that is due for `targets`, each in order until one of its deliveries does not arrive."""
    with database.read() as reader:
        declared = [item for item in outbox.declared(reader) if item.name in targets]
    for declaration in declared:
        while (claim := _claim(database, declaration.name, actor)) is not None:
            done = _attempt(database, declaration, targets[declaration.name], claim, actor)
            yield done
            if done.error:
                break


def drifted(database: Database, targets: Mapping[str, Destination], actor: str) -> Iterator[Delivered]:
    """Hold every target that follows a channel against it; those that hold something else are to be delivered again."""
    with database.read() as reader:
        followers = [item for item in outbox.declared(reader) if item.kind != "webhook" and item.name in targets]
    for declaration in followers:
        target = cast("Follower", targets[declaration.name])
        try:
            channel = _channel(database, declaration)
            wanted, held = target.would_hold(channel), target.held()
        except GoldsmithError as error:
            yield Delivered(target=declaration.name, seq=0, error=str(error))
            continue
        if wanted != held:
            with database.write(actor) as tx:
                outbox.remind(tx, declaration.name)
            yield Delivered(target=declaration.name, seq=0, note=f"it held {held or 'nothing'} instead of {wanted}")


def _claim(database: Database, target: str, actor: str) -> Claim | None:
    with database.write(actor) as tx:
        return outbox.claim(tx, target)


def _attempt(database: Database, declaration: TargetDeclaration, target: Destination, claim: Claim, actor: str) -> Delivered:
    try:
        note = _told(database, declaration, target, claim)
    except GoldsmithError as error:
        with database.write(actor) as tx:
            outbox.failed(tx, claim, str(error), for_good=isinstance(error, GoneForGood))
        return Delivered(target=declaration.name, seq=claim.seq, error=str(error))
    with database.write(actor) as tx:
        outbox.arrived(tx, claim)
    return Delivered(target=declaration.name, seq=claim.seq, note=note)


def _told(database: Database, declaration: TargetDeclaration, target: Destination, claim: Claim) -> str:
    if declaration.kind != "webhook":
        return cast("Follower", target).follow(_channel(database, declaration))
    with database.read() as reader:
        (event,) = overview.events(reader, claim.seq - 1, 1)
    cast("Listener", target).tell(event)
    return event.type


def _channel(database: Database, declaration: TargetDeclaration) -> resolve.Resolved:
    with database.read() as reader:
        return resolve.resolve(reader, declaration.image, declaration.channel)
