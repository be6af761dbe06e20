"""Disks that are made from their layers when they are asked for, in a real project; and disks that come back from layers."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from goldsmith.project import load_project, open_registry
from goldsmith.registry import VersionDetail
from tests.project.small_project import PROJECT, SmallProject, make_small_project

pytestmark = pytest.mark.slow

REMAKE = 'store {\n  disks = "remake"\n}\n'


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return make_small_project(tmp_path / "project", tmp_path / "cache", PROJECT + REMAKE)


def shown(project: SmallProject, reference: str) -> VersionDetail:
    with open_registry(load_project(project.root / "goldsmith.hcl")) as registry:
        return registry.show(reference)


def blob(project: SmallProject, digest: str) -> Path:
    return project.root / ".goldsmith/store/blobs" / digest.replace(":", "/")


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def test_layers_are_stored_once_in_place_of_disks_and_give_the_same_disk_anywhere(
    project: SmallProject, tmp_path: Path
) -> None:
    project.goldsmith("build", "small")
    first = project.root / "first.qcow2"
    shutil.move(project.root / "small/output/small.qcow2", first)
    project.goldsmith("build", "-force", "-var", "text=two", "small")

    roles = [Counter(part.role for part in shown(project, name).parts) for name in ("small:1", "small:2")]
    assert roles == [Counter(layer=2, recipe=1)] * 2
    layers = [{part.digest for part in shown(project, name).parts if part.role == "layer"} for name in ("small:1", "small:2")]
    assert len(layers[0] & layers[1]) == 1, "the layer of the parent is stored once"
    artifact = shown(project, "small:1").artifacts[0]
    assert (artifact.kind, artifact.bound_by, blob(project, artifact.digest).exists()) == ("qcow2", "remade", False)

    project.goldsmith("export", "small:1", str(tmp_path / "here.qcow2"))
    elsewhere = SmallProject(project.root, tmp_path / "empty-cache")
    elsewhere.goldsmith("export", "-format=qcow2", "small:1", str(tmp_path / "there"))

    assert same(tmp_path / "here.qcow2", first)
    assert same(tmp_path / "there", first)
    assert "[export.format]" in project.goldsmith("export", "small:1", str(tmp_path / "x.raw"), code=1)
    assert not (tmp_path / "x.raw").exists()
    assert "sound" in project.goldsmith("registry", "check", "-deep")


def test_a_remade_version_travels_and_is_made_by_who_pulled_it(project: SmallProject, tmp_path: Path) -> None:
    project.goldsmith("build", "small")
    project.goldsmith("push", "small", f"file://{tmp_path}/mirror")
    other = SmallProject(tmp_path / "other", tmp_path / "other-cache")
    other.root.mkdir()
    (other.root / "goldsmith.hcl").write_text("")

    key = project.root / "keys/goldsmith.pub"
    told = other.goldsmith("pull", f"-key={key}", "small", f"file://{tmp_path}/mirror")
    other.goldsmith("export", "small", "disk.qcow2")

    assert "small:1" in told
    assert same(other.root / "disk.qcow2", project.root / "small/output/small.qcow2")


def test_a_damaged_layer_and_a_lost_one_come_back_from_the_cache(project: SmallProject) -> None:
    project.goldsmith("build", "small")
    damaged, lost = (part.digest for part in shown(project, "small").parts if part.role == "layer")
    blob(project, damaged).chmod(0o644)
    blob(project, damaged).write_bytes(b"?")
    blob(project, lost).unlink()

    told = project.goldsmith("registry", "scrub", "-repair")

    assert told.count("came back from the layers on this host") == 2
    assert "sound" in project.goldsmith("registry", "check", "-deep")


def test_a_stored_disk_comes_back_from_its_layers(tmp_path: Path) -> None:
    project = make_small_project(tmp_path / "project", tmp_path / "cache", PROJECT)
    project.goldsmith("build", "small")
    disk = shown(project, "small").artifacts[0]
    assert disk.bound_by == "full"
    blob(project, disk.digest).unlink()

    assert "came back from the layers on this host" in project.goldsmith("registry", "scrub", "-repair")
    project.goldsmith("export", "small", "disk.qcow2")

    assert same(project.root / "disk.qcow2", project.root / "small/output/small.qcow2")


def test_a_disk_that_is_stored_after_all_is_one_more_blob(project: SmallProject) -> None:
    project.goldsmith("build", "small")
    (project.root / "goldsmith.hcl").write_text(PROJECT)
    for left in (project.root / ".goldsmith/last").iterdir():
        left.unlink()

    project.goldsmith("build", "-force", "small")

    artifact = shown(project, "small:1").artifacts[0]
    assert (artifact.bound_by, blob(project, artifact.digest).exists()) == ("full", True)
    assert "sound" in project.goldsmith("registry", "check", "-deep")


def test_mirrors_get_every_version_and_one_that_is_away_gets_it_later(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    project = make_small_project(
        tmp_path / "project", tmp_path / "cache", PROJECT + f'store {{\n  mirrors = ["file://{mirror}"]\n}}\n'
    )
    mirror.write_text("in the way")

    told = project.goldsmith("build", "small", code=1)
    assert "[push.pending]" in told
    assert "small:1" in project.goldsmith("show", "small")
    mirror.unlink()
    assert f"small:1 is in file://{mirror}" in project.goldsmith("resume", "small")

    assert project.pending() == []
    assert (mirror / "index.json").exists()
