"""Provisioners `breakpoint` and `sleep`."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from goldsmith.components import Context, Duration
from goldsmith.hcl.diagnostics import UserError
from goldsmith.machines.cancellation import Cancelled
from goldsmith.provisioners.breakpoint import Breakpoint, BreakpointConfig
from goldsmith.provisioners.sleep import Sleep, SleepConfig
from tests.provisioners.provisioner_machine import Recorder, TreeMachine


def test_a_breakpoint_asks_for_enter(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return ""

    Breakpoint().run(BreakpointConfig(note="look"), machine, replace(context, ask=answer))

    assert asked == ["Press enter to continue. "]
    assert recorder.lines() == ['Pausing at breakpoint provisioner with note "look".']


def test_a_breakpoint_without_a_person_is_an_error(machine: TreeMachine, context: Context) -> None:
    with pytest.raises(UserError, match="no terminal"):
        Breakpoint().run(BreakpointConfig(), machine, context)


def test_a_disabled_breakpoint_goes_on(machine: TreeMachine, context: Context, recorder: Recorder) -> None:
    Breakpoint().run(BreakpointConfig(disable=True), machine, context)

    assert recorder.lines() == ["Breakpoint provisioner disabled; continuing..."]


def test_a_stop_ends_a_sleep(machine: TreeMachine, context: Context) -> None:
    Sleep().run(SleepConfig(duration=Duration(0.01)), machine, context)
    context.cancellation.request()
    started = time.monotonic()

    with pytest.raises(Cancelled):
        Sleep().run(SleepConfig(duration=Duration(60)), machine, context)

    assert time.monotonic() - started < 5
