"""Files that are written as a whole: nothing is half there, and a failure leaves the old one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from goldsmith.images.whole import copy_whole, is_copy, write_whole


def test_a_reader_sees_the_old_or_the_new_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [b"a" * 200_000, b"b" * 100_000]
    write_whole(path, contents[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        write_whole(path, contents[number % 2])
    done.set()
    reader.join()

    assert seen <= set(contents)


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()  # no file can replace a directory

    with pytest.raises(OSError):
        write_whole(tmp_path / "file", "text")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_copy_has_the_same_bytes_time_and_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "disk.raw", tmp_path / "copy.raw"
    with source.open("wb") as file:
        file.write(b"head" * 5000)
        file.seek(50 << 20)
        file.write(b"tail")
        file.truncate(60 << 20)

    copy_whole(source, target)

    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert target.stat().st_blocks * 512 < 1 << 20
    assert is_copy(target, source)
    (tmp_path / "empty").touch()
    copy_whole(tmp_path / "empty", target)
    assert target.stat().st_size == 0
