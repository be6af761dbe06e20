"""What the tests of sources share: an archive, its server, contexts to resolve in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.events import Event
from goldsmith.machines.cancellation import Cancellation
from tests.sources.archive_workbench import Keys, Pinned, Repository, Server, make_keys, new_context_in, serve


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    for program in ("apt-get", "dpkg-deb", "gpg", "gpgv"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def two_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, Keys]]:
    """Keys of the archive, and keys of somebody else."""
    made = make_keys(tmp_path_factory.mktemp("k")), make_keys(tmp_path_factory.mktemp("o"))
    yield made
    for keys in made:
        subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


@pytest.fixture
def repository(tmp_path: Path, two_keys: tuple[Keys, Keys]) -> Repository:
    """An archive with an essential package, apt, and a tool that needs a library."""
    repository = Repository(tmp_path / "archive", two_keys[0])
    repository.add("essential-thing", Essential="yes")
    repository.add("apt", "2:2.6")
    repository.add("libthing", "1.2-3+deb12u1")
    repository.add("tool", Depends="libthing (>= 1.0)")
    repository.add("unneeded")
    repository.publish()
    return repository


@pytest.fixture
def server(repository: Repository) -> Iterator[Server]:
    """The archive, served on loopback."""
    made = serve(repository.root)
    yield made
    made.stop()


@pytest.fixture
def events() -> list[Event]:
    """What was emitted."""
    return []


@pytest.fixture
def new_context(tmp_path: Path, events: list[Event]) -> Callable[..., Context]:
    """Makes contexts that share one cache."""

    def make(pins: Pinned | None = None, cache: str = "cache", cancellation: Cancellation | None = None) -> Context:
        return new_context_in(tmp_path, events, pins, cache=tmp_path / cache, cancellation=cancellation)

    return make
