"""JSON bodies: what a schema makes of them, and what their values mean."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import Body, Content, Schema, Scope, SourceFile, UserError, Value, evaluate, parse_json, references
from goldsmith.hcl.type_expressions import type_expression
from goldsmith.hcl.types import STRING, ListType
from goldsmith.hcl.values import Plain, from_plain, null, number, object_of, string, to_plain, unknown

SERVER = Schema(attributes=("name", "size"), blocks={"disk": (), "port": ("protocol", "number")})


def body(text: str) -> Body:
    parsed, faults = parse_json(SourceFile("test.pkr.json", text))
    assert faults == ()
    return parsed


def content(text: str, schema: Schema = SERVER) -> Content:
    """What a body holds, when nothing in it is wrong."""
    found = body(text).content(schema)
    assert (found.strangers, found.faults) == ((), ())
    return found


def faults_of(text: str, schema: Schema = SERVER) -> list[tuple[str, str]]:
    return [(str(item.where).removeprefix("test.pkr.json:"), item.what) for item in body(text).content(schema).faults]


def blocks_of(text: str) -> list[tuple[str, ...]]:
    return [(block.type, *block.labels) for block in content(text).blocks]


# ── attributes and blocks ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_schema_decides_what_a_property_is() -> None:
    text = '{"disk": {"size": 1}}'

    assert [block.type for block in content(text).blocks] == ["disk"]
    assert list(content(text, Schema(attributes=("disk",))).attributes) == ["disk"]
    assert list(content(text, Schema(any_attribute=True)).attributes) == ["disk"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"disk": {}}', [("disk",)]),
        ('{"disk": []}', []),
        ('{"disk": null}', []),
        ('{"disk": [{}, {}]}', [("disk",), ("disk",)]),
        ('{"disk": {}, "disk": {}}', [("disk",), ("disk",)]),
        ('[{"disk": {}}, {"disk": {}}]', [("disk",), ("disk",)]),
        (
            '{"port": {"tcp": {"22": {}, "80": [{}, {}]}}}',
            [("port", "tcp", "22"), ("port", "tcp", "80"), ("port", "tcp", "80")],
        ),
        (
            '{"port": [{"udp": {"1": {}}}, {"tcp": [{"2": {}}, {"1": {}}]}]}',
            [("port", "udp", "1"), ("port", "tcp", "2"), ("port", "tcp", "1")],
        ),
        ('{"port": {"tcp": {"1": {}}, "tcp": {"1": null, "2": {}}}}', [("port", "tcp", "1"), ("port", "tcp", "2")]),
        ('{"port": {"//": {"1": {}}}}', [("port", "//", "1")]),
        ('{"disk": {}, "port": {"a": {"b": {}}}, "disk": {}}', [("disk",), ("port", "a", "b"), ("disk",)]),
    ],
)
def test_blocks_keep_their_order_through_all_levels(text: str, expected: list[tuple[str, ...]]) -> None:
    assert blocks_of(text) == expected


def test_a_block_knows_where_its_parts_stand() -> None:
    (first, second) = content('{"port": {"tcp": {"22": {"name": "a"}}}, "disk": [\n{"size": 2}]}').blocks

    assert (first.type_range.text, [item.text for item in first.label_ranges]) == ('"port"', ['"tcp"', '"22"'])
    assert (first.range.text, first.body.range.text) == ('"22": {', '{"name": "a"}')
    assert (second.range.text, second.range.start.line) == ("{", 2)


def test_comments_are_passed_over_in_bodies_only() -> None:
    found = content('{"//": "why", "//": ["again"], "name": {"//": "kept"}}')

    assert list(found.attributes) == ["name"]
    assert value(found, "name") == object_of({"//": string("kept")})


def test_the_same_body_less_some_names() -> None:
    rest = body('{"name": "a", "size": 1, "disk": {}}').without({"name"}).without({"disk"})

    assert list(rest.content(SERVER).attributes) == ["size"]
    assert (rest.content(SERVER).strangers, rest.content(SERVER).blocks) == ((), ())
    assert len(list(rest.expressions())) == 1


def test_names_that_the_schema_does_not_have_are_strangers() -> None:
    found = body('{"nmae": 1, "disk": {}, "dsik": {}}').content(SERVER)

    assert [(item.form, item.name, str(item.range)) for item in found.strangers] == [
        ("property", "nmae", "test.pkr.json:1,2"),
        ("property", "dsik", "test.pkr.json:1,25"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": 1, "name": 2, "name": 3}', [("1,13", "Duplicate argument"), ("1,24", "Duplicate argument")]),
        ('[{"name": 1}, {"name": 2}]', [("1,16", "Duplicate argument")]),
        ('[{"name": 1}, 2]', [("1,15", "Incorrect JSON value type")]),
        ('{"disk": "x"}', [("1,10", "Incorrect JSON value type")]),
        ('{"disk": true}', [("1,10", "Incorrect JSON value type")]),
        ('{"port": {"tcp": "x"}}', [("1,18", "Incorrect JSON value type")]),
        ('{"port": "x"}', [("1,10", "Incorrect JSON value type")]),
        ('{"port": [1, {"tcp": {"1": {}}}]}', [("1,11", "Incorrect JSON value type")]),
        ('{"port": {}}', [("1,10", "Missing block label")]),
        ('{"port": {"tcp": []}}', [("1,18", "Missing block label")]),
        ('{"port": null}', [("1,10", "Missing block label")]),
    ],
)
def test_values_that_do_not_fit_the_schema_are_faults(text: str, expected: list[tuple[str, str]]) -> None:
    assert faults_of(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("[{}]", "1,1"), ('[{"a": 1}, {"b": 2}]', "1,1")])
def test_a_body_of_any_attributes_is_one_object(text: str, expected: str) -> None:
    assert faults_of(text, Schema(any_attribute=True)) == [(expected, "Incorrect JSON value type")]


def test_a_block_whose_body_is_no_object_says_so_when_it_is_read() -> None:
    (block,) = content('{"disk": ["x"]}').blocks

    assert [item.what for item in block.body.content(SERVER).faults] == ["Incorrect JSON value type"]


@pytest.mark.parametrize("text", ["1", '"a"', "null", "true"])
def test_the_root_is_an_object_or_an_array(text: str) -> None:
    parsed, faults = parse_json(SourceFile("t", text))

    assert [item.what for item in faults] == ["Root value must be object"]
    assert parsed.content(SERVER) == Content({}, (), (), ())


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SCOPE = Scope(
    {"x": string("X"), "n": number(2), "list": from_plain(["a", "b"]), "u": unknown(STRING), "s": string("s").marked()}
)


def value(found: Content, name: str, scope: Scope = SCOPE) -> Value:
    return evaluate(found.attributes[name].expression, scope)


def value_of(text: str, scope: Scope = SCOPE) -> Value:
    return value(content(f'{{"name": {text}}}'), "name", scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"plain"', "plain"),
        ('"${x}-${n}"', "X-2"),
        ('"${n + 1}"', 3),
        ('"${list}"', ["a", "b"]),
        ('"%{ for i in list }${i},%{ endfor }"', "a,b,"),
        ('"$${x}"', "${x}"),
        ('"\\u0024{x}"', "X"),
        ('"a\\n${x}\\"b\\""', 'a\nX"b"'),
        ('"${\\"q\\"}"', "q"),
        ('"\\\\n"', "\\n"),
        ('["${x}", 1, null, {"a": true}]', ["X", 1, None, {"a": True}]),
        ('{"k-${x}": "${n}", "${x}": 1}', {"k-X": 2, "X": 1}),
        ('{"${n}": 1}', {"2": 1}),
        ("123456789012345678901234567890.5", Decimal("123456789012345678901234567890.5")),
        ("null", None),
        ("{}", {}),
        ('"e\\u0301"', "é"),
    ],
)
def test_values_are_expressions(text: str, expected: Plain) -> None:
    assert to_plain(value_of(text)) == expected


def test_null_has_no_type() -> None:
    assert value_of("null") == null()


def test_an_unknown_key_makes_the_whole_object_unknown() -> None:
    assert value_of('{"${u}": 1, "a": 2}') == unknown()


def test_sensitive_parts_stay_sensitive() -> None:
    assert value_of('["${s}"]').is_sensitive_anywhere
    assert value_of('{"${s}": 1}').sensitive


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ('{"a": 1, "${"a"}": 2}'.replace('"a"}', '\\"a\\"}'), "1,19", "Duplicate object attribute"),
        ('{"${null}": 1}', "1,11", "Null value as key"),
        ('{"${[]}": 1}', "1,11", "Incorrect key type"),
        ('"${missing}"', "1,13", "Unknown variable"),
        ('"\\u0041\\n${missing}"', "1,21", "Unknown variable"),
        ('"a${"', "1,14", None),
        ('["ok", "%{ if }"]', "1,24", None),
    ],
)
def test_a_fault_in_a_value_is_told_where_it_was_written(text: str, place: str, what: str | None) -> None:
    with pytest.raises(UserError) as error:
        value_of(text)

    (fault,) = error.value.diagnostics
    assert fault.where is not None
    assert str(fault.where) == f"test.pkr.json:{place}"
    assert what is None or fault.what == what
    # The excerpt is a line of the file, not of the string.
    assert fault.where.source.lines[0].startswith('{"name": ')


def test_what_cannot_be_parsed_is_told_only_when_its_value_is_wanted() -> None:
    found = content('{"name": "${", "size": "a ${b"}')

    assert list(references(found.attributes["name"].expression)) == []
    assert evaluate(found.attributes["name"].literal, Scope()) == string("${")


def test_where_no_expression_may_stand_strings_are_text() -> None:
    found = content('{"name": {"${a}": ["${b}", "$${c}", 1.5]}}')

    assert to_plain(evaluate(found.attributes["name"].literal, Scope())) == {"${a}": ["${b}", "$${c}", Decimal("1.5")]}


def test_a_type_is_written_as_a_string() -> None:
    found = content('{"name": "list(string)", "size": "list("}')

    assert type_expression(found.attributes["name"].keyword) == ListType(STRING)
    with pytest.raises(UserError):
        type_expression(found.attributes["size"].keyword)


@pytest.mark.parametrize("text", ["1", '["string"]', '{"a": "string"}', "null", "true"])
def test_only_a_string_is_a_type(text: str) -> None:
    with pytest.raises(UserError) as error:
        type_expression(content(f'{{"name": {text}}}').attributes["name"].keyword)

    assert error.value.diagnostics[0].what == "Invalid type specification"


def test_references_are_found_in_whatever_a_body_holds() -> None:
    found = references(body('{"a": "${var.a}", "b": {"${local.b}": ["${data.null.c}", {"d": "x ${var.e[var.f]} y"}]}, "g": 1}'))

    assert [item.parts for item in found] == [
        ("var", "a"),
        ("local", "b"),
        ("data", "null", "c"),
        ("var", "e"),
        ("var", "f"),
    ]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$%")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé{", max_size=3), inner, max_size=3),
)


@given(PLAIN)
def test_without_templates_a_value_is_what_json_says(data: Plain) -> None:
    found = content(json.dumps({"name": data}))

    assert value(found, "name", Scope()) == evaluate(found.attributes["name"].literal, Scope())


@given(st.lists(st.sampled_from(["a", "é", "\n", '"', "\\", "😀", "\t", "/", "\x00"])), st.booleans())
def test_every_character_of_a_string_knows_its_place(pieces: list[str], ascii: bool) -> None:
    text = json.dumps({"name": "".join(pieces) + "${missing}"}, ensure_ascii=ascii)
    with pytest.raises(UserError) as error:
        value(content(text), "name")

    where = error.value.diagnostics[0].where
    assert where is not None
    assert text[where.start.offset : where.end.offset] == "missing"


@pytest.mark.parametrize("depth", [90, 180])
def test_what_can_be_read_can_be_evaluated_or_is_refused(depth: int) -> None:
    try:
        found = value_of("[" * depth + '"${x}"' + "]" * depth)
    except UserError as error:
        assert error.diagnostics[0].code == "hcl.too-deep"
    else:
        assert found.is_known
