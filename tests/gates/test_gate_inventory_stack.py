"""Trees and stacks of layers as readers of packages see them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldsmith.gates.inventory import Stack
from goldsmith.images.merge import merge_layers

LAYERS = ("sha256:" + "1" * 64, "sha256:" + "2" * 64)


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{root.name}/{name}")
    return root


def text(stack: Stack, name: str) -> str | None:
    data = stack.read(name)
    return None if data is None else data.decode()


def test_the_files_of_a_tree_are_sorted_and_links_are_told(tmp_path: Path) -> None:
    root = write(tmp_path, "b", "a/c", "a.b")
    (root / "link").symlink_to("/etc")
    os.mkfifo(root / "pipe")

    stack = Stack([root])

    assert stack.names == ("a.b", "a/c", "b")
    assert stack.links == {"link": "/etc"}
    assert stack.layer("b") == ""


def test_no_link_is_followed_whatever_part_of_a_name_it_is(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", "secret", "deep/secret")
    root = write(tmp_path / "root", "file")
    (root / "last").symlink_to(outside / "secret")
    (root / "first").symlink_to(outside)
    (root / "loop").symlink_to("loop")

    stack = Stack([root])

    for name in ("last", "first/secret", "first/deep/secret", "loop", "loop/x", "../outside/secret", "/file", "", ".", "a\0b"):
        assert stack.path(name) is None, name
    assert stack.names == ("file",)
    assert stack.faults == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes and trusted attributes")
def test_whiteouts_and_opaque_directories_hide_what_is_below(tmp_path: Path) -> None:
    lower = write(tmp_path / "lower", "gone", "kept", "both", "dir/old", "shut/old", "was-file", "was-dir/x", "dev/zero")
    upper = write(tmp_path / "upper", "both", "dir/new", "shut/new", "was-file-not/x", "was-dir-not")
    os.mknod(upper / "gone", 0o020000, os.makedev(0, 0))
    os.mknod(upper / "was-dir", 0o020000, os.makedev(0, 0))
    os.mknod(upper / "null", 0o020666, os.makedev(1, 3))
    (upper / "dev").mkdir()
    os.mknod(upper / "dev/zero", 0o020666, os.makedev(1, 5))
    os.setxattr(upper / "shut", "trusted.overlay.opaque", b"y")

    stack = Stack([lower, upper], LAYERS)
    merge_layers([lower, upper], tmp_path / "merged")

    assert stack.names == Stack([tmp_path / "merged"]).names
    assert "gone" not in stack.names
    assert text(stack, "gone") is text(stack, "shut/old") is text(stack, "was-dir/x") is text(stack, "dev/zero") is None
    assert text(stack, "both") == "upper/both"
    assert stack.files_in("dir") == ["dir/new", "dir/old"]
    assert [stack.layer(name) for name in ("kept", "dir/old", "both", "shut/old")] == [LAYERS[0], LAYERS[0], LAYERS[1], ""]


def test_a_file_above_a_directory_hides_what_is_in_it(tmp_path: Path) -> None:
    lower = write(tmp_path / "lower", "etc/x/y")
    upper = write(tmp_path / "upper", "etc/x")

    assert Stack([lower, upper]).names == ("etc/x",)
    assert Stack([lower, upper]).path("etc/x/y") is None
    assert Stack([upper, lower]).names == ("etc/x/y",)


def test_a_link_above_a_directory_is_not_followed(tmp_path: Path) -> None:
    lower = write(tmp_path / "lower", "lib/x")
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper/lib").symlink_to("/lib")

    stack = Stack([lower, tmp_path / "upper"])

    assert stack.names == ()
    assert stack.path("lib/x") is None
    assert stack.links == {"lib": "/lib"}


def test_names_need_not_be_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_text("x")

    stack = Stack([tmp_path])

    assert stack.names == (name,)
    assert text(stack, name) == "x"


def test_a_huge_file_with_holes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(OSError, match="at most"):
        Stack([tmp_path]).read("huge")


def test_a_deep_tree_is_no_trouble(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)

    assert Stack([tmp_path]).names == ("d/" * 300 + "file",)
