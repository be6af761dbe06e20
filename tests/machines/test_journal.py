"""The journal: written before, struck out after, swept when the owner is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.events import Event, Warned, ignore
from goldsmith.hcl.diagnostics import Bug, MachineError
from goldsmith.machines import Journal
from goldsmith.machines.journal import kinds, process_handle

HOLDS_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from goldsmith.machines import Journal
journal = Journal(Path(sys.argv[1]))
with journal.work_directory(Path(sys.argv[2])) as work:
    (work / "work").mkdir(mode=0)
    socket = work.parent / "socket"
    with journal.take("socket", str(socket)):
        socket.touch()
        print("held", flush=True)
        time.sleep(60)
"""


def start(code: str, *arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def entries(directory: Path) -> list[dict[str, str | int]]:
    return [json.loads(line) for path in directory.glob("*.jsonl") for line in path.read_text().splitlines()]


def test_a_thing_is_written_down_before_the_block_starts(journal: Journal, tmp_path: Path) -> None:
    with journal.take("file", str(tmp_path / "key")):
        owner, taken = entries(journal.directory)

    assert owner["owner"] == process_handle(os.getpid())
    assert taken == {"take": 1, "kind": "file", "handle": str(tmp_path / "key")}


def test_nothing_is_left_in_the_journal_when_nothing_is_held(journal: Journal, tmp_path: Path) -> None:
    with journal.take("file", str(tmp_path / "one")), journal.take("file", str(tmp_path / "two")):
        assert len(entries(journal.directory)) == 3

    assert not list(journal.directory.iterdir())


def test_opening_a_journal_writes_nothing(tmp_path: Path) -> None:
    assert Journal(tmp_path / "journal").sweep(ignore) == []
    assert not (tmp_path / "journal").exists()


def test_what_is_left_of_a_thing_is_released_with_the_block(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), journal.take("file", str(tmp_path / "key")):
        (tmp_path / "key").touch()
        raise ZeroDivisionError

    assert not (tmp_path / "key").exists()


def test_an_unknown_kind_is_a_bug(journal: Journal) -> None:
    with pytest.raises(Bug, match='no kind "moon"'), journal.take("moon", "1"):
        pass


def test_the_kinds_that_other_rooms_use_are_known() -> None:
    assert {"directory", "file", "process", "socket"} <= {line.split()[0] for line in kinds()}


def test_a_work_directory_is_private_and_removed(journal: Journal, tmp_path: Path) -> None:
    with journal.work_directory(tmp_path / "root") as work:
        assert work.parent == tmp_path / "root"
        assert work.stat().st_mode & 0o777 == 0o700
        (work / "work" / "work").mkdir(parents=True)
        (work / "work" / "work").chmod(0)

    assert not work.exists()


def test_a_work_directory_with_a_very_deep_tree_is_removed(journal: Journal, tmp_path: Path) -> None:
    with journal.work_directory(tmp_path) as work:
        before = os.open(".", os.O_RDONLY)
        try:
            os.chdir(work)
            for _ in range(1500):
                Path("deeper").mkdir()
                os.chdir("deeper")
        finally:
            os.fchdir(before)
            os.close(before)

    assert not work.exists()


def test_a_sweep_leaves_what_a_living_owner_holds(journal: Journal, tmp_path: Path) -> None:
    process = start(HOLDS_UNTIL_KILLED, journal.directory, tmp_path / "root")
    try:
        assert journal.sweep(ignore) == []
        assert list((tmp_path / "root").glob("work-*"))
    finally:
        kill(process)


def test_a_sweep_releases_what_a_killed_owner_held_newest_first(journal: Journal, tmp_path: Path) -> None:
    kill(start(HOLDS_UNTIL_KILLED, journal.directory, tmp_path / "root"))

    released = journal.sweep(ignore)

    assert [line.split()[0] for line in released] == ["socket", "directory"]
    assert not list((tmp_path / "root").iterdir())
    assert journal.sweep(ignore) == []


def test_a_torn_last_line_hides_nothing_else(journal: Journal, tmp_path: Path) -> None:
    kill(start(HOLDS_UNTIL_KILLED, journal.directory, tmp_path / "root"))
    (left,) = journal.directory.glob("*.jsonl")
    left.write_bytes(left.read_bytes() + b'{"take": 3, "ki')

    assert len(journal.sweep(ignore)) == 2


def test_what_cannot_be_released_is_told_and_kept_for_the_next_sweep(journal: Journal, tmp_path: Path) -> None:
    journal.directory.mkdir()
    left = journal.directory / "1-abc.jsonl"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lines = [{"owner": "1:1", "boot": boot}, {"take": 1, "kind": "moon", "handle": "x"}]
    left.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told: list[Event] = []

    assert journal.sweep(told.append) == []

    assert isinstance(told[0], Warned)
    assert "moon" in told[0].text
    assert left.exists()


def test_after_a_restart_of_the_host_only_what_outlives_it_is_released(journal: Journal, tmp_path: Path) -> None:
    journal.directory.mkdir()
    (tmp_path / "kept").mkdir()
    innocent = subprocess.Popen(["sleep", "60"])
    lines = [
        {"owner": "1:1", "boot": "another"},
        {"take": 1, "kind": "directory", "handle": str(tmp_path / "kept")},
        {"take": 2, "kind": "process", "handle": process_handle(innocent.pid)},
    ]
    (journal.directory / "1-abc.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    try:
        assert journal.sweep(ignore) == [f"directory {tmp_path / 'kept'}"]
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_sweeps_at_the_same_time_release_each_thing_once(journal: Journal, tmp_path: Path) -> None:
    for _ in range(3):
        kill(start(HOLDS_UNTIL_KILLED, journal.directory, tmp_path / "root"))
    released: list[str] = []
    sweeps = [threading.Thread(target=lambda: released.extend(Journal(journal.directory).sweep(ignore))) for _ in range(4)]

    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()

    assert len(released) == len(set(released)) == 4  # three directories, and the socket whose path they shared
    assert not list((tmp_path / "root").iterdir())


def test_a_swept_process_ends_with_its_children(journal: Journal, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    shell = f"sleep 61 & echo $! >> {pids}; setsid sleep 62 & echo $! >> {pids}; wait"
    with subprocess.Popen(["sh", "-c", shell], start_new_session=True) as parent:
        deadline = time.monotonic() + 5
        while not pids.exists() or len(pids.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with journal.take("process", process_handle(parent.pid)):
            pass

    for pid in map(int, pids.read_text().split()):
        assert not _runs(pid)


def test_a_process_that_has_the_pid_of_a_dead_one_is_left_alone(journal: Journal) -> None:
    with subprocess.Popen(["sleep", "60"]) as innocent:
        with journal.take("process", f"{innocent.pid}:12"):
            pass
        assert innocent.poll() is None
        innocent.send_signal(signal.SIGTERM)


def test_a_directory_near_the_root_is_never_removed(journal: Journal) -> None:
    with pytest.raises(MachineError, match="not removed"), journal.take("directory", "/etc"):
        pass
    assert Path("/etc").is_dir()


def test_removing_a_tree_stops_at_a_mount(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    (tmp_path / "tree" / "mounted").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    code = (
        "import sys; from pathlib import Path; from goldsmith.machines.release import remove_tree; "
        "from goldsmith.hcl.diagnostics import MachineError\n"
        f"try: remove_tree(Path({str(tmp_path / 'tree')!r}))\n"
        "except MachineError: sys.exit(3)"
    )
    # A tmpfs stands for another file system: a bind mount of the same one looks like a plain directory to any tool.
    mounts = f"mount -t tmpfs tmpfs {tmp_path}/tree/mounted && touch {tmp_path}/tree/mounted/file"
    checked = f'"$0" -c "$1"; test $? = 3 && test -e {tmp_path}/tree/mounted/file'
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{mounts} && {{ {checked}; }}", sys.executable, code], check=False
    )
    assert ended.returncode == 0


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40)


@settings(max_examples=20)
@given(names=st.lists(NAMES.filter(lambda name: name not in (".", "..")), max_size=5))
def test_any_handle_survives_the_journal(names: list[str], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for name in names:
        handle = str(tmp_path / "odd" / name)
        with journal.take("file", handle):
            assert entries(journal.directory)[-1]["handle"] == handle


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False
