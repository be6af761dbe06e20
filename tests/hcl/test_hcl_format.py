"""The canonical format, and Packer's formatter as a witness."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl import format_source, parse
from goldsmith.hcl.lexer import CLOSE_HEREDOC, CLOSE_QUOTE, CONTROL, INTERPOLATION, NEWLINE, QUOTED, TEXT, lex
from tests.hcl.hcl_texts import ACCEPTED, configurations, faults_of, source

TEXTS = [text for text in (*configurations(), *ACCEPTED) if not faults_of(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a=1\n", "a = 1\n"),
        ("a = 1\nbcd = 2\n\ne = 3\n", "a   = 1\nbcd = 2\n\ne = 3\n"),
        ("a = 1 # x\nbcd = 2    # y\n", "a   = 1 # x\nbcd = 2 # y\n"),
        ("a{\nb=1\n c{\nd=2\n}\n}\n", "a {\n  b = 1\n  c {\n    d = 2\n  }\n}\n"),
        ("a = [\n1,\n2\n]\n", "a = [\n  1,\n  2\n]\n"),
        ("a = f({\nb = 1\ncc = 2\n})\n", "a = f({\n  b  = 1\n  cc = 2\n})\n"),
        ("a = b . c [ 0 ]\n", "a = b.c[0]\n"),
        ("a = f ( b,c ... )\n", "a = f(b, c...)\n"),
        ("a = -1\nb = 2 -1\nc = [-1,- 2]\n", "a = -1\nb = 2 - 1\nc = [-1, -2]\n"),
        ('a = "x${ b }y"\n', 'a = "x${b}y"\n'),
        ("a = {b=1}\nc = {  }\n", "a = { b = 1 }\nc = {}\n"),
        ("a = [for x in [1,2] : x]\n", "a = [for x in [1, 2] : x]\n"),
        ("a {\n\tb = <<E\n  text\n\tE\n}\n", "a {\n  b = <<E\n  text\n\tE\n}\n"),
        ("é = 1\nab = 2\n", "é  = 1\nab = 2\n"),
        ("  # x\na = 1\n", "# x\na = 1\n"),
        ("a = b   \n", "a = b\n"),
        ("", ""),
    ],
)
def test_a_text_is_formatted_so(text: str, wanted: str) -> None:
    assert format_source(text) == wanted


@pytest.mark.parametrize("text", TEXTS)
def test_formatting_twice_changes_nothing_more(text: str) -> None:
    once = format_source(text)

    assert format_source(once) == once


@given(st.sampled_from(TEXTS), st.integers())
def test_formatting_never_changes_what_is_parsed(text: str, seed: int) -> None:
    shaken = respaced(text, random.Random(seed))

    assert outline(format_source(shaken)) == outline(shaken)


def outline(text: str) -> list[tuple[str, str]]:
    """The tokens of a text without faults, which decide what is parsed."""
    assert parse(source(text))[1] == ()
    tokens = lex(text)
    return [(kind, text[start:end]) for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)]


def respaced(text: str, chance: random.Random) -> str:
    """The text with other blanks between its tokens, and none changed where they are text of a template."""
    tokens = lex(text)
    inside = {QUOTED, TEXT, CLOSE_QUOTE, CLOSE_HEREDOC, INTERPOLATION, CONTROL}
    found, before = "", 0
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        gap = text[before:start]
        if kind not in inside and chance.random() < 0.4:
            gap = chance.choice(("  ", "\t", " " * 5)) if gap or chance.random() < 0.3 else ""
        if before and tokens.kinds[tokens.ends.index(before)] in inside:
            gap = text[before:start]
        if kind == NEWLINE and chance.random() < 0.03 and not found.endswith("E"):
            gap += "\n"
        found, before = found + gap + text[start:end], end
    return found


@pytest.fixture(scope="module")
def packer() -> str:
    found = shutil.which("packer")
    if found is None:
        pytest.skip("Debian's packer, the witness for the format, is not installed")
    return found


def formatted_by_packer(packer: str, texts: list[str], place: Path) -> Iterator[str]:
    paths = [place / f"{number:04}.pkr.hcl" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    environment = {"HOME": str(place), "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", "PATH": os.environ["PATH"]}
    subprocess.run([packer, "fmt", str(place)], env=environment, check=True, capture_output=True)
    return (path.read_bytes().decode() for path in paths)


def test_configurations_are_formatted_as_packer_does(packer: str, tmp_path: Path) -> None:
    texts = [text for text in TEXTS if "::" not in text]

    for text, wanted in zip(texts, formatted_by_packer(packer, texts, tmp_path), strict=True):
        assert format_source(text) == wanted


def test_respaced_configurations_are_formatted_as_packer_does(packer: str, tmp_path: Path) -> None:
    chance = random.Random(1)
    texts = [respaced(chance.choice(TEXTS), chance) for _ in range(300)]
    texts = [text for text in texts if "::" not in text and not faults_of(text)]

    assert len(texts) > 200
    for text, wanted in zip(texts, formatted_by_packer(packer, texts, tmp_path), strict=True):
        assert format_source(text) == wanted
