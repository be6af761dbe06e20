"""Programs that a script fetched run again when they came anew."""

from __future__ import annotations

from dataclasses import replace

from goldsmith.assist.commands import Command, Condition, Context, Place, Word
from goldsmith.assist.installing import with_fetched_programs
from goldsmith.assist.tasks import Task
from tests.assist.given import command

PLACE = Place("a.sh", 1, 1, 0, 1)


def fetched(dest: str, module: str = "ansible.builtin.get_url", context: Context | None = None) -> Task:
    return Task("Fetch it", module, {"dest": Word.of(dest)}, "x.y", command_ids=(1,), context=context or Context())


def ran(line: str, context: Context | None = None, **given: object) -> tuple[Task, Command]:
    asked = replace(command(line, **given), id=2)
    task = Task(
        "Run it", "ansible.builtin.command", {}, "residue.shell", kind="shell", command_ids=(2,), context=context or Context()
    )
    return task, asked


def kind(fetch: Task, run: tuple[Task, Command]) -> tuple[str, str, tuple[str, ...]]:
    first, second = with_fetched_programs([fetch, run[0]], {2: run[1]})
    return second.kind, first.register, second.when


def test_an_installer_runs_when_it_was_fetched_anew() -> None:
    guarded = ("guard", "fetched_1", ("fetched_1 is succeeded and fetched_1 is changed",))
    assert kind(fetched("/tmp/i.sh"), ran("bash /tmp/i.sh -y")) == guarded
    assert kind(fetched("/tmp/i.sh"), ran("bash -e i.sh", directory=Word.of("/tmp"))) == guarded
    assert kind(fetched("/opt/x.run"), ran("x.run --silent", program=Word.of("./x.run"), directory=Word.of("/opt"))) == guarded
    assert kind(fetched("/opt/a", "ansible.builtin.unarchive"), ran("sh /opt/a/b/install")) == guarded
    known = replace(fetched("/tmp/i.sh"), register="download")
    assert kind(known, ran("bash /tmp/i.sh")) == ("guard", "download", ("download is succeeded and download is changed",))


def test_what_was_not_fetched_under_the_same_conditions_keeps_running() -> None:
    unguarded = ("shell", "", ())
    condition = Context(conditions=(Condition("x", "[ x ]", PLACE),))
    assert kind(fetched("/tmp/other"), ran("bash /tmp/i.sh")) == unguarded
    assert kind(fetched("/opt/ab", "ansible.builtin.unarchive"), ran("sh /opt/abc/install")) == unguarded
    assert kind(fetched("/tmp/i.sh", context=condition), ran("bash /tmp/i.sh")) == unguarded
    assert kind(fetched("/tmp/i.sh", context=condition), ran("bash /tmp/i.sh", condition))[0] == "guard"
    assert kind(fetched("/tmp/i.sh"), ran("bash -c /tmp/i.sh")) == unguarded
    assert kind(fetched("/tmp/i.sh"), ran("i.sh")) == unguarded
