"""Where a script ends with a failure, its role fails too: what follows must not run."""

from __future__ import annotations

import yaml

from goldsmith.assist.convert import Options, convert
from goldsmith.assist.shell import Script


def tasks(text: str) -> list[dict[str, object]]:
    """The tasks of a script's role."""
    made = convert([Script("a.sh", text.encode())], Options(name="web"))
    (path,) = [path for path in made.files if path.endswith("tasks/a.yml")]
    found: list[dict[str, object]] = yaml.safe_load(made.files[path])
    return found


def test_a_failure_under_a_condition_fails_the_play() -> None:
    look, fail, make = tasks("#!/bin/sh\nif [ ! -d /srv ]; then\n  echo no >&2\n  exit 3\nfi\nmkdir /srv/a\n")

    assert look["register"] == "web_test_2"
    assert fail["ansible.builtin.fail"] == {"msg": "a.sh:4 ends with exit 3"}
    assert fail["when"] == "not (web_test_2.stat.isdir | default(false))"
    assert "when" not in make


def test_it_is_told_once_where_set_e_would_end_the_script_too() -> None:
    found = tasks("#!/bin/bash\nset -e\n[ -d /srv ] || exit 2\nmkdir /srv/a\n")

    assert ["ansible.builtin.fail" in task for task in found] == [False, True, False]


def test_a_test_that_ends_a_script_by_set_e_fails_the_play() -> None:
    found = tasks("#!/bin/bash\nset -e\n[ -d /srv ]\nmkdir /srv/a\n")

    assert ["ansible.builtin.fail" in task for task in found] == [False, True, False]


def test_leaving_without_a_failure_fails_nothing() -> None:
    found = tasks("#!/bin/sh\n[ -d /srv/a ] && exit 0\nmkdir /srv/a\n")

    assert not any("ansible.builtin.fail" in task for task in found)


def test_a_failure_of_a_subshell_is_not_one_of_the_script() -> None:
    found = tasks("#!/bin/sh\n( [ -d /srv ] || exit 1 )\nmkdir /srv/a\n")

    assert not any("ansible.builtin.fail" in task for task in found)
