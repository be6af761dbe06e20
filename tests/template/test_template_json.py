"""Templates in JSON: what differs from native syntax, and files of both forms together."""

from __future__ import annotations

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.template import Build, Console, check_syntax, inspect, load_options
from tests.template.template_doubles import MockConfig, NestedConfig, Tag
from tests.template.template_workplace import Workplace

SOURCE = '"source": {"mock": {"a": {}}}'


def build_of(workplace: Workplace, text: str) -> Build:
    """The one build of a template in JSON."""
    workplace.write(text, "t.pkr.json")
    plan = workplace.plan()
    assert not plan.failed
    (build,) = plan.builds
    return build


def configs(workplace: Workplace, text: str, context: Context) -> list[object]:
    return [use.config(context) for use in build_of(workplace, text).uses()]


def faults(workplace: Workplace, text: str) -> tuple[Diagnostic, ...]:
    workplace.write(text, "t.pkr.json")
    return workplace.faults()


def answer(workplace: Workplace, text: str, line: str) -> str:
    path = workplace.write(text, "t.pkr.json")
    return Console(path, load_options(environment={"HOME": "/h"}, cwd=workplace.root)).answer(line)


# ── what a value means where ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        ('{"default": "${env(\\"HOME\\")}"}', "/h"),
        ('{"type": "number", "default": "5"}', "5"),
        ('{"type": "list(string)", "default": [1, true]}', '[\n  "1",\n  "true",\n]'),
        ('{"type": "object({a=string, b=optional(number, 3)})", "default": {"a": "x"}}', '{\n  "a" = "x"\n  "b" = 3\n}'),
        ('{"type": "string", "default": null}', "null"),
        ('{"default": "s", "sensitive": true}', "<sensitive>"),
        ('{"default": "x", "description": "not ${evaluated"}', "x"),
        ('{"default": 1, "validation": [{"condition": "${var.a == 1}", "error_message": "Must ${be} one."}]}', "1"),
        ('{"//": "a comment", "default": "$${a}"}', "${a}"),
    ],
)
def test_variables_are_declared_in_json(workplace: Workplace, variable: str, shown: str) -> None:
    assert answer(workplace, f'{{"variable": {{"a": {variable}}}}}', "var.a") == shown


def test_locals_are_templates_and_data_of_any_type(workplace: Workplace) -> None:
    text = """{
      "variables": {"v": ["x", "y"]},
      "locals": [{"a": "${var.v}", "b": {"${local.c}": "${length(local.a)}"}}, {"//": "why", "c": "k"}],
      "local": {"s": {"expression": "${local.c}!", "sensitive": true}}
    }"""
    assert answer(workplace, text, "local.b") == '{\n  "k" = 2\n}'
    assert answer(workplace, text, "local.s") == "<sensitive>"


def test_settings_and_nested_blocks_of_components(workplace: Workplace, context: Context) -> None:
    text = """{
      "variable": {"n": {"default": 22}},
      "source": {"mock": {"a": {
        "string": "${source.name}", "int": "${var.n}", "slice_string": ["a", "${var.n}"], "map_string_string": {"k": 1},
        "tag": [{"key": "one"}, {"key": "two", "value": "${var.n}"}],
        "nested": {"string": "inner", "tag": {"key": "deep"}}
      }}},
      "build": {"sources": ["mock.a"]}
    }"""
    (config,) = configs(workplace, text, context)
    assert isinstance(config, MockConfig)
    assert (config.string, config.int, config.slice_string, config.map_string_string) == ("a", 22, ("a", "22"), {"k": "1"})
    assert config.tag == (Tag(key="one"), Tag(key="two", value="22"))
    assert config.nested == NestedConfig(string="inner", tag=(Tag(key="deep"),))


def test_steps_keep_their_order_and_their_meta_attributes(workplace: Workplace) -> None:
    text = f"""{{{SOURCE}, "build": [{{
      "sources": ["source.mock.a"],
      "provisioner": [
        {{"mock": {{"name": "1", "only": ["mock.a"]}}}},
        {{"mock": [{{"name": "2", "pause_before": "3s"}}, {{"name": "3", "max_retries": 2}}]}},
        {{"mock": {{"name": "never", "except": ["mock.a"]}}}}
      ],
      "post-processors": [{{"post-processor": [{{"mock": {{"name": "4"}}}}, {{"mock": {{"name": "5"}}}}]}}],
      "post-processor": {{"mock": {{"name": "6", "keep_input_artifact": true}}}},
      "error-cleanup-provisioner": {{"mock": {{"name": "7"}}}}
    }}]}}"""
    build = build_of(workplace, text)
    assert [use.name for use in build.provisioners] == ["1", "2", "3"]
    assert [(use.pause_before, use.max_retries) for use in build.provisioners] == [(0, 0), (3, 0), (0, 2)]
    assert [[use.name for use in chain] for chain in build.chains] == [["4", "5"], ["6"]]
    assert build.chains[1][0].keep_input_artifact is True
    assert build.cleanup is not None


