"""Layers: what an upper directory becomes, the tar that names it, and the way there and back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import UserError
from goldsmith.images import LayerStore
from goldsmith.images.layer import digest_of, normalise_upper
from goldsmith.images.merge import merge_layers
from goldsmith.images.tarstream import write_tar
from goldsmith.images.tree import scan
from tests.images.image_workbench import EPOCH, facts, times, write

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not {0, 47} & set(name) and name not in (b".", b"..") and not name.startswith(b".wh.")
)
LONG_NAMES = st.integers(90, 255).map(lambda length: b"n" * length)
FILES = st.tuples(st.just("file"), st.binary(max_size=2000), st.sampled_from([0o644, 0o4755, 0o600, 0]))
LINKS = st.tuples(st.just("link"), NAMES, st.just(0))
NODES = st.sampled_from([("fifo", b"", 0o644), ("device", b"", 0o660), ("hard", b"", 0)])
LEAVES = FILES | LINKS | NODES
TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES | LONG_NAMES, inner, max_size=5), max_leaves=20)
ROOTS = st.dictionaries(NAMES | LONG_NAMES, TREES, max_size=6)


def plant(directory: Path, content: object, owner: int = 0) -> None:
    """Make a tree of hypothesis's on the disk. A "hard" leaf is a second name of the first file beside it."""
    assert isinstance(content, dict)
    first: Path | None = None
    for name, node in content.items():
        place = directory / os.fsdecode(name)
        owner += 70_001
        if isinstance(node, dict):
            place.mkdir()
            plant(place, node, owner)
            os.chown(place, owner, owner)
            continue
        kind, data, mode = node
        if kind == "hard" and first is not None:
            place.hardlink_to(first)
            continue
        if kind == "link":
            place.symlink_to(os.fsdecode(data))
        elif kind == "fifo":
            os.mkfifo(place)
        elif kind == "device":
            os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        else:
            place.write_bytes(data)
            os.setxattr(place, "user.note", data[:50])
            first = first or place
        os.chown(place, owner, owner, follow_symlinks=False)
        if kind != "link":
            place.chmod(mode)


@settings(max_examples=60)
@given(ROOTS)
def test_a_tree_goes_through_a_layer_tar_and_back_unchanged(content: object) -> None:
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        (base / "tree").mkdir()
        plant(base / "tree", content)
        one, other = LayerStore(base / "one"), LayerStore(base / "other")
        layer = one.adopt(base / "tree", (), EPOCH)
        one.export_tar(layer.diff_id, base / "layer.tar.zst")

        assert other.unpack(base / "layer.tar.zst", layer.diff_id) == layer
        assert facts(other.path(layer.diff_id)) == facts(one.path(layer.diff_id))
        assert times(other.path(layer.diff_id)) == times(one.path(layer.diff_id))


OVERLAY = """
import json, os, shutil, subprocess, sys
base, steps = sys.argv[1], json.loads(sys.argv[2])
lowers = ":".join(f"{base}/{name}" for name in sys.argv[3:])
options = f"lowerdir={lowers},upperdir={base}/upper,workdir={base}/work,redirect_dir=off,metacopy=off,index=off"
subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, f"{base}/merged"], check=True)
os.chdir(f"{base}/merged")
for what, name, data in steps:
    directory = os.path.isdir(name) and not os.path.islink(name)
    parent = os.path.dirname(name)
    if parent and not os.path.isdir(parent):
        continue
    if what == "remove" and os.path.lexists(name):
        shutil.rmtree(name) if directory else os.unlink(name)
    elif what == "write" and not directory:
        open(name, "w").write(data)
    elif what == "mkdir" and not os.path.lexists(name):
        os.mkdir(name)
    elif what == "touch" and os.path.lexists(name):
        os.utime(name, follow_symlinks=False)
    elif what == "chmod" and os.path.exists(name):
        os.chmod(name, 0o700)
    elif what == "rewrite" and os.path.isfile(name):
        content = open(name).read()
        open(name, "w").write(content)
os.chdir("/")
subprocess.run(["cp", "-a", f"{base}/merged", f"{base}/shown"], check=True)
"""

