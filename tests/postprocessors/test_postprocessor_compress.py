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
from dataclasses import replace
from pathlib import Path

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.components import Artifact, Context
from goldsmith.events import Event, Output, Warned
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images import compression
from goldsmith.postprocessors.compress import Compress, CompressConfig, Form, form_of
from goldsmith.postprocessors.compression import ALGORITHMS, CompressedWriter

READERS = {"gz": "gzip", "bgzf": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd", "lz4": "lz4"}
"""The program that reads each format."""


def _read(ending: str, data: bytes) -> bytes:
    """What the format's own program makes of the data; it checks the sums too."""
    program = READERS[ending]
    if shutil.which(program) is None:
        pytest.skip(f"needs the program {program}")
    done = subprocess.run([program, "-dc"], input=data, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


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
        # With directories, as Packer names the files of a zip.
        assert archive.namelist() == ["out/one", "out/two"]
        assert archive.read("out/one") == b"1" * 10


@pytest.mark.skipif(shutil.which("unzip") is None, reason="needs the program unzip")
def test_unzip_reads_a_zip_with_its_modes(artifact: Artifact, context: Context) -> None:
    (context.cwd / "out/one").chmod(0o751)
    Compress().process(CompressConfig(output="all.zip"), artifact, context)

    subprocess.run(["unzip", "-q", "all.zip", "-d", "x"], cwd=context.cwd, check=True)

    assert (context.cwd / "x/out/one").stat().st_mode & 0o777 == 0o751
    assert (context.cwd / "x/out/two").read_bytes() == b"2" * 300_000


@pytest.mark.parametrize("name", ["all.zip", "all.tar"])
def test_the_place_of_files_on_this_host_is_not_told(name: str, artifact: Artifact, context: Context) -> None:
    absolute = replace(artifact, files=tuple(context.cwd / path for path in artifact.files))

    Compress().process(CompressConfig(output=name), absolute, context)

    assert str(context.cwd).strip("/").encode() not in (context.cwd / name).read_bytes()


def test_two_files_of_one_name_are_both_kept(artifact: Artifact, context: Context) -> None:
    (context.cwd / "more").mkdir()
    (context.cwd / "more/one").write_bytes(b"other")

    Compress().process(CompressConfig(output="all.tar"), replace(artifact, files=(*artifact.files, Path("more/one"))), context)

    with tarfile.open(context.cwd / "all.tar") as archive:
        assert archive.getnames() == ["out/one", "out/two", "more/one"]


@pytest.mark.parametrize(
    ("output", "format", "form"),
    [
        ("x", "tar.gz", Form("tar", "pgzip")),
        ("x.tar", "gz", Form("tar", "pgzip")),
        ("x.tar", "lz4", Form("tar", "lz4")),
        ("x.gz", "zip", Form("zip", "")),
        ("v1.2/x", "xz", Form("", "xz")),
    ],
)
def test_the_format_is_one_more_ending(
    output: str, format: str, form: Form, artifact: Artifact, context: Context, events: list[Event]
) -> None:
    Compress().process(CompressConfig(output=output, format=format), replace(artifact, files=artifact.files[:1]), context)

    data = (context.cwd / output).read_bytes()
    assert data[:2] == {"pgzip": b"\x1f\x8b", "lz4": b"\x04\x22", "xz": b"\xfd7", "": b"PK"}[form.algorithm]
    assert not [event for event in events if isinstance(event, Warned)]


def test_an_unknown_format_is_warned_of_and_written_as_packer_does(
    artifact: Artifact, context: Context, events: list[Event]
) -> None:
    Compress().process(CompressConfig(output="x", format="rar"), artifact, context)

    with tarfile.open(context.cwd / "x", "r:gz") as archive:
        assert archive.getnames() == ["one", "two"]
    assert ['"rar" is not known' in event.text for event in events if isinstance(event, Warned)] == [True]


@pytest.mark.parametrize(("given_level", "meant"), [(0, -1), (12, 9)])
def test_levels_that_packer_takes_for_others(given_level: int, meant: int, artifact: Artifact, context: Context) -> None:
    for level in (given_level, meant):
        Compress().process(CompressConfig(output=f"{level}.tar.gz", compression_level=level), artifact, context)

    assert (context.cwd / f"{given_level}.tar.gz").read_bytes() == (context.cwd / f"{meant}.tar.gz").read_bytes()


def test_bgzf_is_made_of_blocks_that_tell_their_size(artifact: Artifact, context: Context) -> None:
    Compress().process(CompressConfig(output="x.bgzf"), replace(artifact, files=artifact.files[1:]), context)

    data, blocks = (context.cwd / "x.bgzf").read_bytes(), []
    while data:
        # SAM specification, section 4.1: a gzip member whose extra field BC holds the size of the block, less one.
        assert data[:4] == b"\x1f\x8b\x08\x04"
        assert data[10:16] == b"\x06\x00BC\x02\x00"
        size = int.from_bytes(data[16:18], "little") + 1
        blocks.append(gzip.decompress(data[:size]))
        assert len(blocks[-1]) <= 1 << 16
        data = data[size:]
    assert b"".join(blocks) == b"2" * 300_000
    assert len(blocks) > 4
    assert blocks[-1] == b"", "the end of the file is an empty block"


def test_fields_that_a_source_tells_are_known_to_the_output(artifact: Artifact, context: Context) -> None:
    told = replace(context, generated={"SourceAMI": "ami-1"})

    done = Compress().process(CompressConfig(output="{{.SourceAMI}}-{{.BuildName}}.tar"), artifact, told)

    assert done.artifact is not None
    assert done.artifact.files == (Path("ami-1-a.tar"),)


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
        ({"compression_level": -2}, "Invalid compression level. Expected an integer from -1 to 9."),
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
@settings(max_examples=40)
@given(
    st.binary(max_size=200_000), st.sampled_from(["pgzip", "bgzf", "bzip2", "xz", "lz4"]), st.integers(1, 3), st.integers(-1, 4)
)
def test_the_bytes_do_not_depend_on_the_cores(data: bytes, name: str, cores: int, level: int) -> None:
    small = replace(ALGORITHMS[name], chunk=min(ALGORITHMS[name].chunk, 50_000))

    def compressed(cores: int) -> bytes:
        file = io.BytesIO()
        with CompressedWriter(file, small, level, cores) as writer:
            writer.write(data[:70_001])
            writer.write(data[70_001:])
        return file.getvalue()

    reader = {"pgzip": gzip, "bgzf": gzip, "bzip2": bz2, "xz": lzma, "lz4": lz4.frame}[name]
    assert compressed(cores) == compressed(1)
    assert reader.decompress(compressed(cores)) == data


def test_zstd_members_are_read_by_our_own_reader(tmp_path: Path) -> None:
    with (tmp_path / "x.zst").open("wb") as file, CompressedWriter(file, ALGORITHMS["zstd"], -1, 2) as writer:
        writer.write(b"a" * 5_000_000)

    with compression.open_reader(tmp_path / "x.zst") as reader:
        assert reader.read() == b"a" * 5_000_000
