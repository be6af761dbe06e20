"""What a look at a tree tells when only what the kernel reports is looked at, held against a look at everything."""

from __future__ import annotations

import mmap
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.assist.changes import Changes, Watch
from goldsmith.machines import Journal, Sandbox
from tests.assist.trace_workbench import make_bash_tree

PLACES = ("low", "low/sub", "new", "tmp/new")
BESIDE = ("tmp", "run")
NAMES = ("one", "two")
FILES = tuple(f"{place}/{name}" for place in PLACES for name in NAMES)
PATHS = st.sampled_from((*FILES, "new/linked", *PLACES))
LINES = st.sampled_from((0, 1, 2, 12_000))
"""How long a text is; the longest is more than is remembered of a file."""

Action = tuple[str, str, str, int]


class Bench:
    """A sandbox with two watches of it: one is told what to look at, the other looks at everything."""

    def __init__(self, sandbox: Sandbox, upper: Path, tree: Path) -> None:
        self.root = sandbox.place("/")
        beside = {name: sandbox.place(f"/{name}") for name in BESIDE}
        self.told = Watch(upper, [tree], beside, "run/goldsmith", self.root)
        self.whole = Watch(upper, [tree], beside, "run/goldsmith")

    def look(self) -> tuple[Changes, Changes]:
        return self.told.look(), self.whole.look()

    def act(self, action: Action) -> None:
        """Do something to the tree; what cannot be done is left out, such as mapping an empty file."""
        name, path, other, lines = action
        with suppress(OSError, shutil.Error, ValueError):
            getattr(self, f"_{name}")(self.root / path, self.root / other, b"line\n" * lines)

    def _write(self, path: Path, _other: Path, text: bytes) -> None:
        path.write_bytes(text)

    def _append(self, path: Path, _other: Path, text: bytes) -> None:
        with path.open("ab") as file:
            file.write(text)

    def _overwrite(self, path: Path, _other: Path, text: bytes) -> None:
        with path.open("r+b") as file:
            file.write(text[:1])

    def _map(self, path: Path, _other: Path, text: bytes) -> None:
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 1) as mapped:
            mapped[0:1] = text[:1] or b"m"

    def _replace(self, path: Path, _other: Path, text: bytes) -> None:
        new = path.with_name(".new")
        new.write_bytes(text)
        new.rename(path)

    def _truncate(self, path: Path, _other: Path, text: bytes) -> None:
        os.truncate(path, len(text) // 2)

    def _chmod(self, path: Path, _other: Path, text: bytes) -> None:
        path.chmod(stat.S_IMODE(path.lstat().st_mode) ^ (0o100 if text else 0o011))

    def _chown(self, path: Path, _other: Path, text: bytes) -> None:
        os.chown(path, len(text) % 7, 3, follow_symlinks=False)

    def _date(self, path: Path, _other: Path, text: bytes) -> None:
        os.utime(path, (1, len(text)), follow_symlinks=False)

    def _attribute(self, path: Path, _other: Path, text: bytes) -> None:
        os.setxattr(path, "security.capability", b"\1\0\0\2" + bytes([len(text) % 5]) + bytes(15), follow_symlinks=False)

    def _mkdir(self, path: Path, _other: Path, _text: bytes) -> None:
        path.mkdir(parents=True)

    def _remove(self, path: Path, _other: Path, _text: bytes) -> None:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _remake(self, path: Path, _other: Path, text: bytes) -> None:
        shutil.rmtree(path)
        path.mkdir()
        (path / "one").write_bytes(text)

    def _move(self, path: Path, other: Path, _text: bytes) -> None:
        shutil.move(path, other)

    def _copy(self, path: Path, other: Path, _text: bytes) -> None:
        shutil.copytree(path, other, symlinks=True) if path.is_dir() else shutil.copy2(path, other)

    def _link(self, path: Path, other: Path, _text: bytes) -> None:
        other.hardlink_to(path)

    def _symlink(self, path: Path, other: Path, _text: bytes) -> None:
        other.symlink_to("/" + path.name)

    def _socket(self, path: Path, _other: Path, _text: bytes) -> None:
        os.mknod(path, stat.S_IFSOCK | 0o600)


ACTIONS = st.tuples(
    st.sampled_from([name[1:] for name in vars(Bench) if name.startswith("_") and not name.startswith("__")]),
    PATHS,
    PATHS,
    LINES,
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_bash_tree(tmp_path_factory.mktemp("watched") / "tree")
    for name in PLACES[:2]:
        (root / name).mkdir()
        for file in NAMES:
            (root / name / file).write_text(f"{file} of {name}\n")
    return root


@contextmanager
def watched(tree: Path) -> Iterator[Bench]:
    with TemporaryDirectory() as name:
        place = Path(name)
        upper = place / "upper"
        upper.mkdir()
        with Sandbox([tree], upper, place / "work", journal=Journal(place / "journal"), network="none") as sandbox:
            bench = Bench(sandbox, upper, tree)
            with bench.told, bench.whole:
                yield bench


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=st.lists(st.lists(ACTIONS, min_size=1, max_size=3), min_size=5, max_size=20))
def test_what_is_reported_is_all_that_a_look_at_everything_finds(tree: Path, commands: list[list[Action]]) -> None:
    with watched(tree) as bench:
        for path in FILES:
            bench.act(("mkdir", str(Path(path).parent), "", 0))
            bench.act(("append", path, "", 1))
        bench.act(("link", "low/one", "new/linked", 0))
        for actions in ([], *commands):
            for action in actions:
                bench.act(action)
            told, whole = bench.look()
            assert told == whole


def test_more_changes_than_the_kernel_reports_are_found_all_the_same(tree: Path) -> None:
    with watched(tree) as bench:
        place = bench.root / "low"
        bench.act(("write", "low/one", "", 1))
        bench.look()
        for number in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) // 3 + 100):
            (place / str(number)).touch()
        told, whole = bench.look()
        assert len(told.added) > 1000
        assert told == whole

        bench.act(("append", "low/1", "", 1))
        told, whole = bench.look()
        assert [item.path for item in told.changed] == ["/low/1"]
        assert told == whole
