"""Refresh commands become handlers of what they refresh, and run before what needs them."""

from __future__ import annotations

from goldsmith.assist.commands import Variable, Word
from goldsmith.assist.handlers import FLUSH, placed
from goldsmith.assist.tasks import Task
from tests.assist.conversion_commands import task


def _grub(line: int) -> Task:
    return task(line, "command", {"cmd": "update-grub"}, kind="handler", name="Run update-grub", changed_when=True)


def _write(line: int, path: str) -> Task:
    return task(line, "copy", {"dest": path, "content": "x", "mode": "0644"})


def test_a_refresh_becomes_a_handler_of_the_tasks_that_write_what_it_reads() -> None:
    tasks, handlers = placed([_write(1, "/etc/default/grub"), _write(2, "/etc/motd"), _grub(3)])

    assert [item.name for item in handlers] == ["Run update-grub"]
    assert [[handler.name for handler in item.notify] for item in tasks] == [["Run update-grub"], []]


def test_a_refresh_that_nothing_asks_for_stays_in_its_place() -> None:
    tasks, handlers = placed([_write(1, "/etc/motd"), _grub(2), _write(3, "/etc/default/grub")])

    assert handlers == ()
    assert [item.name for item in tasks] == ["Task 1", "Run update-grub", "Task 3"]


def test_equal_refreshes_are_one_handler_with_the_lines_of_both() -> None:
    tasks, handlers = placed([_write(1, "/etc/default/grub"), _grub(2), _write(3, "/etc/grub.d/40_custom"), _grub(4)])

    assert [item.command_ids for item in handlers] == [(2, 4)]
    assert all(item.notify[0].name == "Run update-grub" for item in tasks)


def test_handlers_run_before_the_first_task_that_needs_them_and_not_otherwise() -> None:
    unit = _write(1, "/etc/systemd/system/app.service")
    reload = task(2, "systemd_service", {"daemon_reload": True}, kind="handler", name="Reload units")
    enable = task(4, "systemd_service", {"name": "app", "enabled": True})

    tasks, handlers = placed([unit, reload, _write(3, "/etc/motd"), enable, enable])

    assert [item.name for item in handlers] == ["Reload units"]
    assert [item.name for item in tasks] == ["Task 1", "Task 3", FLUSH.name, "Task 4", "Task 4"]
    assert FLUSH not in placed([unit, reload, _write(3, "/etc/motd")])[0]


def test_a_command_needs_every_refresh() -> None:
    shell = task(3, "shell", {"cmd": "grub-install /dev/vda"}, kind="shell")

    tasks, _ = placed([_write(1, "/etc/default/grub"), _grub(2), shell])

    assert [item.name for item in tasks] == ["Task 1", FLUSH.name, "Task 3"]


def test_paths_of_words_count_from_their_beginning() -> None:
    word = Word.of("/etc/grub.d/") + Word((Variable("number", "input"),))
    written = task(1, "template", {"src": "x.j2", "dest": word, "mode": "0755"})

    assert len(placed([written, _grub(2)])[1]) == 1


def test_handlers_that_rules_notify_are_kept_once() -> None:
    restart = task(0, "systemd_service", {"name": "ssh", "state": "restarted"}, name="Restart ssh")

    tasks, handlers = placed([_write(1, "/etc/ssh/a"), task(2, "copy", {"dest": "/b"}, notify=(restart, restart)), restart])

    assert [item.name for item in handlers] == ["Restart ssh"]
    assert len(tasks[1].notify) == 1
