"""Idioms of several commands become one task, and only where that is the same."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.assist.commands import Context, Variable, Word
from goldsmith.assist.folded_modes import joined_mode
from goldsmith.assist.folding import folded
from goldsmith.assist.tasks import Task
from tests.assist.conversion_commands import command, task, when


def _copy(line: int, path: str = "/etc/motd", mode: str = "0644", **fields: object) -> Task:
    return task(line, "copy", {"dest": path, "content": "x\n", "mode": mode}, **fields)


def test_a_mode_and_an_owner_are_folded_into_what_makes_the_file() -> None:
    chmod = task(2, "file", {"path": "/etc/motd", "mode": "0600"})
    chown = task(3, "file", {"path": "/etc/motd", "owner": "bob", "group": "adm"})

    (made,) = folded([_copy(1), chmod, chown], {})

    assert made.args == {"dest": "/etc/motd", "content": "x\n", "mode": "0600", "owner": "bob", "group": "adm"}
    assert made.command_ids == (1, 2, 3)
    assert [item.line for item in made.places] == [1, 2, 3]


def test_letters_of_a_mode_are_worked_out() -> None:
    (made,) = folded([_copy(1), task(2, "file", {"path": "/etc/motd", "mode": "+x"})], {})

    assert made.args["mode"] == "0755"


def test_nothing_is_folded_past_a_task_that_may_look_at_the_file() -> None:
    chmod = task(3, "file", {"path": "/etc/motd", "mode": "0600"})
    for between in (
        task(2, "command", {"cmd": "anything"}),
        task(2, "copy", {"src": "/etc/motd", "remote_src": True, "dest": "/root/motd", "mode": "preserve"}),
        task(2, "file", {"path": "/etc/motd/..", "state": "absent"}),
    ):
        assert len(folded([_copy(1), between, chmod], {})) == 3
    other = task(2, "copy", {"dest": "/etc/issue", "content": "x", "mode": "0644"})
    assert len(folded([_copy(1), other, chmod], {})) == 2


def test_what_lies_in_a_directory_does_not_keep_its_mode_from_the_task_that_makes_it() -> None:
    made = task(1, "file", {"path": "/home/a/.ssh", "state": "directory", "mode": "0755"})
    inside = _copy(2, "/home/a/.ssh/authorized_keys")
    modes = [
        task(3, "file", {"path": "/home/a/.ssh", "mode": "0700"}),
        task(4, "file", {"path": inside.args["dest"], "mode": "0600"}),
    ]

    directory, file = folded([made, inside, *modes], {})

    assert (directory.args["mode"], file.args["mode"]) == ("0700", "0600")
    inherits = task(3, "file", {"path": "/home/a/.ssh", "mode": "2700"})
    assert len(folded([made, inside, inherits], {})) == 3


def test_nothing_is_given_to_an_account_before_it_is_there() -> None:
    made = task(1, "file", {"path": "/srv/app", "state": "directory", "mode": "0755"})
    account = task(2, "user", {"name": "app"})

    for owner in ({"owner": "app"}, {"group": "app"}):
        assert len(folded([made, account, task(3, "file", {"path": "/srv/app", **owner})], {})) == 3
    assert len(folded([made, account, task(3, "file", {"path": "/srv/app", "mode": "0700"})], {})) == 2


def test_nothing_is_folded_across_conditions_and_loops() -> None:
    chmod = task(2, "file", {"path": "/etc/motd", "mode": "0600"}, context=when("a == 'b'"))
    recursive = task(2, "file", {"path": "/etc/motd", "mode": "0600", "recurse": True})
    looped = task(2, "file", {"path": "/etc/motd", "mode": "0600"}, loop=("a", "b"))

    for second in (chmod, recursive, looped):
        assert len(folded([_copy(1), second], {})) == 2
    assert len(folded([_copy(1, context=when("a == 'b'")), chmod], {})) == 1


def test_packages_in_a_row_are_one_task_and_refreshing_the_lists_is_part_of_it() -> None:
    update = task(1, "apt", {"update_cache": True})
    first = task(2, "apt", {"name": ["nginx"], "state": "present"}, name="Install nginx")
    second = task(3, "apt", {"name": ["curl", "nginx"], "state": "present"}, name="Install curl and nginx")
    removed = task(4, "apt", {"name": ["nano"], "state": "absent"}, name="Remove nano")

    one, two = folded([update, first, second, removed], {})

    assert one.args == {"name": ["nginx", "curl"], "state": "present", "update_cache": True}
    assert one.name == "Install nginx, curl"
    assert one.command_ids == (1, 2, 3)
    assert two.args["state"] == "absent"


def test_packages_apart_stay_apart() -> None:
    first = task(1, "apt", {"name": ["nginx"], "state": "present"})
    second = task(3, "apt", {"name": ["curl"], "state": "present"})

    assert len(folded([first, _copy(2), second], {})) == 3
    assert len(folded([first, task(2, "apt", {"name": ["x"], "state": "present", "install_recommends": False})], {})) == 2


def test_a_question_that_the_module_asks_itself_is_left_out() -> None:
    asked = command(1, "id", "bob", context=Context(registers="asked"))
    question = task(1, "command", {"cmd": "id bob"}, changed_when=False, context=Context(registers="asked"))
    user = task(2, "user", {"name": Word.of("bob")}, context=when("asked.rc != 0"))

    (made,) = folded([question, user], {1: asked})

    assert made.module == "ansible.builtin.user"
    assert made.context.conditions == ()
    assert made.command_ids == (1, 2)


def test_a_question_about_something_else_stays() -> None:
    asked = command(1, "id", "alice", context=Context(registers="asked"))
    question = task(1, "command", {"cmd": "id alice"}, changed_when=False, context=Context(registers="asked"))
    user = task(2, "user", {"name": "bob"}, context=when("asked.rc != 0"))

    assert len(folded([question, user], {1: asked})) == 2


def test_a_question_that_another_task_needs_stays() -> None:
    question = task(1, "stat", {"path": "/srv"}, register="asked")
    made = task(2, "file", {"path": "/srv", "state": "directory"}, context=when("not asked.stat.exists"))
    other = task(3, "command", {"cmd": "x"}, context=when("asked.stat.exists"))

    assert [item.module for item in folded([question, made], {})] == ["ansible.builtin.file"]
    kept = folded([question, made, other], {})
    assert [item.module.rpartition(".")[2] for item in kept] == ["stat", "file", "command"]
    assert kept[1].context.conditions == ()


_CLAUSES = st.builds(
    lambda who, sign, what: who + sign + what,
    st.sampled_from(["", "u", "g", "o", "a", "ug", "go"]),
    st.sampled_from(["+", "-", "="]),
    st.sampled_from(["r", "w", "x", "rw", "rx", "rwx", "X", "s", "t"]),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 0o777), st.lists(_CLAUSES, min_size=1, max_size=3).map(",".join), st.booleans())
def test_modes_are_joined_as_chmod_joins_them(tmp_path: Path, mode: int, given: str, is_directory: bool) -> None:
    path = tmp_path / ("directory" if is_directory else "file")
    path.mkdir(exist_ok=True) if is_directory else path.touch()
    path.chmod(mode)
    subprocess.run(["sh", "-c", 'umask 022; chmod -- "$1" "$2"', "sh", given, path], check=False, capture_output=True)
    seen = stat.S_IMODE(path.stat().st_mode)

    told = joined_mode(f"{mode:04o}", given, is_directory=is_directory)

    assert told == f"{seen:04o}"


def test_a_mode_over_an_unknown_one_cannot_be_told() -> None:
    assert joined_mode(None, "+x") is None
    assert joined_mode("preserve", "u+s") is None
    assert joined_mode(None, "0755") == "0755"
    assert joined_mode("0644", Word((Variable("mode", "input"),))) is not None
