"""Scripts are parsed in their dialect; what is refused has its place."""

from __future__ import annotations

from goldsmith.assist.shell import Script, interpreter, parse
from goldsmith.assist.syntax import Call, Plain, Tree


def tree(text: bytes) -> Tree:
    (found,), refused = parse([Script("a.sh", text)])
    assert refused == ()
    return found


def test_a_statement_spans_its_here_document_in_bytes() -> None:
    text = "#!/bin/bash\necho ä\ncat <<E > x\nhellö\nE\necho b\n".encode()
    found = tree(text)

    assert [found.excerpt(item.span) for item in found.statements] == ["echo ä", "cat <<E > x\nhellö\nE", "echo b"]
    assert [(item.span.line, item.span.end_line) for item in found.statements] == [(2, 2), (3, 5), (6, 6)]


def test_bytes_that_are_no_utf8_stay_what_they_are() -> None:
    (statement,) = tree(b"echo \xff\n").statements

    assert isinstance(statement.command, Call)
    assert statement.command.words[1].parts == (Plain("\udcff"),)


def test_a_refusal_says_line_column_and_reason() -> None:
    trees, (refused,) = parse([Script("a.sh", b"#!/bin/bash\necho a\n  if true; done\n")])

    assert trees == ()
    assert refused.diagnostic.code == "script.syntax"
    assert refused.diagnostic.where is not None
    assert refused.diagnostic.where.start.line == 3
    assert not refused.is_accepted_by_bash


def test_what_bash_alone_reads_is_told_apart() -> None:
    _, (refused,) = parse([Script("a.sh", b"#!/bin/bash\necho $((1.5 + 1))\n")])

    assert refused.is_accepted_by_bash
    assert refused.diagnostic.code == "script.unusual-syntax"


def test_other_files_go_on_when_one_is_no_script() -> None:
    trees, refused = parse([Script("a", b"#!/usr/bin/python3\n"), Script("b", b"\x7fELF\0"), Script("c", b"true\n")])

    assert [item.path for item in trees] == ["c"]
    assert [item.diagnostic.code for item in refused] == ["script.not-shell", "script.not-text"]


def test_the_first_line_names_the_interpreter_and_its_options() -> None:
    assert interpreter(b"#!/bin/bash -eux\n") == ("bash", "eux")
    assert interpreter(b"#!/usr/bin/env -S bash -e\n") == ("bash", "e")
    assert interpreter(b"#! /bin/sh\n") == ("sh", "")
    assert interpreter(b"echo") == ("sh", "")


def test_a_script_of_sh_with_words_of_bash_is_read_as_bash_reads_it() -> None:
    assert len(tree(b"#!/bin/sh\na=(b c)\n").statements) == 1
