"""Workspaces for end-to-end tests; packages are fetched and the fleet is built once a session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workspace import FLEET, Workspace


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache for all workspaces of this session."""
    path = tmp_path_factory.mktemp("cache")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Workspace]:
    """The example fleet, built once for all tests that look at it; needs root, namespaces and the archive."""
    root = tmp_path_factory.mktemp("fleet")
    shutil.copytree(FLEET, root, dirs_exist_ok=True)
    space = Workspace(root, shared_cache, {"FLEET_SESSION_SECRET": "a-secret-of-the-build-4711"})
    # What the tests look at is the evidence of web; the gates of its parent would boot two more machines.
    space.goldsmith("build", "-no-gates", "base")
    space.goldsmith("build", "web")
    yield space
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def project(fleet: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the built fleet with one more image, `small`, whose template the test writes."""
    copy = Workspace(tmp_path / "project", fleet.cache, fleet.environment)
    shutil.copytree(fleet.root, copy.root, symlinks=True)
    with (copy.root / "goldsmith.hcl").open("a") as file:
        file.write('\nimage "small" {\n  template = "small"\n}\n')
    (copy.root / "small").mkdir()
    yield copy
    shutil.rmtree(copy.root, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What boots a disk for each mutation takes half an hour: it runs only when it is asked for."""
    if "mutations" not in config.getoption("markexpr"):
        left_out = [item for item in items if item.get_closest_marker("mutations")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
