"""The system call filter, run by hand: a small interpreter of the instructions that it uses."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.machines.confinement import KEPT_CAPABILITIES, call_filter

X86_64, I386 = 0xC000003E, 0x40000003
ALLOW, ERRNO = 0x7FFF0000, 0x00050000

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers below are those of x86_64")


def answer(number: int, architecture: int = X86_64) -> int:
    """What the filter says to a system call."""
    program = [struct.unpack_from("=HBBI", call_filter(), at) for at in range(0, len(call_filter()), 8)]
    at, held = 0, 0
    while True:
        code, when_true, when_false, value = program[at]
        at += 1
        if code == 0x20:
            held = {0: number, 4: architecture}[value]
        elif code == 0x15:
            at += when_true if held == value else when_false
        else:
            return int(value)


@pytest.mark.parametrize("number", [74, 75, 162, 306, 26, 277])
def test_sync_calls_succeed_without_effect(number: int) -> None:
    assert answer(number) == ERRNO


@pytest.mark.parametrize("number", [248, 249, 250])
def test_the_key_ring_does_not_exist(number: int) -> None:
    assert answer(number) == ERRNO | 38


@given(st.integers(0, 600).filter(lambda number: number not in {74, 75, 162, 306, 26, 277, 248, 249, 250}))
def test_every_other_call_passes(number: int) -> None:
    assert answer(number) == ALLOW


@given(st.integers(0, 600))
def test_calls_of_another_architecture_pass(number: int) -> None:
    assert answer(number, I386) == ALLOW


def test_no_capability_that_reaches_the_host_is_kept() -> None:
    module, raw_io, admin, boot, time, resource, ptrace, read_search = 16, 17, 21, 22, 25, 24, 19, 2
    assert not {module, raw_io, admin, boot, time, resource, ptrace, read_search} & set(KEPT_CAPABILITIES)
