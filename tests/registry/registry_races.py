"""Processes that act on one registry at once and may be killed, and what they were told: for any database.

A `Site` names the registry; only its `connect` knows which database it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from goldsmith.hcl.diagnostics import MachineError, Refused, UserError
from goldsmith.registry import (
    Approval,
    ArtifactFile,
    Assignment,
    Limits,
    Order,
    Outlook,
    Place,
    Reading,
    Reference,
    Registry,
    RetentionPolicy,
    Target,
    VerifiedStatement,
    Version,
    Waiver,
    digest_of,
    open_registry,
)
from goldsmith.registry.engines import host_clock
from tests.registry.registry_oracle import judge_all
from tests.registry.registry_postgresql import Server
from tests.registry.registry_workbench import ACTOR, TEST_RESULT, Json, digest, document, policy

IMAGES, CHANNELS = ("base", "web"), ("dev", "prod")
GUARDED, APPROVERS = "guarded", ("alice", "bob", "carol")
"""A channel that wants two approvals of these."""
FINDING, SECURITY = "CVE-2030-1 openssl", ("sam",)
AT_ONCE = RetentionPolicy(keep_last=2, keep_for_s=0, grace_s=0, bytes_wait_s=0)
MOVES = ("promotion.committed", "rollback.committed")


@dataclass(frozen=True)
class Site:
    """A registry that several processes use, and the file that keeps what they were told."""

    root: Path
    server: Server | None = None
    """Where its database is; None for an SQLite file in `root`."""
    database: str = ""

    @property
    def url(self) -> str:
        return self.server.url(self.database) if self.server else f"sqlite:///{self.root / 'registry.db'}"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def answers(self) -> Path:
        return self.root / "answers"

    def open(self) -> Registry:
        return open_registry(self.url, self.store)

    def connect(self) -> Any:
        return self.server.connect(self.database) if self.server else sqlite3.connect(self.root / "registry.db")

    def copy(self, target: Path) -> Site:
        """The same registry at another place; nobody may use it meanwhile."""
        shutil.copytree(self.root, target)
        return Site(target, self.server, self.server.database(self.database) if self.server else "")

    def tell(self, **answer: object) -> None:
        """Keep an answer. One write: a process that is killed leaves a whole line or none."""
        with self.answers.open("ab", buffering=0) as file:
            file.write(json.dumps(answer).encode() + b"\n")

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """(type, data) of each event, in order."""
        with closing(self.connect()) as connection:
            bodies = [json.loads(body) for (body,) in connection.execute("SELECT body FROM event ORDER BY seq")]
        return [(body["type"], body["data"]) for body in bodies]

    def faults(self) -> list[str]:
        """All that is wrong: by the registry's own check, by the oracle and by what the callers were told."""
        with self.open() as registry:
            own = [fault.what for fault in registry.verify_chain().faults]
        with closing(self.connect()) as connection:
            judged = judge_all(connection, self.store)
        return own + judged + _broken_promises(self)


def _broken_promises(site: Site) -> list[str]:
    """I2 and I12: what a caller was told is in the log, a generation that was demanded was the one that the channel had,
    and nothing but a refusal ever stopped a caller."""
    answers = [json.loads(line) for line in site.answers.read_text().splitlines()] if site.answers.exists() else []
    moves = {
        (data["image"], data["channel"], data["generation"]): data["version"] for kind, data in site.events() if kind in MOVES
    }
    faults = [answer["bug"] for answer in answers if "bug" in answer]
    for answer in answers:
        if "bug" in answer:
            continue
        if moves.get((answer["image"], answer["channel"], answer["generation"])) != answer["version"]:
            faults.append(f"I12 the answer {answer} is not in the log")
        if answer["demanded"] is not None and answer["generation"] != answer["demanded"] + 1:
            faults.append(f"I2 the answer {answer} is not for the generation that was demanded")
    return faults