PATHS = st.sampled_from(["a", "b", "a/x", "a/y", "a/x/deep", "b/z", "new", "new/in"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["remove", "write", "mkdir", "touch", "chmod", "rewrite"]), PATHS, st.sampled_from(["", "one", "two"])
    ),
    max_size=8,
)


def overlaid(base: Path, steps: list[tuple[str, str, str]], *lowers: str) -> None:
    """Run steps in a real overlay over `lowers` (highest first) of base; what it shows in the end is in base/shown."""
    for name in ("upper", "work", "merged"):
        (base / name).mkdir()
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-I", "-c", OVERLAY, str(base), json.dumps(steps), *(lowers or ("lower",))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@settings(max_examples=25)
@given(STEPS, STEPS)
def test_layers_on_top_of_each_other_show_what_the_overlays_showed(
    first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        base = Path(directory)
        write(base / "lower", {"a/x/deep": "one", "a/y": "two", "b/z": "one"})
        overlaid(base, first)
        normalise_upper(base / "upper", [base / "lower"], EPOCH)
        merge_layers([base / "lower", base / "upper"], base / "result")
        assert facts(base / "result") == facts(base / "shown")

        (base / "upper").rename(base / "middle")
        for name in ("work", "merged", "shown", "result"):
            shutil.rmtree(base / name)
        overlaid(base, second, "middle", "lower")
        normalise_upper(base / "upper", [base / "lower", base / "middle"], EPOCH)
        merge_layers([base / "lower", base / "middle", base / "upper"], base / "result")
        assert facts(base / "result") == facts(base / "shown")


def test_a_step_that_changes_nothing_leaves_an_empty_layer(tmp_path: Path) -> None:
    write(tmp_path / "lower", {"a/x": "one", "b": "two"})
    overlaid(tmp_path, [("touch", "a/x", ""), ("rewrite", "b", ""), ("write", "new", "x"), ("remove", "new", "")])
    assert [entry.path for entry in scan(tmp_path / "upper")] != []

    layer = normalise_upper(tmp_path / "upper", [tmp_path / "lower"], EPOCH)

    assert layer.files == 0
    assert scan(tmp_path / "upper") == []


def test_deletions_and_replaced_directories_are_kept_as_overlay_marks(tmp_path: Path) -> None:
    write(tmp_path / "lower", {"a/x": "one", "a/y": "two", "b": "two"})
    overlaid(tmp_path, [("remove", "a", ""), ("mkdir", "a", ""), ("write", "a/x", "new"), ("remove", "b", "")])

    layer = normalise_upper(tmp_path / "upper", [tmp_path / "lower"], EPOCH)

    marks = {entry.path: (entry.kind, entry.opaque) for entry in scan(tmp_path / "upper")}
    assert marks == {b"a": ("directory", True), b"a/x": ("file", False), b"b": ("whiteout", False)}
    assert layer.files == 3


def test_a_layer_has_no_time_later_than_the_epoch(tmp_path: Path) -> None:
    write(tmp_path / "upper", {"a/x": "one", "old": "two"})
    (tmp_path / "upper/link").symlink_to("a")
    os.utime(tmp_path / "upper/old", (1_000, 1_000))

    normalise_upper(tmp_path / "upper", (), EPOCH)

    assert times(tmp_path / "upper") == {b"a": EPOCH, b"a/x": EPOCH, b"link": EPOCH, b"old": 1_000}


def test_the_digest_is_that_of_the_exported_tar_and_gnu_tar_unpacks_it(store: LayerStore, tmp_path: Path) -> None:
    write(tmp_path / "tree", {"a/x": "one", "n" * 150: "long", "ü/ö": b"\0" * 5000})
    os.link(tmp_path / "tree/a/x", tmp_path / "tree/second")
    (tmp_path / "tree/link").symlink_to("t" * 130)
    os.chown(tmp_path / "tree/a/x", 4_000_000, 5)
    layer = store.adopt(tmp_path / "tree", (), EPOCH)
    store.export_tar(layer.diff_id, tmp_path / "layer.tar.zst")

    plain = subprocess.run(["zstd", "-dc", tmp_path / "layer.tar.zst"], capture_output=True, check=True).stdout
    (tmp_path / "gnu").mkdir()
    subprocess.run(["tar", "-x", "-p", "--numeric-owner", "-C", tmp_path / "gnu"], input=plain, check=True)

    assert "sha256:" + hashlib.sha256(plain).hexdigest() == layer.diff_id
    assert facts(tmp_path / "gnu") == facts(store.path(layer.diff_id))
    assert times(tmp_path / "gnu") == times(store.path(layer.diff_id))


def test_the_same_tree_has_the_same_digest_whatever_order_it_was_made_in(tmp_path: Path) -> None:
    names = {f"file{number}": "x" for number in range(50)}
    write(tmp_path / "one", names)
    write(tmp_path / "other", dict(reversed(names.items())))

    digests = {normalise_upper(tmp_path / name, (), EPOCH).diff_id for name in ("one", "other")}

    assert len(digests) == 1


def test_an_overlay_with_references_to_other_layers_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "upper", {"a/x": "one"})
    os.setxattr(tmp_path / "upper/a", "trusted.overlay.redirect", b"/elsewhere")

    with pytest.raises(UserError, match="only a reference to another layer"):
        normalise_upper(tmp_path / "upper", (), EPOCH)


