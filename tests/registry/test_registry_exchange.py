"""Versions on their way between stores: whole or not there, resumed after a kill, and nothing believed that was not checked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.images import disk_digest
from goldsmith.images.identity import CHUNK_BYTES
from goldsmith.registry import ArtifactFile, Part, Registry, Version, offers, open_registry
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.local_store import LocalStore
from tests.registry.registry_races import fork
from tests.registry.registry_workbench import ACTOR, Bench, document
from tests.registry.test_registry_stores import disk, in_memory, spoil


def build(bench: Bench, image: str, number: int, parent: Version | None = None, chunks: str = "d0d") -> Version:
    """A version whose raw disk is the one that its document names."""
    (bench.root / "output").mkdir(exist_ok=True)
    path = disk(bench.root / "output" / f"{image}-{number}.raw", chunks, tail=number)
    made = {**document(image, number, parent.digest if parent else None), "disks": {"amd64": disk_digest(path)}}
    bench.turn(1)
    files = [ArtifactFile("raw", path)]
    version = bench.registry.register(image, made, artifacts=files, packages={}, builder="test", actor=ACTOR)
    bench.prove(version, "boot")
    return version


@pytest.fixture(params=["local", "memory"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return LocalStore(tmp_path / "mirror") if request.param == "local" else in_memory()


@pytest.fixture
def local_bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_version_is_offered_with_what_it_was_built_on_and_its_evidence(bench: Bench, target: BlobStore) -> None:
    base = build(bench, "base", 1)
    web = build(bench, "web", 1, base)

    pushed = bench.registry.push("web:1", target)

    assert [version.ref for version in pushed.versions] == ["base:1", "web:1"]
    found = offers(target, "web")
    assert [(offer.name, offer.digest) for offer in found] == [("base:1", base.digest), ("web:1", web.digest)]
    assert [len(offer.bundles) for offer in found] == [1, 1]
    assert found[1].document == bench.registry.show("web").document
    assert found[1].parts == bench.registry.show("web").parts
    assert all(target.is_intact(part.digest) for offer in found for part in offer.parts)


def test_a_pulled_version_is_the_same_version(local_bench: Bench, target: BlobStore, tmp_path: Path) -> None:
    web = build(local_bench, "web", 1, build(local_bench, "base", 1))
    local_bench.registry.push("web:1", target)

    with open_registry(f"sqlite:///{tmp_path}/other.db", tmp_path / "other") as other:
        for _ in range(2):
            for offer in offers(target, "web"):
                other.fetch(offer, target)
                files = [ArtifactFile(part.role, Path(part.digest), part.digest) for part in offer.parts]
                version = other.register(offer.image, offer.document, artifacts=files, packages={}, builder="test", actor=ACTOR)

        assert (version.digest, version.existed) == (web.digest, True)
        assert other.check(deep=True).faults == ()
        kept = tmp_path / "other/blobs" / offer.parts[0].digest.replace(":", "/")
        assert kept.stat().st_blocks * 512 < kept.stat().st_size


def test_pushing_again_sends_nothing_and_changes_nothing(local_bench: Bench, target: BlobStore) -> None:
    build(local_bench, "web", 1)
    local_bench.registry.push("web:1", target)
    before = (target.note("index.json"), sorted(target.digests()))
    told: list[int] = []

    local_bench.registry.push("web:1", target, lambda part: lambda done, total: told.append(done))

    assert told == []
    after = (target.note("index.json"), sorted(target.digests()))
    assert after[0] == before[0]
    assert [name for name, _ in after[1]] == [name for name, _ in before[1]]


class Cut(Exception):
    """The line is lost."""


def test_a_push_that_is_cut_short_shows_nothing_and_goes_on_where_it_stopped(local_bench: Bench, target: BlobStore) -> None:
    build(local_bench, "web", 1, chunks="dd0dd")

    def cut(done: int, total: int) -> None:
        if done > 3 * CHUNK_BYTES:
            raise Cut

    with pytest.raises(Cut):
        local_bench.registry.push("web:1", target, lambda part: cut)
    assert not target.note("index.json") or json.loads(target.note("index.json") or b"")["manifests"] == []
    begun: list[int] = []

    def note(part: Part) -> Callable[[int, int], None]:
        return lambda done, total: begun.append(done)

    local_bench.registry.push("web:1", target, note)

    assert begun[0] > 2 * CHUNK_BYTES
    assert [offer.name for offer in offers(target, "web:1")] == ["web:1"]


def test_a_push_that_dies_at_any_file_operation_is_finished_by_the_next(local_bench: Bench, tmp_path: Path) -> None:
    build(local_bench, "web", 1, build(local_bench, "base", 1, chunks="d"), chunks="d")
    local_bench.registry.close()
    for place in range(1, 200, 7):
        mirror = tmp_path / f"mirror{place}"
        _, status = os.waitpid(fork(partial(_push_dying, local_bench.url, tmp_path / "store", mirror, place)), 0)
        if (mirror / "index.json").exists():
            for entry in json.loads((mirror / "index.json").read_bytes())["manifests"]:
                assert LocalStore(mirror).is_intact(entry["digest"]), f"dead before operation {place}"
                name = entry["annotations"].get("org.opencontainers.image.ref.name")
                for part in offers(LocalStore(mirror), name)[-1].parts if name else ():
                    assert LocalStore(mirror).is_intact(part.digest), f"dead before operation {place}"
        with open_registry(local_bench.url, tmp_path / "store") as registry:
            registry.push("web:1", LocalStore(mirror))
        assert [offer.name for offer in offers(LocalStore(mirror), "web:1")] == ["base:1", "web:1"]
        shutil.rmtree(mirror)
        if not os.WIFSIGNALED(status):
            assert place > 20
            return
    pytest.fail("a push never came to its end")


def _push_dying(url: str, store: Path, mirror: Path, place: int) -> None:
    """A push in a process that is killed before its file operation number `place`."""
    import signal

    passed = 0

    def counted(act: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            nonlocal passed
            passed += 1
            if passed == place:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*arguments, **options)

        return run

    with open_registry(url, store) as registry:
        # Only in this process, which ends here.
        os.fsync, os.pwrite = counted(os.fsync), counted(os.pwrite)  # type: ignore[assignment]
        Path.rename, Path.unlink = counted(Path.rename), counted(Path.unlink)  # type: ignore[assignment, method-assign]
        registry.push("web:1", LocalStore(mirror))


def test_a_damaged_disk_is_not_pushed(local_bench: Bench, target: BlobStore) -> None:
    version = build(local_bench, "web", 1)
    spoil(local_bench.registry.blobs, local_bench.registry.show(version.ref).artifacts[0].digest, 2)

    with pytest.raises(MachineError, match="other bytes than its hash says"):
        local_bench.registry.push("web:1", target)

    assert list(target.digests()) == []


def test_a_store_of_a_registry_is_not_pushed_to(local_bench: Bench, tmp_path: Path) -> None:
    build(local_bench, "web", 1)
    (tmp_path / "other").mkdir()
    build(other := Bench(tmp_path / "other"), "web", 2)

    with pytest.raises(UserError, match="belongs to a registry"):
        local_bench.registry.push("web:1", other.registry.blobs)


def test_two_registries_that_number_alike_do_not_take_each_others_names(tmp_path: Path, target: BlobStore) -> None:
    for name, chunks in (("one", "d"), ("two", "dd")):
        (tmp_path / name).mkdir()
        build(Bench(tmp_path / name), "web", 1, chunks=chunks)
    registries: list[Registry] = [
        open_registry(f"sqlite:///{tmp_path / name}/registry.db", tmp_path / name / "store") for name in ("one", "two")
    ]
    registries[0].push("web:1", target)

    with pytest.raises(UserError, match="another version under the name web:1"):
        registries[1].push("web:1", target)

    assert offers(target, "web:1")[0].digest == registries[0].show("web:1").version.digest


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda index: b"{", "layout.malformed"),
        (lambda index: b'{"manifests": [{"digest": "latest"}]}', "layout.malformed"),
        (
            lambda index: index.replace(b'"org.goldsmith.subject":"sha256:', b'"org.goldsmith.subject":"sha256:0'),
            "pull.malformed",
        ),
        (lambda index: index.replace(b"web:1", b"shop:1"), "pull.malformed"),
        (lambda index: index.replace(b"web:1", b"web:2"), "pull.unknown"),
    ],
)
def test_an_index_that_lies_is_found_out(
    local_bench: Bench, tmp_path: Path, damage: Callable[[bytes], bytes], code: str
) -> None:
    build(local_bench, "web", 1)
    target = LocalStore(tmp_path / "mirror")
    local_bench.registry.push("web:1", target)
    index = tmp_path / "mirror/index.json"
    lying = damage(index.read_bytes())
    index.write_bytes(lying)

    with pytest.raises((UserError, MachineError)) as caught:
        offers(target, "shop:1" if b"shop:1" in lying else "web" if code == "pull.malformed" else "web:1")

    assert caught.value.diagnostics[0].code == code


def test_what_a_store_does_not_have_is_told_with_what_it_has(local_bench: Bench, target: BlobStore) -> None:
    with pytest.raises(MachineError, match="has no index"):
        offers(target if target.note("index.json") is None else in_memory(), "web:1")
    build(local_bench, "web", 1)
    local_bench.registry.push("web:1", target)

    with pytest.raises(UserError, match="no version") as caught:
        offers(target, "wbe:1")

    assert "it has web:1" in caught.value.diagnostics[0].why
    assert 'Did you mean "web:1"?' in caught.value.diagnostics[0].next


# ── other tools ───────────────────────────────────────────────────────────────────────────────────────────────────────


def skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("skopeo") is None:
        pytest.skip("Debian's package skopeo is not installed: ./bootstrap tests")
    return subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_skopeo_copies_what_was_pushed_and_refuses_a_flipped_bit(local_bench: Bench, tmp_path: Path) -> None:
    version = build(local_bench, "web", 1, build(local_bench, "base", 1, chunks="d"))
    mirror = tmp_path / "mirror"
    local_bench.registry.push("web:1", LocalStore(mirror))

    copied = skopeo("copy", f"oci:{mirror}:web:1", f"oci:{tmp_path / 'copy'}:web:1")

    assert copied.returncode == 0, copied.stderr
    part = local_bench.registry.show(version.ref).parts[0]
    assert LocalStore(tmp_path / "copy").is_intact(part.digest)
    spoil(LocalStore(mirror), part.digest, 0)
    refused = skopeo("copy", f"oci:{mirror}:web:1", f"oci:{tmp_path / 'again'}:web:1")
    assert refused.returncode != 0
    assert "digest" in refused.stderr.lower()


def test_skopeo_reads_the_registrys_own_store_by_its_index(local_bench: Bench, tmp_path: Path) -> None:
    for number in (1, 2):
        build(local_bench, "web", number, chunks="d")

    assert local_bench.registry.write_index(actor=ACTOR) == 2
    events = len(local_bench.types())
    assert local_bench.registry.write_index(actor=ACTOR) == 2

    assert len(local_bench.types()) == events
    assert local_bench.registry.check(deep=True).faults == ()
    copied = skopeo("copy", f"oci:{tmp_path / 'store'}:web:2", f"oci:{tmp_path / 'copy'}:web:2")
    assert copied.returncode == 0, copied.stderr