def fork(act: Callable[[], object]) -> int:
    """Run in a process of its own; it ends with 0 when `act` returns. The caller must hold no open registry."""
    with warnings.catch_warnings():
        # Newer Pythons warn of threads; the test runner's do nothing that a child waits for.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    finally:
        os._exit(code)


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def race(site: Site, processes: int, seconds: float, seed: int = 0, only: Sequence[str] = ()) -> list[int]:
    """How each racer ended."""
    children = [fork(partial(_run, site, seed + number, seconds, only)) for number in range(processes)]
    return [os.waitpid(child, 0)[1] for child in children]


def _run(site: Site, seed: int, seconds: float, only: Sequence[str] = ()) -> None:
    Racer(site, seed, only).run(seconds)


def race_and_kill(site: Site, seconds: float, seed: int, processes: int = 4) -> int:
    """Always so many racers, of which one after the other is killed: half of them after a while, half before a random
    statement or file operation of their own. Gives how many were; what they left is for the caller to judge."""
    chance, racers, killed = random.Random(seed), list[int](), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        racers = [racer for racer in racers if os.waitpid(racer, os.WNOHANG)[0] == 0]
        while len(racers) < processes:
            seed, killed = seed + 1, killed + 1
            dying = dying_at(site, chance.randint(1, 400), partial(_race_with, site, seed, seconds))
            racers.append(fork(dying if seed % 2 else partial(_run, site, seed, seconds)))
        time.sleep(chance.uniform(0.1, 0.8))
        kill(racers.pop(0))
    for racer in racers:
        kill(racer)
    return killed


def _race_with(site: Site, seed: int, seconds: float, registry: Registry) -> None:
    registry.close()
    Racer(site, seed).run(seconds)


