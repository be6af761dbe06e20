"""A quick part of the differential tests: what is generated is judged as other implementations judge it."""

from __future__ import annotations

import shutil

import pytest

from goldsmith.hcl.display import display
from goldsmith.hcl.types import NUMBER, STRING
from tests.fuzz.differential import compared, findings, generated, verdict
from tests.fuzz.grammar import configurations
from tests.fuzz.targets import TARGETS
from tests.hcl.hcl_texts import value_faults, value_of


def test_generated_configurations_are_accepted_or_refused_as_gos_hcl_does() -> None:
    said = [(verdict(text), text) for text in generated(configurations, 300, 1)]

    assert [text for found, text in said if found == "differs"] == []
    assert sum(found == "same" for found, _ in said) > 200


@pytest.mark.skipif(shutil.which("packer") is None, reason="Debian's packer, the witness for values, is not installed")
def test_generated_expressions_have_the_values_that_packer_gives_them() -> None:
    said = list(findings("console", 150, 1))

    assert [what for found, what in said if found == "differs"] == []
    assert sum(found == "same" for found, _ in said) > 100


@pytest.mark.skipif(shutil.which("packer") is None, reason="Debian's packer, the witness for values, is not installed")
def test_a_value_that_differs_is_told() -> None:
    one, known = (said for said, *_ in compared(["1", "merge()"]))

    assert one == "same"
    assert known.startswith("merge() without arguments")


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\xff", b"a = 1\n", b"{{ .A }}", b'{"a": [1]}', b"[for x in l: x]", b"\x00" * 100])
def test_what_is_fuzzed_takes_any_bytes(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize(("text", "shown"), [('!false ? !false : "%{ if 1.5 }a%{ endif }"', "true"), ("true ? 1 : -[]", "1")])
def test_a_branch_without_value_still_has_the_type_of_its_operator(text: str, shown: str) -> None:
    assert display(value_of(text)) == shown
    assert value_of(text).type == (STRING if shown == "true" else NUMBER)


def test_branches_that_no_type_joins_are_refused_even_when_one_has_no_value() -> None:
    told = value_faults('false ? !{} : ["a"]')

    # The fault of the branch, although it is not taken, tells why it has no better type.
    assert [fault.what for fault in told] == ["Inconsistent conditional result types", "Invalid operand"]
