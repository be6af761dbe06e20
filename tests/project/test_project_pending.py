"""A finished image that cannot be signed, stored or registered is kept, and `goldsmith resume` finishes it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.project.small_project import PROJECT, SmallProject, make_small_project


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return make_small_project(tmp_path / "project", tmp_path / "cache")


def check_pending(project: SmallProject, told: str, code: str) -> None:
    """A failed build says what is wrong, keeps the image and names the command; the registry is as before."""
    assert f"[{code}]" in told, told
    assert "[image.pending]" in told
    assert "goldsmith resume small" in told
    assert len(project.pending()) == 1
    assert project.pending()[0].startswith("small-")


def check_resumed(project: SmallProject) -> None:
    """`resume` registers it without running a step, and the next build has nothing to do."""
    told = project.goldsmith("resume", "small")
    assert "small:1 is registered" in told
    assert "Step" not in told
    assert project.pending() == []
    assert "small" in project.goldsmith("images")
    verified = project.goldsmith("verify", "small/output/small.qcow2", code=3)
    assert "is the proven file" in verified
    assert "none has examined it" in verified
    again = project.goldsmith("build", "small")
    assert "Signing and registering" not in again


def test_a_build_that_goes_well_leaves_nothing_pending(project: SmallProject) -> None:
    told = project.goldsmith("build", "small")

    assert "small:1 NOT EXAMINED" in told
    assert not (project.root / ".goldsmith/pending").exists()
    assert "Nothing is pending" in project.goldsmith("resume")
    assert "Nothing of small is pending" in project.goldsmith("resume", "small")


def test_a_read_only_registry(project: SmallProject) -> None:
    database = project.root / ".goldsmith/registry.db"

    told = project.goldsmith(
        "build", "small", code=1, mounts=f"mount --bind {database} {database}\nmount -o remount,bind,ro {database}"
    )

    check_pending(project, told, "registry.read-only")
    check_resumed(project)


def test_a_registry_that_another_program_holds(project: SmallProject) -> None:
    with sqlite3.connect(project.root / ".goldsmith/registry.db", isolation_level=None) as held:
        held.execute("BEGIN IMMEDIATE")
        told = project.goldsmith("build", "small", code=1, patience_ms=300)
        held.execute("ROLLBACK")
    held.close()

    check_pending(project, told, "registry.busy")
    check_resumed(project)


def test_a_store_that_is_full(project: SmallProject) -> None:
    store = project.root / ".goldsmith/store"
    store.mkdir(exist_ok=True)

    told = project.goldsmith("build", "small", code=1, mounts=f"mount -t tmpfs -o size=64k full {store}")

    check_pending(project, told, "store.disk-full")
    assert "small" not in project.goldsmith("images")
    check_resumed(project)


@pytest.mark.parametrize("broken", ["missing", "unreadable"])
def test_a_signing_key_that_cannot_be_used(project: SmallProject, broken: str) -> None:
    project.goldsmith("build", "-var", "text=first", "small")  # makes the key
    key = project.root / "keys/goldsmith.key"
    kept = key.read_bytes()
    if broken == "missing":
        key.unlink()
    else:
        key.write_text("no key")

    told = project.goldsmith("build", "-var", "text=second", "small", code=1)

    check_pending(project, told, f"signing.key-{broken}")
    key.write_bytes(kept)
    assert "small:2 is registered" in project.goldsmith("resume")
    assert project.pending() == []


def test_the_project_directory_itself_is_full(project: SmallProject) -> None:
    """Then nothing can be written down there, but the cache has the disk: the next build registers it and builds nothing."""
    state = project.root / ".goldsmith"
    full = (
        f"cp -a {state} /run/state-of-test\nmount -t tmpfs -o size=1m full {state}\ncp -a /run/state-of-test/. {state}\n"
        f"dd if=/dev/zero of={state}/fill bs=1k count=2000 2>/dev/null || true"
    )
    told = project.goldsmith("build", "small", code=1, mounts=f"mount -t tmpfs tmpfs /run\n{full}")

    assert "full" in told or "No space" in told, told
    assert "small" not in project.goldsmith("images")
    assert "small:1" in project.goldsmith("build", "small")


def test_the_next_build_registers_what_waits_and_examines_nothing_again(project: SmallProject) -> None:
    store = project.root / ".goldsmith/store"
    store.mkdir(exist_ok=True)
    project.goldsmith("build", "small", code=1, mounts=f"mount -t tmpfs -o size=64k full {store}")

    told = project.goldsmith("build", "small")

    assert "small:1" in told
    assert "cached" in told
    assert project.pending() == []


def test_a_killed_registration_is_resumed(project: SmallProject) -> None:
    """What a `kill -9` between writing down and registering leaves is exactly this."""
    store = project.root / ".goldsmith/store"
    store.mkdir(exist_ok=True)
    project.goldsmith("build", "small", code=1, mounts=f"mount -t tmpfs -o size=64k full {store}")
    shutil.rmtree(project.cache / "images")  # the cache was pruned meanwhile
    shutil.rmtree(project.root / "small/output")

    assert "small:1 is registered" in project.goldsmith("resume")
    shown = project.goldsmith("show", "small")
    for kind in ("provenance", "sbom-cyclonedx", "sbom-spdx"):
        assert kind in shown


def test_an_altered_disk_is_not_registered(project: SmallProject) -> None:
    store = project.root / ".goldsmith/store"
    store.mkdir(exist_ok=True)
    project.goldsmith("build", "small", code=1, mounts=f"mount -t tmpfs -o size=64k full {store}")
    waiting = project.root / ".goldsmith/pending" / project.pending()[0] / "small.qcow2"
    content = bytearray(waiting.read_bytes())
    content[len(content) // 2] ^= 1
    waiting.unlink()
    waiting.write_bytes(content)

    told = project.goldsmith("resume", code=1)

    assert "[store.other-bytes]" in told
    assert len(project.pending()) == 1
    assert "small" not in project.goldsmith("images")


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"image": "small", "files": 3})])
def test_a_damaged_record_is_told(project: SmallProject, text: str) -> None:
    place = project.root / ".goldsmith/pending/small-000000000000"
    place.mkdir(parents=True)
    (place / "pending.json").write_text(text)

    assert "[pending.unreadable]" in project.goldsmith("resume", code=1)
    assert place.exists()


def test_resume_outside_a_project_says_so(tmp_path: Path) -> None:
    outside = SmallProject(tmp_path, tmp_path / "cache")

    assert "[project.none]" in outside.goldsmith("resume", code=1)


def test_two_pending_versions_are_registered_in_their_order(tmp_path: Path) -> None:
    project = make_small_project(tmp_path / "project", tmp_path / "cache", PROJECT)
    store = project.root / ".goldsmith/store"
    store.mkdir(exist_ok=True)
    full = f"mount -t tmpfs -o size=64k full {store}"
    for text in ("first", "second"):
        project.goldsmith("build", "-var", f"text={text}", "small", code=1, mounts=full)

    told = project.goldsmith("resume")

    assert told.index("small:1 is registered") < told.index("small:2 is registered")
    assert subprocess.run(["ls", project.root / ".goldsmith/pending"], capture_output=True, check=False).returncode != 0
