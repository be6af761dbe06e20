"""Any sequence of acts, in any order, with the clock turning: the log, the tables and the oracle agree."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from goldsmith.hcl.diagnostics import Refused, UserError
from goldsmith.registry import RetentionPolicy
from tests.registry.registry_oracle import judge
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, Verdict, policy

IMAGES = st.sampled_from(["base", "web"])
CHANNELS = st.sampled_from(["dev", "prod"])
NUMBERS = st.integers(1, 5)
VERDICTS: st.SearchStrategy[Verdict] = st.sampled_from(["pass", "pass", "warn", "fail", "error"])
EXPECTED = (Refused, UserError)


class RegistryMachine(RuleBasedStateMachine):
    """Acts on a small fleet. Refusals are fine, contradictions are not."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="goldsmith-registry-"))
        self.bench = Bench(self.root)

    @initialize()
    def fleet(self) -> None:
        for number in (1, 2):
            self.bench.build("web", number, self.bench.build("base", number))
        for image in ("base", "web"):
            self.bench.channel(image, "dev", policy(keep=1))
            self.bench.channel(image, "prod", policy("boot", after="dev", soak_s=100, max_age_s=5000, keep=1))

    @rule(seconds=st.integers(1, 4000))
    def wait(self, seconds: int) -> None:
        self.bench.turn(seconds)

    @rule(image=IMAGES, number=NUMBERS, base=NUMBERS)
    def build(self, image: str, number: int, base: int) -> None:
        with suppress(UserError):
            parent = self.bench.registry.resolve(f"base:{base}") if image == "web" else None
            self.bench.build(image, number, parent)

    @rule(image=IMAGES, number=NUMBERS, verdict=VERDICTS)
    def prove(self, image: str, number: int, verdict: Verdict) -> None:
        with suppress(UserError):
            self.bench.prove(self.bench.registry.resolve(f"{image}:{number}"), "boot", verdict)

    @rule(image=IMAGES, channel=CHANNELS, number=NUMBERS, again=st.booleans(), generation=st.none() | st.integers(0, 4))
    def promote(self, image: str, channel: str, number: int, again: bool, generation: int | None) -> None:
        with suppress(*EXPECTED):
            moved = self.bench.registry.promote(
                image, channel, f"{image}:{number}", if_generation=generation, again=again, reason="test", actor=ACTOR
            )
            assert self.bench.number(image, channel) == moved.number == number

    @rule(image=IMAGES, channel=CHANNELS)
    def roll_back(self, image: str, channel: str) -> None:
        before = self.bench.number(image, channel)
        with suppress(*EXPECTED):
            assert self.bench.registry.rollback(image, channel, actor=ACTOR).number != before

    @rule(image=IMAGES, number=NUMBERS, later=st.none() | st.integers(1, 3000))
    def revoke(self, image: str, number: int, later: int | None) -> None:
        with suppress(UserError):
            at = None if later is None else self.bench.now + later * SECOND
            self.bench.registry.revoke(f"{image}:{number}", "test", effective_at=at, actor=ACTOR)

    @rule(image=IMAGES, number=NUMBERS, exempt=st.booleans())
    def forgive(self, image: str, number: int, exempt: bool) -> None:
        with suppress(UserError):
            act = self.bench.registry.exempt if exempt else self.bench.registry.withdraw
            act(f"{image}:{number}", "test", actor=ACTOR)

    @rule(image=IMAGES, number=NUMBERS, until=st.none() | st.integers(1, 3000))
    def pin(self, image: str, number: int, until: int | None) -> None:
        with suppress(UserError):
            end = None if until is None else self.bench.now + until * SECOND
            self.bench.registry.pin(f"{image}:{number}", "hold", "carol", end, actor=ACTOR)

    @rule(image=IMAGES, number=NUMBERS)
    def release(self, image: str, number: int) -> None:
        with suppress(UserError):
            self.bench.registry.release(f"{image}:{number}", "hold", "carol", actor=ACTOR)

    @rule(last=st.integers(1, 3), grace=st.sampled_from([0, 0, 1000]))
    def expire(self, last: int, grace: int) -> None:
        rules = RetentionPolicy(keep_last=last, keep_for_s=0, grace_s=grace)
        plan = self.bench.registry.expire_plan(rules)
        expired = self.bench.registry.expire(rules, actor=ACTOR)
        would_go = {item.ref for item in plan.going if item.step in ("delete", "finish")}
        assert {item.ref for item in expired.deleted} == would_go

    @invariant()
    def everything_agrees(self) -> None:
        report = self.bench.registry.verify_chain()
        assert report.faults == ()
        assert judge(self.root / "registry.db", self.root / "store") == []

    def teardown(self) -> None:
        self.bench.registry.close()
        shutil.rmtree(self.root)


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=12, stateful_step_count=30)
