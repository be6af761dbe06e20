"""YAML of roles: read back as it was meant, within the lines that ansible-lint allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist.ansible_yaml import Node, Unsafe, document, dump, load, plain, task_list
from goldsmith.assist.arguments import Names, unknown_in, variables_in
from goldsmith.assist.commands import Text, Unknown, Variable, Word

_TEXTS = st.text(alphabet="ab\t\n {%:#'\"\\é-|>&*!?,[]}\r\x85\u2028", max_size=60) | st.sampled_from(
    ["yes", "0644", "1e3", "~"]
)
_NODES: st.SearchStrategy[Node] = st.recursive(
    st.one_of(_TEXTS, st.booleans(), st.integers(), _TEXTS.map(Unsafe)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(_NODES)
def test_what_is_written_is_read_back(node: Node) -> None:
    assert load(dump(node)) == node  # dump itself raises Bug otherwise


@settings(max_examples=100, deadline=None)
@given(st.lists(_NODES, min_size=1, max_size=3))
def test_tasks_of_a_file_are_read_back(nodes: list[Node]) -> None:
    tasks: list[dict[str, Node]] = [{"name": "x", "value": node} for node in nodes]

    assert load(task_list([("above", task) for task in tasks])) == tasks


def test_text_of_several_lines_is_a_literal_block_and_modes_are_quoted() -> None:
    text = dump([{"mode": "0644", "content": "one\n\ttwo\n", "shell": "a\nb", "on": "yes"}])

    assert text == '- mode: "0644"\n  content: |\n    one\n    \ttwo\n  shell: |-\n    a\n    b\n  "on": "yes"\n'


def test_no_line_is_longer_than_ansible_lint_allows() -> None:
    url = "https://example.org/" + "x" * 170

    for text in (" ".join(["word"] * 100), url, "echo\n" + "y " * 120 + "z", " a\n" + "x" * 400, "\x85" * 90, "é" * 300):
        for line in dump([{"name": "x", "shell": text, "list": [{"deep": text}]}]).splitlines():
            assert len(line) <= 160


def test_text_with_braces_is_unsafe_and_a_template_is_not() -> None:
    assert plain("a {{ b }}") == Unsafe("a {{ b }}")
    assert plain("a {# b") == Unsafe("a {# b")
    assert plain("a { b }") == "a { b }"
    assert dump({"a": Unsafe("{{ x }}"), "b": "{{ x }}"}) == 'a: !unsafe "{{ x }}"\nb: "{{ x }}"\n'


def test_a_file_of_tasks_has_comments_above_its_tasks() -> None:
    assert task_list([("setup.sh:1", {"name": "A"}), ("", {"name": "B"})], "From setup.sh.") == (
        "---\n# From setup.sh.\n# setup.sh:1\n- name: A\n\n- name: B\n"
    )
    assert task_list([]) == "---\n[]\n"
    assert document({"a": 1}, "x") == "---\n# x\na: 1\n"


def test_a_clone_of_the_newest_commit_is_excused() -> None:
    newest: dict[str, Node] = {"name": "Clone", "ansible.builtin.git": {"repo": "x", "dest": "/x"}}
    pinned: dict[str, Node] = {"name": "Clone", "ansible.builtin.git": {"repo": "x", "dest": "/x", "version": "v1"}}

    assert "- name: Clone  # noqa: latest[git]\n" in task_list([("", newest)])
    assert "noqa" not in task_list([("", pinned)])


def test_words_become_templates_with_the_names_of_the_role() -> None:
    names = Names.of("web", {"version", "kernel", "item"})
    word = Word((Text("{{ v=%}"), Variable("version", "input"), Text("-"), Variable("kernel.stdout", "registered")))

    assert names.node(word) == "{{ '{{' }} v={{ '%}' }}{{ web_version }}-{{ web_kernel.stdout }}"
    assert names.node(Word.of("{{ x }}")) == Unsafe("{{ x }}")
    assert names.node({"a": [Word((Variable("item", "loop"),)), 1, True]}) == {"a": ["{{ item }}", 1, True]}


def test_only_names_of_the_conversion_are_renamed() -> None:
    names = Names.of("web", {"version", "DB_HOST"})

    assert names.expression("version == 'version' and ansible_facts.version is defined") == (
        "web_version == 'version' and ansible_facts.version is defined"
    )
    assert names.expression("DB_HOST | default(version, true)") == "web_db_host | default(web_version, true)"
    assert names.expression("x | regex_replace('a', version)") == "x | regex_replace('a', web_version)"
    assert names.name("web_version") == "web_version"


def test_a_gap_is_told_and_never_written() -> None:
    word = Word((Text("a"), Unknown("the output of curl")))

    assert unknown_in({"name": ["x", word]}) == "the output of curl"
    assert unknown_in(["x", Word.of("y")]) is None
    with pytest.raises(ValueError, match="the output of curl"):
        Names.of("web", ()).node(word)
    with pytest.raises(ValueError, match="UTF-8"):
        Names.of("web", ()).node("a\udcff")


def test_variables_are_found_in_nested_arguments() -> None:
    one, two = Variable("a", "input"), Variable("b", "fact")

    assert variables_in({"x": [Word((Text("t"), one))], "y": {"z": Word((two,))}, "n": 1}) == (one, two)
