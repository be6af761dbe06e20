"""Directories as a stream: they arrive as they are, and a hostile stream writes nowhere else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.tree_stream import read_tree, write_tree
from tests.machines.machine_workbench import names_below

NAMES = st.text("abc .-é", min_size=1, max_size=5).filter(lambda name: name not in (".", ".."))
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.one_of(st.binary(max_size=600), st.text("ab/.")))


@given(TREES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tree_arrives_as_it_is(tmp_path_factory: pytest.TempPathFactory, tree: dict[tuple[str, ...], bytes | str]) -> None:
    source, back = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("back")
    for parts, content in tree.items():
        make(source.joinpath(*parts), content)
    stream = io.BytesIO()

    write_tree(source, (), stream)
    stream.seek(0)
    read_tree(stream, back)

    assert names_below(back) == names_below(source)
    for name in names_below(source):
        there, here = source / name, back / name
        assert there.is_symlink() == here.is_symlink()
        if there.is_symlink():
            assert there.readlink() == here.readlink()
        elif there.is_file():
            assert there.read_bytes() == here.read_bytes()


def make(path: Path, content: bytes | str) -> None:
    """A file, or a link to a text; nothing where a file is in the way."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            return
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.symlink_to(content or "x")
    except (FileExistsError, NotADirectoryError):
        return


@pytest.mark.parametrize("name", ["../out", "a/../../out", "link/out", "/../out"])
def test_an_entry_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    stream.seek(0)

    with pytest.raises(MachineError) as caught:
        read_tree(stream, tmp_path / "inside")

    assert caught.value.diagnostics[0].code == "machine.escapes"
    assert not (tmp_path / "out").exists()


def test_an_absolute_name_stays_below(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("/deep")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    stream.seek(0)

    read_tree(stream, tmp_path / "inside")

    assert names_below(tmp_path / "inside") == {"deep"}
