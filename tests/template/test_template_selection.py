"""`-only` and `-except`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import UserError
from goldsmith.template.faults import Faults
from goldsmith.template.selection import select


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*chocolate*", "my_build.file.chocolate", True),
        ("chocolate", "file.chocolate", False),
        ("my_build.*", "my_build.file.a", True),
        ("my_build.*", "file.a", False),
        ("file.?", "file.a", True),
        ("file.?", "file.ab", False),
        ("file.[a-c]", "file.b", True),
        ("file.[!a-c]", "file.b", False),
        ("file.[!a-c]", "file.z", True),
        ("file.[a-]", "file.-", True),
        ("file.{a,bc}", "file.bc", True),
        ("file.{a,bc}", "file.b", False),
        ("file.{a*,[0-9]}", "file.7", True),
        (r"file.\*", "file.*", True),
        (r"file.\*", "file.a", False),
        ("file.a.b", "fileXaXb", False),
        ("a,b", "a,b", True),
    ],
)
def test_a_glob_matches_the_whole_name(pattern: str, name: str, matches: bool) -> None:
    assert select([pattern], []).takes(name) is matches


@given(st.text(alphabet="abc.-_*?[]{}\\,!^|", max_size=12))
def test_a_pattern_is_matched_or_refused_but_never_crashes(pattern: str) -> None:
    try:
        selection = select([pattern], [])
    except UserError as error:
        assert error.diagnostics[0].what.startswith(f"Invalid -only pattern {pattern}")
        return
    selection.takes("a.b")


@given(st.text(alphabet="abc.-_", min_size=1, max_size=12))
def test_a_pattern_without_special_characters_matches_itself_only(name: str) -> None:
    selection = select([name], [])
    assert selection.takes(name)
    assert not selection.takes(name + "x")


@pytest.mark.parametrize("pattern", ["[a", "[!]", "[a--]", "{a", "a}", "{a,{b}"])
def test_an_unclosed_bracket_is_refused(pattern: str) -> None:
    with pytest.raises(UserError) as error:
        select([], [pattern])
    assert error.value.diagnostics[0].what.startswith(f"Invalid -except pattern {pattern}")


def test_except_wins_over_only() -> None:
    selection = select(["file.*"], ["*.b"])
    assert selection.takes("file.a")
    assert not selection.takes("file.b")


def test_each_pattern_without_a_match_gets_a_warning_with_the_possible_names() -> None:
    faults = Faults()
    select(["file.a", "file.x"], ["nothing"]).warn(["file.a", "file.b"], [], faults)
    assert [item.code for item in faults.warnings] == ["template.only", "template.except"]
    assert '"file.x"' in faults.warnings[0].why
    assert "file.a, file.b" in faults.warnings[0].next


def test_except_may_name_a_post_processor() -> None:
    faults = Faults()
    selection = select([], ["manifest"])
    selection.warn(["file.a"], ["manifest"], faults)
    assert not faults.found
    assert selection.cuts("manifest")
    assert selection.takes("file.a")
