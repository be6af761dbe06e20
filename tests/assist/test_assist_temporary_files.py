"""Files that are made in passing: what makes them puts them where they are wanted, and only where that is the same."""

from __future__ import annotations

from goldsmith.assist.commands import Argument, Text, Variable, Word
from goldsmith.assist.tasks import Task
from goldsmith.assist.temporary_files import without_temporary_files
from tests.assist.conversion_commands import task, when

_SUM = "a" * 64


def _write(line: int = 1, path: str = "/tmp/x", **fields: object) -> Task:
    return task(line, "copy", {"dest": path, "content": "x\n", "mode": "0755"}, **fields)


def _fetch(line: int = 1, path: str = "/tmp/x", **more: Argument) -> Task:
    return task(line, "get_url", {"url": "https://example.org/x", "dest": path, "mode": "0644", **more})


def _move(line: int, path: str = "/tmp/x", target: str = "/usr/bin/x") -> Task:
    made = task(line, "command", {"argv": ["mv", "-f", path, Word.of(target)], "removes": path}, kind="guard")
    return Task(**{**{name: getattr(made, name) for name in made.__dataclass_fields__}, "rule": "copying.move"})


def _verify(line: int, told: Argument) -> Task:
    made = task(line, "command", {"argv": ["sha256sum", "-c", "-"], "stdin": told}, kind="guard", changed_when=False)
    return Task(**{**{name: getattr(made, name) for name in made.__dataclass_fields__}, "rule": "downloads.verify"})


def _remove(line: int, path: str = "/tmp/x") -> Task:
    return task(line, "file", {"path": path, "state": "absent"})


def test_what_is_written_and_moved_is_written_to_its_place() -> None:
    other = task(2, "file", {"path": "/usr/local/x", "state": "directory"})

    first, made = without_temporary_files([_write(), other, _move(3)])

    assert first is other
    assert made.module == "ansible.builtin.copy"
    assert made.args == {"dest": Word.of("/usr/bin/x"), "content": "x\n", "mode": "0755"}
    assert made.name == "Write /usr/bin/x"
    assert made.command_ids == (1, 3)


def test_a_download_is_checked_and_moved_by_one_task() -> None:
    (made,) = without_temporary_files([_fetch(), _verify(2, f"{_SUM}  /tmp/x\n"), _move(3)])

    assert made.module == "ansible.builtin.get_url"
    assert made.args["checksum"] == Word.of(f"sha256:{_SUM}")
    assert made.args["dest"] == Word.of("/usr/bin/x")


def test_a_checksum_may_be_a_variable_and_nothing_else_is_taken_for_one() -> None:
    given = Word((Variable("sum", "input"), Text("  /tmp/x")))

    (made,) = without_temporary_files([_fetch(), _verify(2, given)])

    assert made.args["checksum"] == Word((Text("sha256:"), Variable("sum", "input")))
    for told in (f"{_SUM}  /tmp/y\n", f"{_SUM}  /tmp/x\n{_SUM}  /tmp/y\n", "nonsense  /tmp/x\n"):
        assert len(without_temporary_files([_fetch(), _verify(2, told)])) == 2


def test_what_is_fetched_to_be_unpacked_or_installed_is_so_from_the_server() -> None:
    unpack = task(2, "unarchive", {"src": "/tmp/x", "dest": "/opt", "remote_src": True})
    install = task(2, "goldsmith.image.apt", {"deb": "/tmp/x"})

    (unpacked,) = without_temporary_files([_fetch(), unpack, _remove(3)])
    (installed,) = without_temporary_files([_fetch(), install, _remove(3)])

    assert unpacked.args == {"src": "https://example.org/x", "dest": "/opt", "remote_src": True}
    assert installed.args == {"deb": "https://example.org/x"}
    assert installed.command_ids == (1, 2, 3)


def test_a_copy_of_a_temporary_file_is_the_file_itself() -> None:
    copied = task(2, "copy", {"src": "/tmp/x", "dest": "/etc/x", "remote_src": True, "mode": "preserve", "owner": "bob"})

    (made,) = without_temporary_files([_write(), copied, _remove(3)])

    assert made.args == {"dest": "/etc/x", "content": "x\n", "mode": "0755", "owner": "bob"}


def test_a_file_that_somebody_else_uses_stays() -> None:
    shell = task(2, "shell", {"cmd": "sh /tmp/x"}, kind="shell")
    checked = _fetch(checksum=f"sha256:{_SUM}")
    unpack = task(2, "unarchive", {"src": "/tmp/x", "dest": "/opt", "remote_src": True})
    copied = task(2, "copy", {"src": "/srv/x", "dest": "/etc/x", "remote_src": True, "mode": "preserve"})

    for tasks in (
        [_write(), shell, _move(3)],
        [_write(), _remove(2)],
        [checked, unpack, _remove(3)],
        [_write(path="/srv/x"), copied],
        [_write(context=when("a")), _move(2)],
        [_write(), copied, shell],
    ):
        assert without_temporary_files(tasks) == tasks