def test_dynamic_makes_blocks(workplace: Workplace, context: Context) -> None:
    text = f"""{{{SOURCE}, "build": {{"sources": ["mock.a"], "dynamic": {{
      "provisioner": {{
        "for_each": {{"x": 1, "y": 2}}, "iterator": "each", "labels": ["mock"],
        "content": {{"string": "${{each.key}}${{each.value}}", "dynamic": {{"tag": {{
            "for_each": ["${{each.key}}", "z"], "content": {{"key": "${{tag.value}}"}}}}}}}}
      }}
    }}}}}}"""
    _, first, second = configs(workplace, text, context)
    assert isinstance(first, MockConfig)
    assert isinstance(second, MockConfig)
    assert (first.string, second.string) == ("x1", "y2")
    assert [tag.key for tag in second.tag] == ["y", "z"]


def test_a_name_in_a_build_is_literal(workplace: Workplace) -> None:
    build = build_of(workplace, f'{{{SOURCE}, "build": {{"source": {{"mock.a": {{"name": "${{x}}"}}}}}}}}')

    assert build.full_name == "mock.${x}"


def test_the_packer_block_is_literal(workplace: Workplace) -> None:
    text = '{"packer": {"required_version": ">= 900", "required_plugins": {"p": {"version": "1", "source": "${"}}}}'
    (fault,) = faults(workplace, text)

    assert (fault.what, fault.where and fault.where.start.column) == ("Unsupported Packer Core version", 13)


# ── variable files ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_in_a_variable_file_are_literal(workplace: Workplace) -> None:
    workplace.write('variable "a" {}\nvariable "b" {}\nvariable "c" { type = list(string) }')
    workplace.write(
        '{"//": "comment", "a": "${x} %{ if", "b": {"${k}": 1.50, "//": null}, "c": ["a", 2]}', "v.auto.pkrvars.json"
    )
    inputs = workplace.load().inputs

    assert inputs["a"].raw == "${x} %{ if"
    assert inputs["b"].raw is not None
    assert [item.raw for item in inputs["c"].items()] == ["a", "2"]


def test_variable_files_of_both_forms_are_read_in_packers_order(workplace: Workplace) -> None:
    workplace.write('variable "a" {}\nvariable "b" {}\nvariable "c" {}')
    workplace.write('a = "hcl"\nb = "hcl"\nc = "hcl"', "z.auto.pkrvars.hcl")
    workplace.write('{"a": "json", "b": "json"}', "a.auto.pkrvars.json")
    late = workplace.write('{"a": "given"}', "late.json")
    inputs = workplace.load(variable_files=(late,)).inputs

    assert {name: value.raw for name, value in inputs.items()} == {"a": "given", "b": "json", "c": "hcl"}


def test_a_variable_may_be_called_variable_when_its_value_is_no_declaration(workplace: Workplace) -> None:
    workplace.write('variable "variable" {}')

    assert workplace.load(variable_files=(workplace.write('{"variable": "x"}', "v.json"),)).inputs["variable"].raw == "x"


def test_all_faults_of_a_variable_file_are_told(workplace: Workplace) -> None:
    workplace.write('variable "a" { default = 1 }')
    told = workplace.faults(variable_files=(workplace.write('{\n "a": tru,\n "b": 01,\n "c" "d"\n}', "v.json"),))

    assert [item.where.start.line for item in told if item.where] == [2, 3, 4]


# ── both forms in one directory ───────────────────────────────────────────────────────────────────────────────────────


def test_files_of_both_forms_make_one_template(workplace: Workplace, context: Context) -> None:
    workplace.write('variable "a" { default = "A" }\nsource "mock" "a" { string = local.b }', "z.pkr.hcl")
    added = '{"not_squashed": "added", "tag": {"key": "k"}}'
    text = f'{{"locals": {{"b": "${{var.a}}-b"}}, "build": {{"source": {{"mock.a": {added}}}}}}}'
    config, *_ = configs(workplace, text, context)

    assert isinstance(config, MockConfig)
    assert (config.string, config.not_squashed, config.tag) == ("A-b", "added", (Tag(key="k"),))


def test_json_comes_after_native_whatever_its_name(workplace: Workplace) -> None:
    workplace.write('source "mock" "a" {}\nbuild {\n name = "native"\n sources = ["mock.a"]\n}', "z.pkr.hcl")
    workplace.write('{"build": {"name": "json", "sources": ["mock.a"]}}', "a.pkr.json")

    assert [build.full_name for build in workplace.plan().builds] == ["native.mock.a", "json.mock.a"]


