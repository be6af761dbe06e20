"""Kept states of machines: what counts as one that can be gone on from, and what goes first when room is needed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from goldsmith.build.cache import StepCache
from goldsmith.build.keys import StepKey, step_key
from goldsmith.build.states import State, StateStore
from goldsmith.events import CacheEvicted, Event

HELD = """
import sys, time
from pathlib import Path
from goldsmith.images.usage import use
use(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def key(name: str) -> StepKey:
    return step_key({"step": name})


def keep(store: StateStore, name: str, below: Path, parent: State | None = None, size: int = 1000) -> State:
    directory = store.new_directory()
    (directory / "memory").write_bytes(os.urandom(size))
    (directory / "disk-0.qcow2").write_bytes(b"disk")
    return store.keep(key(name), directory, 1.5, [below], parent)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "image").write_bytes(b"image")
    return tmp_path / "image"


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    return StateStore(tmp_path / "states")


def test_a_kept_state_is_found_by_its_key(store: StateStore, image: Path) -> None:
    kept = keep(store, "boot", image)

    found = store.find(key("boot"))

    assert found == kept
    assert store.find(key("other")) is None


def test_nobody_else_may_read_states(store: StateStore, image: Path) -> None:
    kept = keep(store, "boot", image)

    assert stat.S_IMODE(kept.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.directory.parent.stat().st_mode) == 0o700


def test_a_state_counts_only_while_what_it_lies_on_is_unchanged(store: StateStore, image: Path) -> None:
    first = keep(store, "boot", image)
    keep(store, "step", image, first)
    assert store.find(key("step")) is not None

    (first.directory / "disk-0.qcow2").write_bytes(b"cut")
    assert store.find(key("step")) is None
    assert store.find(key("boot")) is None


def test_a_state_on_a_changed_image_does_not_count(store: StateStore, image: Path) -> None:
    keep(store, "boot", image)
    image.write_bytes(b"other")
    assert store.find(key("boot")) is None

    image.unlink()
    assert store.find(key("boot")) is None


def test_a_state_whose_parent_was_made_anew_does_not_count(store: StateStore, image: Path) -> None:
    keep(store, "step", image, keep(store, "boot", image))
    keep(store, "boot", image)

    assert store.find(key("step")) is None


def test_what_lies_on_others_goes_first(tmp_path: Path, image: Path) -> None:
    cache = StepCache(tmp_path / "cache")
    first = keep(cache.states, "boot", image, size=300_000)
    second = keep(cache.states, "step", image, first, size=300_000)
    for path in (tmp_path / "cache/states/keys").iterdir():
        os.utime(path, (1, 1))
    time.sleep(0.01)
    cache.states.find(key("step"))
    events: list[Event] = []

    cache.prune(events.append, limit_bytes=cache.size_bytes() - 1000)

    assert [event.key for event in events if isinstance(event, CacheEvicted)] == [f"state {key('step').key[:12]}"]
    assert cache.states.find(key("boot")) is not None
    assert not second.directory.exists()


def test_states_that_another_process_uses_are_kept(tmp_path: Path, image: Path) -> None:
    cache = StepCache(tmp_path / "cache")
    keep(cache.states, "boot", image)
    command = [sys.executable, "-c", HELD, str(cache.states.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        cache.prune(lambda event: None, limit_bytes=0)
        assert cache.states.find(key("boot")) is not None
        other.kill()

    cache.prune(lambda event: None, limit_bytes=0)
    assert cache.states.find(key("boot")) is None


def test_what_a_killed_build_left_is_removed(tmp_path: Path, image: Path) -> None:
    cache = StepCache(tmp_path / "cache")
    kept = keep(cache.states, "boot", image)
    half = cache.states.new_directory()
    (half / "memory").write_bytes(b"half")

    cache.prune(lambda event: None)

    assert not half.exists()
    assert kept.directory.exists()
