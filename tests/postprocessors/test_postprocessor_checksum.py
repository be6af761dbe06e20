"""Post-processor `checksum`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from goldsmith.components import Artifact, Context
from goldsmith.events import Event, Progress
from goldsmith.hcl.diagnostics import UserError
from goldsmith.postprocessors.checksum import TYPES, Checksum, ChecksumConfig


def test_each_file_gets_a_line_with_a_tab(artifact: Artifact, context: Context) -> None:
    done = Checksum().process(ChecksumConfig(checksum_types=("sha256",), output="sums/SHA256SUMS"), artifact, context)

    one, two = (hashlib.sha256(content).hexdigest() for content in (b"1" * 10, b"2" * 300_000))
    assert (context.cwd / "sums/SHA256SUMS").read_text() == f"{one}\tone\n{two}\ttwo\n"
    assert done.artifact is not None
    assert done.artifact.files == (*artifact.files, Path("sums/SHA256SUMS"))
    assert done.artifact.text == "Created artifact from files: out/one, out/two, sums/SHA256SUMS"
    assert (done.keep_input, done.must_keep) == (True, True)


def test_the_default_output_is_packers(artifact: Artifact, context: Context) -> None:
    Checksum().process(ChecksumConfig(), artifact, context)

    assert (context.cwd / "packer_a_file_md5.checksum").read_text().splitlines()[
        0
    ] == f"{hashlib.md5(b'1' * 10).hexdigest()}\tone"


def test_a_second_artifact_is_added(artifact: Artifact, context: Context) -> None:
    for _ in range(2):
        Checksum().process(ChecksumConfig(output="sums"), artifact, context)

    assert len((context.cwd / "sums").read_text().splitlines()) == 4


@pytest.mark.parametrize("type", TYPES)
def test_all_types_agree_with_hashlib(type: str, artifact: Artifact, context: Context) -> None:
    Checksum().process(ChecksumConfig(checksum_types=(type,)), artifact, context)

    assert hashlib.new(type, b"1" * 10).hexdigest() in (context.cwd / f"packer_a_file_{type}.checksum").read_text()


def test_types_may_share_an_output(artifact: Artifact, context: Context) -> None:
    config = ChecksumConfig(checksum_types=("md5", "sha1"), output="sums")

    done = Checksum().process(config, artifact, context)

    assert done.artifact is not None
    assert done.artifact.files == (*artifact.files, Path("sums"))
    assert len((context.cwd / "sums").read_text().splitlines()) == 4


def test_hashing_tells_how_far_it_is(artifact: Artifact, context: Context, events: list[Event]) -> None:
    Checksum().process(ChecksumConfig(), artifact, context)

    progress = [event for event in events if isinstance(event, Progress)]
    assert progress[-1].done == progress[-1].total == 300_000


def test_an_unknown_type_is_the_users_error(context: Context) -> None:
    with pytest.raises(UserError, match="Unrecognized checksum type: crc32"):
        Checksum().check(ChecksumConfig(checksum_types=("crc32", "md5")), context)


def test_a_broken_output_is_the_users_error(context: Context) -> None:
    with pytest.raises(UserError, match="Error parsing target template"):
        Checksum().check(ChecksumConfig(output="{{ .BuildName"), context)
