"""The verdict: ERROR before FAIL before WARN before PASS, and each guard removed turns a PASS into an ERROR."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.events import Event, GateJudged
from goldsmith.gates.contract import DataUsed, Effect, Facts, Finding, Floor, Gate, Result, Subject
from goldsmith.gates.judge import config_digest, judge, run_gate
from goldsmith.gates.secrets import SecretsConfig
from goldsmith.machines.cancellation import Cancellation, Cancelled

GOOD = Facts(
    engine="test",
    engine_version="1",
    examined=10,
    evaluated=10,
    floors=(Floor(name="packages", wanted=9, got=10),),
    data=(DataUsed(name="the index", digest="sha256:00", published=0, age_s=60, max_age_s=3600),),
)


def verdict_of(facts: Facts) -> Result:
    return judge("test", facts, disk_digest="sha256:00", config_digest="sha256:00", started=0, finished=1)


def test_facts_without_a_fault_pass() -> None:
    assert verdict_of(GOOD).verdict == "pass"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(GOOD, examined=0), "nothing was examined"),
        (replace(GOOD, errors=1, messages=("/x cannot be read",)), "/x cannot be read"),
        (replace(GOOD, floors=(Floor(name="packages", wanted=9, got=8),)), "at least 9 wanted"),
        (replace(GOOD, data=(replace(GOOD.data[0], age_s=7200),)), "2 h old, 1 h allowed"),
        (replace(GOOD, data=(replace(GOOD.data[0], age_s=-1),)), "age of the index is not known"),
        (replace(GOOD, data=(replace(GOOD.data[0], verified=False),)), "no good signature"),
    ],
)
def test_whatever_makes_facts_unsure_is_an_error_that_says_why(facts: Facts, reason: str) -> None:
    result = verdict_of(facts)

    assert result.verdict == "error"
    assert reason in " ".join(result.reasons)


def test_an_error_still_lists_what_was_found() -> None:
    result = verdict_of(replace(GOOD, errors=1, findings=(Finding(id="key", rule="key", effect="fail"),)))

    assert (result.verdict, result.failing) == ("error", ("key",))


@given(st.lists(st.sampled_from(["fail", "warn", "info"])), st.integers(0, 2), st.integers(0, 2))
def test_the_worst_thing_decides(effects: list[str], examined: int, errors: int) -> None:
    findings = tuple(Finding(id=str(n), rule="r", effect=cast(Effect, effect)) for n, effect in enumerate(effects))
    verdict = verdict_of(replace(GOOD, findings=findings, examined=examined, errors=errors)).verdict

    if examined == 0 or errors:
        assert verdict == "error"
    elif "fail" in effects:
        assert verdict == "fail"
    else:
        assert verdict == ("warn" if "warn" in effects else "pass")


class Broken(Gate[SecretsConfig]):
    name = "broken"
    Config = SecretsConfig

    def examine(self, *_: object) -> Facts:
        raise ZeroDivisionError("no way")


class Stopped(Broken):
    def examine(self, *_: object) -> Facts:
        raise Cancelled


SUBJECT = Subject(image="web", disk_digest="sha256:00", tree=Path("/nonexistent"), disk=None)


def test_a_gate_that_breaks_is_an_error_and_never_a_pass() -> None:
    told: list[Event] = []

    result = run_gate(Broken(), SecretsConfig(), SUBJECT, told.append, Cancellation())

    assert result.verdict == "error"
    assert "no way" in result.reasons[0]
    assert [event.verdict for event in told if isinstance(event, GateJudged)] == ["error"]


def test_a_cancelled_gate_gives_no_verdict() -> None:
    with pytest.raises(Cancelled):
        run_gate(Stopped(), SecretsConfig(), SUBJECT, lambda event: None, Cancellation())


def test_another_configuration_has_another_digest() -> None:
    assert config_digest(SecretsConfig()) == config_digest(SecretsConfig(assignments=True))
    assert config_digest(SecretsConfig()) != config_digest(SecretsConfig(assignments=False))
