"""Comparing what a script and a role made: every field counts, and only what is known to mean nothing is noise."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.assist.compare import differences
from goldsmith.assist.divergences import Divergence, proposed, read_divergences
from goldsmith.assist.judging import Class, counted, judge
from goldsmith.assist.noise import Mask, mask_of
from goldsmith.assist.stacked import StackedTree
from goldsmith.hcl.diagnostics import UserError
from tests.assist.layered_trees import PASSWD, layer, pair, parent

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root to make owners and devices")
NO_MASK = Mask()
TODAY = date(2026, 11, 26)


def classes(one: StackedTree, other: StackedTree, mask: Mask = NO_MASK, *divergences: Divergence) -> dict[str, Class]:
    found = judge(differences(one, other), one, other, mask=mask, divergences=divergences, today=TODAY)
    return {f"{item.difference.path} {item.difference.field}": item.verdict for item in found}


def removed(path: Path) -> Path:
    path.unlink()
    return path


CHANGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda tree: (tree / "srv/a").chmod(0o600), "srv/a mode"),
    (lambda tree: os.chown(tree / "srv/a", 999, 0), "srv/a owner"),
    (lambda tree: os.chown(tree / "srv/a", 0, 50), "srv/a group"),
    (lambda tree: (tree / "srv/a").write_text("two"), "srv/a content"),
    (lambda tree: os.setxattr(tree / "srv/a", "user.note", b"x"), "srv/a attributes"),
    (lambda tree: (tree / "srv/b").symlink_to("a"), "srv/b presence"),
    (lambda tree: (tree / "srv/a").unlink(), "srv/a presence"),
    (lambda tree: (removed(tree / "srv/a")).mkdir(mode=0o644), "srv/a type"),
    (lambda tree: (removed(tree / "srv/link")).symlink_to("./a"), "srv/link target"),
    (lambda tree: os.mknod(removed(tree / "srv/null"), 0o20644, os.makedev(1, 5)), "srv/null device"),
    (lambda tree: (removed(tree / "srv/one")).write_text("1"), "srv/one hard links"),
    (lambda tree: (tree / "srv").chmod(0o700), "srv mode"),
]


def test_each_field_of_a_path_is_told_apart_and_times_are_not(tmp_path: Path) -> None:
    for number, (change, expected) in enumerate(CHANGES):
        base = parent(tmp_path)
        trees = []
        for name in ("one", "other"):
            upper = layer(tmp_path / f"{number}{name}", {"srv/a": "one", "srv/link": "-> a", "srv/one": "1"})
            os.mknod(upper / "srv/null", 0o20644, os.makedev(1, 3))
            (upper / "srv/two").hardlink_to(upper / "srv/one")
            os.utime(upper / "srv/a", (number, 7 if name == "one" else 8))
            trees.append(upper)
        assert differences(StackedTree([base, trees[0]]), StackedTree([base, trees[1]])) == ()

        change(trees[1])

        found = classes(StackedTree([base, trees[0]]), StackedTree([base, trees[1]]))
        assert expected in found, found
        assert set(found.values()) == {"unexplained"}


def test_owners_are_compared_by_their_names(tmp_path: Path) -> None:
    one, other = pair(tmp_path, {"srv/a": ""}, {"srv/a": "", "etc/passwd": PASSWD.replace("999", "998")})
    os.chown(one.layers[1] / "srv/a", 999, 0)
    os.chown(other.layers[1] / "srv/a", 998, 0)

    found = classes(StackedTree(one.layers), StackedTree(other.layers))

    assert found == {"etc/passwd content": "unexplained"}


def test_deletions_and_whole_directories_count_as_what_they_show(tmp_path: Path) -> None:
    below = {"opt/a/x": "1", "opt/a/y": "2", "opt/b": "3"}
    one, other = pair(tmp_path, {"opt/b": None, "opt/a": None}, {"opt/b": None, "opt/a/": "", "opt/a/x": "1"}, below)
    os.setxattr(other.layers[1] / "opt/a", "trusted.overlay.opaque", b"y")

    found = classes(StackedTree(one.layers), StackedTree(other.layers))

    assert sorted(found) == ["opt/a presence", "opt/a/x presence"]


def test_what_sealing_takes_away_is_noise_and_a_program_never(tmp_path: Path) -> None:
    noise = {"var/log/app.log": "1", "etc/machine-id": "1", "var/cache/apt/pkgcache.bin": "1", "etc/passwd-": "1"}
    quiet, loud = {**noise, "opt/__pycache__/a.pyc": "1"}, {name: content + "2" for name, content in noise.items()}
    assert set(classes(*pair(tmp_path, quiet, {**loud, "opt/__pycache__/a.pyc": ""})).values()) == {"noise"}

    one, other = pair(tmp_path, {"var/log/app.log": "", "var/cache/x": ""}, {"var/log/other/": "", "var/cache/x": "1"})
    (other.layers[1] / "var/cache/x").chmod(0o755)
    found = classes(StackedTree(one.layers), StackedTree(other.layers))
    assert found == {
        "var/cache/x content": "unexplained",
        "var/cache/x mode": "unexplained",
        "var/log/app.log presence": "unexplained",
        "var/log/other presence": "unexplained",
    }


def test_the_mask_excuses_only_what_the_script_itself_does_not_repeat(tmp_path: Path) -> None:
    first: dict[str, str | bytes | None] = {
        "etc/id": "id=1 x\nport=22\n",
        "bin/tool": "1",
        "etc/cron.d/a": "1",
        "etc/blob": b"\0\1",
    }
    second: dict[str, str | bytes | None] = {
        "etc/id": "id=29 x\nport=22\n",
        "bin/tool": "2",
        "etc/cron.d/a": "2",
        "etc/blob": b"\0\2",
    }
    one, again = pair(tmp_path, first, second)
    for tree in (one, again):
        (tree.layers[1] / "bin/tool").chmod(0o755)
    one, again = StackedTree(one.layers), StackedTree(again.layers)
    mask = mask_of(differences(one, again), one, again)
    assert mask.fields == {("etc/id", "content"), ("etc/blob", "content")}

    for content, expected in (("id=333 x\nport=22\n", "noise"), ("id=3 x\nport=23\n", "unexplained"), ("", "unexplained")):
        upper = layer(tmp_path / f"role {len(content)}{expected}", {**first, "etc/id": content, "etc/blob": b"\0\3"})
        (upper / "bin/tool").chmod(0o755)
        assert classes(one, StackedTree([one.layers[0], upper]), mask) == {
            "etc/id content": expected,
            "etc/blob content": "noise",
        }


def test_documents_with_another_layout_are_formatting(tmp_path: Path) -> None:
    same = [
        ("a.json", '{"a": 1, "b": [1]}', '{"b":[1],"a":1}\n'),
        ("a.yaml", "a: 1\nb: [x]\n", "# c\nb:\n- x\na: 1\n"),
        ("a.toml", "a = 1\n[b]\nc = 'x'\n", "a=1\nb={c='x'}\n"),
        ("a.conf", "[a]\nb = 1\n# x\n", "[a]\nb=1\n"),
    ]
    others = [
        ("a.json", '{"a": 1}', '{"a": true}'),
        ("a.json", '{"a": 1}', '{"a": 2, "a": 1}'),
        ("a.yaml", "a: 1\n", "a: '1'\n"),
        ("a.yaml", "a: 1\n", "a: 2\na: 1\n"),
        ("a.toml", "a = 1", "a = 1.0"),
        ("a.conf", "[a]\nb=1\nb=2\n", "[a]\nb=2\nb=1\n"),
        ("a.conf", "b = 1\n", "b=1\n"),
        ("a.service", "[Service]\nExecStart=/bin/a \\\n b\n", "[Service]\nExecStart=/bin/a  \\\n b\n"),
        ("a.txt", "a", "a\n"),
    ]
    for expected, cases in (("formatting", same), ("unexplained", others)):
        for name, one, other in cases:
            found = classes(*pair(tmp_path, {name: one}, {name: other}))
            assert found == {f"{name} content": expected}, (name, one)


def test_a_divergence_needs_reason_owner_and_a_day_that_has_not_passed(tmp_path: Path) -> None:
    one, other = pair(tmp_path, {"etc/a": "1", "etc/b": "1"}, {"etc/a": "2", "etc/b": "2"})
    file = tmp_path / "divergences.yml"
    file.write_text(
        "divergences:\n"
        "- {path: /etc/a, fields: [content], reason: agreed, owner: ops, expires: 2026-11-26}\n"
        "- {path: /etc/b, reason: agreed, owner: ops, expires: 2026-11-25}\n"
    )
    divergences = read_divergences(file)

    found = judge(differences(one, other), one, other, mask=Mask(), divergences=divergences, today=TODAY)

    assert [(item.difference.path, item.verdict) for item in found] == [("etc/a", "explained"), ("etc/b", "unexplained")]
    assert "expired on 2026-11-25" in found[1].reason
    assert counted(found)["unexplained"] == 1
    assert read_divergences(tmp_path / "missing.yml") == ()
    for text in (
        proposed(differences(one, other)),
        "divergences: [{path: /a, owner: o, expires: 2027-01-01}]",
        "divergences: [{path: /a, reason: r, owner: '', expires: 2027-01-01}]",
        "divergences: [{path: a, reason: r, owner: o, expires: 2027-01-01}]",
        "divergences: [{path: /a, reason: r, owner: o, expires: never}]",
        "other: 1",
        "]",
    ):
        file.write_text(text)
        with pytest.raises(UserError, match="no valid divergences"):
            read_divergences(file)


files = st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "e"]), st.sampled_from(["1", "2", "12"]))


@given(one=files, other=files)
def test_exactly_the_paths_that_differ_are_named(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, str], other: dict[str, str]
) -> None:
    first, second = pair(tmp_path_factory.mktemp("t"), one, other)

    found = {item.path for item in differences(first, second)}

    wanted = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    wanted |= {"d"} if any(name[0] == "d" for name in one) != any(name[0] == "d" for name in other) else set()
    assert found == wanted
