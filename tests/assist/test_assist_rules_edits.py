"""Edits by sed: the module's expression does to random texts what GNU sed does, and does it once."""

from __future__ import annotations

import re
import subprocess

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from goldsmith.assist.rules.sed_edits import Addition, Removal, Replacement, apply, edit_of
from goldsmith.assist.rules.sed_scripts import parse_script
from goldsmith.assist.tasks import Inexact
from tests.assist.given import arguments, dropped, residue, shown, task, tasks


def sed(script: str, text: str, *, extended: bool = False) -> str:
    words = ["sed", *(["-E"] if extended else []), script]
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout


def edited(script: str, text: str, *, extended: bool = False) -> str:
    """What the tasks leave of a text."""
    for command in parse_script(script, extended=extended):
        edit = edit_of(command)
        match edit:
            case Replacement():
                assume(not edit.guard or not re.search(edit.guard.removeprefix("(?!").removesuffix(")"), text, re.MULTILINE))
                text = apply(edit, text)
            case Removal(regexp=regexp):
                text = "".join(line for line in text.splitlines(keepends=True) if not re.search(regexp, line))
            case Addition(text=added):
                text += added if text else ""
    return text


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\s", r"\w", " ", "=", '"', r"\.", "[[:space:]]", r"\b", r"\<"])
_TIMES = st.sampled_from(["", "", "", "*", r"\+", r"\?", r"\{2\}", r"\{1,2\}"])
_PIECES = st.tuples(_ATOMS, _TIMES).map("".join)
_PLAIN = st.lists(_PIECES, min_size=1, max_size=4).map("".join)
_GROUPED = st.tuples(_PLAIN, st.lists(_PLAIN, min_size=1, max_size=2).map(r"\|".join), _TIMES, _PLAIN).map(
    lambda parts: rf"{parts[0]}\({parts[1]}\){parts[2]}{parts[3]}"
)
_REGEX = st.tuples(st.sampled_from(["", "", "^"]), _PLAIN | _GROUPED, st.sampled_from(["", "", "$", ".*", ".*$"])).map("".join)
_BY = st.lists(st.sampled_from(["a", "zz", "&", " ", r"\n", r"\&", r"\0", "=", r"\1"]), max_size=3).map("".join)
_LINES = st.lists(st.text('ab =".', max_size=6), max_size=5).map(lambda lines: "".join(f"{line}\n" for line in lines))
_ADDRESS = st.sampled_from(["", "", "", "/a/", "/^b/", "/b$/!", "2", "$", r"\|a|"])


@settings(max_examples=100, deadline=None)
@given(_ADDRESS, _REGEX, _BY, st.sampled_from(["", "g", "I", "gI"]), _LINES, st.booleans())
def test_replacements_are_those_of_sed(address: str, regex: str, by: str, flags: str, text: str, extended: bool) -> None:
    assume("\\1" not in by or "\\(" in regex)
    if extended:
        regex, address = re.sub(r"\\([(){}|+?])", r"\1", regex), address.replace("\\|a|", "/a/")
    script = f"{address}s/{regex}/{by}/{flags}"
    try:
        found = edited(script, text, extended=extended)
    except Inexact:
        assume(False)
    assert found == sed(script, text, extended=extended)


_ENDS = st.sampled_from(["", ",/b/", ",$", ",+1"])


@settings(max_examples=60, deadline=None)
@given(_REGEX, _ENDS, st.sampled_from(["", "!"]), st.sampled_from(["d", "a z", r"i z\nq", "c z"]), _LINES)
def test_lines_are_removed_and_inserted_as_by_sed(regex: str, end: str, sign: str, action: str, text: str) -> None:
    script = f"/{regex}/{end}{sign}{action}"
    try:
        found = edited(script, text)
    except Inexact:
        assume(False)
    assert found == sed(script, text)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["1i z", "2i z", "1a z", "3a z\\nq", "2c z", "$a z"]), _LINES)
def test_text_beside_counted_lines_is_put_there_once(script: str, text: str) -> None:
    assume("z" not in text)
    once = edited(script, text)
    assert once == sed(script, text)
    if not script.startswith("$"):
        (command,) = parse_script(script, extended=False)
        edit = edit_of(command)
        assert isinstance(edit, Replacement) and apply(edit, once) == once


