"""The outbox: what changes tell whom, in which order, how often, and that nobody who cannot be reached holds up a channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, Refused
from goldsmith.registry import Delivered, LoggedEvent, Resolved, TargetDeclaration, outbox
from goldsmith.registry.targets.contract import Destination, GoneForGood
from tests.registry.registry_workbench import ACTOR, Bench, policy

WEBHOOK = TargetDeclaration(name="webhook.ops", kind="webhook", types=("promotion.committed", "rollback"))
PARAMETER = TargetDeclaration(name="ssm_parameter.web", kind="ssm_parameter", image="web", channel="prod")


def unreachable() -> MachineError:
    return MachineError(Diagnostic(code="x", what="unreachable"))


@dataclass
class Ears:
    """A listener; `fails` are the errors of its next tries."""

    heard: list[str] = field(default_factory=list)
    fails: list[MachineError] = field(default_factory=list)

    def tell(self, event: LoggedEvent) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.heard.append(f"{event.type} {event.data.get('generation')}")


@dataclass
class Board:
    """A follower that holds a version; `meanwhile` happens while it is written."""

    holds: str = ""
    fails: list[MachineError] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def follow(self, channel: Resolved) -> str:
        if self.fails:
            raise self.fails.pop(0)
        while self.meanwhile:
            self.meanwhile.pop(0)()
        self.holds = self.would_hold(channel)
        return self.holds

    def would_hold(self, channel: Resolved) -> str:
        return channel.version.ref

    def held(self) -> str:
        return self.holds

    def place(self) -> str:
        return "a board"


@pytest.fixture
def told(bench: Bench) -> Bench:
    """Three versions of web, a channel, and two targets."""
    for build in (1, 2, 3):
        bench.build("web", build)
    bench.channel("web", "prod", policy())
    bench.channel("web", "dev", policy())
    bench.registry.declare_targets([PARAMETER, WEBHOOK], ACTOR)
    return bench


def deliver(bench: Bench, *targets: Destination) -> list[Delivered]:
    named: dict[str, Destination] = {(WEBHOOK if isinstance(item, Ears) else PARAMETER).name: item for item in targets}
    return list(bench.registry.deliver(named, ACTOR))


def state(bench: Bench, target: TargetDeclaration) -> outbox.TargetState:
    return next(item for item in bench.registry.targets() if item.declaration == target)


def test_each_target_is_told_what_it_wants_to_hear_in_order(told: Bench) -> None:
    ears, board = Ears(), Board()
    told.promote("web", "prod", "web:1")
    told.promote("web", "dev", "web:2")
    told.promote("web", "prod", "web:2")
    told.registry.freeze("web", "dev", "x", actor=ACTOR)
    told.registry.rollback("web", "prod", actor=ACTOR)

    done = deliver(told, ears, board)

    assert ears.heard == [
        "promotion.committed 1",
        "promotion.committed 1",
        "promotion.committed 2",
        "rollback.committed 3",
    ]
    assert board.holds == "web:1"
    assert [item.target for item in done].count(PARAMETER.name) == 1  # it is brought to where the channel is, once
    assert deliver(told, ears, board) == []
    assert [(item.waiting, item.failed) for item in told.registry.targets()] == [(0, 0), (0, 0)]
    assert state(told, PARAMETER).converged_at == told.now


def test_what_is_only_tried_or_refused_tells_nobody_that_a_channel_moved(told: Bench) -> None:
    told.channel("web", "strict", policy("boot"))
    ears, board = Ears(), Board()
    told.registry.promote("web", "prod", "web:1", dry_run=True, actor=ACTOR)
    with pytest.raises(Refused):
        told.registry.promote("web", "strict", "web:1", actor=ACTOR)

    done = deliver(told, ears, board)

    assert ears.heard == []
    # The parameter was declared, and its channel is empty.
    assert [item.error.partition(":")[0] for item in done] == ["web@prod is empty"]


def test_a_set_tells_of_each_move(told: Bench) -> None:
    from goldsmith.registry import Order, Target

    ears = Ears()
    moves = [Target(image="web", channel=name, reference="web:1") for name in ("prod", "dev")]
    told.registry.promote_all(moves, Order(), actor=ACTOR)

    deliver(told, ears)

    assert len(ears.heard) == 2


def test_breaking_glass_is_told_to_every_webhook(told: Bench) -> None:
    from goldsmith.registry import Order, Target

    told.registry.declare_targets([PARAMETER, replace(WEBHOOK, types=("rollback",))], ACTOR)
    ears = Ears()
    order = Order(reason="502s", break_glass_s=60)
    told.registry.promote_all([Target(image="web", channel="prod", reference="web:1")], order, actor=ACTOR)

    deliver(told, ears)

    assert ears.heard == ["promotion.broke_glass 1"]


def test_one_that_cannot_be_reached_is_tried_later_and_holds_back_only_itself(told: Bench) -> None:
    ears, board = Ears(fails=[unreachable(), unreachable()]), Board()
    told.promote("web", "prod", "web:1")
    told.promote("web", "prod", "web:2")

    done = deliver(told, ears, board)

    assert board.holds == "web:2"
    assert [item.error for item in done if item.target == WEBHOOK.name] == ["unreachable"]
    late = state(told, WEBHOOK)
    assert (late.waiting, late.tries, late.last_error) == (2, 1, "unreachable")
    assert late.next_at == told.now + 5 * outbox.SECOND_US
    told.turn(4)
    assert deliver(told, ears, board) == []
    told.turn(1)
    deliver(told, ears)
    assert state(told, WEBHOOK).next_at == told.now + 15 * outbox.SECOND_US
    told.registry.retry_deliveries(ACTOR)
    deliver(told, ears)
    assert ears.heard == ["promotion.committed 1", "promotion.committed 2"]


def test_an_event_that_a_webhook_never_takes_is_passed_over_after_three_days(told: Bench) -> None:
    ears = Ears(fails=[unreachable() for _ in range(100)])
    told.promote("web", "prod", "web:1")
    for _ in range(80):
        deliver(told, ears)
        told.turn(3_600)

    assert state(told, WEBHOOK).failed == 1
    ears.fails.clear()
    told.promote("web", "prod", "web:2")
    deliver(told, ears)
    assert ears.heard == ["promotion.committed 2"]
    told.registry.retry_deliveries(ACTOR)
    deliver(told, ears)
    assert ears.heard[1:] == ["promotion.committed 1"]


def test_one_that_is_gone_for_good_is_not_asked_again_for_the_same(told: Bench) -> None:
    ears = Ears(fails=[GoneForGood(Diagnostic(code="x", what="410"))])
    told.promote("web", "prod", "web:1")
    deliver(told, ears)

    told.turn(10_000)
    deliver(told, ears)

    assert (ears.heard, state(told, WEBHOOK).failed, state(told, WEBHOOK).last_error) == ([], 1, "410")


def test_a_follower_is_tried_for_ever(told: Bench) -> None:
    board = Board(fails=[unreachable() for _ in range(30)])
    told.promote("web", "prod", "web:1")
    for _ in range(30):
        deliver(told, board)
        told.turn(86_400)

    deliver(told, board)

    assert board.holds == "web:1"


def test_a_channel_that_moves_while_its_target_is_written_is_followed_on(told: Bench) -> None:
    board = Board()
    told.promote("web", "prod", "web:1")
    board.meanwhile = [lambda: told.promote("web", "prod", "web:2")]

    done = deliver(told, board)

    assert (board.holds, len(done)) == ("web:2", 2)


def test_two_programs_never_deliver_to_one_target_at_once(told: Bench) -> None:
    board, other = Board(), Board()
    told.promote("web", "prod", "web:1")
    seen: list[list[Delivered]] = []
    board.meanwhile = [lambda: seen.append(deliver(told, other))]

    deliver(told, board)

    assert (seen, board.holds, other.holds) == ([[]], "web:1", "")


def test_a_program_that_was_overtaken_writes_again_what_holds_now(told: Bench) -> None:
    """It stood still for longer than its claim lasts; what it writes at last is what held before."""
    board = Board()
    told.promote("web", "prod", "web:1")

    def overtaken() -> None:
        told.turn(outbox.CLAIM_US // outbox.SECOND_US + 1)
        told.promote("web", "prod", "web:2")
        assert [item.error for item in deliver(told, board)] == [""]
        assert board.holds == "web:2"

    board.meanwhile = [overtaken]

    deliver(told, board)

    assert board.holds == "web:2"
    assert state(told, PARAMETER).waiting == 0


def test_an_event_that_another_program_told_meanwhile_is_not_told_out_of_its_order(told: Bench) -> None:
    told.promote("web", "prod", "web:1")
    with told.registry.database.write(ACTOR) as tx:
        claim = outbox.claim(tx, WEBHOOK.name)
    assert claim is not None
    told.promote("web", "prod", "web:2")
    told.turn(outbox.CLAIM_US // outbox.SECOND_US)
    ears = Ears()
    deliver(told, ears)
    with told.registry.database.write(ACTOR) as tx:
        outbox.arrived(tx, claim)

    deliver(told, ears)

    assert ears.heard == ["promotion.committed 1", "promotion.committed 2"]


def test_deliveries_that_have_arrived_do_not_pile_up(told: Bench) -> None:
    ears, board = Ears(), Board()
    for number in range(20):
        told.promote("web", "prod", f"web:{number % 2 + 1}")
        deliver(told, ears, board)

    with told.registry.database.read() as reader:
        rows = reader.rows("SELECT target, state FROM outbox")
    assert sorted((row.text("target"), row.text("state")) for row in rows) == [
        (PARAMETER.name, "delivered"),
        (WEBHOOK.name, "delivered"),
    ]


def test_a_claim_of_a_killed_program_runs_out(told: Bench) -> None:
    board = Board()
    told.promote("web", "prod", "web:1")
    with told.registry.database.write(ACTOR) as tx:
        assert outbox.claim(tx, PARAMETER.name) is not None
    assert deliver(told, board) == []

    told.turn(outbox.CLAIM_US // outbox.SECOND_US)
    deliver(told, board)

    assert board.holds == "web:1"


def test_a_target_never_follows_to_what_is_unfit_and_goes_on_by_itself(told: Bench) -> None:
    board = Board()
    told.promote("web", "prod", "web:1")
    deliver(told, board)
    told.promote("web", "prod", "web:2")
    told.registry.revoke("web:2", "bad", channels="leave", actor=ACTOR)

    done = deliver(told, board)

    assert board.holds == "web:1"
    assert "revoked" in done[0].error
    told.registry.withdraw("web:2", "it was another file", actor=ACTOR)
    told.turn(5)
    deliver(told, board)
    assert board.holds == "web:2"


def test_a_new_target_is_told_how_things_are_and_one_that_is_removed_nothing_more(told: Bench) -> None:
    told.registry.declare_targets([WEBHOOK], ACTOR)
    ears, board = Ears(), Board()
    told.promote("web", "prod", "web:1")
    told.registry.declare_targets([PARAMETER], ACTOR)
    told.registry.declare_targets([PARAMETER], ACTOR)

    deliver(told, ears, board)

    assert (ears.heard, board.holds) == ([], "web:1")
    assert [item.declaration for item in told.registry.targets()] == [PARAMETER]
    assert [type for type in told.types() if type.startswith("target.")] == [
        "target.set",
        "target.set",
        "target.removed",
        "target.set",
        "target.removed",
    ]


def test_what_somebody_else_wrote_is_found_and_mended(told: Bench) -> None:
    board = Board()
    told.promote("web", "prod", "web:1")
    deliver(told, board)
    named: dict[str, Destination] = {PARAMETER.name: board}
    assert list(told.registry.drifted(named, ACTOR)) == []
    board.holds = "web:9"

    found = list(told.registry.drifted(named, ACTOR))
    deliver(told, board)

    assert [item.note for item in found] == ["it held web:9 instead of web:1"]
    assert board.holds == "web:1"


@given(tries=st.integers(1, 10_000))
def test_pauses_grow_to_an_hour(tries: int) -> None:
    assert 5 <= outbox.pause_s(tries) <= outbox.pause_s(tries + 1) <= 3_600


@settings(max_examples=10)
@given(failures=st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_whatever_fails_every_event_arrives_in_order(told: Bench, failures: Sequence[int]) -> None:
    ears = Ears()
    before = len(told.registry.history("web", "prod"))
    for count in failures:
        ears.fails += [unreachable() for _ in range(count)]
        told.promote("web", "prod", f"web:{(before + count) % 2 + 1}")
        told.promote("web", "prod", "web:3")
        deliver(told, ears)
        told.turn(7)
    for _ in range(sum(failures) + 1):
        told.turn(3_600)
        deliver(told, ears)

    moves = reversed(told.registry.history("web", "prod")[: -before or None])
    assert ears.heard == [f"promotion.committed {move.generation}" for move in moves]