class Racer:
    """Does random things to one registry for a while; `only` names the acts that it is limited to."""

    def __init__(self, site: Site, seed: int, only: Collection[str] = ()) -> None:
        self.site = site
        self.random = random.Random(seed)
        self.registry = site.open()
        weights: Mapping[Callable[[], None], int] = {
            self.promote: 6,
            self.promote_what_was_seen: 4,
            self.prove_anew: 5,
            self.revoke: 2,
            self.restore: 2,
            self.roll_back: 2,
            self.build: 3,
            self.expire: 4,
            self.pin: 1,
            self.ask: 3,
            self.approve: 4,
            self.break_glass: 1,
            self.waive: 2,
            self.withdraw_waiver: 1,
            self.promote_twice: 1,
            self.undo: 1,
        }
        self.acts = [act for act, weight in weights.items() for _ in range(weight) if not only or act.__name__ in only]

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                self.act()
        finally:
            self.registry.close()

    def act(self) -> None:
        """One act. Only a refusal, or a version that is just being deleted, may stop it."""
        try:
            self.random.choice(self.acts)()
        except (Refused, UserError):
            pass
        except MachineError as error:
            if error.diagnostics[0].code not in ("registry.deleting", "registry.bytes-vanish"):
                self.site.tell(bug=traceback.format_exc())
        except Exception:
            self.site.tell(bug=traceback.format_exc())

    def version(self) -> Version:
        return self.registry.resolve(f"{self.random.choice(IMAGES)}:{self.random.randint(1, 6)}")

    def promote(self) -> None:
        version, channel = self.version(), self.random.choice(CHANNELS)
        self.told(
            self.registry.promote(version.image, channel, version.ref, again=True, reason="race", actor=ACTOR),
            demanded=None,
        )

    def promote_what_was_seen(self) -> None:
        version, channel = self.version(), self.random.choice(CHANNELS)
        seen = next(item.generation for item in self.registry.channels(version.image) if item.name == channel)
        time.sleep(self.random.random() * 0.003)
        self.told(
            self.registry.promote(
                version.image, channel, version.ref, if_generation=seen, again=True, reason="race", actor=ACTOR
            ),
            demanded=seen,
        )

    def promote_twice(self) -> None:
        """The same call under one key, as after an answer that was lost: it is carried out once."""
        version, channel = self.version(), self.random.choice(CHANNELS)
        target = Target(image=version.image, channel=channel, reference=version.ref)
        order = Order(reason="race", again=True, key=f"{os.getpid()} {time.monotonic_ns()}")
        first = self.registry.promote_all([target], order, actor=ACTOR)[0]
        self.told(first, demanded=None)
        time.sleep(self.random.random() * 0.003)
        second = self.registry.promote_all([target], order, actor=ACTOR)[0]
        if first.moved and second.generation != first.generation:
            self.site.tell(bug=f"I12 {order.key} moved {first.channel} to {first.generation} and {second.generation}")

    def undo(self) -> None:
        image = self.random.choice(IMAGES)
        newest = self.registry.history(image, self.random.choice(CHANNELS))[:1]
        if newest and newest[0].request is not None:
            for moved in self.registry.undo(newest[0].request, reason="race", actor=ACTOR):
                self.told(moved, demanded=None)

    def waive(self) -> None:
        version = self.version()
        scope = self.registry.scope(self.random.choice([version.ref, version.image, f"{version.image}@prod", "*"]))
        lasts_us = self.random.choice([150_000, 3_600_000_000])
        meant = Waiver(finding=FINDING, scope=scope, reason="race", owner="sam", expires_at=host_clock() + lasts_us)
        given = replace(meant, key="key:sam", statement_digest=digest(f"{os.urandom(8)!r}"), bundle="signed by sam")
        self.registry.waive(given, actor="user:sam")

    def withdraw_waiver(self) -> None:
        for waiver in self.registry.waivers()[-2:]:
            self.registry.withdraw_waiver(waiver.id, "race", actor="user:sam")

    def ask(self) -> None:
        version = self.version()
        moved = self.registry.promote(version.image, GUARDED, version.ref, again=True, reason="race", actor=ACTOR)
        self.told(moved, demanded=None)

    def approve(self) -> None:
        for request in self.registry.requests()[-3:]:
            name = self.random.choice(APPROVERS)
            time.sleep(self.random.random() * 0.002)
            given = Approval(
                approver=name,
                key=f"key:{name}",
                binds_digest=digest_of(request.binding),
                statement_digest=digest(f"{name} {request.id}"),
                bundle=f"signed by {name}",
            )
            self.registry.approve(request.id, given, actor=f"user:{name}")

    def break_glass(self) -> None:
        version = self.version()
        target = Target(image=version.image, channel=GUARDED, reference=version.ref)
        self.registry.promote_all([target], Order(reason="race", break_glass_s=1), actor=ACTOR)

    def roll_back(self) -> None:
        image, channel = self.random.choice(IMAGES), self.random.choice(CHANNELS)
        self.told(self.registry.rollback(image, channel, actor=ACTOR), demanded=None)

    def told(self, moved: Assignment, *, demanded: int | None) -> None:
        if moved.moved:
            self.site.tell(
                image=moved.image,
                channel=moved.channel,
                generation=moved.generation,
                version=moved.version,
                demanded=demanded,
            )

    def prove_anew(self) -> None:
        verdict, lasts_us = self.random.choice([("pass", None), ("pass", 150_000), ("fail", None)])
        prove(self.registry, self.version(), verdict, lasts_us)

    def revoke(self) -> None:
        later = self.random.choice([None, None, 100_000])
        at = None if later is None else host_clock() + later
        self.registry.revoke(self.version().ref, "race", effective_at=at, actor=ACTOR)

    def restore(self) -> None:
        act = self.random.choice([self.registry.withdraw, self.registry.withdraw, self.registry.exempt])
        act(self.version().ref, "race", actor=ACTOR)

    def pin(self) -> None:
        ref, holder = self.version().ref, f"racer {self.random.randint(1, 3)}"
        if self.random.random() < 0.5:
            self.registry.pin(ref, "hold", holder, actor=ACTOR)
        else:
            self.registry.release(ref, "hold", holder, actor=ACTOR)

    def expire(self) -> None:
        """Retention that has looked who uses what; sometimes the look was cut short."""
        started = host_clock()
        size = self.random.choice([10, 11, 12, 3])
        used = [self.version().digest for _ in range(2)]
        ids = [f"ami-{number:08}" for number in range(size - 2)] + used
        references = tuple(Reference(external_id=id, kind="instance", place=f"i-{number}") for number, id in enumerate(ids))
        reading = Reading(
            place=Place("race"), started=started, finished=host_clock(), references=references, limits=Limits(max_age_s=0)
        )
        self.registry.expire(AT_ONCE, outlook=Outlook(readings=[reading]), actor=ACTOR)

    def build(self) -> None:
        number = self.random.randint(1, 8)
        if self.random.random() < 0.3:
            add(self.registry, self.site, "base", number)
        else:
            add(self.registry, self.site, "web", number, self.registry.resolve(f"base:{self.random.randint(1, 3)}"))


