"""Post-processor `compress`: every format is read back by a reader that we did not write."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.components import Artifact, Context
from goldsmith.events import Event, Output
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images import compression
from goldsmith.postprocessors.compress import Compress, CompressConfig, Form, form_of
from goldsmith.postprocessors.compression import ALGORITHMS, CompressedWriter


def _zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout


READERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.decompress,
    "bgzf": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
    "zst": _zstd,
}


def _read(ending: str, data: bytes) -> bytes:
    if ending == "zst" and shutil.which("zstd") is None:
        pytest.skip("needs the program zstd")
    return READERS[ending](data)


@pytest.mark.parametrize("ending", READERS)
def test_a_compressed_tar_holds_all_files(ending: str, artifact: Artifact, context: Context) -> None:
    done = Compress().process(CompressConfig(output=f"x/all.tar.{ending}"), artifact, context)

    data = _read(ending, (context.cwd / f"x/all.tar.{ending}").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [entry.name for entry in archive] == ["one", "two"]
        two = archive.extractfile("two")
        assert two is not None
        assert two.read() == b"2" * 300_000
    assert done.artifact is not None
    assert done.artifact.text == f"compressed artifacts in: x/all.tar.{ending}"
    assert done.artifact.files == (Path(f"x/all.tar.{ending}"),)
    assert (done.keep_input, done.must_keep) == (False, False)


@pytest.mark.parametrize("ending", READERS)
def test_one_file_may_be_compressed_alone(ending: str, artifact: Artifact, context: Context) -> None:
    Compress().process(CompressConfig(output=f"two.{ending}"), replace(artifact, files=artifact.files[1:]), context)

    assert _read(ending, (context.cwd / f"two.{ending}").read_bytes()) == b"2" * 300_000


def test_a_zip_holds_all_files(artifact: Artifact, context: Context) -> None:
    Compress().process(CompressConfig(output="all.zip", compression_level=9), artifact, context)

    with zipfile.ZipFile(context.cwd / "all.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["one", "two"]
        assert archive.read("one") == b"1" * 10


def test_a_plain_tar_holds_all_files(artifact: Artifact, context: Context) -> None:
    Compress().process(CompressConfig(output="all.tar"), artifact, context)

    with tarfile.open(context.cwd / "all.tar", "r:") as archive:
        assert archive.getnames() == ["one", "two"]


def test_without_an_ending_it_is_a_gzipped_tar_under_packers_name(artifact: Artifact, context: Context) -> None:
    Compress().process(CompressConfig(), artifact, context)

    with tarfile.open(context.cwd / "packer_a_file", "r:gz") as archive:
        assert archive.getnames() == ["one", "two"]


def test_equal_files_give_equal_archives(artifact: Artifact, context: Context) -> None:
    import os

    for number, name in enumerate(("a.tar.gz", "b.tar.gz", "a.zip", "b.zip")):
        os.utime(context.cwd / "out/one", (number * 1000, number * 1000))
        Compress().process(CompressConfig(output=name), artifact, context)

    for ending in ("tar.gz", "zip"):
        assert (context.cwd / f"a.{ending}").read_bytes() == (context.cwd / f"b.{ending}").read_bytes()


def test_two_files_do_not_fit_into_one_without_an_archive(artifact: Artifact, context: Context) -> None:
    with pytest.raises(UserError, match=r"Can only have 1 input file when not using tar/zip\. Found 2 files"):
        Compress().process(CompressConfig(output="x.gz"), artifact, context)

    assert sorted(path.name for path in context.cwd.iterdir()) == ["out"]


@pytest.mark.skipif(find_spec("lz4") is not None, reason="the library is installed here")
def test_a_missing_library_is_named(artifact: Artifact, context: Context) -> None:
    with pytest.raises(UserError, match="needs the Python package lz4"):
        Compress().process(CompressConfig(output="x.tar.lz4"), artifact, context)

    assert sorted(path.name for path in context.cwd.iterdir()) == ["out"]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("x.tar.gz", Form("tar", "pgzip")),
        ("x.gz", Form("", "pgzip")),
        ("x.v1.gz", Form("", "pgzip")),
        ("x.tar", Form("tar", "")),
        ("x.zip", Form("zip", "")),
        ("x.tar.lz4", Form("tar", "lz4")),
        ("x", None),
        ("x.img", None),
    ],
)
def test_the_ending_chooses_the_format(name: str, form: Form | None) -> None:
    assert form_of(name) == form


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"compression_level": 10}, "Invalid compression level. Expected an integer from -1 to 9."),
        ({"format": "rar"}, 'Unknown compression format "rar"'),
        ({"output": "{{"}, "Error parsing target template"),
    ],
)
def test_wrong_settings_are_the_users_error(given_settings: dict[str, object], message: str, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        Compress().check(CompressConfig(**given_settings), context)  # type: ignore[arg-type] # the values are given by each case

    assert message in str(caught.value)


def test_it_says_what_it_does(artifact: Artifact, context: Context, events: list[Event]) -> None:
    Compress().process(CompressConfig(output="all.tar.gz"), artifact, context)

    said = [event.text for event in events if isinstance(event, Output)]
    assert said[1:] == ["Tarring all.tar.gz with pgzip", "Archive all.tar.gz completed"]


# The dictionaries of xz and bzip2 take a while to clear at high levels.
@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=200_000), st.sampled_from(["pgzip", "bgzf", "bzip2", "xz"]), st.integers(1, 3), st.integers(-1, 4))
def test_the_bytes_do_not_depend_on_the_cores(data: bytes, name: str, cores: int, level: int) -> None:
    small = replace(ALGORITHMS[name], chunk=min(ALGORITHMS[name].chunk, 50_000))

    def compressed(cores: int) -> bytes:
        file = io.BytesIO()
        with CompressedWriter(file, small, level, cores) as writer:
            writer.write(data[:70_001])
            writer.write(data[70_001:])
        return file.getvalue()

    reader = {"pgzip": gzip, "bgzf": gzip, "bzip2": bz2, "xz": lzma}[name]
    assert compressed(cores) == compressed(1)
    assert reader.decompress(compressed(cores)) == data


def test_zstd_members_are_read_by_our_own_reader(tmp_path: Path) -> None:
    with (tmp_path / "x.zst").open("wb") as file, CompressedWriter(file, ALGORITHMS["zstd"], -1, 2) as writer:
        writer.write(b"a" * 5_000_000)

    with compression.open_reader(tmp_path / "x.zst") as reader:
        assert reader.read() == b"a" * 5_000_000