def test_what_both_forms_set_is_a_fault(workplace: Workplace) -> None:
    workplace.write('source "mock" "a" { string = "one" }\nvariable "v" { default = 1 }')
    told = faults(workplace, '{"variable": {"v": {"default": 2}}, "build": {"source": {"mock.a": {"string": "two"}}}}')

    assert "Duplicate variable" in [item.what for item in told]
    told = faults(workplace, '{"build": {"source": {"mock.a": {"string": "two"}}}}')
    assert [(item.what, item.where and item.where.text) for item in told] == [("Duplicate argument", '"string"')]


def test_syntax_errors_of_both_forms_are_told_together(workplace: Workplace) -> None:
    workplace.write("a = = 1", "a.pkr.hcl")
    told = faults(workplace, '{"a": 1,}')

    assert [item.code for item in told] == ["hcl.invalid-expression", "hcl.json-trailing-comma"]


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "what", "column"),
    [
        ('{"variabel": {}}', "Extraneous JSON object property", 2),
        ('{"build": {"source": "mock.a"}}', "Incorrect JSON value type", 22),
        ('{"source": {"mock": {}}}', "Missing block label", 21),
        ('{"locals": [["a"]]}', "Incorrect JSON value type", 13),
        ('{"variable": {"a": {"type": "lst(string)"}}}', "Invalid type specification", 30),
        ('{"variable": {"a": {"type": ["string"]}}}', "Invalid type specification", 29),
        ('{"variable": {"a": {"default": "${var.b}"}}}', "Variables not allowed", 35),
        ('{"variable": {"a": {"default": "a ${"}}}', "Missing expression", None),
        ('{"variable": {"a": {"sensitive": "${true}", "default": 1}}}', "Incorrect attribute value", 21),
        ('{"variable": {"a": {"description": null, "default": 1}}}', "Unsuitable value type", 21),
        ('{"variable": {"a": {"default": 1, "default": 2}}}', "Duplicate argument", 35),
        ('{"locals": {"a": {"k": 1, "${\\"k\\"}": 2}}}', "Duplicate object attribute", 27),
        ('{"locals": {"a": "${local.a}"}}', "Cycle: local.a → local.a", 18),
        ('{"locals": {"a": "${local.b}"}}', "Unsupported attribute", 21),
        (
            f'{{{SOURCE}, "build": {{"sources": ["mock.a"], "dynamic": {{"source": {{"for_each": [1], "content": {{}}}}}}}}}}',
            "Insufficient dynamic block labels",
            None,
        ),
        (
            f'{{{SOURCE}, "build": {{"sources": ["mock.a"], "provisioner": {{"mock": {{"strin": 1}}}}}}}}',
            "Extraneous JSON object property",
            None,
        ),
    ],
)
def test_faults_are_told_with_their_place(workplace: Workplace, text: str, what: str, column: int | None) -> None:
    told = faults(workplace, text)

    assert what in [item.what for item in told]
    found = next(item for item in told if item.what == what)
    assert found.where is not None
    assert column is None or found.where.start.column == column


def test_the_chain_of_references_is_that_of_the_place(workplace: Workplace) -> None:
    text = '{"locals": {"a": "${local.b} ${local.c + \\"x\\"}", "b": "\\u0041${1}", "c": "${2}"}}'
    found = next(item for item in faults(workplace, text) if item.code == "hcl.operand")

    assert [item.what for item in found.context] == []
    text = '{"locals": {"a": "\\u0041${local.b} ${local.c + 1}", "b": 1, "c": "${\\"x\\"}"}}'
    found = next(item for item in faults(workplace, text) if item.code == "hcl.operand")
    assert [item.what for item in found.context] == ['local.c = "${\\"x\\"}"']


def test_a_name_that_is_nearly_right_is_suggested(workplace: Workplace) -> None:
    (fault, *_) = faults(workplace, f'{{{SOURCE}, "build": {{"source": {{"mock.a": {{"strin": 1}}}}}}}}')

    assert fault.next == 'Did you mean "string"?'


def test_syntax_only_reads_no_values(workplace: Workplace) -> None:
    path = workplace.write(f'{{"locals": {{"a": "${{nosuch}}"}}, {SOURCE}, "build": {{"sources": ["mock.a"]}}}}', "t.pkr.json")

    assert check_syntax(path, load_options()) == ()


def test_inspect_lists_a_template_in_json(workplace: Workplace) -> None:
    path = workplace.write(
        f'{{{SOURCE}, "variable": {{"a": {{}}}}, "build": [{{"name": "n", "sources": ["mock.a"]}}]}}', "t.pkr.json"
    )
    told = inspect(path, load_options(environment={}, cwd=workplace.root))

    assert 'var.a: "<unknown>"' in told
    assert "> n:" in told


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"locals": {"a": ' + "[" * 150 + "1" + "]" * 150 + "}}"])
def test_deep_nesting_is_refused_or_read(workplace: Workplace, text: str) -> None:
    path = workplace.write(text, "t.pkr.json")
    try:
        inspect(path, load_options(environment={}, cwd=workplace.root))
    except UserError as error:
        assert all(item.what and item.where for item in error.diagnostics)
