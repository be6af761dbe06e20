"""Reading JSON text: values, places, and all that is wrong in one run."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import SourceFile, read_json
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonScalar
from goldsmith.hcl.limits import LARGEST_FILE_BYTES

Plain: TypeAlias = "str | bool | int | Decimal | list[Plain] | dict[str, Plain] | None"


def read(text: str) -> JsonNode:
    node, faults = read_json(SourceFile("test.pkr.json", text))
    assert faults == ()
    assert node is not None
    return node


def plain(node: JsonNode) -> Plain:
    match node:
        case JsonScalar(value):
            return value
        case JsonArray(items):
            return [plain(item) for item in items]
        case JsonObject(properties):
            return {item.name: plain(item.value) for item in properties}
    raise AssertionError(node)


def faults_of(text: str) -> list[tuple[str, str]]:
    """What is wrong with a text: place and summary."""
    _, faults = read_json(SourceFile("t", text))
    return [(str(item.where).removeprefix("t:"), item.what) for item in faults]


# ── values and places ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_properties_keep_their_order_and_their_repetitions() -> None:
    node = read('{"b": 1, "a": 2, "b": 3, "//": "why"}')

    assert isinstance(node, JsonObject)
    assert [(item.name, plain(item.value)) for item in node.properties] == [("b", 1), ("a", 2), ("b", 3), ("//", "why")]
    assert [(again.range.text, first.range.text) for again, first in node.repeated()] == [('"b": 3', '"b": 1')]


def test_every_value_knows_its_place() -> None:
    node = read('{\r\n  "é": [1, "two"],\r\n  "b" : {"c": null}\r\n}')

    assert isinstance(node, JsonObject)
    first, second = node.properties
    assert (first.name_range.text, first.value.range.text, str(first.value.range)) == ('"é"', '[1, "two"]', "test.pkr.json:2,8")
    assert isinstance(first.value, JsonArray)
    assert [item.range.text for item in first.value.items] == ["1", '"two"']
    assert (second.range.text, second.value.start.text) == ('"b" : {"c": null}', "{")
    assert (node.start.start.line, node.end.start.line, node.end.text) == (1, 4, "}")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("1e3", 1000),
        ("1.50", Decimal("1.5")),
        ("123456789012345678901234567890.123456789012345678901234567890", "exact"),
        ("1E-400", Decimal("1e-400")),
    ],
)
def test_numbers_keep_every_digit(text: str, number: int | Decimal | str) -> None:
    assert plain(read(text)) == (Decimal(text) if number == "exact" else number)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
        (r'"\u00e9\uD83D\uDE00"', "é😀"),
        (r'"\ud83d x"', "\ufffd x"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        ('"日本 ${x}"', "日本 ${x}"),
    ],
)
def test_escapes_stand_for_characters(text: str, meant: str) -> None:
    assert plain(read(text)) == meant


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("1,1", "Missing value")]),
        (" \n", [("2,1", "Missing value")]),
        ("{} {}", [("1,4", "Extraneous data after value")]),
        ('{"a": 1,}', [("1,8", "Trailing comma in object")]),
        ("[1,]", [("1,3", "Trailing comma in array")]),
        ("[1 2]", [("1,4", "Missing attribute separator comma")]),
        ('{"a": 1 "b": 2}', [("1,9", "Missing attribute separator comma")]),
        ('{"a" = 1}', [("1,6", "Missing property value colon")]),
        ('{"a" 1}', [("1,6", "Missing property value colon")]),
        ('{"a"}', [("1,5", "Missing object value")]),
        ('{"a": }', [("1,7", "Missing JSON value")]),
        ("[1,,2]", [("1,4", "Missing JSON value")]),
        ("{a: 1}", [("1,2", "Invalid object property name")]),
        ("{1: 1}", [("1,2", "Invalid object property name")]),
        ("{'a': 1}", [("1,2", "Invalid object property name")]),
        ("{[1]: 1}", [("1,2", "Invalid object property name")]),
        ('["a": 1]', [("1,5", "Invalid array value")]),
        ('{"a": [1}', [("1,9", "Mismatched brackets")]),
        ("[{]", [("1,3", "Mismatched braces")]),
        ('{"a": [1', [("1,7", "Unclosed array")]),
        ('{"a": {', [("1,7", "Unclosed object")]),
        ("[01]", [("1,2", "Invalid JSON number")]),
        ("[+1, .5, 1., 1e, -]", [(f"1,{at}", "Invalid JSON number") for at in (2, 6, 10, 14, 18)]),
        ("[1e99999999999999999999]", [("1,2", "Invalid JSON number")]),
        ("[True, NaN, undefined, nul]", [(f"1,{at}", "Invalid JSON keyword") for at in (2, 8, 13, 24)]),
        ("['a', `b`]", [("1,2", "Invalid start of value"), ("1,7", "Invalid start of value")]),
        ('["a\\q", "\\u12g4"]', [("1,4", "Invalid JSON string"), ("1,10", "Invalid JSON string")]),
        ('["a\tb"]', [("1,4", "Invalid JSON string")]),
        ('["a\n, 2]', [("1,2", "Invalid JSON string")]),
        ('// one\n{"a": /* two */ 1 # three\n}', [("1,1", "Comments are not allowed")]),
    ],
)
def test_each_fault_is_told_where_it_is(text: str, expected: list[tuple[str, str]]) -> None:
    assert faults_of(text) == expected


def test_all_faults_of_a_file_are_told_in_one_run() -> None:
    text = '{\n  "a": tru,\n  b: 1,\n  "c" = 2,\n  "d": [1, 2,],\n  "e": {"f": 03}\n  "g": "\\x",\n}\n'

    assert [place.split(",")[0] for place, _ in faults_of(text)] == ["2", "3", "4", "5", "6", "7", "7", "7"]


def test_a_keyword_in_another_language_is_recognised() -> None:
    _, faults = read_json(SourceFile("t", "[False]"))

    assert faults[0].next == 'Did you mean "false"?'


@pytest.mark.parametrize("bracket", ["[", '{"a":', '[{"a":'])
def test_deep_nesting_is_refused(bracket: str) -> None:
    assert faults_of(bracket * 100_000)[-1][1] == "JSON value is nested too deeply"


def test_a_text_that_is_too_long_is_refused() -> None:
    assert faults_of('["' + "a" * LARGEST_FILE_BYTES + '"]') == [("1,1", "JSON text is too long")]


def test_many_faults_end_the_reading() -> None:
    found = faults_of("[" + "'" * 2 + ", x" * 500_000)

    assert len(found) == 101
    assert found[-1][1] == "Too many errors"


# ── against the standard library ──────────────────────────────────────────────────────────────────────────────────────

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False).map(float) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


def parsed(text: str) -> Plain:
    def refuse(word: str) -> Plain:
        raise ValueError(word)

    result: Plain = json.loads(text, parse_float=Decimal, parse_constant=refuse)
    return result


@given(VALUES, st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
def test_what_a_writer_of_json_writes_is_read_as_it_was(value: object, ascii: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii, indent=indent)

    assert plain(read(text)) == parsed(text)


@given(VALUES)
def test_the_place_of_a_value_holds_the_value(value: object) -> None:
    waiting = [read(json.dumps(value))]
    while waiting:
        node = waiting.pop()
        assert parsed(node.range.text) == plain(node)
        waiting += node.items if isinstance(node, JsonArray) else ()
        waiting += [item.value for item in node.properties] if isinstance(node, JsonObject) else ()


PIECES = (*'{}[],:"\\0-.1e+ \n\t', "true", "null", '"a"', '"\\n"', '"\\u00', "#", "//", "é", "=", "'")
JSON_LIKE = st.lists(st.sampled_from(PIECES)).map("".join)


@given(JSON_LIKE)
def test_what_is_accepted_is_json(text: str) -> None:
    _, faults = read_json(SourceFile("t", text))
    try:
        parsed(text)
    except ValueError:
        assert faults
    else:
        assert not faults


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    node, faults = read_json(SourceFile("t", text))

    assert node is not None or faults