def test_a_name_that_means_a_deletion_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "upper", {"a/.wh.x": "one"})

    with pytest.raises(UserError, match=r'"/a/\.wh\.x"'):
        normalise_upper(tmp_path / "upper", (), EPOCH)


def test_sockets_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    os.mknod(tmp_path / "upper/socket", stat.S_IFSOCK | 0o600)

    assert normalise_upper(tmp_path / "upper", (), EPOCH).files == 0


def test_compiled_python_that_clamping_made_stale_is_dropped(tmp_path: Path) -> None:
    def compiled(mtime: int) -> bytes:
        return b"\xa7\r\r\n" + bytes(4) + mtime.to_bytes(4, "little") + bytes(4)

    write(tmp_path / "upper", {"m/new.py": "", "m/old.py": ""})
    os.utime(tmp_path / "upper/m/old.py", (1_000, 1_000))
    write(tmp_path / "upper", {"m/__pycache__/new.cpython-311.pyc": compiled(EPOCH + 99)})
    write(tmp_path / "upper", {"m/__pycache__/old.cpython-311.pyc": compiled(1_000)})

    normalise_upper(tmp_path / "upper", (), EPOCH)

    assert [path.name for path in (tmp_path / "upper/m/__pycache__").iterdir()] == ["old.cpython-311.pyc"]


def test_a_changed_mode_bit_changes_the_digest(tmp_path: Path) -> None:
    write(tmp_path / "tree", {"x": "one"})
    before = digest_of(scan(tmp_path / "tree"))

    (tmp_path / "tree/x").chmod(0o600)

    assert digest_of(scan(tmp_path / "tree")) != before


def test_pythons_tarfile_reads_a_capability_back(tmp_path: Path) -> None:
    value = bytes.fromhex("0100000200200000000000000000000000000000")
    write(tmp_path / "tree", {"ping": "#!"})
    os.setxattr(tmp_path / "tree/ping", "security.capability", value)
    with (tmp_path / "layer.tar").open("wb") as file:
        write_tar(scan(tmp_path / "tree"), file.write)

    with tarfile.open(tmp_path / "layer.tar", errors="surrogateescape") as archive:
        header = archive.getmember("ping").pax_headers["SCHILY.xattr.security.capability"]

    assert header.encode("utf-8", "surrogateescape") == value