def add(
    registry: Registry, site: Site, image: str, number: int, parent: Version | None = None, *, shared: bool = True
) -> Version:
    """Versions share bytes with a third of the others, so that deleting one races with storing another."""
    source = site.root / f"{image}-{number}-{os.getpid()}.raw"
    source.write_bytes(f"bytes {number % 3 if shared else number}".encode() * 500)
    made = document(image, number, parent.digest if parent else None)
    return registry.register(image, made, artifacts=[ArtifactFile("raw", source)], packages={}, builder="race", actor=ACTOR)


def prove(registry: Registry, version: Version, verdict: str, lasts_us: int | None = None) -> None:
    statement = VerifiedStatement(
        subjects=(version.digest,),
        predicate_type=TEST_RESULT,
        statement_digest="sha256:" + hashlib.sha256(os.urandom(16)).hexdigest(),
        signer="key:race",
        gate="boot",
        verdict="pass" if verdict == "pass" else "fail",
        failing=() if verdict == "pass" else (FINDING,),
        issued_at=0,
        expires_at=None if lasts_us is None else host_clock() + lasts_us,
    )
    registry.attest(version, statement, os.urandom(16), ACTOR)


def found(site: Site) -> Site:
    """A registry that racers can meet at: three bases, a web on each, all proven."""
    with site.open() as registry:
        for number in (1, 2, 3):
            base = add(registry, site, "base", number)
            prove(registry, base, "pass")
            prove(registry, add(registry, site, "web", number, base), "pass")
        for image in IMAGES:
            registry.declare_channel(image, GUARDED, policy(approvals=2, approvers=APPROVERS, keep=1), ACTOR)
            registry.declare_channel(image, "dev", policy(keep=1), ACTOR)
            registry.declare_channel(image, "prod", _demanding(image), ACTOR)
    return site


def _demanding(image: str) -> dict[str, Json]:
    return policy("boot", after="dev", keep=1, security=SECURITY, on_unfit="rollback" if image == "base" else "block")


def dying_at(site: Site, place: int, act: Callable[[Registry], object]) -> Callable[[], None]:
    """`act` in a process that is killed before its statement, commit or file operation number `place`."""

    def run() -> None:
        from sqlalchemy import Engine, event

        registry = site.open()
        passed = 0

        def step(*_: object) -> None:
            nonlocal passed
            passed += 1
            if passed == place:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", step)
        event.listen(Engine, "commit", step)
        fsync, rename, unlink = os.fsync, Path.rename, Path.unlink

        def counted_fsync(handle: int) -> None:
            step()
            fsync(handle)

        def counted_rename(self: Path, target: Path) -> Path:
            step()
            return rename(self, target)

        def counted_unlink(self: Path, missing_ok: bool = False) -> None:
            step()
            unlink(self, missing_ok)

        with suppress(Refused, UserError):
            # Only in this process, which ends here.
            os.fsync, Path.rename, Path.unlink = counted_fsync, counted_rename, counted_unlink  # type: ignore[assignment, method-assign]
            act(registry)

    return run
