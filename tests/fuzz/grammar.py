"""A grammar of the language for hypothesis: configuration files that are mostly right, and expressions."""

from __future__ import annotations

from hypothesis import strategies as st

_names = st.sampled_from(["a", "b", "x_1", "for", "if", "in", "null", "true", "é", "a-b", "_c"])
_numbers = st.sampled_from(["0", "1", "-2", "1.5", "1e3", "10", "0.1", "3", "7"])
_words = st.sampled_from(["", "a", "b c", "\\n", "\\u00e9", "$", "%", "$${", "%%{", '\\"', "é", "~", "1", "true", "a\\tb"])
_signs = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        '"',
        "=",
        ",",
        ".",
        "${",
        "%{",
        "...",
        "=>",
        "\n",
        "#",
        "/*",
        "*",
        "?",
        ":",
        "<<E\n",
        "E\n",
        "\\",
    ]
)
_binary = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||"])


def _extended(inner: st.SearchStrategy[str], leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(_names, inner)
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(pairs, max_size=3).map(lambda items: "{" + ", ".join(f"{name} = {value}" for name, value in items) + "}"),
        st.tuples(inner, _binary, inner).map(" ".join),
        inner.map(lambda item: f"({item})"),
        inner.map(lambda item: f"!{item}"),
        inner.map(lambda item: f"-{item}"),
        st.tuples(inner, inner, inner).map(lambda three: f"{three[0]} ? {three[1]} : {three[2]}"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]}[{two[1]}]"),
        st.tuples(inner, _names).map(".".join),
        inner.map(lambda item: f"{item}[*]"),
        st.tuples(_words, inner, _words).map(lambda three: f'"{three[0]}${{{three[1]}}}{three[2]}"'),
        st.tuples(inner, _words, _words).map(
            lambda three: f'"%{{ if {three[0]} }}{three[1]}%{{ else }}{three[2]}%{{ endif }}"'
        ),
        st.tuples(inner, inner).map(lambda two: f"[for v in {two[0]} : {two[1]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"{{for k, v in {three[0]} : {three[1]} => {three[2]}}}"),
        st.tuples(st.sampled_from(_FUNCTIONS), st.lists(inner, max_size=3)).map(
            lambda call: f"{call[0]}({', '.join(call[1])})"
        ),
    )


_FUNCTIONS = (
    *(
        "abs",
        "ceil",
        "floor",
        "max",
        "min",
        "length",
        "concat",
        "contains",
        "distinct",
        "flatten",
        "keys",
        "values",
        "merge",
        "lower",
    ),
    *(
        "upper",
        "join",
        "split",
        "replace",
        "trimspace",
        "chomp",
        "jsonencode",
        "coalesce",
        "compact",
        "reverse",
        "sort",
        "can",
        "try",
    ),
    *(
        "format",
        "substr",
        "strrev",
        "title",
        "signum",
        "setunion",
        "zipmap",
        "lookup",
        "element",
        "chunklist",
        "range",
        "slice",
    ),
)
_leaves = st.one_of(_numbers, _words.map(lambda word: f'"{word}"'), st.sampled_from(["true", "false", "null", "[]", "{}"]))

expressions: st.SearchStrategy[str] = st.recursive(_leaves, lambda inner: _extended(inner, _leaves), max_leaves=8)
"""Expressions without variables, on one line."""

_operands = st.one_of(
    _leaves, _names, st.sampled_from(["a.b", "a[0]", "f(a...)", "a.*.b", "a[*].b", "<<E\nx ${a}\nE\n", "<<-E\n  x\n  E\n"])
)
_any_expression = st.recursive(_operands, lambda inner: _extended(inner, _operands), max_leaves=6)
_attributes = st.tuples(_names, _any_expression).map(lambda pair: f"{pair[0]} = {pair[1]}\n")
_labels = st.lists(st.one_of(_names, _words.map(lambda word: f'"{word}"')), max_size=2).map(" ".join)
_comments = st.sampled_from(["# c\n", "// c\n", "/* c */", "\n", "\t", " ", "\r\n"])
_bodies = st.recursive(
    st.lists(st.one_of(_attributes, _comments), max_size=3).map("".join),
    lambda body: st.tuples(_names, _labels, body).map(lambda block: f"{block[0]} {block[1]} {{\n{block[2]}}}\n"),
    max_leaves=3,
)


def _broken(text: str, cuts: list[tuple[float, float, str]]) -> str:
    for start, length, sign in cuts:
        at = int(start * len(text))
        text = text[:at] + sign + text[at + int(length * 4) :]
    return text


_cuts = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.one_of(st.just(""), _signs)), max_size=2)
configurations: st.SearchStrategy[str] = st.tuples(st.lists(_bodies, max_size=3).map("".join), _cuts).map(
    lambda made: _broken(*made)
)
"""Configuration files; about half of them have a fault."""
