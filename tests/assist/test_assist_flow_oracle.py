"""What conversion believes of a script's flow is what bash does: which commands run, with what, and where it ends."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.assist.shell_oracle import Answer, Given, believed, compare, judged, run
from tests.assist.shells import scripts


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_commands_run_as_bash_runs_them(random: Random) -> None:
    script = scripts(random)
    found = judged(script)

    assert found is None or found.faults == [], script.text


def test_most_commands_are_known_to_run() -> None:
    found = [found for seed in range(25) if (found := judged(scripts(Random(seed)))) is not None]
    sure, vague = sum(item.sure for item in found), sum(item.vague for item in found)

    assert sure > 40
    assert sure > 2 * vague


_ANSWERS = {
    "lines": Answer("x y\n z\n"),
    "a": Answer("a\n"),
    "none": Answer(),
    "bad": Answer("", 1),
    **{str(number): Answer() for number in range(1, 9)},
}
_X = "X=$(probe a)"


@pytest.mark.parametrize(
    "script",
    [
        "true && printf -v v %s b; mark 1 $v",
        "set -- a b; true && shift; mark 1 $1; false || set -- c; mark 2 $1",
        ': ${n:=1}; true && echo "$((n += 1))" > /dev/null; mark 1 $n; true && echo "$(mark 2)" > /dev/null; mark 3',
        "set -e; mark 1; [ a = b ]; mark 2",
        f"set -e; {_X}; [ $X = a ]; mark 1; [[ $X = b ]]; mark 2",
        "set -e; mark 1; (( 0 )); mark 2",
        "set -e; mark 4; f() { [ a = b ] && mark 1; }; if f; then mark 2; fi; f; mark 3",
        "set -e; ! true; [ a = b ] && mark 1; [ a = b ] || mark 2; v=$([ a = b ]; mark 3); (exit 2); mark 4",
        "set -e; [ a = b ] || true && mark 1; f() { [ a = b ]; mark 2; }; f || mark 3; mark 4",
        f"{_X}; f() {{ v=1; if [ $X = a ]; then return 0; fi; v=2; }}; f; mark 1 $v",
        f"{_X}; for i in 1 2 3; do v=$i; [ $X = a ] && break; v=no; done; mark 1 $v $i",
        "f() { ( return 3; mark 1 ); mark 2; }; f; mark 3",
        "for i in 1 2; do (break; mark 1); mark 2; for j in x; do continue 2; done; mark 3; done",
        "for i in 1 2 3; do getent none && break; done; mark 1; while ! getent none; do v=1; sleep 0; done; mark 2 $v",
        "f() { for i in 1 2; do getent none && return 0; done; mark 1; return 1; }; f; mark 2",
        f"{_X}; for i in b c d; do mark 1 $i; done; mark 2 $i; for i in $X $X; do v=$i; [ $i = a ] && break; mark 3; done",
        'while read -r l; do mark 1 "$l"; done <<< "$(probe lines)"; while read -r l; do mark 2; done <<< "$(probe none)"',
        'while read -r l; do mark 1 "$l"; done <<< "a b"; mark 2 "$l"',
        'probe lines | while read -r a b; do mark 1 "$a" "$b"; done; getent lines | while read -r a; do mark 2 "$a"; done',
        f"{_X}; for i in $X; do shift; done; mark 1 $#; while read -r l; do export E1=$l; done <<< $X; mark 2",
        "case ab in a*) mark 1 ;;& *b) mark 2 ;& x) mark 3 ;; *) mark 4 ;; esac",
        f"{_X}; case $X in b) mark 1 ;;& a) mark 2 ;& x) mark 3 ;; *) mark 4 ;; esac",
        f'{_X}; P=$(probe none); [[ $X == "$P"* ]] && mark 1; case $X in $P*) mark 2 ;; esac',
        f"{_X}; if {{ [ $X = a ] && exit 0; }} && true; then mark 1; fi; mark 2",
        'v=$(mark 1; echo b); mark 2 "$v"; v=$(probe none; probe a); mark 3 "$v"; v=$(probe a && probe none); mark 4 "$v"',
        f'{_X}; v=$([ $X = a ] && echo y); mark 1 "$v"',
        f'{_X}; v=$(if [ $X = b ]; then probe a; else probe lines; fi; echo z); mark 1 "$v"',
        f"{_X}; r=(a b c); [ $X = a ] && r=(d); mark 1 ${{r[0]}}; set -- a b; [ $X = b ] || set -- c; mark 2 $#",
        'for n in 1 2; do echo "${unset:-$n}" | take $n; done',
        'cd /tmp; cd .; mark 1; v=; [ -n $v ] && mark 2; P=$(probe none); [ -n $P ] && mark 3; [ -n "$P" ] || mark 4',
    ],
)
def test_a_script_runs_as_bash_runs_it(script: str) -> None:
    whole = Given(f"#!/bin/bash\n{script}\n", _ANSWERS, ("1", "2"))
    ran = run(whole)

    assert ran is not None
    assert ran.events
    assert compare(whole, ran, believed(whole)).faults == []


def test_the_oracle_sees_a_wrong_belief() -> None:
    script = Given("#!/bin/bash\nmark 1 a\nmark 2\n")
    other = Given("#!/bin/bash\nmark 1 b\nmark 2\n")
    ran = run(other)

    assert ran is not None
    assert "conversion runs mark" in compare(script, ran, believed(script)).faults[0]
    assert compare(script, ran, believed(Given("#!/bin/bash\nmark 1 b\n"))).faults[0].startswith("conversion ends")
