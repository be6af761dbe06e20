"""What conversion believes of words is what bash makes of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.assist.shell_oracle import Answer, Given, believed, compare, judged, run
from tests.assist.shells import scripts


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_words_are_worth_what_bash_makes_of_them(random: Random) -> None:
    script = scripts(random, has_flow=False)
    found = judged(script)

    assert found is None or found.faults == [], script.text


def test_most_words_are_known() -> None:
    found = [found for seed in range(15) if (found := judged(scripts(Random(seed), has_flow=False))) is not None]
    sure, vague = sum(item.sure for item in found), sum(item.vague for item in found)

    assert sure > 40
    assert sure > 5 * vague


_GIVEN = "X=$(probe lines); N=$(probe short); "
_LATER = {"lines": Answer("x y\nz\n"), "short": Answer("3\n"), "none": Answer()}


@pytest.mark.parametrize(
    "line",
    [
        'mark 1 "${unset[@]}" "${!unset[@]}"; unset=a',
        'r=($(probe none)); mark 1 "${r+d e}"; r=($X); mark 2 "${r+d}" "$r"',
        'r=(a b); unset "r[1]"; mark 1 "${r[@]}" "${r+set}"; r=(); mark 2 "${r+set}"',
        'r[3]=d; r[1]=b; mark 1 "${r[@]}" "${!r[@]}"',
        'r=($X "a b"); mark 1 "${r[1]}" "${#r[@]}" "${!r[@]}" "${r[@]:1}" "${r[@]#x}"',
        'read -ra r <<< "$X"; mark 1 "${r[@]}"; r[5]=x; r+=(y); mark 2 "${r[@]}"',
        'read -ra r <<< ""; mark 1 "${r[@]}"',
        'r=(a b); mark 1 "${r[@]/#/-p }" "${r[@]/%/.sh}"',
        'mark 1 "${X/#x*/w}" "${X//*/w}" "${X/%*/w}"; v=abc; mark 2 "${v//*/w}" "${v/%*/w}"; v=; mark 3 "${v//*/w}" "${v/#/w}"',
        'v=a/b; mark 1 "${v//b/[&]}" "${v//b/"[&]"}" "${v//b/[\\&]}"',
        'v=ab; mark 1 "${v: -3}" "${N: -2}" "${v:1:-1}"',
        'mark 1 "${G1+given}" "${G1:+given}" "${G2+given}" "${G2:+given}"',
        "mark 1 ${unset-d e} ${unset:-'d e'} x${unset-d e}y; unset=a",
        "mark 1 a$X'b c'",
        'mark 1 "${10}" "${3}" "$2"',
        'IFS=: read -r a b <<< "x:y:z "; mark 1 "$a" "$b"; read -r c d <<< " p  q  r "; mark 2 "$c" "$d"',
        'IFS=: read -r a b <<< "x:y:"; IFS=": " read -r c d e <<< "p : : q"; IFS=, read -ra f <<< ",1,,2,"; '
        'mark 1 "$a" "$b" "$c" "$d" "$e" "${f[@]}"',
        'read -r a <<< "$X"; IFS= read -r b <<< " $X"; mark 1 "$a" "$b"',
        'mark 1 "${#N}"; [ "${#N}" = 1 ] && mark 2; n=$((N - 3)); [ "$n" = 0 ] && mark 3 "${n/0/z}"; [[ $n == 0* ]] && mark 4',
        "printf '%s\\n' $X | take 1; printf -v v '%s\\n' $X; mark 2 \"$v\"",
    ],
)
def test_a_line_means_what_it_means_to_bash(line: str) -> None:
    script = Given(f"#!/bin/bash\n{_GIVEN}\n{line}\n", _LATER, ("1", "two words"), {"G1": "x"})
    ran = run(script)

    assert ran is not None
    assert ran.events
    assert compare(script, ran, believed(script)).faults == []
