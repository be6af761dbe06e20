"""The key of a step changes with what its result depends on, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.build.keys import Redaction, canonical, changed_fields, content_of, step_key
from goldsmith.hcl.diagnostics import UserError


def tree(root: Path) -> Path:
    (root / "roles/x/tasks").mkdir(parents=True)
    (root / "roles/x/tasks/main.yml").write_text("- name: x\n")
    (root / "run.sh").write_text("echo one\n")
    return root


def test_a_byte_or_a_mode_of_a_file_changes_its_content(tmp_path: Path) -> None:
    path = tree(tmp_path) / "run.sh"
    before = content_of(path)

    path.write_text("echo two\n")
    changed = content_of(path)
    path.write_text("echo one\n")
    path.chmod(0o755)

    assert changed != before
    assert content_of(path) != before


def test_time_place_and_owner_of_a_directory_change_nothing(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "a"), tree(tmp_path / "other name")
    os.utime(second / "run.sh", (1, 1))

    assert content_of(first) == content_of(second)


def test_a_new_file_in_a_directory_changes_its_content(tmp_path: Path) -> None:
    before = content_of(tree(tmp_path))
    (tmp_path / "roles/x/extra.yml").write_text("")

    assert content_of(tmp_path) != before


def test_a_missing_input_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        content_of(tmp_path / "missing")

    assert refused.value.diagnostics[0].code == "build.unreadable-input"


def test_a_secret_enters_a_key_only_by_its_fingerprint(tmp_path: Path) -> None:
    redaction = Redaction(b"key", ["s3cret-value"], tmp_path)

    told = redaction.data({"env": ["A=s3cret-value"], "place": f"{tmp_path}/x"})

    assert "s3cret-value" not in str(told)
    assert "<root>/x" in str(told)
    assert told == Redaction(b"key", ["s3cret-value"], tmp_path).data({"env": ["A=s3cret-value"], "place": f"{tmp_path}/x"})
    assert told != Redaction(b"other", ["s3cret-value"], tmp_path).data({"env": ["A=s3cret-value"], "place": f"{tmp_path}/x"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_names_changes_no_key(document: dict[str, object]) -> None:
    shuffled = dict(reversed(document.items()))

    assert canonical(document) == canonical(shuffled)
    assert step_key(document).key == step_key(shuffled).key


@given(st.dictionaries(st.text(min_size=1), st.integers()), st.text(min_size=1), st.integers())
def test_a_changed_field_is_named(document: dict[str, object], name: str, value: int) -> None:
    changed = {**document, name: value}

    assert (name in " ".join(changed_fields(document, changed))) == (document.get(name) != value or name not in document)


def test_changes_inside_options_and_inputs_are_told_by_name() -> None:
    before = {"options": {"inline": ["a"], "env": []}, "inputs": [{"name": "a.sh", "digest": "1"}]}
    now = {"options": {"inline": ["b"], "env": []}, "inputs": [{"name": "a.sh", "digest": "2"}]}

    assert changed_fields(before, now) == ("inputs: a.sh", "options: inline")
