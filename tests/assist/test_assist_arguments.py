"""Words as templates of a playbook: Ansible takes each backslash of a text in them for itself, and Jinja does not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from goldsmith.assist.arguments import Names
from goldsmith.assist.commands import Variable, Word
from goldsmith.assist.expressions import quoted

jinja2 = pytest.importorskip("jinja2")


def as_ansible(template: str) -> str:
    """What Ansible makes of a template in a playbook: ansible-core doubles backslashes of texts before Jinja reads them."""
    environment = jinja2.Environment(keep_trailing_newline=True)
    source = "".join(
        text.replace("\\", "\\\\") if kind == "string" else text
        for _, kind, text in environment.lex(environment.preprocess(template))
    )
    return str(environment.from_string(source).render())


@given(text=st.text(alphabet="\\'\"n\n\t\ra.1{}%"))
@example(text="(?s)^(.*)(?:\\..*)\\Z")
@example(text="it's \\")
@example(text="\\\\'\\\"")
def test_a_text_of_an_expression_is_itself_again_in_a_playbook(text: str) -> None:
    word = Word((Variable(f"'' ~ {quoted(text)}", "computed"),))

    written = Names.of("web", ()).node(word)

    assert isinstance(written, str)
    assert as_ansible(written) == text
