"""Go templates: what they render to, and how they fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.gotemplate import check, named_in_calls, render

DATA = {
    "Path": "/tmp/x.sh",
    "Vars": "A='1' ",
    "Empty": "",
    "N": 3,
    "Items": ["a", "b"],
    "Map": {"k": "v", "j": {"deep": 5}},
    "Yes": True,
}
FUNCTIONS: dict[str, Callable[..., object]] = {
    "build_name": lambda: "null.x",
    "upper": lambda text: str(text).upper(),
    "join2": lambda a, b: f"{a}-{b}",
    "fails": lambda: _fail(),
}


def _fail() -> str:
    raise ValueError("it is out of order")


RENDERED = [
    ("plain { } text", "plain { } text"),
    ("", ""),
    ("{{.Path}}", "/tmp/x.sh"),
    ("chmod +x {{ .Path }}; {{.Vars}}{{ .Path }}", "chmod +x /tmp/x.sh; A='1' /tmp/x.sh"),
    ("{{.Foo}}", "<no value>"),
    ("{{.Foo.Bar}}", "<no value>"),
    ("{{.Map.k}} {{.Map.j.deep}} {{.Map.none}}", "v 5 <no value>"),
    ("{{build_name}}", "null.x"),
    ('{{upper `a`}}{{upper "b\\n\\x41\\u00e9"}}', "AB\nAÉ"),
    ('{{ "{{" }}x}}', "{{x}}"),
    ("{{`}}`}}", "}}"),
    ("{{join2 1 .N}}", "1-3"),
    ("{{.Path | upper}}", "/TMP/X.SH"),
    ('{{.Path | upper | printf "%q"}}', '"/TMP/X.SH"'),
    ('{{printf "%s" build_name}}', "null.x"),
    ("{{upper (join2 .N `x`)}}", "3-X"),
    ("{{(index .Map `j`).deep}}", "5"),
    ("a {{- 1 -}} b", "a1b"),
    ("a\n  {{- /* note */ -}}\n b", "ab"),
    ("a{{/* }} */}}b", "ab"),
    ("{{-1}}", "-1"),
    ("{{if .Yes}}y{{else}}n{{end}}{{if .Empty}}y{{else}}n{{end}}", "yn"),
    ("{{if .Empty}}1{{else if .Foo}}2{{else if .N}}3{{else}}4{{end}}", "3"),
    ("{{with .Map}}{{.k}}{{end}}{{with .Empty}}x{{else}}{{.N}}{{end}}", "v3"),
    ("{{with .Empty}}1{{else with .Path}}{{.}}{{end}}", "/tmp/x.sh"),
    ("{{range .Items}}<{{.}}>{{end}}", "<a><b>"),
    ("{{range $i, $x := .Items}}{{$i}}={{$x}};{{end}}", "0=a;1=b;"),
    ("{{range $x := .Items}}{{$x}}{{end}}", "ab"),
    ("{{range $k, $v := .Map}}{{$k}},{{end}}", "j,k,"),
    ("{{range .None}}x{{else}}none{{end}}", "none"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    ("{{range .Items}}{{if eq . `b`}}{{break}}{{end}}{{.}}{{end}}", "a"),
    ("{{range .Items}}{{with .}}{{if eq . `a`}}{{continue}}{{end}}{{end}}{{.}}{{end}}{{.N}}", "b3"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
    ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
    ("{{with $y := .Path}}{{$y}}{{end}}", "/tmp/x.sh"),
    ("{{with .Map}}{{$.N}}{{end}}", "3"),
    ("{{eq 1 2 1}} {{ne `a` `b`}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1 2}}", "true true true true false false"),
    ("{{and .Yes .Empty}}|{{and 1 2}}|{{or .Empty `x` fails}}|{{and 0 fails}}|{{not .Yes}}", "|2|x|0|false"),
    ("{{index .Items 1}} {{index .Map `j` `deep`}} {{len .Items}} {{len `é`}} {{slice `abc` 1 2}}", "b 5 2 2 b"),
    ("{{print 1 2 `a` 3}}|{{println 1 `a`}}", "1 2a3|1 a\n"),
    ("{{.Items}} {{.Map}}", "[a b] map[j:map[deep:5] k:v]"),
    ("{{1.5}} {{1e3}} {{0x1F}} {{0b11}} {{017}} {{1_000}} {{'a'}} {{+2}}", "1.5 1000 31 3 15 1000 97 2"),
    ('{{printf "%05d|%-4s|%5.2f|%x|%v|%t|%%|%c" 42 "a" 1.5 "hi" .Items true 65}}', "00042|a   | 1.50|6869|[a b]|true|%|A"),
    ('{{printf "%d" "x"}} {{printf "%s"}} {{printf "x" 1}}', "%!d(string=x) %!s(MISSING) x%!(EXTRA int=1)"),
    ('{{define "t"}}<{{.}}{{$}}>{{end}}{{template "t" .N}}{{template "t"}}', "<33><<no value><no value>>"),
    ('{{block "b" .Path}}[{{.}}]{{end}}', "[/tmp/x.sh]"),
    ('{{define "a"}}{{template "b" .}}{{end}}{{define "b"}}b{{.}}{{end}}{{template "a" 7}}', "b7"),
    ('{{define "a"}}x{{end}}{{define "a"}} {{end}}{{template "a"}}', "x"),
    ('{{range .Items}}{{block "i" .}}{{.}}{{end}}{{end}}', "ab"),
    ('{{printf "%[2]s %[1]s" "a" "b"}}|{{printf "%[3]d" 1}}|{{printf "%[1]d %d" 1 2}}', "b a|%!d(BADINDEX)|1 2"),
    ('{{printf "%*d|%-*d|%.*f|%*d|" 4 1 4 1 1 2.25 -4 1}}', "   1|1   |2.2|1   |"),
    ('{{printf "%*d" "x" 1}}', "%!(BADWIDTH)1"),
    ('{{printf "%U %#U %O % x %#q %+q %q" 65 233 8 "hi" "a" "é" 10}}', "U+0041 U+00E9 'é' 0o10 68 69 `a` \"\\u00e9\" '\\n'"),
    ('{{js "it\'s <b>\\n"}}', "it\\'s \\u003Cb\\u003E\\u000A"),
    ('{{html `<a href="x">`}} {{urlquery `a b&c`}}', "&lt;a href=&#34;x&#34;&gt; a+b%26c"),
]


@pytest.mark.parametrize(("template", "wanted"), RENDERED)
def test_a_template_renders(template: str, wanted: str) -> None:
    assert render(template, FUNCTIONS, DATA) == wanted


@pytest.mark.parametrize("template", [template for template, _ in RENDERED])
def test_what_renders_also_passes_the_check(template: str) -> None:
    check(template, frozenset(FUNCTIONS))


def test_without_data_every_field_has_no_value() -> None:
    assert render("{{.Path}}{{.A.B}}", {}, None) == "<no value><no value>"


SYNTAX_FAULTS = [
    ("{{nosuch}}", 'root:1: function "nosuch" not defined'),
    ("a\n{{ .Foo", "root:2: unclosed action"),
    ("{{", "unclosed action"),
    ("{{}}", "missing value for command"),
    ("{{if}}x{{end}}", "missing value for if"),
    ("{{if .A}}x", "unexpected EOF"),
    ("{{end}}", "unexpected {{end}}"),
    ("{{else}}", "unexpected {{else}}"),
    ("{{if 1}}{{else}}{{else}}{{end}}", "expected end; found {{else}}"),
    ("{{if 1}}{{else with 1}}{{end}}", 'unexpected "with" in else clause'),
    ("{{/* x }}", "unclosed comment"),
    ("{{/* x */ }}", "comment ends before closing delimiter"),
    ('{{"a}}', "unterminated quoted string"),
    ("{{`a}}", "unterminated raw quoted string"),
    ('{{"\\d"}}', "bad string syntax"),
    ("{{$x}}", 'undefined variable "$x"'),
    ("{{$x = 1}}", 'undefined variable "$x"'),
    ("{{if true}}{{$x := 1}}{{end}}{{$x}}", 'undefined variable "$x"'),
    ("{{$a, $b := 1}}", "too many declarations"),
    ("{{(1}}", "unclosed left paren"),
    ("{{1 | 2}}", "non executable command in pipeline stage 2"),
    ("{{1 |}}", "missing value for command"),
    ("{{break}}", "{{break}} outside {{range}}"),
    ("{{template}}", "missing name in template clause"),
    ("{{template x}}", 'unexpected "x" in template clause'),
    ('{{define "x" 1}}{{end}}', 'unexpected "1" in define clause'),
    ('{{define "x"}}', "unexpected EOF"),
    ('{{define "x"}}{{else}}{{end}}', "unexpected {{else}} in define clause"),
    ('{{if 1}}{{define "x"}}{{end}}{{end}}', "unexpected {{define}}"),
    ('{{block "x"}}{{end}}', "missing value for block clause"),
    ('{{$x := 1}}{{define "x"}}{{$x}}{{end}}', 'undefined variable "$x"'),
    ("{{joi2 1 2}}", 'function "joi2" not defined. Did you mean "join2"?'),
    ("{{.A }} {{ | }}", "missing value"),
    ("{{.Path!}}", "root:1: bad character U+0021 '!'"),
    ("{{upper `a` !}}", 'root:1: unexpected "!" in operand'),
    (r"{{upper \"x\"}}", r'root:1: unexpected "\\" in operand'),
    (r"{{ \"x\" }}", r'root:1: unexpected "\\" in command'),
    ("{{upper if}}", "unexpected <if> in operand"),
    ("{{upper `a``bcdefghijkl`}}", 'unexpected "`bcdefghij"... in operand'),
    ("{{upper - 1}}", 'bad number syntax: "-"'),
    ("{{upper §}}", "unrecognized character in action: U+00A7 '§'"),
    ("{{`a``b`}}", "in operand"),
    ("{{1.a}}", "operand"),
    ("{{9223372036854775808}}", "bad number syntax"),
]


@pytest.mark.parametrize(("template", "reason"), SYNTAX_FAULTS)
def test_a_template_that_cannot_be_read_says_why(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^template: root:") as caught:
        check(template, FUNCTIONS)
    assert reason in str(caught.value)
    with pytest.raises(ValueError, match=r"^template: root:"):
        render(template, FUNCTIONS, DATA)


RUN_FAULTS = [
    ("{{fails}}", "error calling fails: it is out of order"),
    ("{{upper}}", 'root:1:2: executing "root" at <upper>: wrong number of args for upper: want 1 got 0'),
    ("{{build_name 1}}", "wrong number of args for build_name: want 0 got 1"),
    ("{{upper .Foo}}", 'root:1:8: executing "root" at <.Foo>: invalid value; expected string'),
    ("{{.Path.Foo}}", "can't evaluate field Foo in type str"),
    ("{{.Path 1}}", "can't give argument to non-function .Path"),
    ("{{nil}}", "nil is not a command"),
    ("{{index .Items 5}}", "index out of range: 5"),
    ("{{index .N 1}}", "can't index item of type int"),
    ("{{len 3}}", "len of type int"),
    ("{{eq 1 `a`}}", "incompatible types for comparison"),
    ("{{lt true false}}", "invalid type for comparison"),
    ("{{eq 1}}", "missing argument for comparison"),
    ("{{printf 1}}", "error calling printf: expected string; found 1"),
    ("{{call .N}}", "error calling call: non-function of type int"),
    ('{{template "x"}}', 'template "x" not defined'),
    ("{{range .Path}}{{end}}", "range can't iterate over /tmp/x.sh"),
    ('{{printf "%99999999d" 1}}', "beyond 1000000"),
]


@pytest.mark.parametrize(("template", "reason"), RUN_FAULTS)
def test_a_template_that_fails_when_rendered_says_where_and_why(template: str, reason: str) -> None:
    check(template, FUNCTIONS)
    with pytest.raises(ValueError, match=r"^template: root:1[:0-9]*: executing") as caught:
        render(template, FUNCTIONS, DATA)
    assert reason in str(caught.value)


def test_a_deep_nest_is_refused_instead_of_crashing() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        check("{{" + "(" * 5_000 + "1" + ")" * 5_000 + "}}", ())


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{range 1000}}{{range 1000}}{{range 1000}}x{{end}}{{end}}{{end}}", "more than 1,000,000 steps"),
        ("{{range 99999999}}x{{end}}", "range over more than 1,000,000 numbers"),
        ('{{range 20}}{{printf "%1000000d" 1}}{{end}}', "more than 16,777,216 characters"),
        ('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', "nested too deeply"),
    ],
)
def test_a_template_that_would_never_end_is_stopped(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        render(template, {}, None)


def test_the_names_that_a_function_is_asked_for_can_be_listed() -> None:
    template = (
        "{{user `a`}}{{if eq (user `b`) `x`}}{{user `c` | upper}}{{else}}{{user .N}}{{end}}{{define `t`}}{{user `d`}}{{end}}"
    )
    assert sorted(named_in_calls(template, ("user", "upper"), "user")) == ["a", "b", "c", "d"]


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_stays_as_it_is(text: str) -> None:
    assert render(text, {}, None) == text


@given(st.text(alphabet="{}. -$|()=:,`\"'x/*1endifra\n\\", max_size=30))
def test_no_template_does_anything_but_render_or_raise_a_value_error(noise: str) -> None:
    for template in (noise, "{{" + noise + "}}"):
        try:
            check(template, ("x", "r"))
            render(template, {"x": lambda *_: 1, "r": lambda *_: "r"}, None)
        except ValueError:
            pass


@pytest.mark.parametrize(
    "template",
    [
        "{{ $x := `aaaaaaaaaa` }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}",
        '{{ range 1000 }}{{ $x := printf "%1000000d" 1 }}{{ end }}',
        "{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}",
    ],
)
def test_a_template_that_makes_too_much_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="more than"):
        render(template, {}, {})


@pytest.mark.parametrize("template", ["{{ 1e999 }}", '{{ "\\ud800" }}', '{{ "\\U00110000" }}'])
def test_what_no_literal_can_hold_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="bad"):
        render(template, {}, {})


def test_the_variables_of_a_range_over_nothing_hold_nothing() -> None:
    assert render("{{ range $i, $x := .x }}a{{ else }}{{ $x }}b{{ end }}", {}, {"x": []}) == "[]b"
