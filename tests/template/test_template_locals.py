"""Locals and data sources."""

from __future__ import annotations

from goldsmith.hcl.values import to_plain
from tests.template.template_workplace import Say, Workplace


def test_locals_and_data_are_evaluated_in_the_order_of_their_needs(workplace: Workplace) -> None:
    loaded = workplace.load("""
locals {
  c = "${local.b}-c"
  a = "a"
}
data "mock" "middle" { foo = local.a }
local "b" { expression = data.mock.middle.foo }
""")
    assert {name: to_plain(value) for name, value in loaded.locals.items()} == {"a": "a", "b": "a", "c": "a-c"}


def test_a_circle_is_named(workplace: Workplace, whats: Say) -> None:
    faults = workplace.faults('locals {\n first = local.second\n second = local.third\n third = "${local.first}x"\n}')
    assert whats(faults) == ["Cycle: local.first → local.second → local.third → local.first"]
    assert faults[0].where is not None and faults[0].where.start.line == 2


def test_a_circle_through_a_data_source_is_named(workplace: Workplace, whats: Say) -> None:
    faults = workplace.faults('data "mock" "d" { foo = local.x }\nlocals { x = data.mock.d.foo }')
    assert whats(faults) == ["Cycle: data.mock.d → local.x → data.mock.d"]


def test_a_missing_local_is_told_with_a_suggestion_and_once(workplace: Workplace) -> None:
    faults = workplace.faults('locals {\n region = "a"\n b = local.regoin\n c = local.b\n}')
    assert [item.next for item in faults] == ['Did you mean "local.region"?']


def test_a_local_that_fails_is_told_once(workplace: Workplace) -> None:
    assert len(workplace.faults('locals {\n a = upper()\n b = local.a\n c = "${local.b}"\n}')) == 1


def test_locals_are_declared_once_over_all_files_and_forms(workplace: Workplace, whats: Say) -> None:
    workplace.write('locals { a = "1" }', "one.pkr.hcl")
    workplace.write('local "a" { expression = "2" }', "two.pkr.hcl")
    assert whats(workplace.faults()) == ["Duplicate local definition"]


def test_data_that_is_not_read_is_unknown_of_its_type(workplace: Workplace, whats: Say) -> None:
    text = """
data "mock" "d" { foo = "x" }
locals {
  text = data.mock.d.foo
  port = data.mock.d.port
}
source "mock" "a" { string = local.text }
build { sources = ["mock.a"] }
"""
    loaded = workplace.load(text, evaluate_data=False)
    assert not loaded.locals["text"].is_known
    assert loaded.plan().builds
    assert "Unsupported attribute" in " ".join(whats(workplace.faults(text.replace(".port", ".prot"), evaluate_data=False)))


def test_an_unknown_data_source_is_told_with_a_suggestion(workplace: Workplace) -> None:
    (fault,) = workplace.faults('data "mok" "d" { foo = "x" }')
    assert fault.what == "Unknown data type mok"
    assert fault.next == 'Did you mean "mock"?'


def test_settings_of_a_data_source_are_checked(workplace: Workplace, whats: Say) -> None:
    assert whats(workplace.faults('data "mock" "d" { fo = "x" }')) == ['Unsupported argument "fo"']
