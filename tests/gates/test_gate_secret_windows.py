"""Large contents are examined in parts: nothing is missed or told twice where they meet, whatever the content is packed in."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.events import ignore
from goldsmith.gates.contract import Facts, KnownSecret, Subject
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.gates.secrets.content import unpacked
from goldsmith.gates.secrets.windows import AFTER, SIZE, windows
from goldsmith.machines.cancellation import Cancellation

SECRET = "hand-over-4711/x"
LINE = b"an ordinary line of a log that says nothing of interest\n"
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def examine(tree: Path) -> Facts:
    known = (KnownSecret(name="s", value=SECRET),)
    subject = Subject(image="t", disk_digest="", tree=tree, disk=None, known_secrets=known, work=tree.parent)
    return Secrets().examine(subject, SecretsConfig(), ignore, Cancellation())


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@given(st.integers(-3, 3), st.integers(0, 3), st.integers(0, 500))
def test_each_byte_belongs_to_one_window_that_knows_its_line(around: int, parts: int, after: int) -> None:
    data = (LINE * ((parts * SIZE + after) // len(LINE) + 2))[: max(0, parts * SIZE + after + around)]

    place = 0
    for window in windows(BytesIO(data), after):
        own = window.data[window.start : window.end]
        assert own == data[place : place + len(own)]
        assert window.line_of(window.start) == data.count(b"\n", 0, place) + 1
        assert not window.is_whole or own == data
        place += len(own)
    assert place == len(data)


@pytest.mark.parametrize("offset", [SIZE - 40, SIZE - 16, SIZE - 8, SIZE - 1, SIZE, SIZE + 1, SIZE + AFTER, 2 * SIZE - 5])
def test_a_secret_where_two_windows_meet_is_found_once_on_its_line(tmp_path: Path, offset: int) -> None:
    (tmp_path / "tree").mkdir()
    text = (LINE * (3 * SIZE // len(LINE)))[:offset]
    token = "AKIA" + "QYLPMN5HHHFPZAM2"
    (tmp_path / "tree/log").write_bytes(text + SECRET.encode() + b" " + token.encode() + b"\n" + LINE * 10)

    found = [(finding.rule, finding.line) for finding in examine(tmp_path / "tree").findings]

    assert found.count(("known-secret", text.count(b"\n") + 1)) == 1
    assert len(found) == len(set(found)) == 2


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_the_end_of_a_large_content_is_examined_behind_every_stream(tmp_path: Path, kind: str) -> None:
    (tmp_path / "tree").mkdir()
    streams = [noise(SIZE + 17), LINE * 100, noise(100) + SECRET.encode()]
    padding = bytes(512) if kind in ("gz", "xz") else b""
    (tmp_path / f"tree/file.{kind}").write_bytes(padding.join(COMPRESSORS[kind](part) for part in streams))

    assert [finding.rule for finding in examine(tmp_path / "tree").findings] == ["known-secret"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tree"], "nothing is left in the gate's directory"


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_a_stream_that_breaks_off_gives_what_stands_before(tmp_path: Path, kind: str) -> None:
    whole = COMPRESSORS[kind](noise(3_000_000))

    found = []
    for content in unpacked(BytesIO(whole[: len(whole) * 2 // 3]), tmp_path):
        content.seek(0)
        found.append(content.read())

    assert noise(3_000_000).startswith(found[0])
    assert len(found[0]) > 500_000


def test_what_is_packed_in_an_archive_in_a_stream_is_examined(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a", noise(SIZE + 5) + SECRET.encode())
        target.writestr("b", "nothing")
    (tmp_path / "tree/archive").write_bytes(gzip.compress(archive.getvalue()))

    assert [finding.rule for finding in examine(tmp_path / "tree").findings] == ["known-secret"]


def test_what_stands_behind_the_plain_part_of_an_initrd_is_examined(tmp_path: Path) -> None:
    def entry(name: bytes, data: bytes) -> bytes:
        fields = [0] * 13
        fields[6], fields[11] = len(data), len(name) + 1
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        head = header + name + b"\0"
        head += bytes(-len(head) % 4)
        return head + data + bytes(-len(data) % 4)

    (tmp_path / "tree").mkdir()
    plain = entry(b"kernel/x86/microcode", noise(5001)) + entry(b"TRAILER!!!", b"") + bytes(1000)
    main = entry(b"etc/secret", SECRET.encode()) + entry(b"TRAILER!!!", b"")
    (tmp_path / "tree/initrd").write_bytes(plain + gzip.compress(main))

    assert [finding.rule for finding in examine(tmp_path / "tree").findings] == ["known-secret"]
