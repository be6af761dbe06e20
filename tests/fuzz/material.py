"""What the fuzzer begins with, and the words that it puts together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from goldsmith.hcl import functions
from goldsmith.hcl.gotemplate_functions import NAMES
from tests.hcl.hcl_texts import ACCEPTED, REFUSED, configurations
from tests.hcl.test_hcl_console_oracle import FAULTS, VALUES

_PLACE = Path(__file__).parent / "seeds"


def seeds(target: str) -> Iterator[bytes]:
    """Inputs that reach far into the target."""
    match target:
        case "evaluator":
            texts = [*VALUES, *FAULTS, *_lines("expressions")]
        case "gotemplate":
            texts = _lines("go_templates")
        case "json":
            texts = _lines("json")
        case _:
            texts = [*ACCEPTED, *REFUSED, *configurations()]
    yield from (text.encode() for text in texts)


def words(target: str) -> list[str]:
    """Words for the fuzzer's dictionary."""
    if target == "gotemplate":
        return [*_words("go_words"), *NAMES]
    calls = [f"{name}(" for name in functions(Path(), 0)] if target == "evaluator" else []
    return [*_words("words"), *calls]


def _lines(name: str) -> list[str]:
    return (_PLACE / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def _words(name: str) -> list[str]:
    return [line.encode().decode("unicode_escape") for line in _lines(name)]
