"""Thousands of decisions on inventories that go wrong; 100,000 are taken by `python -m benchmarks.retention`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from goldsmith.registry import expire, holds, retention
from goldsmith.registry.inventory import accepted, guards
from tests.registry.registry_inventory_faults import decide_under_faults


@pytest.fixture
def place() -> Iterator[Path]:
    """In memory if that can be had: each run is a handful of transactions."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="goldsmith-", dir=memory if os.access(memory, os.W_OK) else None) as directory:
        yield Path(directory) / "faults"


def test_nothing_goes_that_is_in_use_whatever_the_inventories_say(place: Path) -> None:
    told = decide_under_faults(place, int(os.environ.get("GOLDSMITH_DECISIONS", "1500")))

    assert (told.wrong, told.faults) == (0, [])
    assert told.stopped > 5
    assert told.deleted > 3


def _no_size_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guards, "_of_size", lambda reading, earlier: ())


def _no_time_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guards, "_of_time", lambda reading, earlier, at: ())


def _trouble_ignored(patch: pytest.MonkeyPatch) -> None:
    right = guards.faults
    patch.setattr(guards, "faults", lambda reading, earlier, at: () if reading.trouble else right(reading, earlier, at))


def _nobody_is_missed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(accepted, "_unread", lambda reader, readings: ())


def _uses_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holds, "_hold_by_uses", lambda holds, reader, inventories, covered: None)
    patch.setattr(accepted, "machines", lambda reader, inventories: iter(()))


def _one_look_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(expire, "_unmark", lambda tx, plan: ())
    patch.setattr(retention, "find_holds", lambda reader, lines, policy, inventories: {})
    patch.setattr(accepted, "machines", lambda reader, inventories: iter(()))


MUTANTS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    "inventory size guard off": _no_size_guard,
    "inventory time guard off": _no_time_guard,
    "incomplete looks count": _trouble_ignored,
    "an account that is gone is not missed": _nobody_is_missed,
    "uses ignored": _uses_ignored,
    "the second look is not taken": _one_look_is_enough,
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_registry_that_is_wrong_in_one_way_is_caught(place: Path, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    MUTANTS[mutant](monkeypatch)

    assert decide_under_faults(place, 2500, patient=False).faults
