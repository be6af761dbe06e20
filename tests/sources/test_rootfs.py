"""Making root file systems of real packages."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldsmith.components import Base, Context
from goldsmith.events import Event, Output, Progress
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images.lock import ImageLock, write_lock
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.sources.bootstrap import Bootstrap, BootstrapConfig
from tests.sources.archive_workbench import Pinned, Repository, Server, new_context_in

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="root file systems are made as root"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap is not installed"),
]

REAL = BootstrapConfig(release="bookworm", packages=("openssh-server",), architecture="amd64")


@dataclass(frozen=True)
class Real:
    """A lock of the real archive, and the cache that has its packages."""

    lock: ImageLock
    cache: Path


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """The packages of a small Debian, fetched once."""
    place = tmp_path_factory.mktemp("real")
    context = new_context_in(place, [], Pinned())
    try:
        base_of(context)
    except MachineError as error:
        pytest.skip(f"the Debian archive cannot be used here: {error}")
    assert isinstance(context.pins, Pinned) and context.pins.lock is not None
    yield Real(context.pins.lock, context.cache)
    shutil.rmtree(place)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory for trees, which are too large to be kept until pytest's own clean-up."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def base_of(context: Context) -> Base:
    return Bootstrap().base(REAL, context, None)  # type: ignore[arg-type]  # this source looks up no image


def make(real: Real, place: Path, events: list[Event], cancellation: Cancellation | None = None) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    context = new_context_in(place, events, Pinned(real.lock), cache=real.cache, cancellation=cancellation)
    step = base_of(context).step
    assert step is not None
    tree = place / "tree"
    tree.mkdir()
    step.make(tree)
    return tree


def described(tree: Path, epoch: int) -> dict[str, tuple[object, ...]]:
    """Everything about a tree that a layer keeps; times are clamped to the epoch, as a layer does."""

    def walk() -> Iterator[tuple[str, tuple[object, ...]]]:
        for where, directories, files in os.walk(tree):
            for path in (Path(where) / name for name in directories + files):
                facts = path.lstat()
                content = ""
                if stat.S_ISLNK(facts.st_mode):
                    content = str(path.readlink())
                elif stat.S_ISREG(facts.st_mode):
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                moment = min(int(facts.st_mtime), epoch)
                yield (
                    str(path.relative_to(tree)),
                    (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_rdev, moment, content, xattrs(path)),
                )

    return dict(walk())


def xattrs(path: Path) -> tuple[tuple[str, bytes], ...]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)


def processes_naming(text: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def test_packages_that_make_no_system_are_told(
    server: Server, repository: Repository, new_context: Callable[..., Context], tmp_path: Path, events: list[Event]
) -> None:
    config = BootstrapConfig(
        release="bookworm",
        suites=("bookworm",),
        mirrors=(server.url,),
        keyring=str(repository.keys.public),
        architecture="amd64",
    )
    base = Bootstrap().base(config, new_context(Pinned()), None)  # type: ignore[arg-type]  # looks up no image
    assert base.step is not None
    (tmp_path / "tree").mkdir()

    with pytest.raises(MachineError) as caught:
        base.step.make(tmp_path / "tree")

    assert caught.value.diagnostics[0].code == "rootfs.failed"
    assert "exit code" in caught.value.diagnostics[0].why
    assert any(isinstance(event, Output) and event.kind == "out" for event in events), "what was said is passed on"


@pytest.mark.slow
def test_two_makings_give_the_same_tree(real: Real, place: Path) -> None:
    events: list[Event] = []
    one = make(real, place / "one", events)
    before = os.umask(0o077)
    try:
        two = make(real, place / "elsewhere" / "two", [])
    finally:
        os.umask(before)

    first, second = described(one, real.lock.epoch), described(two, real.lock.epoch)

    assert {path: facts for path, facts in first.items() if second.get(path) != facts} == {}
    assert first.keys() == second.keys()
    assert Progress in {type(event) for event in events}
    check_contents(one, real.lock)


def check_contents(tree: Path, lock: ImageLock) -> None:
    """A tree has the locked packages and the declared sources, and nothing of this host or of the tools that made it."""
    status = (tree / "var/lib/dpkg/status").read_text()
    assert set(re.findall(r"(?m)^Package: (.+)$", status)) == {package.name for package in lock.packages}
    assert status.count("Status: install ok installed") == len(lock.packages)
    sources = (tree / "etc/apt/sources.list.d/debian.sources").read_text()
    assert "URIs: http://deb.debian.org/debian\n" in sources and "Suites: bookworm-security\n" in sources
    assert (tree / "usr/share/keyrings/debian-archive-keyring.gpg").is_file()
    assert not (tree / "etc/apt/sources.list").exists()
    for left in ("etc/resolv.conf", "etc/hostname"):
        assert not (tree / left).exists()
    assert not list(tree.glob("etc/**/99mmdebstrap"))
    assert not list(tree.glob("etc/ssh/ssh_host_*"))
    assert not (tree / "etc/machine-id").exists() or not (tree / "etc/machine-id").read_bytes()
    assert (tree / "bin").is_symlink() and not (tree / "usr/share/doc/usrmerge").exists()


@pytest.mark.slow
def test_a_stop_ends_everything_at_once(real: Real, place: Path) -> None:
    cancellation = Cancellation()
    events: list[Event] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            make(real, place / "work-of-this-test", events, cancellation)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until(lambda: any(isinstance(event, Output) for event in events), 60)
    cancellation.request()
    thread.join(5)

    assert not thread.is_alive()
    assert [type(error) for error in failures] == [Cancelled]
    assert wait_until(lambda: not processes_naming("work-of-this-test"), 5)


@pytest.mark.slow
def test_nothing_is_left_after_kill_9(real: Real, place: Path) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    write_lock(place / "goldsmith.lock", {"base": real.lock})
    script = (
        "import sys\nfrom pathlib import Path\nfrom goldsmith.images.lock import read_lock\n"
        "from tests.sources.test_rootfs import Real, make\n"
        "place = Path(sys.argv[1])\n"
        "make(Real(read_lock(place / 'goldsmith.lock')['base'], Path(sys.argv[2])), place / 'killed-work', [])\n"
    )
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", script, str(place), str(real.cache)], cwd=root)
    room = place / "killed-work/work"
    assert wait_until(lambda: bool(processes_naming(str(room))), 60)
    time.sleep(1)

    child.send_signal(signal.SIGKILL)
    child.wait()

    assert wait_until(lambda: not processes_naming(str(room)), 5)
    assert Path("/proc/self/mountinfo").read_text() == mounts


@pytest.mark.slow
def test_a_full_disk_is_told(real: Real, place: Path) -> None:
    write_lock(place / "goldsmith.lock", {"base": real.lock})
    script = (
        "import sys\nfrom pathlib import Path\nfrom goldsmith.hcl.diagnostics import MachineError\n"
        "from goldsmith.images.lock import read_lock\nfrom tests.sources.test_rootfs import Real, make\n"
        "place = Path(sys.argv[1])\n"
        "try:\n    make(Real(read_lock(place / 'goldsmith.lock')['base'], Path(sys.argv[2])), place / 'small', [])\n"
        "except MachineError as error:\n    print(error.diagnostics[0].code)\n"
    )
    (place / "small").mkdir()
    mount_first = 'mount -t tmpfs -o size=40m none "$0/small" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount_first, str(place), sys.executable, "-c", script, str(place), str(real.cache)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == "disk.full", done.stderr
