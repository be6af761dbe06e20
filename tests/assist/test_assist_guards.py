"""Commands that stay commands, and what tells whether they have to run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist import guards
from goldsmith.assist.commands import Text, Unknown, Variable, Word
from goldsmith.assist.known_effects import written
from goldsmith.assist.tasks import Inexact
from tests.assist.given import check, command, shown


def test_a_command_without_a_shells_work_is_given_its_words() -> None:
    task = guards.guarded(command("frob -a 'b c' $x", program=Word.of("/opt/frob"), directory=Word.of("/srv")), "no rule")
    assert shown(task.args) == {
        "cmd": "set -o pipefail\n/opt/frob -a 'b c' {{ x }}",
        "executable": "/bin/bash",
        "chdir": "/srv",
    }
    plain = guards.guarded(command('frob "$x"'), "no rule")
    assert shown(plain.args) == {"argv": ["frob", "{{ x }}"]}
    assert (plain.kind, plain.changed_when) == ("shell", True) and plain.notes[0] == "no rule"
    check(plain)


def test_only_what_the_words_name_is_written_by_readers_of_streams() -> None:
    task = guards.guarded(command("xmllint --format a.xml > /etc/out.xml"), "no rule")
    assert task.kind == "guard" and task.changed_when == "written_1.stdout_lines[-1:] == ['changed']"
    assert "xmllint --format a.xml >/etc/out.xml" in str(shown(task.args["cmd"]))
    asking = guards.guarded(command("nproc"), "no rule")
    assert (asking.kind, asking.changed_when) == ("guard", False)
    assert written(command("gpg --dearmor -o /usr/share/keyrings/a.gpg")) == (Word.of("/usr/share/keyrings/a.gpg"),)
    assert written(command("gpg --import a.key")) is None
    assert written(command("tee /a", feeds=(command("frob"),))) is None
    assert guards.guarded(command("frob > /a"), "no rule").kind == "shell"


def test_what_a_program_says_tells_whether_it_changed_something() -> None:
    task = guards.guarded(command("gpg --batch --import a.key"), "no rule")
    assert (task.kind, task.changed_when) == ("guard", "told_1.stderr is search('imported: [1-9]')")
    assert guards.guarded(command("conda install -y x"), "no rule").kind == "guard"
    assert guards.guarded(command("conda create -n x"), "no rule").kind == "shell"
    assert written(command("aws s3 cp s3://bucket/a /tmp/a")) == (Word.of("/tmp/a"),)
    assert written(command("aws s3 cp --recursive s3://bucket/a /tmp/a")) is None
    assert written(command("tee -a /a", feeds=(command("uname -r"),))) == (Word.of("/a"),)


def test_words_that_nobody_knows_make_the_shell_stop() -> None:
    made = command("frob x", args=(Word((Unknown("it is looked up"),), '"$(lookup)"'),))
    with pytest.raises(Inexact, match="looked up"):
        guards.run(made, "Run it", "a.b")
    task = guards.guarded(made, "no rule")
    assert str(shown(task.args["cmd"])).startswith("set -euo pipefail\n") and '"$(lookup)"' in str(shown(task.args["cmd"]))


def test_a_checksum_guard_tells_what_changed(tmp_path: Path) -> None:
    target = tmp_path / "out"
    task = guards.guarded(command(f"base64 -w0 > {target}", stdin=Word.of("text")), "no rule")
    script = str(shown(task.args["cmd"]))
    told = [subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True).stdout for _ in range(2)]
    assert told == ["changed\n", ""] and target.read_text() == "dGV4dA=="


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=8), min_size=1, max_size=3))
def test_words_reach_a_program_as_they_are(words: list[str]) -> None:
    text = Word.of("printf '%s\\0'")
    for word in words:
        text = text + Word.of(" ") + guards.quoted(Word((Text(word),) if word else ()))
    done = subprocess.run(["bash", "-c", str(shown(text))], capture_output=True, check=True)
    assert done.stdout.decode() == "".join(f"{word}\0" for word in words)


def test_patterns_stay_patterns_and_values_are_quoted_when_they_come() -> None:
    pattern = guards.quoted(Word((Text("/opt/a b/*.[ch]"),), glob=True))
    assert shown(pattern) == "/opt/a\\ b/*.[ch]"
    assert shown(guards.quoted(Word((Text("a b"), Variable("x", "input"))))) == "'a b'{{ x | quote }}"


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=12))
def test_an_expression_has_the_value_of_its_word(value: str) -> None:
    from jinja2.sandbox import SandboxedEnvironment

    found = SandboxedEnvironment().compile_expression(guards.expression(Word((Text(value),) if value else ())))()
    assert found == value
