"""Options of commands, compared with what GNU getopt reads."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist.commands import Command, Place, Redirect, Text, Unknown, Variable, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text, texts
from goldsmith.assist.tasks import Inexact

GRAMMAR = Grammar.of("-y --yes --assume-yes", "-o= --option=", "-b? --backup?", "-r --recursive", "--release=", "-nv")


def words(line: str) -> list[Word]:
    return [Word.of(word) for word in line.split()]


def test_options_are_found_among_operands_in_all_their_spellings() -> None:
    parsed = GRAMMAR.read(words("install -yo a=b --option=c --option d pkg -oe --back=x -nv -- -y"))

    assert [word.text for word in parsed.operands] == ["install", "pkg", "-y"]
    assert [word.text for word in parsed.values("--option")] == ["a=b", "c", "d", "e"]
    assert parsed.value("-o") == Word.of("e")
    assert parsed.value("--backup") == Word.of("x")
    assert parsed.has("--assume-yes") and parsed.has("-nv") and not parsed.has("-r")


def test_an_optional_value_is_never_the_next_word() -> None:
    parsed = GRAMMAR.read(words("-b one --backup two -bx"))
    assert [option.value and option.value.text for option in parsed.options] == [None, None, "x"]
    assert [word.text for word in parsed.operands] == ["one", "two"]


def test_the_first_operand_ends_options_where_a_command_says_so() -> None:
    parsed = Grammar.of("-x", permutes=False).read(words("-x run -y"))
    assert [word.text for word in parsed.operands] == ["run", "-y"]


def test_the_last_of_options_that_undo_each_other_counts() -> None:
    assert GRAMMAR.read(words("-y -r --yes")).last("--recursive", "--yes") == "-y"
    assert GRAMMAR.read([]).last("-r") is None


def test_values_may_be_variables_and_option_names_may_not() -> None:
    value = Variable("web_port", "input")
    parsed = GRAMMAR.read([Word((Text("--option=port="), value)), Word((Text("-o"), value))])
    assert parsed.values("-o") == (Word((Text("port="), value)), Word((value,)))
    for word in (Word((Text("--re"), value)), Word((Text("-"), value))):
        with pytest.raises(Inexact, match="depends on a value"):
            GRAMMAR.read([word])


def test_what_is_not_known_is_refused_with_its_reason() -> None:
    for line, reason in {
        "--no-such": "--no-such is not known",
        "-q": "-q is not known",
        "-yq": "-q is not known",
        "--re=x": "--re is not known",  # --recursive or --release
        "--yes=1": "takes no value",
        "-o": "-o lacks its value",
        "--option": "--option lacks its value",
    }.items():
        with pytest.raises(Inexact, match=reason):
            GRAMMAR.read(words(line))
    for unknown in (["a", "?"], ["--", "?"], ["-o", "?"]):
        given = [Word((Unknown("nobody knows"),)) if word == "?" else Word.of(word) for word in unknown]
        with pytest.raises(Inexact, match="nobody knows"):
            GRAMMAR.read(given)


def test_an_option_that_a_rule_does_not_expect_is_refused() -> None:
    parsed = GRAMMAR.read(words("-y -r"))
    parsed.only("--yes", "-r")
    with pytest.raises(Inexact, match="-r"):
        parsed.only("--yes")


def test_a_command_whose_output_is_a_file_does_more_than_its_words() -> None:
    place = Place("a.sh", 1, 1, 0, 1)

    def command(target: str) -> Command:
        return Command(1, "x", (), place, "x", redirects=(Redirect(">", 1, Word.of(target)),))

    with pytest.raises(Inexact, match="/etc/list"):
        GRAMMAR.parse(command("/etc/list"))
    assert GRAMMAR.parse(command("/var/log/build.log")).operands == ()


def test_texts_of_words_that_only_the_playbook_knows_are_refused() -> None:
    assert texts(words("a b")) == ("a", "b")
    with pytest.raises(Inexact):
        text(Word((Variable("x", "input"),), "$X"))


_WORDS = st.sampled_from(["-y", "-o", "-b", "--yes", "--rec", "--option=v", "--opt", "--bac=", "--re", "a", "-", "--"])


@settings(max_examples=60, deadline=None)
@given(st.lists(_WORDS | st.text("-yrobxaz=", min_size=1, max_size=4), max_size=6))
def test_words_are_read_as_getopt_reads_them(given_words: list[str]) -> None:
    grammar = Grammar.of("-y --yes", "-o= --option=", "-b? --backup?", "-r --recursive", "--release=", "-a", "-x")
    longs = "yes,option:,backup::,recursive,release:"
    getopt = subprocess.run(["getopt", "-o", "yo:b::rax", "-l", longs, "--", *given_words], capture_output=True, check=False)
    try:
        parsed = grammar.read([Word.of(word) for word in given_words])
    except Inexact:
        assert getopt.returncode != 0
        return
    assert getopt.returncode == 0
    # getopt quotes values, so a value that looks like an option is none.
    told = shlex.split(getopt.stdout.decode(), posix=False)
    assert _as_getopt_tells(parsed) == [grammar.names.get(word) or shlex.split(word)[0] for word in told]


def _as_getopt_tells(parsed: Parsed) -> list[str]:
    told: list[str] = []
    for option in parsed.options:
        told.append(option.name)
        if parsed.grammar.takes[option.name] != "none":
            told.append(text(option.value) if option.value else "")
    return [*told, "--", *texts(parsed.operands)]
