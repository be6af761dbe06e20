"""Settings in legacy JSON: which values fit which types, as weakly as Packer takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.template.legacy.legacy_workplace import Json, config, planned


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("string", 5, "5"),
        ("string", 5.5, "5.5"),
        ("string", True, "1"),
        ("string", None, ""),
        ("STRING", "x", "x"),
        ("int", "{{user `n`}}", 5),
        ("int", True, 1),
        ("int", "0x10", 16),
        ("int", "", 0),
        ("int", 1e3, 1000),
        ("bool", "{{user `t`}}", True),
        ("bool", "F", False),
        ("bool", 2, True),
        ("bool", "", False),
        ("trilean", "", None),
        ("trilean", "false", False),
        ("duration", "1m30s", 90.0),
        ("duration", 2_500_000_000, 2.5),
        ("slice_string", "a,b", ("a", "b")),
        ("slice_string", "{{user `l`}}", ("p", "q")),
        ("slice_string", "", ()),
        ("slice_string", 1, ("1",)),
        ("slice_string", [1, True, "{{user `n`}}"], ("1", "1", "5")),
        ("slice_string", {}, ()),
        ("slice_slice_string", [["a", 1], "b,c"], (("a", "1"), ("b", "c"))),
        ("map_string_string", {"a": 1, "{{user `n`}}": "{{user `t`}}"}, {"a": "1", "5": "true"}),
        ("map_string_string", [{"a": "1"}, {"b": "2"}], {"a": "1", "b": "2"}),
        ("map_string_string", [], {}),
        ("packer_debug", True, None),
    ],
)
def test_a_value_is_made_to_fit(tmp_path: Path, name: str, given: Json, wanted: object) -> None:
    template: Json = {"variables": {"n": "5", "t": "true", "l": "p,q"}, "builders": [{"type": "mock", name: given}]}
    plan = planned(tmp_path, template)
    assert plan.failed == ()
    decoded = config(plan, plan.builds[0].source, plan.builds[0])
    assert wanted is None or getattr(decoded, name.lower()) == wanted


def test_objects_are_blocks_one_or_many(tmp_path: Path) -> None:
    template: Json = {
        "builders": [
            {
                "type": "mock",
                "nested": {"string": "{{build_name}}", "tag": {"key": "k"}},
                "nested_slice": [{"int": "1"}, {"int": 2}],
                "tag": [{"key": "a", "value": 1}, {"key": "b"}],
            }
        ]
    }
    plan = planned(tmp_path, template)
    decoded = config(plan, plan.builds[0].source, plan.builds[0])
    assert decoded.nested is not None
    assert (decoded.nested.string, [tag.key for tag in decoded.nested.tag]) == ("mock", ["k"])
    assert [item.int for item in decoded.nested_slice] == [1, 2]
    assert [(tag.key, tag.value) for tag in decoded.tag] == [("a", "1"), ("b", "")]
