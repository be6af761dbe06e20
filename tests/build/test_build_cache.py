"""The step cache: what a key left is found again, bounded, and never half-made."""

from __future__ import annotations

import threading
from pathlib import Path

from goldsmith.build.cache import StepCache
from goldsmith.build.keys import step_key
from goldsmith.events import CacheEvicted, Event, ignore
from goldsmith.images import SealedImage

KEY = step_key({"kind": "test", "options": {"inline": ["a"]}})


def layer(cache: StepCache, content: str, size: int = 10) -> str:
    upper = cache.root / "work" / f"upper-{content}"
    upper.mkdir()
    (upper / "file").write_text(content * size)
    return cache.layers.adopt(upper, (), 0).diff_id


def sealed(cache: StepCache, work: Path) -> SealedImage:
    work.mkdir()
    (work / "web.qcow2").write_bytes(b"disk" * 1000)
    return SealedImage(
        disk_digest="sha256:aa",
        layers=("sha256:bb",),
        parent_layers=0,
        parent=None,
        boot={"kernel": "boot/vmlinuz"},
        files={"qcow2": work / "web.qcow2"},
        file_digests={"qcow2": "sha256:cc"},
        lock_digest="sha256:dd",
        tools={"e2fsprogs": "1"},
        removed=(("/etc/machine-id", "identity"),),
    )


def test_a_step_is_found_under_its_key(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    assert cache.step(KEY) is None

    cache.keep_step(KEY, layer(cache, "x"), 1.5)

    found = StepCache(tmp_path).step(KEY)
    assert found is not None
    assert (found.took_s, found.document) == (1.5, KEY.document)


def test_a_step_without_its_layer_is_not_found(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    name = layer(cache, "x")
    cache.keep_step(KEY, name, 1.0)

    cache.layers.remove(name)

    assert cache.step(KEY) is None


def test_a_damaged_record_counts_as_none_and_goes(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    cache.keep_step(KEY, layer(cache, "x"), 1.0)
    (tmp_path / "steps" / KEY.key).write_text('{"layer": ')

    assert cache.step(KEY) is None
    assert not (tmp_path / "steps" / KEY.key).exists()


def test_a_sealed_disk_is_kept_read_only_and_found_whole(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    image = cache.keep_sealed(KEY, sealed(cache, tmp_path / "made"))

    found = StepCache(tmp_path).sealed(KEY)
    assert found == image
    assert found is not None
    assert found.files["qcow2"].stat().st_mode & 0o777 == 0o444


def test_a_sealed_disk_of_another_size_is_not_used(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    image = cache.keep_sealed(KEY, sealed(cache, tmp_path / "made"))
    image.files["qcow2"].chmod(0o644)
    image.files["qcow2"].write_bytes(b"short")

    assert cache.sealed(KEY) is None


def test_pruning_removes_the_least_recently_used_until_it_fits(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    names = [layer(cache, letter, 100_000) for letter in "abc"]
    told: list[Event] = []

    freed = cache.prune(told.append, limit_bytes=cache.size_bytes() - 1)

    assert freed > 0
    assert len([event for event in told if isinstance(event, CacheEvicted)]) == 1
    assert sum(cache.layers.has(name) for name in names) == 2


def test_a_layer_that_another_build_uses_is_never_pruned(tmp_path: Path) -> None:
    building, pruning = StepCache(tmp_path), StepCache(tmp_path)
    name = layer(building, "x", 1000)
    building.layers.path(name)

    pruning.prune(ignore, limit_bytes=0)
    assert building.layers.has(name)

    building.layers.release(name)
    pruning.prune(ignore, limit_bytes=0)
    assert not building.layers.has(name)


def test_two_builds_make_a_step_once(tmp_path: Path) -> None:
    made: list[int] = []

    def build(number: int) -> None:
        cache = StepCache(tmp_path)
        with cache.locked(KEY.key):
            if cache.step(KEY) is None:
                made.append(number)
                cache.keep_step(KEY, layer(cache, "same"), 1.0)

    threads = [threading.Thread(target=build, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1


def test_the_key_for_fingerprints_is_made_once_and_private(tmp_path: Path) -> None:
    keys = {StepCache(tmp_path).project_key() for _ in range(3)}

    assert len(keys) == 1
    assert (tmp_path / "fingerprint.key").stat().st_mode & 0o777 == 0o600
