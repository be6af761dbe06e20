"""goldsmith.lock: what was pinned is read back, bad files are refused, and other runs' pins are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.lock import ImageLock, LockedPackage, LockedSuite, read_lock, write_lock
from goldsmith.project.pins import LockFile

PACKAGE = LockedPackage(
    name="bash", version="5.2", architecture="amd64", sha256="ab" * 32, size=1, url="http://archive.invalid/b.deb"
)
LOCK = ImageLock(
    request="sha256:00",
    epoch=1_700_000_000,
    suites=(LockedSuite(url="http://archive.invalid", suite="bookworm", sha256="cd" * 32, date=1_700_000_000),),
    packages=(PACKAGE,),
)


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_lock(tmp_path / "goldsmith.lock", {"base": LOCK})

    assert read_lock(tmp_path / "goldsmith.lock") == {"base": LOCK}


def test_a_missing_file_pins_nothing(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "goldsmith.lock") == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 99, "images": {}}', '{"schema": 1, "images": {"a": {"x": 1}}}'])
def test_what_is_no_lock_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "goldsmith.lock"
    path.write_text(text)

    with pytest.raises(UserError) as refused:
        read_lock(path)

    assert refused.value.diagnostics[0].code == "lock.unreadable"
    assert path.read_text() == text


def test_the_digest_names_what_the_source_takes_and_not_what_steps_added() -> None:
    assert replace(LOCK, added=(PACKAGE,)).digest == LOCK.digest
    assert replace(LOCK, packages=()).digest != LOCK.digest


def test_a_run_keeps_what_another_run_has_pinned_meanwhile(tmp_path: Path) -> None:
    ours = LockFile(tmp_path)
    write_lock(tmp_path / "goldsmith.lock", {"other": LOCK})
    ours.of("base").note(LOCK)

    assert ours.save()
    assert set(read_lock(tmp_path / "goldsmith.lock")) == {"base", "other"}


def test_nothing_new_is_not_written(tmp_path: Path) -> None:
    write_lock(tmp_path / "goldsmith.lock", {"base": LOCK})
    file = LockFile(tmp_path)
    file.of("base").note(LOCK)

    assert not file.save()


def test_an_upgrade_looks_at_no_pin_and_keeps_those_of_other_images(tmp_path: Path) -> None:
    write_lock(tmp_path / "goldsmith.lock", {"base": LOCK, "other": LOCK})
    file = LockFile(tmp_path, ignore_existing=True)
    assert file.of("base").lock is None

    file.of("base").note(replace(LOCK, packages=()))
    file.save()

    assert read_lock(tmp_path / "goldsmith.lock") == {"base": replace(LOCK, packages=()), "other": LOCK}
