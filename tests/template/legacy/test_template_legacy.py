"""Legacy JSON templates as typed parts: what is accepted, what is refused and where."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import SourceFile, UserError
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.template import LegacyTemplate, check_legacy, read_legacy


def read(text: str) -> LegacyTemplate:
    return read_legacy(SourceFile("t.json", text))


def refused(text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        read(text)
    return [diagnostic.what for diagnostic in caught.value.diagnostics]


def where(diagnostic: Diagnostic) -> tuple[int, int]:
    assert diagnostic.where is not None
    return diagnostic.where.start.line, diagnostic.where.start.column


def test_all_parts_are_read() -> None:
    template = read(
        """{
  "_comment": "ours", "min_packer_version": "1.2.0", "description": "d", "push": {},
  "variables": {"a": "x", "b": null}, "sensitive-variables": ["b", "c"],
  "builders": [{"type": "null"}, {"type": "file", "name": "two", "content": "x"}],
  "provisioners": [{"type": "shell", "only": ["two"], "pause_before": "1m30s", "max_retries": 3, "inline": ["ls"],
                    "override": {"two": {"inline": []}}, "timeout": 5000000000}],
  "error-cleanup-provisioner": {"type": "shell-local"},
  "post-processors": ["manifest", {"type": "compress", "keep_input_artifact": false}, ["artifice", {"type": "checksum"}]]
}"""
    )

    assert (template.min_packer_version, template.description) == ("1.2.0", "d")
    assert {name: (v.default, v.required, v.sensitive) for name, v in template.variables.items()} == {
        "a": ("x", False, False),
        "b": (None, True, True),
    }
    assert template.sensitive_variables == ("b", "c")
    assert [(b.name, b.type, list(b.settings)) for b in template.builders.values()] == [
        ("null", "null", []),
        ("two", "file", ["content"]),
    ]
    (shell,) = template.provisioners
    assert (shell.only, shell.except_, shell.max_retries, list(shell.settings)) == (("two",), (), "3", ["inline"])
    assert (shell.pause_before, shell.timeout) == (timedelta(seconds=90), timedelta(seconds=5))
    assert list(shell.override) == ["two"]
    assert template.error_cleanup_provisioner is not None
    chains = [[(p.type, p.name, p.keep_input_artifact) for p in chain] for chain in template.post_processors]
    assert chains == [
        [("manifest", "manifest", None)],
        [("compress", "compress", False)],
        [("artifice", "artifice", None), ("checksum", "checksum", None)],
    ]
    assert check_legacy(template) == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "the template: expected an object, not a list"),
        ('{"builder": []}', "Unknown root level key in template: 'builder'"),
        ('{"_comment": 1}', 'Failed to cast root level comment value in comment "_comment" to string.'),
        ('{"variables": {"a": 1}}', "variable a: expected type 'string'"),
        ('{"variables": {"a": "1", "a": "2"}}', "template has duplicate field: a"),
        ('{"builders": [{"name": "x"}]}', "builder 1: missing 'type'"),
        ('{"builders": [{"type": "x"}, {"type": "x"}]}', "builder 2: builder with name 'x' already exists"),
        ('{"builders": ["null"]}', "builder 1: expected an object, not a string"),
        ('{"builders": {"type": "null"}}', 'the template: "builders" must be a list, not an object'),
        ('{"provisioners": [{}]}', "provisioner 1: Provisioner missing 'type'"),
        ('{"provisioners": [{"type": "x", "timeout": "soon"}]}', 'provisioner 1: "timeout": '),
        ('{"post-processors": [[["x"]]]}', "post-processor 1.1: sequence not allowed to be nested in a sequence"),
        ('{"post-processors": [7]}', "post-processor 1.1: unknown format"),
        ('{"post-processors": [{"type": "x", "only": "y"}]}', 'post-processor 1.1: "only" must be a list, not a string'),
        ('{"post-processors": [{"only": []}]}', "post-processor 1.1: type is required"),
        ('{"description": 3}', 'the template: "description" must be a string, not a number'),
        ('{"builders": [{"type": "x", "a": 1e999}]}', "Error parsing JSON: the number is too large"),
        ("", "Missing value"),
        ("{", "Unclosed object"),
        ('{"a": 1,}', "Trailing comma in object"),
        ("{} x", "Extraneous data after value"),
        ('{"description": "\\q"}', "Invalid JSON string"),
        ("[" * 100_000, "JSON value is nested too deeply"),
    ],
)
def test_what_is_wrong_is_told(text: str, what: str) -> None:
    assert any(told.startswith(what) for told in refused(text)), refused(text)


def test_all_faults_are_told_at_once_with_their_places() -> None:
    with pytest.raises(UserError) as caught:
        read('{\n  "builders": [{}],\n  "whatever": 1,\n  "variables": {"a": []}\n}')

    assert sorted(where(diagnostic) for diagnostic in caught.value.diagnostics) == [(2, 16), (3, 3), (4, 22)]


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ("", "at least one builder must be defined"),
        ('"provisioners": [{"type": "x", "only": ["y"]}]', "provisioner 1: 'only' specified builder 'y' not found"),
        ('"provisioners": [{"type": "x", "override": {"y": {}}}]', "provisioner 1: override 'y' doesn't exist"),
        ('"post-processors": [["x", {"type": "x", "except": ["y"]}]]', "post-processor 1.2: 'except' specified builder 'y'"),
        ('"provisioners": [{"type": "x", "only": ["y"], "except": ["y"]}]', "provisioner 1: only one of 'only' or 'except'"),
    ],
)
def test_names_of_builders_are_checked_apart(parts: str, what: str) -> None:
    template = read(f"{{{parts}}}")

    assert any(diagnostic.what.startswith(what) for diagnostic in check_legacy(template))


def test_names_are_found_without_regard_to_case_as_packer_does() -> None:
    template = read('{"Builders": [{"Type": "null"}]}')

    assert list(template.builders) == ["null"]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert read(r'{"description": "\ud83d \ud83d\ude00"}').description == "\ufffd 😀"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("type", "only", "name", "timeout")), inner),
    max_leaves=8,
)
ROOTS = st.dictionaries(
    st.sampled_from(("variables", "sensitive-variables", "builders", "provisioners", "post-processors", "_c", "x")), JSON
)


@given(ROOTS)
def test_any_json_is_read_or_refused_with_diagnostics(document: dict[str, object]) -> None:
    import json

    try:
        check_legacy(read(json.dumps(document)))
    except UserError as error:
        assert all(diagnostic.what for diagnostic in error.diagnostics)


@given(st.text())
def test_any_text_is_read_or_refused_with_diagnostics(text: str) -> None:
    try:
        read(text)
    except UserError as error:
        assert error.diagnostics
