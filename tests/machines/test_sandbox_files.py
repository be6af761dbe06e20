"""Files put into and read from a sandbox: whatever links the tree holds, nothing outside of it is touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Sandbox
from tests.machines.machine_workbench import MakeSandbox, Said, names_below


def code_of(error: pytest.ExceptionInfo[MachineError]) -> str:
    return error.value.diagnostics[0].code


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host that a hostile tree would like to reach."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "secret").write_text("host")
    return directory


def test_a_file_is_put_with_its_mode_and_root_s_ownership(sandbox: Sandbox, tmp_path: Path, said: Said) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\necho hi\n")
    (tmp_path / "script").chmod(0o750)
    os.chown(tmp_path / "script", 1234, 1234)

    sandbox.put(tmp_path / "script", "/tmp/script")
    sandbox.put(b"text", "/etc/text")
    sandbox.put(b"key", "/etc/key", mode=0o600)
    sandbox.run(["stat", "-c", "%a %u %g", "/tmp/script", "/etc/text", "/etc/key"], output=said)
    sandbox.run(["/tmp/script"], output=said)

    assert said.out == ["750 0 0", "644 0 0", "600 0 0", "hi"]


def test_a_file_that_is_there_is_replaced_with_its_mode(sandbox: Sandbox, said: Said) -> None:
    sandbox.put(b"a longer text", "/etc/file", mode=0o600)
    sandbox.put(b"short", "/etc/file", mode=0o755)
    sandbox.run(["sh", "-c", "cat /etc/file; stat -c %a /etc/file"], output=said)
    assert said.out == ["short755"]


def test_a_file_is_put_only_into_a_directory_that_exists(sandbox: Sandbox) -> None:
    with pytest.raises(MachineError) as caught:
        sandbox.put(b"x", "/no/such/directory/file")
    assert code_of(caught) == "machine.no-such-file"


def test_a_file_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.run(["sh", "-c", "printf 'a\\000b' > /tmp/f; chmod 640 /tmp/f"])
    sandbox.get("/tmp/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"a\0b"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


@pytest.mark.parametrize("path", ["/no/such", "/etc/passwd/x"])
def test_reading_a_file_that_is_missing_is_told(sandbox: Sandbox, tmp_path: Path, path: str) -> None:
    with pytest.raises(MachineError) as caught:
        sandbox.get(path, tmp_path / "f")
    assert code_of(caught) == "machine.no-such-file"


def test_reading_something_that_is_no_file_neither_hangs_nor_works(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.run(["mkfifo", "/tmp/fifo"])
    for path in ("/tmp/fifo", "/dev/zero", "/etc"):
        with pytest.raises(MachineError):
            sandbox.get(path, tmp_path / "f")


def test_a_tree_goes_in_and_comes_out_again(sandbox: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a" / "empty").mkdir(parents=True)
    (source / "a" / "file").write_text("1")
    (source / "a" / "file").chmod(0o711)
    (source / "link").symlink_to("a/file")
    (source / "dangling").symlink_to("/no/where")
    (source / "a").chmod(0o750)

    sandbox.put_tree(source, "/opt/made/here")
    sandbox.get_tree("/opt/made/here", tmp_path / "back")

    assert names_below(tmp_path / "back") == names_below(source)
    assert (tmp_path / "back" / "link").readlink() == Path("a/file")
    assert (tmp_path / "back" / "dangling").readlink() == Path("/no/where")
    assert stat.S_IMODE((tmp_path / "back" / "a" / "file").stat().st_mode) == 0o711
    assert stat.S_IMODE((tmp_path / "back" / "a").stat().st_mode) == 0o750


def test_what_is_excluded_stays_out(sandbox: Sandbox, tmp_path: Path, said: Said) -> None:
    source = tmp_path / "source"
    (source / ".git" / "objects").mkdir(parents=True)
    (source / "keep").touch()
    (source / "a.pyc").touch()
    sandbox.put_tree(source, "/opt", exclude=[".git", "*.pyc"])
    sandbox.run(["ls", "-A", "/opt"], output=said)
    assert said.out == ["keep"]


def test_a_tree_is_put_through_a_link_to_a_directory(make_sandbox: MakeSandbox, tmp_path: Path) -> None:
    layer, source = tmp_path / "layer", tmp_path / "source"
    (layer / "usr" / "lib").mkdir(parents=True)
    (layer / "lib").symlink_to("usr/lib")
    (source / "lib").mkdir(parents=True)
    (source / "lib" / "new").touch()

    make_sandbox(layer).put_tree(source, "/")

    assert (tmp_path / "upper" / "usr" / "lib" / "new").exists()
    assert not (tmp_path / "upper" / "lib").exists()


@pytest.mark.parametrize("target", ["{outside}", "../../../../../../../../{outside}", "/proc/1/root/{outside}"])
def test_a_link_out_of_the_tree_leads_nowhere(sandbox: Sandbox, outside: Path, tmp_path: Path, target: str) -> None:
    leads = target.format(outside=str(outside).lstrip("/") if target.startswith(("..", "/proc")) else outside)
    sandbox.run(["sh", "-c", f"ln -s {leads} /opt; ln -s {leads}/secret /etc/secret; ln -s {leads}/new /etc/new"])
    source = tmp_path / "source"
    source.mkdir()
    (source / "secret").write_text("changed")

    attempts: tuple[Callable[[], None], ...] = (
        lambda: sandbox.put(b"changed", "/opt/secret"),
        lambda: sandbox.put(b"changed", "/etc/secret"),
        lambda: sandbox.put(b"changed", "/etc/new"),
        lambda: sandbox.put_tree(source, "/opt"),
        lambda: sandbox.get("/etc/secret", tmp_path / "got"),
        lambda: sandbox.get_tree("/opt", tmp_path / "got-tree"),
    )
    for attempt in attempts:
        with pytest.raises(MachineError):
            attempt()

    assert names_below(outside) == {"secret"}
    assert (outside / "secret").read_text() == "host"
    assert not (tmp_path / "got").exists()


def test_a_link_within_the_tree_is_followed_as_the_tree_sees_it(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.run(["sh", "-c", "mkdir /data; ln -s /data /opt; ln -s /data/real /etc/alias"])
    sandbox.put(b"1", "/opt/one")
    sandbox.put(b"2", "/etc/alias")
    assert {name for name in names_below(tmp_path / "upper") if name.startswith("data/")} == {"data/one", "data/real"}


def test_files_reach_what_is_mounted_in_the_sandbox(sandbox: Sandbox, tmp_path: Path, said: Said) -> None:
    sandbox.put(b"on a tmpfs\n", "/run/secret")
    sandbox.run(["cat", "/run/secret"], output=said)
    assert said.out == ["on a tmpfs"]
    assert not (tmp_path / "upper" / "run").exists()


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)


@settings(max_examples=25)
@given(files=st.dictionaries(NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=200), max_size=5))
def test_any_names_and_bytes_come_back_unchanged(sandbox: Sandbox, tmp_path: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        sandbox.put(content, f"/etc/{name}")
        sandbox.get(f"/etc/{name}", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content
