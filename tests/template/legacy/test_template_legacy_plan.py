"""Legacy JSON templates as plans: names of builds, selection, overrides, and everything that can be wrong at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import UserError
from tests.template.legacy.legacy_workplace import Json, config, faults, planned, told


def mock(**more: Json) -> dict[str, Json]:
    return {"type": "mock", **more}


def test_builds_come_sorted_and_are_named_by_type_only_beside_a_name_of_their_own(tmp_path: Path) -> None:
    plan = planned(
        tmp_path,
        {"variables": {"v": "z"}, "builders": [mock(name="b-{{user `v`}}"), mock(), mock(name="a")]},
    )
    assert [(build.full_name, build.source_name, build.type) for build in plan.builds] == [
        ("mock.a", "a", "mock"),
        ("mock.b-z", "b-z", "mock"),
        ("mock", "mock", "mock"),
    ]


@pytest.mark.parametrize(
    ("only", "except_", "left"),
    [
        (("a",), (), ["a"]),
        ((), ("a", "c"), ["b"]),
        (("a", "b"), ("b",), ["a"]),
        (("a", "nope"), (), ["a"]),
    ],
)
def test_only_and_except_compare_names_as_they_are(
    tmp_path: Path, only: tuple[str, ...], except_: tuple[str, ...], left: list[str]
) -> None:
    template: Json = {"builders": [mock(name=name) for name in "abc"]}
    plan = planned(tmp_path, template, only=only, except_=except_)
    assert [build.source_name for build in plan.builds] == left


@pytest.mark.parametrize("pattern", ["*", "mock.a", "A"])
def test_a_glob_or_a_full_name_selects_nothing(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UserError) as error:
        planned(tmp_path, {"builders": [mock(name="a")]}, only=(pattern,))
    assert [item.what for item in error.value.diagnostics][-1] == "No builds to run"


def test_except_cuts_a_chain_at_a_post_processor_of_that_name(tmp_path: Path) -> None:
    chain: list[Json] = ["manifest", mock(name="p"), mock(name="q")]
    (build,) = planned(tmp_path, {"builders": [mock()], "post-processors": ["mock", chain]}, except_=("p",)).builds
    assert [[use.name for use in uses] for uses in build.chains] == [["mock"], ["manifest"]]


def test_provisioners_and_post_processors_choose_builders_by_their_name_as_it_is_written(tmp_path: Path) -> None:
    template: Json = {
        "variables": {"v": "1"},
        "builders": [mock(name="a{{user `v`}}"), mock(name="b")],
        "provisioners": [
            mock(only=["a{{user `v`}}"], string="one"),
            {"type": "mock", "except": ["b"], "string": "two"},
            mock(string="three"),
        ],
        "post-processors": [mock(only=["b"], keep_input_artifact=True), [mock(), {"type": "mock", "except": ["b"]}]],
    }
    first, second = planned(tmp_path, template).builds
    assert [len(first.provisioners), len(second.provisioners)] == [3, 1]
    assert [[use.keep_input_artifact for use in chain] for chain in first.chains] == [[None, None]]
    assert [[use.keep_input_artifact for use in chain] for chain in second.chains] == [[True], [None]]


def test_an_override_is_for_one_builder_and_joins_what_is_an_object_in_both(tmp_path: Path) -> None:
    template: Json = {
        "builders": [mock(name="a"), mock(name="b")],
        "provisioners": [
            mock(
                slice_string=["x", "y"],
                map_string_string={"k": "1", "l": "2"},
                override={"a": {"slice_string": ["z"], "map_string_string": {"l": "3"}, "string": "s"}},
            )
        ],
    }
    plan = planned(tmp_path, template)
    a, b = (config(plan, build.provisioners[0], build) for build in plan.builds)
    assert (a.slice_string, a.map_string_string, a.string) == (("z",), {"k": "1", "l": "3"}, "s")
    assert (b.slice_string, b.map_string_string, b.string) == (("x", "y"), {"k": "1", "l": "2"}, "")


def test_the_settings_that_packer_reads_itself_reach_the_plan(tmp_path: Path) -> None:
    template: Json = {
        "variables": {"n": "3"},
        "builders": [mock()],
        "provisioners": [mock(pause_before="10s", max_retries="{{user `n`}}"), mock(timeout="1m", max_retries=2)],
        "error-cleanup-provisioner": mock(string="clean"),
    }
    (build,) = planned(tmp_path, template).builds
    assert [(use.pause_before, use.timeout, use.max_retries) for use in build.provisioners] == [(10, 0, 3), (0, 60, 2)]
    assert build.cleanup is not None


def test_functions_know_the_build_and_the_template(tmp_path: Path) -> None:
    text = "{{build_name}} {{build_type}} {{template_dir}} {{timestamp}} {{user `v`}} {{build `ID`}}"
    template: Json = {"variables": {"v": "x"}, "builders": [mock(name="a")], "provisioners": [mock(string=text)]}
    plan = planned(tmp_path, template)
    (build,) = plan.builds
    told = config(plan, build.provisioners[0], build, {"ID": "i-1"}).string
    assert told == f"a mock {tmp_path} 1700000000 x i-1"
    assert config(plan, build.provisioners[0], build).string.endswith("<no value>")


def test_a_field_that_a_component_renders_is_left_alone_and_checked(tmp_path: Path) -> None:
    template: Json = {"builders": [mock()], "provisioners": [mock(late="{{ .Path }} {{user `v`}}", string="{{ .Path }}")]}
    plan = planned(tmp_path, template)
    (build,) = plan.builds
    decoded = config(plan, build.provisioners[0], build)
    assert (decoded.late, decoded.string) == ("{{ .Path }} {{user `v`}}", "<no value>")
    assert 'function "nosuch" not defined' in told(tmp_path, {"builders": [mock(late="{{nosuch}}")]})[0]


def test_the_value_of_a_variable_is_not_rendered_again(tmp_path: Path) -> None:
    template: Json = {"variables": {"c": "run {{ .Path }}"}, "builders": [mock(string="{{user `c`}}")]}
    plan = planned(tmp_path, template)
    (build,) = plan.builds
    assert config(plan, build.source, build).string == "run {{ .Path }}"


def test_everything_that_is_wrong_is_told_once_with_its_line(tmp_path: Path) -> None:
    template = """{
  "variables": {"a": null, "b": "{{user `c`}}"},
  "builders": [
    {"type": "mok"},
    {"type": "mock", "name": "x"}
  ],
  "provisioners": [
    {"type": "shel"},
    {"type": "mock", "only": ["y"]}
  ],
  "post-processors": ["manifes"],
  "min_packer_version": "99.0.0"
}"""
    assert sorted(told(tmp_path, template)) == sorted(
        [
            "9 provisioner 2: 'only' specified builder 'y' not found: ",
            "12 This template requires Packer version 99.0.0 or higher; using 1.16.0: "
            "Goldsmith understands the templates of Packer 1.16.0.",
            "2 required variable not set: a: Its default is null.",
            '2 Failed to interpolate "b": The variable "b" cannot be rendered: template: root:1:2: executing "root" at '
            "<user `c`>: error calling user: variable not set: c.",
            '4 Unknown builder mok: No source "mok" is installed.',
            '8 Unknown provisioner shel: No provisioner "shel" is installed.',
            '11 Unknown post-processor manifes: No post-processor "manifes" is installed.',
        ]
    )


def test_a_build_that_cannot_be_prepared_is_left_out_while_the_others_run(tmp_path: Path) -> None:
    template: Json = {
        "builders": [mock(name="a", string="refuse"), mock(name="b"), {"type": "nosuch"}],
        "provisioners": [mock(only=["a"], strin="x")],
    }
    plan = planned(tmp_path, template)
    assert [build.source_name for build in plan.builds] == ["b"]
    assert [name for name, _ in plan.failed] == ["mock.a", "nosuch"]
    assert [item.what for item in plan.failed[0][1].diagnostics] == [
        "string must not be refuse",
        "unknown configuration key: '\"strin\"'",
    ]


@pytest.mark.parametrize(
    ("part", "what", "next"),
    [
        ({"strin": "x"}, "unknown configuration key: '\"strin\"'", 'Did you mean "string"?'),
        ({"iso_checksum_type": "md5"}, "Deprecated configuration key: 'iso_checksum_type'", "goldsmith fix"),
        ({"nested": "x"}, "Incorrect attribute value", ""),
        ({"string": ["x"]}, "Incorrect attribute value", ""),
        ({"int": "many"}, "Incorrect attribute value", ""),
        ({"bool": "perhaps"}, "Incorrect attribute value", ""),
        ({"duration": "soon"}, "Incorrect attribute value", ""),
        ({"string": "{{build `Nope`}}"}, "Incorrect attribute value", ""),
        ({"string": "{{env `HOME`}}"}, "Incorrect attribute value", ""),
        ({"script": "none.sh"}, '"script" names "none.sh", which does not exist', ""),
        ({"max_retries": "often"}, '`max_retries` must be a valid integer, not "often"', ""),
        ({"override": {"mock": "x"}}, "the override of 'mock' must be an object, not a string", ""),
    ],
)
def test_a_wrong_setting_is_told_where_it_stands(tmp_path: Path, part: dict[str, Json], what: str, next: str) -> None:
    (fault,) = faults(tmp_path, {"builders": [mock()], "provisioners": [mock(**part)]})
    assert fault.what == what
    assert next in fault.next
    assert fault.where is not None and fault.where.start.line > 3


def test_a_source_knows_nothing_of_its_build_yet(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {"builders": [mock(string="{{build `ID`}}")]})
    assert "a source comes before" in fault.why


def test_names_that_become_equal_when_rendered_are_refused(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {"variables": {"v": "x"}, "builders": [mock(name="x"), mock(name="{{user `v`}}")]})
    assert fault.what == "builder with name 'x' already exists"


def test_a_variable_that_nobody_sets_is_empty_with_a_warning(tmp_path: Path) -> None:
    template: Json = {"variables": {"region": "eu"}, "builders": [mock(string="[{{user `regoin`}}]", late="{{user `regoin`}}")]}
    plan = planned(tmp_path, template)
    (warning,) = plan.warnings
    assert (warning.code, warning.next) == ("legacy.undefined-variable", 'Did you mean "region"?')
    assert config(plan, plan.builds[0].source, plan.builds[0]).string == "[]"


def test_the_value_of_a_sensitive_variable_is_shown_nowhere(tmp_path: Path) -> None:
    template: Json = {
        "variables": {"pw": "hunter2", "open": "o"},
        "sensitive-variables": ["pw"],
        "builders": [mock(int="{{user `pw`}}", string="{{nosuch `hunter2`}}", late="hunter2 {{")],
    }
    plan = planned(tmp_path, template)
    assert plan.secrets == ("hunter2",)
    assert plan.variables == {"pw": "<sensitive>", "open": "o"}
    for item in plan.failed[0][1].diagnostics:
        assert item.where is not None
        assert "hunter2" not in item.what + item.why + item.next + item.where.source.text
        assert item.where.source.text.count("*******") == 3


def test_a_missing_version_number_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {"min_packer_version": "new", "builders": [mock()]})
    assert fault.what == "min_version is invalid: Malformed version: new"


TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["{{user `a`}}", "{{", "{{.X}}", "{{build `ID`}}", "{{build_name}}", "1", "true", "1s", "a,b", "mock", "refuse"]
    ),
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
NAMES = st.sampled_from(
    (
        "type",
        "name",
        "only",
        "except",
        "override",
        "timeout",
        "pause_before",
        "max_retries",
        "keep_input_artifact",
        "string",
        "int",
        "bool",
        "trilean",
        "duration",
        "map_string_string",
        "slice_string",
        "slice_slice_string",
        "nested",
        "nested_slice",
        "tag",
        "late",
        "script",
        "String",
        "x",
        "packer_x",
    )
)
PARTS = st.dictionaries(NAMES, VALUES).map(lambda given: {"type": "mock", **given})
TREES = st.fixed_dictionaries(
    {"builders": st.lists(PARTS, min_size=1, max_size=3)},
    optional={
        "variables": st.dictionaries(TEXTS, st.one_of(st.none(), TEXTS), max_size=3),
        "sensitive-variables": st.lists(TEXTS, max_size=2),
        "provisioners": st.lists(PARTS, max_size=2),
        "post-processors": st.lists(st.one_of(PARTS, TEXTS, st.lists(PARTS, max_size=2)), max_size=2),
        "error-cleanup-provisioner": PARTS,
        "description": VALUES,
        "min_packer_version": VALUES,
    },
)


@given(TREES)
def test_no_template_does_anything_but_give_a_plan_or_faults(tmp_path: Path, tree: dict[str, Json]) -> None:
    for item in faults(tmp_path, tree):
        assert item.what and item.code
