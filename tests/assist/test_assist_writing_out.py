"""What conversion writes: never over what a person changed, unless told so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldsmith.assist.writing_out import ACCOUNT, with_digests, write_files
from goldsmith.hcl.diagnostics import UserError


def _made(**files: str) -> dict[str, bytes]:
    return with_digests({ACCOUNT: b"{}", **{f"tasks/{name}.yml": text.encode() for name, text in files.items()}})


def test_files_are_written_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert set(write_files(_made(main="a"), out)) == {ACCOUNT, "tasks/main.yml"}
    assert (out / "tasks/main.yml").read_text() == "a"
    assert write_files(_made(main="a"), out) == ()
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == [ACCOUNT, "main.yml"]


def test_what_an_earlier_run_wrote_is_replaced_and_removed(tmp_path: Path) -> None:
    write_files(_made(main="a", old="b"), tmp_path)

    write_files(_made(main="c"), tmp_path)

    assert (tmp_path / "tasks/main.yml").read_text() == "c"
    assert not (tmp_path / "tasks/old.yml").exists()


def test_what_a_person_changed_is_refused_with_a_diff_and_nothing_is_written(tmp_path: Path) -> None:
    write_files(_made(main="a\nb\n"), tmp_path)
    (tmp_path / "tasks/main.yml").write_text("a\nmine\n")

    with pytest.raises(UserError) as caught:
        write_files(_made(main="a\nc\n", more="x"), tmp_path)

    (told,) = caught.value.diagnostics
    assert told.code == "convert.would-overwrite"
    assert "-mine" in told.why and "+c" in told.why
    assert not (tmp_path / "tasks/more.yml").exists()
    write_files(_made(main="a\nc\n"), tmp_path, force=True)
    assert (tmp_path / "tasks/main.yml").read_text() == "a\nc\n"


def test_files_of_others_are_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT).write_text('{"files": {"../victim": "00", "/etc/passwd": "00"}}')

    with pytest.raises(UserError):
        write_files(_made(main="a"), tmp_path)
    write_files(_made(main="a"), tmp_path, force=True)
    assert set(json.loads((tmp_path / ACCOUNT).read_bytes())["files"]) == {"tasks/main.yml"}


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(UserError) as caught:
        write_files(_made(main="a"), tmp_path / "out")

    assert caught.value.diagnostics[0].code == "convert.output"
