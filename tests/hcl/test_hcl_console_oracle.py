"""Packer's console as a witness for the evaluator."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from goldsmith.hcl import Scope, UserError, evaluate, functions, parse_expression
from goldsmith.hcl.display import display
from tests.hcl.hcl_texts import source

VALUES = (
    *("7 % -3", "-7 % 3", "5 % 0", "1 == null", "[1,2].1", "{a=1}.a", "10/4", "1/3", "1/0", "1.5e3", "0.1+0.2", "1/7*7", "1.0"),
    *('1 + "2"', '5 == "5"', "[1,2] == [1,2]", "{a=1} == {a=1}", "1 < 2 && 2 < 3", "123456789012345678", "1e100", "-(-3)"),
    *('"${null}"', '"$${a}"', '"%%{a"', '"%{if true}x%{else}y%{endif}"', '"%{for x in [1,2]}${x},%{endfor}"', '"a ${~ 1 ~} b"'),
    *('[for i, x in ["a","b"]: "${i}${x}"]', "{for k, v in {b=1,a=2}: k => v...}", "[for k, v in {b=1,a=2}: k]", "{a=1}[*]"),
    *("[{a=1},{a=2}][*].a", "[{a=1},{a=2}].*.a", "[[1]].*.0", "5[*]", 'true ? [1] : ["a","b"]', "true ? {a=1} : {b=2}"),
    *("true ? null : 1", 'true ? "a" : 1', "false ? 1/0 : 2", '{"a b" = 1}["a b"]', "{a = 1, a = 2}", '"é" == "e\\u0301"'),
    *("max([1,2]...)", "try(nosuch, 2)", "can(nosuch)", 'join(",", [1,2])', "{a=null}", "[null]", '[1,2]["1"]', "[][*].a"),
    *('"x${1/3}"', '"x${0.1*0.1}"', '"x${1e300}"', "0.1*0.1 == 0.01", "1/3+1/3+1/3 == 1", 'format("%v", 0.1*0.1)'),
    *("-0", "1/-0", "1/(0*-1)", "1/(-0 - 0)", "1/(-0 + 0)", "1/(-5 % 5)", "0 == -0", "-0 < 0", '"x${-0}"', '1/"-0"'),
    *("1/max(-0, 0)", "1/abs(-0)", "setunion([0], [-0])", "distinct([0, -0])", "[1, 2][-0]", "{(-0) = 1}"),
    *("(1/0) % 2", "5.5 % 2", "-1e-1000", "1e1000000", '"x${123456789.123456789 - 0.000000001}"'),
    *("true ? [1] : true ? nosuch() : 1", 'true ? "a" : [1, nosuch()][0]', "true ? 1 : {for x in [1]: nosuch() => x}"),
)
FAULTS = (
    *("0/0", "null + 1", '{a=1}["b"]', "{a=1}.b", '"a${null}"', '"a${[]}"', "upper()", 'upper("a","b")', "upper([])", "!5"),
    *(
        "[for x in 1: x]",
        "max(null...)",
        '[1]["a"]',
        "[1][0.5]",
        "1[0]",
        '"a".b',
        "null.a",
        '-"a"',
        '"a" && true',
        "lower(null)",
    ),
    *("{[] = 1}", "{(null) = 1}", '1 > "b"', "null ? 1 : 2", "true ? 1 : []", "[null][*].a", "[for x in [1]: x if null]"),
    *("true ? true : -2 ? [] : []", "true ? [1] : [1, nosuch()][0]", "true ? 1 : {a=upper()}", "true ? 1 : [1][*].a"),
    *("true ? [] : {a=1,b=nosuch()}.a", "true ? 1 : {for x in [1]: x => nosuch()}", 'true ? {} : "${nosuch()}x"'),
    *('[for x in [1]: x if "x"]', "{for x in [1]: null => x}", "{for x in [1]: [] => x}"),
)


@pytest.fixture(scope="module")
def told_by_packer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    packer = shutil.which("packer")
    if packer is None:
        pytest.skip("Debian's packer, the witness for values, is not installed")
    home = str(tmp_path_factory.mktemp("home"))
    environment = {"HOME": home, "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", "PATH": os.environ["PATH"]}

    def ask(expression: str) -> str:
        command = [packer, "console", "-config-type=hcl2"]
        run = subprocess.run(command, input=f"{expression}\n", text=True, capture_output=True, env=environment, check=False)
        return f"{run.stdout}{run.stderr}".strip()

    with ThreadPoolExecutor(2) as pool:
        return dict(zip((*VALUES, *FAULTS), pool.map(ask, (*VALUES, *FAULTS)), strict=True))


@pytest.mark.parametrize("text", VALUES)
def test_an_expression_has_the_value_that_packer_gives_it(text: str, told_by_packer: dict[str, str], tmp_path: Path) -> None:
    value = evaluate(parse_expression(source(text)), Scope(functions=functions(tmp_path, 0)))

    assert display(value).strip() == told_by_packer[text]


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_told_in_packers_words(text: str, told_by_packer: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        evaluate(parse_expression(source(text)), Scope(functions=functions(tmp_path, 0)))

    # Packer prints the summary, the place and the reason, which it wraps.
    what, *_, why = told_by_packer[text].split("\n\n")
    assert what == f"Error: {caught.value.diagnostics[0].what}"
    assert " ".join(why.split()) == caught.value.diagnostics[0].why
