"""The step cache: what a key left is found again, bounded, and never half-made."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from goldsmith.build.cache import StepCache
from goldsmith.build.keys import step_key
from goldsmith.events import CacheEvicted, Event, ignore
from goldsmith.gates.repositories.repository import Repository
from goldsmith.gates.repositories.store import Origin, RepositoryStore
from goldsmith.images import SealedImage
from goldsmith.images.lock import LockedPackage
from goldsmith.provisioners.target_python import shown
from goldsmith.sources.debstore import PackageStore, archive_name

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


def package(cache: StepCache, name: str, used_s: int) -> LockedPackage:
    """A package in the store, last used at a time."""
    content = name.encode() * 100_000
    locked = LockedPackage(
        name=name,
        version="1",
        architecture="amd64",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        url="http://archive.test/x.deb",
    )
    store = PackageStore(cache.root / "packages", "trust")
    (cache.root / "work" / name).write_bytes(content)
    store.add(cache.root / "work" / name, locked)
    os.utime(store.path(locked), (used_s, used_s))
    return locked


def has(cache: StepCache, locked: LockedPackage) -> bool:
    store = PackageStore(cache.root / "packages", "trust")
    return store.path(locked).exists() and (store.view / archive_name(locked)).exists()


def test_downloaded_packages_count_and_go_by_last_use(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    empty = cache.size_bytes()
    old, new = package(cache, "old", 1000), package(cache, "newer", 2000)
    size = cache.size_bytes()
    assert size - empty >= 800_000

    told: list[Event] = []
    cache.prune(told.append, limit_bytes=size - 1)

    assert (has(cache, old), has(cache, new)) == (False, True)
    assert [event.key for event in told if isinstance(event, CacheEvicted)] == [f"package {old.sha256[:12]}"]
    cache.prune(ignore, limit_bytes=0)
    assert not has(cache, new)
    assert not list((tmp_path / "packages/archives").rglob("*.deb"))


def test_layers_and_packages_go_in_the_order_of_their_use(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    old = package(cache, "old", 1000)
    name = layer(cache, "x", 400_000)
    future = int(time.time()) + 1000
    new = package(cache, "new", future)

    cache.prune(ignore, limit_bytes=cache.size_bytes() - 1)
    assert (has(cache, old), cache.layers.has(name), has(cache, new)) == (False, True, True)
    cache.prune(ignore, limit_bytes=cache.size_bytes() - 1)
    assert (cache.layers.has(name), has(cache, new)) == (False, True)


def test_indexes_of_repositories_go_by_the_time_they_were_current(tmp_path: Path) -> None:
    cache, store = StepCache(tmp_path / "cache"), RepositoryStore(tmp_path / "cache")
    repository = Repository(form="apk", id="main", place="etc/apk/repositories", bases=("https://repo.test/main/",))
    index = tmp_path / "APKINDEX.tar.gz"
    index.write_bytes(os.urandom(200_000))
    states = [
        store.adopt(repository, "x86_64", f"sha256:{name * 64}", {index.name: index}, Origin(url="https://repo.test/main/"))
        for name in "ab"
    ]
    (states[0] / "goldsmith-fetched").write_text('{"at": 1000}')

    cache.prune(ignore, limit_bytes=cache.size_bytes() - 1)
    assert [state.is_dir() for state in states] == [False, True]
    assert store.newest(repository, "x86_64") == states[1]
    cache.prune(ignore, limit_bytes=0)
    assert store.kept(repository, "x86_64") == ()


def test_the_python_of_sandboxes_counts_and_goes_when_it_is_old(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    shown(tmp_path / "tools")
    pythons = list((tmp_path / "tools").glob("python-*"))
    size = cache.size_bytes()
    assert len(pythons) == 1
    assert size > 5_000_000

    assert cache.prune(ignore, limit_bytes=size) == 0
    assert pythons[0].is_dir()
    assert cache.prune(ignore, limit_bytes=0) > 5_000_000
    assert not pythons[0].exists()
    assert shown(tmp_path / "tools")  # made again


USES = """
import sys
from pathlib import Path
from goldsmith.sources.debstore import PackageStore
store = PackageStore(Path(sys.argv[1]), "trust")
print("uses", flush=True)
sys.stdin.readline()
"""


def test_packages_are_kept_while_another_process_works_with_them(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    kept = package(cache, "kept", 1000)
    half = tmp_path / "packages/debs/.0123456789abcdef"
    half.write_bytes(b"half")
    command = [sys.executable, "-c", USES, str(tmp_path / "packages")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "uses\n"
        assert cache.prune(ignore, limit_bytes=0) == 0
        assert half.exists()
        other.kill()

    assert has(cache, kept)
    assert cache.prune(ignore, limit_bytes=0) > 0
    assert not has(cache, kept)
    assert not half.exists()


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