def test_common_edits_are_read_as_they_are_meant() -> None:
    for script, before, after in (
        ("s/^#*PermitRootLogin.*/PermitRootLogin no/", "#PermitRootLogin yes\n", "PermitRootLogin no\n"),
        ("s/ main$/ main contrib/", "deb x main\n", "deb x main contrib\n"),
        ('s/GRUB_CMDLINE_LINUX="/&quiet /', 'GRUB_CMDLINE_LINUX="a"\n', 'GRUB_CMDLINE_LINUX="quiet a"\n'),
        (r's/^\(GRUB=".*\)"$/\1 quiet"/', 'GRUB="a"\n', 'GRUB="a quiet"\n'),
        ("s|http://|https://|g", "a http://x http://y\n", "a https://x https://y\n"),
        ("s/deb http/deb [x] http/g", "deb http://a\n", "deb [x] http://a\n"),
        ("$ s/$/ foo*/", "a\nb\n", "a\nb foo*\n"),
        ("/^a/ s/^/#/", "a\nb\n", "#a\nb\n"),
        (r"s,\[main\],[main]\nproxy=p,", "[main]\nx\n", "[main]\nproxy=p\nx\n"),
        ("s/.*/x &/", "a x\n", "x a x\n"),
    ):
        (edit,) = (edit_of(command) for command in parse_script(script, extended=False))
        assert isinstance(edit, Replacement), script
        assert apply(edit, before) == after == sed(script, before), script
        assert apply(edit, after) == after, script


def test_tasks_that_edit_files() -> None:
    assert arguments("sed -i 's/^a=.*/a=1/' /etc/x") == {"path": "/etc/x", "regexp": "^a=.*", "replace": "a=1"}
    assert arguments("sed -i '/^a/d' /etc/x") == {"path": "/etc/x", "regexp": "^a", "state": "absent"}
    assert arguments("sed -i '$a z=1' /etc/x") == {"path": "/etc/x", "line": "z=1"}
    assert [shown(made.args["path"]) for made in tasks("sed -i -e 's/a/b/' -e '/c/d' /etc/x")] == ["/etc/x"] * 2
    kept, _ = tasks("sed -i.bak 's/^a$/b/' /etc/x")
    assert kept.args["dest"].label == "/etc/x.bak" and kept.args["force"] is False  # type: ignore[union-attr]  # a word
    several = task("sed -Ei 's/^(a|b)$/\\1c/' /etc/x /etc/y")
    assert shown(several.loop) == ["/etc/x", "/etc/y"] and several.args["regexp"].label == "^(a|b)$"  # type: ignore[union-attr]  # a word
    find, _, removal = tasks("sed -i 's/^a$/b/;/c/d' /etc/x/*.repo")
    assert find.register and shown(removal.args["path"]) == "{{ item }}"
    known = arguments('sed -i "s/^port=.*/port=$port/" /etc/x')
    assert known["replace"] == "port={{ port | replace('\\\\', '\\\\\\\\') }}"
    assert arguments('sed -i "/$name/d" /etc/x')["regexp"] == "{{ name | regex_escape }}"
    assert "prints" in dropped("sed 's/a/b/' /etc/x")


def test_scripts_that_no_task_says_stay_shell() -> None:
    for script in (
        "1d",
        "s/a/b/2",
        "s/a/\\U&/",
        "s/a/aa/g;s/b/c/w /x",
        "$!N;s/a/b/",
        "/a/,/b/s/x/y/",
        "y/a/b/",
        "/a/{s/a/b/;s/b/c/}",
        "s/x*/y/g",
        "s/\\(ab\\)*a/y/",
        "s/\\(.\\)\\1/y/",
        "a text",
        "/a/r /file",
        "2a x\ns/a/b/",
        "s/a/x\\ny/;s/y/z/",
    ):
        assert residue(f"sed -i '{script}' /etc/x"), script
    assert "-n" in residue("sed -n -i '/a/p' /etc/x")
    assert residue("sed -i -f /script /etc/x")
