"""CDs and floppy disks: what a machine finds on them, read back by other programs."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pycdlib
import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import UserError
from goldsmith.sources.attached_media import write_cd, write_floppy


def listed(image: Path) -> dict[str, bytes]:
    """The files of a CD by their Rock Ridge names."""
    cd = pycdlib.PyCdlib()
    cd.open(str(image))
    found: dict[str, bytes] = {}
    for directory, _, names in cd.walk(rr_path="/"):
        for name in names:
            path = f"{directory.rstrip('/')}/{name}"
            content = io.BytesIO()
            cd.get_file_from_iso_fp(content, rr_path=path)
            found[path] = content.getvalue()
    cd.close()
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "seed/deep").mkdir(parents=True)
    (tmp_path / "seed/user-data").write_text("#cloud-config")
    (tmp_path / "seed/deep/a-rather-long-name.with.dots").write_text("deep")
    (tmp_path / "one.txt").write_text("1")
    (tmp_path / "two.txt").write_text("2")
    return tmp_path


def test_a_cd_has_directories_patterns_and_texts(place: Path) -> None:
    write_cd(place / "cd.iso", "cidata", ["seed", "*.txt"], {"meta-data": "id", "sub/x": "y"}, place)

    assert listed(place / "cd.iso") == {
        "/seed/user-data": b"#cloud-config",
        "/seed/deep/a-rather-long-name.with.dots": b"deep",
        "/one.txt": b"1",
        "/two.txt": b"2",
        "/meta-data": b"id",
        "/sub/x": b"y",
    }


def test_a_directory_with_a_slash_behind_it_comes_without_its_name(place: Path) -> None:
    write_cd(place / "cd.iso", "cidata", ["seed/"], {"user-data": "mine"}, place)

    assert listed(place / "cd.iso")["/user-data"] == b"mine"


def test_the_label_is_on_the_cd(place: Path) -> None:
    write_cd(place / "cd.iso", "cidata", [], {"user-data": ""}, place)

    label = subprocess.run(
        ["blkid", "-o", "value", "-s", "LABEL", place / "cd.iso"], capture_output=True, text=True, check=True
    )
    assert label.stdout.strip() == "cidata"


def test_a_missing_file_is_named(place: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_cd(place / "cd.iso", "x", ["absent-*"], {}, place)

    assert "absent-*" in caught.value.diagnostics[0].what


@pytest.mark.skipif(shutil.which("mdir") is None, reason="mtools is not installed")
def test_a_floppy_disk_has_files_and_directories(place: Path, new_context: Callable[..., Context]) -> None:
    write_floppy(place / "floppy.img", "answers", ["one.txt", "seed"], {"autounattend.xml": "<x/>"}, new_context())

    told = subprocess.run(["mdir", "-/", "-b", "-i", place / "floppy.img", "::"], capture_output=True, text=True, check=True)
    assert {"::/one.txt", "::/seed/user-data", "::/autounattend.xml"} <= set(told.stdout.split())
